"""Following ``hearthwatch.policies`` from a worker, and bringing what stands there to its partitions.

The owner of a household partition appends each activation to the partition's own log, as it does with ticks;
where the record stands, the policy changes. One that is there twice, or late, changes nothing: only a greater
number than the partition has is taken. A partition of a department's topic has no log that could be written
to: there intake commits the number by itself, before it decides anything under it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.household import HouseholdStage
from agents.intake import Intake
from agents.lanes import Lane
from agents.stage import Engine
from agents.takeovers import FIRST, MARK, course_of
from rules.rulebook import Rulebook
from streams.errors import BrokerUnavailableError, HearthwatchError, TransportError
from streams.policies import MAX_BYTES, POLICIES, Activation, activations
from streams.records import HOUSEHOLD_FACTS, Activate, encode
from streams.topics import life_topic

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 1.0
_READ_SECONDS: Final = 30.0


class StartAgainError(HearthwatchError):
    """A catalogue has other departments: a worker reads the topics that it knew when it started."""


class PolicyFeed:
    """The activations of the topic, as they come; connects at the first look.

    Args:
        kafka: arguments of aiokafka's clients.
        prefix: begins the topics' names on the broker.
        after: the latest one that is known already.
    """

    def __init__(
        self, kafka: Mapping[str, Any], *, prefix: str = "", after: Activation | None = None
    ) -> None:
        self._kafka = dict(kafka)
        self._partition = TopicPartition(prefix + POLICIES, 0)
        self._latest = after
        # Number n is at offset n - 1; what repeats the latest is passed over again.
        self._next = 0 if after is None else after.number
        self._client: Any = None
        self._lock = asyncio.Lock()

    async def look(self) -> list[Activation]:
        """What has come since the last look, up to now.

        Raises:
            BrokerUnavailableError: nobody answers.
            NotUnderstoodError: a record is none that this program knows.
        """
        async with self._lock:
            try:
                async with asyncio.timeout(_READ_SECONDS):
                    return await self._look()
            except (KafkaError, OSError, TimeoutError) as error:
                await self._disconnect()
                raise BrokerUnavailableError(f"cannot read the topic {POLICIES}: {error!r}") from error

    async def _look(self) -> list[Activation]:
        at = self._partition
        if self._client is None:
            client = AIOKafkaConsumer(
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=2 * MAX_BYTES,
                **self._kafka,
            )
            self._client = client
            await client.start()
            client.assign([at])
            client.seek(at, self._next)
            client.pause(at)
        end = (await self._client.end_offsets([at]))[at]
        if self._next >= end:
            return []
        # Paused but while there is something: the question for the end must not wait behind a fetch.
        self._client.resume(at)
        found: list[Any] = []
        while await self._client.position(at) < end:
            for records in (await self._client.getmany(timeout_ms=500)).values():
                found += records
        self._client.pause(at)
        new = activations(((one.offset, one.value, one.timestamp) for one in found), self._latest)
        self._next = await self._client.position(at)
        self._latest = new[-1] if new else self._latest
        return new

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def close(self) -> None:
        """Let go of the connection."""
        async with self._lock:
            await self._disconnect()


class Activator:
    """Brings activations to the partitions that this worker owns.

    Args:
        on_new: told of each new one that is understood.
        on_failure: told why the worker must end: it does not understand one, or has to read other topics.

    Attributes:
        book: what is known of all of them.
    """

    def __init__(
        self,
        engine: Engine,
        feed: PolicyFeed,
        book: Rulebook,
        *,
        on_new: Callable[[Activation], None] = lambda activation: None,
        on_failure: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._engine = engine
        self._feed = feed
        self.book = book
        self._on_new = on_new
        self._on_failure = on_failure
        self._appended: dict[TP, int] = {}

    async def look(self) -> None:
        """Learn what has been activated by now; raises as :meth:`PolicyFeed.look`, and for what is beyond us.

        Raises:
            NotUnderstoodError: the worker must not go on: it would have to guess.
        """
        for activation in await self._feed.look():
            self.book.add(activation)
            policy = self.book.rules(activation.number).policy
            logger.info("activation %d: policy %s, version %d", activation.number, policy.id, policy.version)
            self._on_new(activation)

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            try:
                await self.look()
                self._check_topics()
                await self.bring()
            except TransportError as error:
                logger.warning("activations wait: %s", error)
            except HearthwatchError as error:
                self._on_failure(error)  # whoever ends the worker says why
                return
            await asyncio.sleep(CHECK_SECONDS)

    def _check_topics(self) -> None:
        stage = self._engine.stage
        if isinstance(stage, Intake):
            new = set(self.book.catalog(self.book.newest).departments).difference(
                topic.removeprefix(life_topic("")) for topic in stage.topics
            )
            if new:
                raise StartAgainError(
                    f"activation {self.book.newest} has new departments ({', '.join(sorted(new))}):"
                    " this worker has to start again to read from them"
                )

    async def bring(self) -> int:
        """Bring what is new to the partitions; how many records were appended or numbers committed."""
        lanes = list(self._engine.lanes.values())
        if isinstance(self._engine.stage, Intake):
            return sum([await self._switch(lane) for lane in lanes])
        return await self._append(lanes) if isinstance(self._engine.stage, HouseholdStage) else 0

    async def _append(self, lanes: list[Lane]) -> int:
        count = 0
        for lane in lanes:
            has = max(course_of(lane.marks).number, self._appended.get(lane.tp, FIRST))
            for one in self.book.after(has):
                record = Activate(one.number, one.digest, one.received)
                self._engine.producer.append(HOUSEHOLD_FACTS, None, encode(record), partition=lane.partition)
                self._appended[lane.tp] = one.number
                count += 1
        if count:
            await self._engine.producer.send()
        return count

    async def _switch(self, lane: Lane) -> bool:
        newest = self.book.newest
        if MARK not in lane.marks or lane.marks[MARK][0] >= newest:
            return False  # without a mark it is a new partition, which begins under the newest

        async def nothing() -> list[str]:
            return []

        def decide(part: Any) -> None:
            lane.marks[MARK] = part.marks[MARK] = (newest, 0)

        return await self._engine.between(lane, nothing, decide, always=True, settle=True)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._feed.close()
