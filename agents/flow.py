"""How far the stages are: the ends of their topics on Kafka, beside their offsets in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.ledger import Ledger, Position
from streams.kafka_reach import partitions_of, started

_FIRST_LOOK_SECONDS: Final = 0.02
_LONGEST_LOOK_SECONDS: Final = 0.5

At = tuple[str, int]
"""Topic as it is called on the broker, and partition."""


class Flow:
    """An onlooker's view of the pipeline; connects at the first question.

    Args:
        kafka: arguments of aiokafka's clients.
        prefix: begins the topics' names on the broker.
    """

    def __init__(self, kafka: Mapping[str, Any], ledger: Ledger, *, prefix: str = "") -> None:
        self._kafka = dict(kafka)
        self.prefix = prefix
        self.ledger = ledger
        self._client: Any = None

    async def _consumer(self) -> Any:
        if self._client is None:
            client = AIOKafkaConsumer(enable_auto_commit=False, **self._kafka)
            self._client = await started(client, self._kafka)
        return self._client

    async def partitions(self, topics: Iterable[str]) -> list[At]:
        """All partitions of some topics, by the names that they have without the prefix.

        Raises:
            TransportError: a topic is missing.
        """
        consumer = await self._consumer()
        out: list[At] = []
        for topic in topics:
            at = await partitions_of(consumer, self.prefix + topic)
            out += [(tp.topic, tp.partition) for tp in at]
        return out

    async def ends(self, topics: Iterable[str]) -> dict[At, int]:
        """The offset after the last record of each partition, now."""
        consumer = await self._consumer()
        at = [TopicPartition(*one) for one in await self.partitions(topics)]
        return {(tp.topic, tp.partition): end for tp, end in (await consumer.end_offsets(at)).items()}

    async def offsets_at(self, topics: Iterable[str], instant_ms: int) -> dict[At, int]:
        """The first offset whose timestamp is at or after an instant; the end where there is none."""
        consumer = await self._consumer()
        at = [TopicPartition(*one) for one in await self.partitions(topics)]
        found = await consumer.offsets_for_times(dict.fromkeys(at, instant_ms))
        ends = await consumer.end_offsets(at)
        return {
            (tp.topic, tp.partition): ends[tp] if found.get(tp) is None else found[tp].offset for tp in at
        }

    async def positions(self, stage: str, at: Iterable[At]) -> dict[At, Position | None]:
        """Where a stage stands in the ledger."""
        return await self.ledger.positions(stage, at)

    async def check_held(self, steps: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Refuse to wait for a stage of which Redis has lost a partition: nothing would come.

        Args:
            steps: (stage, what it reads).

        Raises:
            LedgerMissingError: it has.
        """
        for stage, topics in steps:
            await self.ledger.check_held(stage, await self.partitions(topics))

    async def missing(self, stage: str, targets: Mapping[At, int]) -> int:
        """How many offsets a stage still has to go to reach some targets."""
        found = await self.positions(stage, targets)
        return sum(
            max(0, target - (position.next_offset if (position := found[at]) is not None else 0))
            for at, target in targets.items()
        )

    async def reached(self, stage: str, targets: Mapping[At, int]) -> None:
        """Wait until a stage has committed everything before some targets; the caller sets a deadline."""
        delay = _FIRST_LOOK_SECONDS
        while await self.missing(stage, targets):
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, _LONGEST_LOOK_SECONDS)

    async def through(self, steps: Sequence[tuple[str, Sequence[str]]]) -> None:
        """Wait until everything that is in the first topics now has come through all stages.

        Args:
            steps: (stage, what it reads), in the order of the flow. The last one may send to itself
                (transfers between households): it is waited for until that has ended.
        """
        for stage, topics in steps:
            await self.reached(stage, await self.ends(topics))
        stage, topics = steps[-1]
        while await self.missing(stage, await self.ends(topics)):
            await self.reached(stage, await self.ends(topics))

    async def close(self) -> None:
        """Let go of the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()
