"""Reading one partition of a topic from outside, from its first record to where it ends now."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import kafka
import kafka.errors

from streams import kafka_clients
from streams.errors import InputError
from streams.kafka_clients import Connection
from streams.partitions import partition_of

_POLL_MS: Final = 1_000
#: Polls in a row that bring nothing although the partition has more: the broker went away.
_MOST_EMPTY_POLLS: Final = 15


class PartitionLog:
    """One partition, found by a key or named by its number; close it.

    Args:
        key: decides which partition, as it does when records are sent.
        partition: the number, where it is known.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers.
    """

    def __init__(
        self, connection: Connection, topic: str, key: bytes = b"", *, partition: int | None = None
    ) -> None:
        self._connection = connection
        self._consumer = kafka_clients.consumer(connection, auto_offset_reset="earliest")
        numbers = self._consumer.partitions_for_topic(topic)
        if not numbers:
            self._consumer.close()
            raise InputError(
                f"the broker at {connection.bootstrap} has no topic {topic}: `hearthwatch topics create`"
            )
        self.partition = partition_of(key, len(numbers)) if partition is None else partition
        self._at = kafka.TopicPartition(topic, self.partition)

    def records(self, *, since_ms: int | None = None) -> Iterator[Any]:
        """Every record that stands there now, by offset (kafka-python's ConsumerRecord).

        Args:
            since_ms: begin with the first whose timestamp is not before, in milliseconds since 1970.

        Raises:
            BrokerUnavailableError: the broker stopped answering.
        """
        consumer, at = self._consumer, self._at
        consumer.assign([at])
        consumer.seek_to_beginning(at)
        empty = 0
        try:
            end = consumer.end_offsets([at])[at]
            if since_ms is not None:
                first = consumer.offsets_for_times({at: since_ms})[at]
                consumer.seek(at, end if first is None else first.offset)
            while consumer.position(at) < end:
                batch = consumer.poll(timeout_ms=_POLL_MS).get(at, [])
                empty = 0 if batch else empty + 1
                if empty > _MOST_EMPTY_POLLS:
                    raise kafka.errors.KafkaTimeoutError("it stopped sending records")
                for record in batch:
                    if record.offset < end:  # later ones were not there when we were asked
                        yield record
        except kafka.errors.KafkaError as error:
            raise self._connection.failure(error) from None

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
