"""The latest warnings, kept in memory: what ``GET /v1/warnings`` shows."""

from __future__ import annotations

import asyncio
import bisect
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

import aiokafka
from aiokafka.errors import KafkaError

from streams.errors import TransportError
from streams.kafka_reach import partitions_of, started
from streams.records import WARNINGS
from streams.warnings_topic import Repeats, WarningRecord, read_warning

logger = logging.getLogger(__name__)

#: Some KB each; far more than any list of the latest shows.
MOST_KEPT: Final = 20_000
_PAUSE_SECONDS: Final = 2.0
_CATCH_UP_SECONDS: Final = 20.0

Place = tuple[int, int, int]
"""Where a warning stands: the broker's time in ms, partition, offset; the same for every reader."""


@dataclass(frozen=True, slots=True)
class Recent:
    """One warning and its place."""

    place: Place
    warning: WarningRecord

    @property
    def community(self) -> str | None:
        """Where the household lives, as the warning says."""
        found = self.warning.message["data"].get("community")
        return found if isinstance(found, str) else None


class RecentWarnings:
    """Follows the topic ``warnings`` and keeps the latest, in the order of the brokers' time.

    Args:
        kafka: arguments of aiokafka's clients.
        most: how many are kept.
    """

    def __init__(self, kafka: Mapping[str, Any], *, most: int = MOST_KEPT) -> None:
        self._kafka = dict(kafka)
        self._most = most
        self._kept: list[Recent] = []
        self._repeats = Repeats()
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()
        """Set once everything is here that stood on the topic when it was first reached."""

    async def __aenter__(self) -> Self:
        """Begin to follow; what stands on the topic already is here then, unless that takes too long.

        Raises:
            TransportError: no broker answers, or the topic is missing.
        """
        consumer, ends = await self._opened()
        self._task = asyncio.create_task(self._follow(consumer, ends))
        with suppress(TimeoutError):
            await asyncio.wait_for(self.caught_up.wait(), _CATCH_UP_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def newest_first(self, before: Place | None = None) -> Iterator[Recent]:
        """What is kept, the latest first, from a place on."""
        end = len(self._kept)
        if before is not None:
            end = bisect.bisect_left(self._kept, before, key=_place)
        for index in range(end - 1, -1, -1):
            yield self._kept[index]

    def take(self, place: Place, value: bytes | None) -> None:
        """Keep a record's warning, unless it repeats one."""
        warning = read_warning(value, time.time())
        if warning is None or not self._repeats.is_new(warning.household, warning.number):
            return
        bisect.insort(self._kept, Recent(place, warning), key=_place)
        if len(self._kept) > self._most:
            del self._kept[: len(self._kept) - self._most]

    async def _opened(self) -> tuple[Any, dict[Any, int]]:
        """A consumer that stands before the latest records, and the ends of the partitions that have any."""
        consumer = await started(
            aiokafka.AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="latest"),
            self._kafka,
        )
        try:
            partitions = await partitions_of(consumer, WARNINGS)
            consumer.assign(partitions)
            first = await consumer.beginning_offsets(partitions)
            ends: dict[Any, int] = await consumer.end_offsets(partitions)
            for one in partitions:
                begin = max(first[one], ends[one] - self._most)
                consumer.seek(one, begin)
                if begin == ends[one]:
                    del ends[one]
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise TransportError(f"the topic {WARNINGS} cannot be read: {error}") from error
        except BaseException:
            await consumer.stop()
            raise
        return consumer, ends

    async def _follow(self, consumer: Any, ends: dict[Any, int]) -> None:
        waits = set(ends)
        while True:
            try:
                await self._read(consumer, waits, ends)
            except (KafkaError, OSError) as error:
                logger.warning("following %s: %s; again", WARNINGS, type(error).__name__)
            finally:
                await consumer.stop()
            consumer = await self._again()

    async def _again(self) -> Any:
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                consumer, _ = await self._opened()
            except TransportError:
                continue
            return consumer

    async def _read(self, consumer: Any, waits: set[Any], ends: dict[Any, int]) -> None:
        while True:
            if not waits:
                self.caught_up.set()
            for one, records in (await consumer.getmany(timeout_ms=500)).items():
                for record in records:
                    self.take((record.timestamp, record.partition, record.offset), record.value)
                if await consumer.position(one) >= ends.get(one, 0):
                    waits.discard(one)


def _place(recent: Recent) -> Place:
    return recent.place


def place_text(place: Place) -> str:
    """A place as a cursor."""
    return "-".join(map(str, place))


def place_of(text: str) -> Place | None:
    """A cursor as a place; None where it is none."""
    parts = text.split("-")
    if len(parts) != 3 or not all(one.isascii() and one.isdecimal() and len(one) < 20 for one in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])
