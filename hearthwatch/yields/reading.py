"""Reading ``case.events`` and ``warnings`` whole, from Kafka."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from agents.rebuild.log import Log
from casework.yields.course import Courses
from streams.errors import InputError
from streams.records import CASE_EVENTS, WARNINGS


async def read_topics(
    kafka: Mapping[str, Any], courses: Courses, tell: Callable[[str, int, int], None]
) -> None:
    """Take everything that stands on both topics now.

    Args:
        kafka: arguments of aiokafka's clients.
        tell: is told the topic, how many records were read, and how many there are.

    Raises:
        InputError: there is no such topic.
        TransportError: no broker answers, or it stopped answering.
    """
    log = Log(kafka)
    try:
        # The ends of both before the first record: each warning of an event that is read stands before them.
        spans = {topic: await _spans(log, topic) for topic in (CASE_EVENTS, WARNINGS)}
        for topic, partitions in spans.items():
            total, read = sum(end - start for start, end in partitions), 0
            for number, (start, end) in enumerate(partitions):
                at = start
                async for records, after in log.read(topic, number, start, end):
                    for record in records:
                        courses.take(record.value)
                    read, at = read + after - at, after
                    tell(topic, read, total)
    finally:
        await log.close()


async def _spans(log: Log, topic: str) -> list[tuple[int, int]]:
    """First offset and end of each partition."""
    count = await log.count(topic)
    if count == 0:
        raise InputError(
            f"the broker has no topic {topic}: `hearthwatch topics create` makes it, and `hearthwatch up`"
            " runs the stages that fill it"
        )
    return [await log.bounds(topic, number) for number in range(count)]
