"""A household worker that follows activations, in this process or in one that ends itself by SIGKILL."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Iterable
from functools import partial
from typing import Any

from agents.app import Worker, WorkerConfig, stage_of
from agents.household import HouseholdStage
from agents.ledger import Ledger
from agents.signals import Recorder
from rules import household
from rules.household import Household, Warning
from rules.rulebook import Rulebook
from rules.takeover import Takeover, take_over
from streams.kafka_clients import Connection
from streams.policies import LANGUAGE, POLICIES, Files
from streams.policies_topic import append, read_activations
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, WARNINGS, Activate, Tick, decode_household_record
from tests.agents.desk import CASE
from tests.agents.rig import Rig

POLICY = (CASE / "policy.yaml").read_bytes()
CATALOG = (CASE / "catalog.yaml").read_bytes()
STRICTER = POLICY.replace(b"version: 1", b"version: 2").replace(b"at: 40, clear: 32", b"at: 28, clear: 20")
LAXER = POLICY.replace(b"version: 1", b"version: 3").replace(b"at: 40, clear: 32", b"at: 60, clear: 50")


def files(policy: bytes, catalog: bytes = CATALOG, *, language: int = LANGUAGE) -> Files:
    return Files(language, policy, "policy.yaml", catalog, "catalog.yaml")


class House:
    """``household.facts`` and what belongs to it, with activation 1."""

    def __init__(self, rig: Rig, *, partitions: int = 2) -> None:
        self.rig = rig
        self.partitions = partitions
        self.connection = Connection(rig.stack.kafka_bootstrap)
        stamped = {"message.timestamp.type": "LogAppendTime"}
        rig.topics(
            {HOUSEHOLD_FACTS: partitions, WARNINGS: 2, DEADLETTERS: 1, POLICIES: 1}, {POLICIES: stamped}
        )
        rig.share_charter()
        self.activate(POLICY)

    def activate(self, policy: bytes, catalog: bytes = CATALOG, *, language: int = LANGUAGE) -> int:
        return append(self.connection, files(policy, catalog, language=language), prefix=self.rig.prefix)

    def book(self) -> Rulebook:
        return Rulebook(read_activations(self.connection, prefix=self.rig.prefix))

    def config(self, **changes: Any) -> WorkerConfig:
        book = self.book()
        catalog, policy = book.files(book.newest)
        return self.rig.config(catalog=catalog, policy=policy, activations=book.activations, **changes)

    async def worker(self) -> tuple[Worker, Recorder]:
        config = self.config()
        worker, signals = self.rig.worker(
            stage_of("household", config),
            catalog=config.catalog, policy=config.policy, activations=config.activations,
        )  # fmt: skip
        await worker.start()
        return worker, signals

    async def swept(self, signals: Recorder, number: int) -> None:
        """Wait until every partition has evaluated its households by an activation."""

        def is_one(partition: int, facts: dict[str, Any]) -> bool:
            return bool(facts["tp"].partition == partition and facts["activation"] >= number)

        for partition in range(self.partitions):
            await signals.wait("swept", partial(is_one, partition))

    async def warned(self) -> dict[str, list[bytes]]:
        """Warnings by household, each once; a repeat must have the bytes of the first."""
        found: dict[str, dict[str, bytes]] = {}
        for record in await self.rig.read(WARNINGS):
            id = record.value.partition(b'"id":"')[2].partition(b'"')[0].decode()
            first = found.setdefault(record.key.decode(), {}).setdefault(id, record.value)
            assert first == record.value, f"{id} has two bodies"
        return {home: list(bodies.values()) for home, bodies in found.items()}

    async def single_pass(self) -> dict[str, list[bytes]]:
        """What the pure step makes of the partitions' logs in one pass."""
        book = self.book()
        found: dict[str, list[bytes]] = {}
        records = await self.rig.read(HOUSEHOLD_FACTS)
        for partition in range(self.partitions):
            folded(book, (r for r in records if r.partition == partition), found)
        return found


def folded(book: Rulebook, records: Iterable[Any], found: dict[str, list[bytes]]) -> dict[str, Household]:
    """Fold the log of one partition; every household visits each activation where it stands."""
    homes: dict[str, Household] = {}
    marks: dict[str, tuple[int, int]] = {}
    takeovers: list[Takeover] = []
    number, day = 1, 0

    def keep(effects: Iterable[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Warning):
                found.setdefault(effect.household, []).append(effect.body)

    for raw in records:
        message = decode_household_record(raw.value)
        if isinstance(message, Tick):
            day = max(day, message.day)
            continue
        if isinstance(message, Activate):
            if message.number > number:
                number = message.number
                takeovers.append(Takeover(number, day, message.received))
                for home in homes.values():
                    keep(take_over(home, rules_of=book.rules, takeovers=takeovers, number=number)[1])
            continue
        if message.number <= marks.get(message.channel, (-1, -1)):
            continue
        marks[message.channel] = message.number
        rules = book.rules(number)
        day = max(day, rules.calendar.day_of(message.received))
        home = homes.setdefault(message.household, household.new(message.household, number))
        keep(household.step(home, message, rules=rules, day=day, offset=raw.offset)[1])
    for home in homes.values():
        keep(household.catch_up(home, rules=book.rules(number), day=day)[1])
    return homes


# -- a process that ends itself --------------------------------------------------------------------------
def _main(config: WorkerConfig, where: str, after: int) -> None:
    """Die at the ``after``-th visit of the sweep, or between what it sent and its commit."""
    calls = 0
    original: Any = HouseholdStage._visit
    commit: Any = Ledger.commit_all
    is_sweeping = False

    def visit(self: Any, lane: Any, sweep: Any, part: Any) -> None:
        nonlocal calls, is_sweeping
        calls += 1
        if where == "visit" and calls == after:
            os.kill(os.getpid(), signal.SIGKILL)
        is_sweeping = calls >= after
        original(self, lane, sweep, part)

    async def committed(self: Any, steps: Any) -> Any:
        if where == "commit" and is_sweeping and any(step.states for _, step in steps):
            os.kill(os.getpid(), signal.SIGKILL)
        return await commit(self, steps)

    HouseholdStage._visit = visit  # type: ignore[method-assign]
    Ledger.commit_all = committed  # type: ignore[method-assign]
    asyncio.run(_work(config))


async def _work(config: WorkerConfig) -> None:
    worker = Worker(stage_of("household", config), config)
    await worker.start()
    await worker.failed.wait()


async def killed_in_the_sweep(config: WorkerConfig, where: str, after: int) -> int:
    """Run a household worker until it has ended itself; its exit status."""
    process = multiprocessing.get_context("spawn").Process(
        target=_main, args=(config, where, after), daemon=True
    )
    process.start()
    try:
        await asyncio.to_thread(process.join, 60)
        assert process.exitcode is not None, "it did not end"
        return process.exitcode
    finally:
        process.kill()
        process.join()
        process.close()
