"""One system under fault: topics of its own, worker processes, a load, and the way to see it come to rest."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import UnknownTopicOrPartitionError

from agents.app import STAGES, StageName
from agents.flow import Flow
from agents.ledger import LEDGER_TOPIC, KafkaCharter
from agents.redis_link import RedisHome
from agents.signals import Recorder
from agents.ticks import append_ticks, steps
from deploy.local import Stack
from rules.calendar import Calendar
from streams import kafka_clients
from streams.catalog import JOINED
from streams.district import District, district_lines
from streams.kafka_clients import Connection
from streams.outgoing import Addresser, Outgoing
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS
from streams.topics import planned
from tests.agents.rig import Rig
from tests.faults.processes import Running
from tests.faults.worker import Fault, Order, files

CATALOG, POLICY = files()
#: The broker of the tests lets a member go after this; in production it is 10 s.
SESSION_SECONDS = 2.0
DEADLINE = 120.0
#: Small parts and fetches: a few thousand events are then many commits.
SMALL = {"max_part": 60, "max_fetch": 240}

CHUNK = 200
#: How load is poured: the pause is the rate of a department, not a wait for anything.
BIT, PAUSE_SECONDS = 10, 0.1
#: How long a broker that comes back may be away, under the load of everything else.
AWAY_SECONDS = 180.0
MOVE_EVERY = 8

_names = itertools.count()


def load(households: int = 40, events: int = 500, seed: int = 7) -> list[bytes]:
    """A district's lines: registrations first, then life, in which somebody moves all the time."""
    chance = random.Random(seed)
    members: dict[str, dict[str, Any]] = {}
    out = []
    for number, line in enumerate(district_lines(District(households, events, seed=seed), CATALOG)):
        out.append(line)
        event = json.loads(line)
        if event["type"] == JOINED:
            members[event["subject"]] = event
        elif members and number % MOVE_EVERY == 0:
            person = members[chance.choice(sorted(members))]
            others = sorted({one["data"]["household"] for one in members.values()})
            data = {"household": chance.choice(others), "role": "other"}
            out.append(
                json.dumps({**person, "id": f"m{number}", "time": event["time"], "data": data}).encode()
            )
    return out


