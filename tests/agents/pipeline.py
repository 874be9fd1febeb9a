"""A whole pipeline in this process: intake, person and household on topics of one test."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from agents.app import STAGES, StageName, Worker, stage_of
from agents.flow import Flow
from agents.signals import Recorder
from agents.ticks import append_ticks, steps
from rules.backtest import Backtest
from rules.calendar import Calendar
from rules.policy import Policy
from streams.catalog import Catalog
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.outgoing import Addresser, Outgoing
from streams.topics import planned
from tests.agents.rig import DEADLINE, Rig


class Pipeline:
    """The three stages under a simulated clock (``clock: log``)."""

    def __init__(
        self,
        rig: Rig,
        catalog: Catalog,
        policy: Policy,
        *,
        life_partitions: int = 2,
        partitions: int = 3,
        snapshots: bool = True,
    ) -> None:
        self.rig = rig
        self.catalog = catalog
        self.policy = policy
        self.calendar = Calendar(policy.timezone)
        self.decoder = Decoder(catalog)
        self.today: int | None = None
        topics = planned(
            catalog,
            clock="log",
            life_partitions=life_partitions,
            person_partitions=partitions,
            household_partitions=partitions,
            warnings_partitions=2,
        )
        if not snapshots:
            topics = [topic for topic in topics if not topic.name.startswith("hearthwatch.")]
        rig.topics(
            {topic.name: topic.partitions for topic in topics},
            {topic.name: topic.settings for topic in topics},
        )
        limits = {topic.name: 1_048_588 for topic in topics if topic.name.startswith("life.")}
        self.addresser = Addresser(limits, clock="log")
        self.backtest = Backtest(catalog, policy)
        """Is given the same records as the pipeline, as Kafka has them: timestamps in milliseconds."""
        self.dead = 0
        """Records that intake has to reject."""
        self.workers: dict[StageName, Worker] = {}
        self.signals: dict[StageName, Recorder] = {}
        self._flow: Flow | None = None

    async def start(self) -> None:
        for name in STAGES:
            config = self.rig.config(catalog=self.catalog, policy=self.policy)
            self.workers[name], self.signals[name] = self.rig.worker(
                stage_of(name, config), catalog=self.catalog, policy=self.policy
            )
        await asyncio.gather(*(worker.start() for worker in self.workers.values()))
        self._flow = Flow(self.rig.kafka, await self.rig.ledger(), prefix=self.rig.prefix)

    async def send(self, outgoing: Outgoing) -> None:
        """Publish a record as a department would; if intake will accept it, its day comes first."""
        assert outgoing.timestamp_ms is not None
        try:
            event = self.decoder.record(
                outgoing.topic, outgoing.value, outgoing.headers, outgoing.timestamp_ms
            )
        except DecodeError:
            self.dead += 1
        else:
            await self.tick(self.calendar.day_of(event.received))
            self.backtest.take(event)
        await self.rig.send(
            outgoing.topic,
            [(outgoing.key, outgoing.value)],
            timestamp_ms=outgoing.timestamp_ms,
            headers=outgoing.headers,
        )

    async def tick(self, day: int) -> None:
        """Move the clock to a day, once everything before is through; the first event starts it."""
        if self.today is not None and day > self.today:
            await append_ticks(
                day,
                kafka=self.rig.kafka,
                ledger=await self.rig.ledger(),
                catalog=self.catalog,
                calendar=self.calendar,
                topic_prefix=self.rig.prefix,
                timeout_seconds=DEADLINE,
            )
        self.today = day if self.today is None else max(day, self.today)

    async def through(self) -> None:
        """Wait until everything that was published has come through."""
        assert self._flow is not None
        async with asyncio.timeout(DEADLINE):
            await self._flow.through(steps(self.catalog))

    async def play(self, lines: Iterable[bytes], until: int | None = None) -> None:
        """Publish lines one after the other, each when the one before is through, as a backtest has them.

        Records of one topic about one subject stay in order by themselves, and need not wait.
        """
        before: tuple[str, bytes | None] | None = None
        for line in lines:
            outgoing = self.addresser.address(line)
            if not isinstance(outgoing, Outgoing):
                continue  # it names no topic, so nobody can publish it
            if before is not None and before != (outgoing.topic, outgoing.key):
                await self.through()
            await self.send(outgoing)
            before = outgoing.topic, outgoing.key
        await self.through()
        if until is not None:
            await self.tick(until)
        self.backtest.finish(until)

    async def warnings(self) -> list[Any]:
        """Records of ``warnings``: per household in order."""
        return await self.rig.read("warnings")

    async def close(self) -> None:
        if self._flow is not None:
            await self._flow.close()
