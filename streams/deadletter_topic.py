"""Reading the topic ``deadletters`` from outside, for operators."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nlargest
from typing import Any

import kafka
import kafka.errors

from streams import kafka_clients
from streams.deadletters import DeadLetter, read_dead_letter
from streams.errors import InputError
from streams.kafka_clients import Connection
from streams.records import DEADLETTERS

_POLL_MS = 1000
#: Polls in a row that bring nothing although the topic has more: the broker went away.
_MOST_EMPTY_POLLS = 15


def read_dead_letters(
    connection: Connection,
    *,
    topic: str = DEADLETTERS,
    last: int | None = None,
    reason: str | None = None,
    origin_topic: str | None = None,
) -> Iterator[DeadLetter]:
    """The dead letters that stand in the topic now: with ``last`` by age, otherwise partition by partition.

    Args:
        last: at most so many, the newest; None: all.
        reason: only those with this reason.
        origin_topic: only those that came from this topic.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers, or it stopped answering.
    """
    consumer = kafka_clients.consumer(connection)
    try:
        is_filtered = reason is not None or origin_topic is not None
        letters = (
            letter
            for letter in _all(consumer, connection, topic, None if is_filtered else last)
            if (reason is None or letter.reason == reason)
            and (origin_topic is None or (letter.origin is not None and letter.origin[0] == origin_topic))
        )
        if last is None:
            yield from letters
        else:
            newest = nlargest(last, letters, key=lambda one: (one.timestamp_ms, one.partition, one.offset))
            yield from reversed(newest)
    except kafka.errors.KafkaError as error:
        raise connection.failure(error) from None
    finally:
        consumer.close()


def _all(consumer: Any, connection: Connection, topic: str, last: int | None) -> Iterator[DeadLetter]:
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        message = f"the broker at {connection.bootstrap} has no topic {topic}: `hearthwatch topics create`"
        raise InputError(message)
    partitions = [kafka.TopicPartition(topic, number) for number in sorted(numbers)]
    consumer.assign(partitions)
    begin, end = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
    for partition in partitions:
        start = begin[partition] if last is None else max(begin[partition], end[partition] - last)
        consumer.seek(partition, start)
    empty = 0
    while any(consumer.position(partition) < end[partition] for partition in partitions):
        batches = consumer.poll(timeout_ms=_POLL_MS)
        empty = 0 if batches else empty + 1
        if empty > _MOST_EMPTY_POLLS:
            raise connection.failure(kafka.errors.KafkaTimeoutError("it stopped sending records"))
        for partition, records in batches.items():
            for record in records:
                if record.offset < end[partition]:  # later ones were not there when we were asked
                    yield read_dead_letter(
                        partition=record.partition,
                        offset=record.offset,
                        timestamp_ms=record.timestamp,
                        key=record.key,
                        value=record.value,
                        headers=record.headers,
                    )
