"""Sending rejected events once more, after the fix of what they were rejected for.

What is sent is the original, read back from the topic where it stands, with its own key, value, headers,
partition and timestamp: so it is received as it was the first time. Sending it twice does no harm; an event
that was accepted meanwhile is a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import kafka
import kafka.errors

from streams import kafka_clients
from streams.deadletters import DeadLetter
from streams.kafka_clients import Connection, one_line

_READ_MS: Final = 10_000
_SEND_SECONDS: Final = 30.0


def once(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    """The last dead letter of each origin, in their order.

    A stage that repeats its work, after a crash or where Redis was lost, rejects the same record again.
    """
    last: dict[object, DeadLetter] = {}
    for letter in letters:
        key = letter.origin or (letter.partition, letter.offset)
        last.pop(key, None)
        last[key] = letter
    return list(last.values())


def requeue(connection: Connection, letters: Iterable[DeadLetter]) -> Iterator[tuple[DeadLetter, str]]:
    """Send the originals of dead letters to the topics that they came from; each origin once.

    Headers that are null are left out (the client cannot send them); they count as absent.

    Returns:
        Each dead letter with why it could not be sent, or with an empty text where it was.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    seen: set[tuple[str, int, int]] = set()
    consumer = kafka_clients.consumer(connection, auto_offset_reset="earliest")
    producer = kafka_clients.producer(connection)
    try:
        for letter in letters:
            if letter.origin is None:
                yield letter, "the record names no origin: it is no dead letter"
            elif letter.origin not in seen:
                seen.add(letter.origin)
                yield letter, _send_again(consumer, producer, letter.origin)
    except kafka.errors.KafkaError as error:
        raise connection.failure(error) from None
    finally:
        producer.close()
        consumer.close()


def _send_again(consumer: Any, producer: Any, origin: tuple[str, int, int]) -> str:
    record = _original(consumer, *origin)
    if record is None:
        return "the original is not kept any more: the department has to send the event again"
    headers = [(name, value) for name, value in record.headers if value is not None]
    try:
        sent = producer.send(
            record.topic,
            value=record.value,
            key=record.key,
            headers=headers,
            partition=record.partition,
            timestamp_ms=record.timestamp,
        )
        sent.get(_SEND_SECONDS)
    except (kafka.errors.BrokerResponseError, ValueError) as error:
        return f"it cannot be sent: {one_line(error)}"
    return ""


def _original(consumer: Any, topic: str, partition: int, offset: int) -> Any:
    """The record at a place, or None where Kafka has none there."""
    if partition not in (consumer.partitions_for_topic(topic) or ()):
        return None
    place = kafka.TopicPartition(topic, partition)
    consumer.assign([place])
    if not consumer.beginning_offsets([place])[place] <= offset < consumer.end_offsets([place])[place]:
        return None
    consumer.seek(place, offset)
    records = consumer.poll(timeout_ms=_READ_MS, max_records=1).get(place, [])
    return records[0] if records and records[0].offset == offset else None
