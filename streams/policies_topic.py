"""Reading and writing the topic ``hearthwatch.policies`` from outside: command lines, not stages."""

from __future__ import annotations

from typing import Any, Final

import kafka
import kafka.errors

from streams import kafka_clients
from streams.errors import InputError, PublishTimeoutError, TransportError
from streams.kafka_clients import Connection
from streams.policies import MAX_BYTES, POLICIES, Activation, Files, activations, encode_files

_PATIENCE_SECONDS: Final = 30.0


def read_activations(connection: Connection, *, prefix: str = "", needed: bool = False) -> list[Activation]:
    """All activations so far.

    Args:
        needed: the topic has to be there; otherwise it may be missing, and there are none.

    Raises:
        TransportError: no broker answers, or the topic is missing.
        NotUnderstoodError: see :func:`activations`.
    """
    consumer = kafka_clients.consumer(connection, fetch_max_bytes=2 * MAX_BYTES)
    try:
        if not consumer.partitions_for_topic(prefix + POLICIES):
            if needed:
                raise TransportError(
                    f"the topic {prefix + POLICIES} is missing; make it with `hearthwatch topics create`"
                )
            return []
        partition = kafka.TopicPartition(prefix + POLICIES, 0)
        consumer.assign([partition])
        consumer.seek_to_beginning(partition)
        end = consumer.end_offsets([partition])[partition]
        records: list[Any] = []
        while consumer.position(partition) < end:
            for some in consumer.poll(timeout_ms=1000).values():
                records += some
    except (kafka.errors.KafkaError, OSError) as error:
        raise connection.failure(error) from None
    finally:
        consumer.close()
    return activations((record.offset, record.value, record.timestamp) for record in records)


def append(connection: Connection, files: Files, *, received_ms: int | None = None, prefix: str = "") -> int:
    """Append an activation; its number, once the brokers have it.

    Args:
        received_ms: the record's timestamp where the topic leaves it to the sender (``clock: log``).

    Raises:
        InputError: the files are too large.
        TransportError: the brokers do not take it, or did not say so in time: it may then stand on the topic.
    """
    value = encode_files(files)
    if len(value) > MAX_BYTES:
        raise InputError(
            f"policy and catalogue have {len(value)} bytes together, at most {MAX_BYTES} can be activated"
        )
    producer = kafka_clients.producer(
        connection, max_request_size=MAX_BYTES + 65_536, compression_type="gzip"
    )
    try:
        sent = producer.send(prefix + POLICIES, value=value, partition=0, timestamp_ms=received_ms)
        offset: int = sent.get(_PATIENCE_SECONDS).offset
    except kafka.errors.KafkaTimeoutError:
        producer.abandon()
        raise PublishTimeoutError(
            f"Kafka did not confirm the activation within {_PATIENCE_SECONDS:.0f} s;"
            " `hearthwatch policy status` tells whether it stands"
        ) from None
    except (kafka.errors.KafkaError, OSError) as error:
        raise connection.failure(error) from None
    except BaseException:
        producer.abandon()
        raise
    producer.close()
    if offset < 0:
        raise TransportError(
            "the broker did not say where the activation stands: see `hearthwatch policy status`"
        )
    return offset + 1