class Site:
    """Topics of one test on a stack, and the workers that it started."""

    def __init__(
        self,
        stack: Stack,
        folder: Path,
        *,
        redis: RedisHome | None = None,
        bootstrap: str | None = None,
        prefix: str | None = None,
        clock: str = "log",
        leaves_topics: bool = True,
    ) -> None:
        self.folder = folder
        self.leaves_topics = leaves_topics and prefix != ""  # the next one wants the same names
        self.clock = clock
        self.rig = Rig(stack)
        if prefix is not None:
            self.rig.prefix = prefix
        if bootstrap is not None:
            self.rig.kafka = {"bootstrap_servers": bootstrap}
        if redis is not None:
            self.rig.redis = redis
        self.catalog, self.policy = CATALOG, POLICY
        self.calendar = Calendar(POLICY.timezone)
        self.bootstrap = self.rig.kafka["bootstrap_servers"]
        self.heard = Recorder()
        """What any worker has told, with its name."""
        self.running: list[Running] = []
        self.environment: dict[str, str] = {}
        """What workers that are started from here on have beside their own."""
        self.files: dict[StageName, dict[str, Any]] = {}
        """Files of a stage, beside catalogue and policy."""
        self.addresser: Addresser | None = None
        self._flow: Flow | None = None

    def create(
        self,
        partitions: int = 3,
        *,
        life_partitions: int = 1,
        replication: int = 1,
        household: int | None = None,
    ) -> None:
        """Create the topics."""
        topics = planned(
            CATALOG,
            clock=self.clock,  # type: ignore[arg-type]
            life_partitions=life_partitions,
            person_partitions=partitions,
            household_partitions=household or partitions,
            warnings_partitions=2,
            replication=replication,
        )
        with kafka_clients.admin(Connection(self.bootstrap)) as admin:
            admin.create_topics(
                {
                    self.rig.prefix + topic.name: {
                        "num_partitions": topic.partitions,
                        "replication_factor": topic.replication,
                        "configs": topic.settings,
                    }
                    for topic in topics
                }
            )
            admin.wait_for_topics([self.rig.prefix + topic.name for topic in topics])
        self.rig.partitions |= {topic.name: topic.partitions for topic in topics}
        self.rig.charter = KafkaCharter(self.rig.kafka, topic=self.rig.prefix + LEDGER_TOPIC)
        limits = {topic.name: 1_048_588 for topic in topics if topic.name.startswith("life.")}
        self.addresser = Addresser(limits, clock=self.clock)  # type: ignore[arg-type]

    # -- workers -------------------------------------------------------------------------------------
    def start(
        self,
        stage: StageName,
        *faults: Fault,
        sweep_chunk: int | None = None,
        poison: str | None = None,
        clock_ahead_seconds: float = 0.0,
        **options: Any,
    ) -> Running:
        """Start a worker; ``faults`` are what it is to die of."""
        name = f"{stage}-{next(_names)}"
        config = {**self.options(name), **SMALL, **self.files.get(stage, {}), **options}
        order = Order(
            stage,
            config,
            str(self.folder / f"{name}.log"),
            faults,
            sweep_chunk=sweep_chunk,
            poison=poison,
            clock_ahead_seconds=clock_ahead_seconds,
            environment=dict(self.environment),
        )
        running = Running(order, self.heard)
        self.running.append(running)
        return running

    def options(self, name: str) -> dict[str, Any]:
        """Arguments of a worker's configuration, beside catalogue and policy."""
        return {
            "kafka": self.rig.kafka,
            "redis": self.rig.redis,
            "namespace": self.rig.namespace,
            "topic_prefix": self.rig.prefix,
            "ledger_topic": self.rig.prefix + LEDGER_TOPIC,
            "worker": name,
            "clock": self.clock,
            "session_seconds": SESSION_SECONDS,
        }

    def start_all(
        self, but: Sequence[StageName] = (), stages: Sequence[StageName] = STAGES, **options: Any
    ) -> dict[StageName, Running]:
        """One worker for each stage."""
        return {stage: self.start(stage, **options) for stage in stages if stage not in but}

    # -- load ----------------------------------------------------------------------------------------
    def addressed(self, lines: Iterable[bytes]) -> list[Outgoing]:
        """Lines as departments publish them."""
        assert self.addresser is not None, "create() comes first"
        out = [self.addresser.address(line) for line in lines]
        assert all(isinstance(one, Outgoing) for one in out)
        return out  # type: ignore[return-value]

    async def publish(self, lines: Iterable[bytes]) -> None:
        """Publish lines, in their order for each topic; done when all are acknowledged."""
        await self.send(self.addressed(lines))

    async def publish_while_dying(
        self, lines: Iterable[bytes], deaths: Sequence[tuple[StageName, str, int]]
    ) -> None:
        """Publish lines while a worker of each stage dies and another takes its place.

        Args:
            deaths: stage, the moment of its death, and the how manieth such moment it is.
        """
        victims = {
            stage: self.start(stage, Fault(moment, nth), instance=f"static-{stage}", max_part=20)
            for stage, moment, nth in deaths
        }
        publishing = asyncio.ensure_future(self.publish(lines))
        for stage, victim in victims.items():
            await victim.fault()
            self.start(stage, instance=f"static-{stage}")
        await publishing

    async def send(self, records: Sequence[Outgoing]) -> None:
        """Send records as they are, in their order for each partition."""
        producer = await self.rig.producer()
        for at in range(0, len(records), CHUNK):
            acked = [await self._taken(producer, one) for one in records[at : at + CHUNK]]
            await asyncio.gather(*acked)

    async def _taken(self, producer: AIOKafkaProducer, one: Outgoing) -> asyncio.Future[Any]:
        """Hand a record over; its acknowledgement."""
        async with asyncio.timeout(AWAY_SECONDS):
            while True:
                # It asks for a topic that it does not know yet for 40 s; a broker may be away for longer.
                with contextlib.suppress(UnknownTopicOrPartitionError):
                    return await producer.send(  # type: ignore[no-any-return]
                        self.rig.prefix + one.topic,
                        one.value,
                        key=one.key,
                        partition=partition_of(one.key or b"", self.rig.partitions[one.topic]),
                        timestamp_ms=one.timestamp_ms,
                        headers=list(one.headers),
                    )

    async def pour(self, lines: Sequence[bytes], until: asyncio.Event) -> int:
        """Publish lines bit by bit, about 100 a second, so that faults strike under load.

        Returns:
            How many were published when the event was set, or when none was left.
        """
        for at in range(0, len(lines), BIT):
            await self.publish(lines[at : at + BIT])
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), PAUSE_SECONDS)
                return at + BIT
        return len(lines)

    async def flow(self) -> Flow:
        """An onlooker."""
        if self._flow is None:
            self._flow = Flow(self.rig.kafka, await self.rig.ledger(), prefix=self.rig.prefix)
        return self._flow

    async def tick(self, day: int) -> None:
        """Append the midnights up to a day, once everything before is through."""
        await append_ticks(
            day,
            kafka=self.rig.kafka,
            ledger=await self.rig.ledger(),
            catalog=CATALOG,
            calendar=self.calendar,
            topic_prefix=self.rig.prefix,
            timeout_seconds=DEADLINE,
        )

    async def days(self) -> dict[int, int | None]:
        """The day of each partition of households, as the ledger has it."""
        at = [(self.rig.prefix + HOUSEHOLD_FACTS, n) for n in range(self.rig.partitions[HOUSEHOLD_FACTS])]
        found = await (await self.rig.ledger()).positions("household", at)
        return {number: None if place is None else place.day for (_, number), place in found.items()}

    async def at_rest(self, timeout: float = DEADLINE) -> None:  # noqa: ASYNC109
        """Wait until everything published has come through, and every household is at its partition's day."""
        flow, ledger = await self.flow(), await self.rig.ledger()
        topic = self.rig.prefix + HOUSEHOLD_FACTS
        try:
            async with asyncio.timeout(timeout):
                while True:
                    changed = self.heard._changed
                    await flow.through(steps(CATALOG))
                    days = await self.days()
                    late = [
                        await ledger.overdue("household", topic, number, day)
                        for number, day in days.items()
                        if day is not None
                    ]
                    if not any(late):
                        return
                    # Whoever is at work tells of each commit.
                    await asyncio.wait_for(changed.wait(), timeout)
        except TimeoutError:
            logs = "\n".join(f"--- {one.name}\n{one.last_lines()}" for one in self.running)
            pytest.fail(f"did not come to rest in {timeout:.0f} s\n{logs}")

    async def close(self) -> None:
        """End every process; let go of connections; remove the topics."""
        for one in self.running:
            one.kill()
            one.process.close()
        if self._flow is not None:
            await self._flow.close()
        await self.rig.close()
        if not self.leaves_topics and self.rig.partitions:
            with kafka_clients.admin(Connection(self.bootstrap)) as admin:
                admin.delete_topics([self.rig.prefix + name for name in self.rig.partitions])


@asynccontextmanager
async def opened(site: Site) -> AsyncIterator[Site]:
    """A site for as long as the block lasts."""
    try:
        yield site
    finally:
        await site.close()
