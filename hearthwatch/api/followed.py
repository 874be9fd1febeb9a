"""Following a topic for as long as the API serves, over brokers that come and go."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

import aiokafka
from aiokafka.errors import KafkaError

from streams.errors import TransportError
from streams.kafka_reach import partitions_of, started

logger = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 2.0
_CATCH_UP_SECONDS: Final = 20.0


class FollowedTopic(ABC):
    """Reads a topic to its end, and then what comes; open it with ``async with``.

    Args:
        kafka: arguments of aiokafka's clients.
        latest: so many records of each partition are read at the beginning; None: all of them.
    """

    def __init__(self, kafka: Mapping[str, Any], topic: str, *, latest: int | None = None) -> None:
        self._kafka = dict(kafka)
        self._topic = topic
        self._latest = latest
        self._task: asyncio.Task[None] | None = None
        self.caught_up = asyncio.Event()
        """Set once everything is here that stood on the topic when it was first reached."""

    @abstractmethod
    def read(self, record: Any) -> None:
        """Take a record; after an outage the same ones may come again, in their order."""

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

    async def _opened(self) -> tuple[Any, dict[Any, int]]:
        """A consumer that stands before the latest records, and the ends of the partitions that have any."""
        consumer = await started(
            aiokafka.AIOKafkaConsumer(**self._kafka, enable_auto_commit=False, auto_offset_reset="latest"),
            self._kafka,
        )
        try:
            partitions = await partitions_of(consumer, self._topic)
            consumer.assign(partitions)
            first = await consumer.beginning_offsets(partitions)
            ends: dict[Any, int] = await consumer.end_offsets(partitions)
            for one in partitions:
                begin = first[one] if self._latest is None else max(first[one], ends[one] - self._latest)
                consumer.seek(one, begin)
                if begin == ends[one]:
                    del ends[one]
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise TransportError(f"the topic {self._topic} cannot be read: {error}") from error
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
                logger.warning("following %s: %s; again", self._topic, type(error).__name__)
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
                    self.read(record)
                if await consumer.position(one) >= ends.get(one, 0):
                    waits.discard(one)
