"""A small district on a pipeline that takes snapshots, and its rebuild."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.app import STAGES, Worker
from agents.ledger import Ledger
from agents.ledger.restoring import identify
from agents.rebuild.restore import Rebuild, Restored
from agents.rebuild.verify import Verified, verify
from agents.ticks import caught_up, steps
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.district import District, district_lines
from streams.outgoing import Outgoing
from streams.records import HOUSEHOLD_FACTS
from tests.agents.pipeline import Pipeline
from tests.agents.rig import DEADLINE, Rig

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
_WUCHANG = read_policy(ROOT / "rules/policies/wuchang.yaml", CATALOG)
#: A small town would never warn by the real lines.
POLICY = replace(
    _WUCHANG,
    levels=tuple(
        replace(level, at=at, clear=at - 2) for level, at in zip(_WUCHANG.levels, (6, 9, 12, 15), strict=True)
    ),
)
NEVER_BY_ITSELF = 3_600.0


class Town(Pipeline):
    """A pipeline whose snapshots are taken when the test says so."""

    def __init__(self, rig: Rig, *, partitions: int = 2) -> None:
        super().__init__(rig, CATALOG, POLICY, life_partitions=1, partitions=partitions)

    async def start(self) -> None:
        make = self.rig.worker

        def with_snapshots(stage: Any, **options: Any) -> Any:
            return make(stage, **options, snapshot_seconds=NEVER_BY_ITSELF, snapshot_states=1_000_000)

        self.rig.worker = with_snapshots  # type: ignore[method-assign]
        try:
            await super().start()
        finally:
            self.rig.worker = make  # type: ignore[method-assign]

    async def publish_all(self, lines: Sequence[bytes], through: Sequence[str] = STAGES) -> None:
        """Publish lines in no common order of their topics, and wait until these stages are through."""
        for one in lines:
            outgoing = self.addresser.address(one)
            assert isinstance(outgoing, Outgoing)
            await self.rig.send(
                outgoing.topic,
                [(outgoing.key, outgoing.value)],
                timestamp_ms=outgoing.timestamp_ms,
                headers=outgoing.headers,
            )
        assert self._flow is not None
        async with asyncio.timeout(DEADLINE):
            await self._flow.through([step for step in steps(self.catalog) if step[0] in through])

    async def snapshots(self, *stages: str) -> int:
        """Take a round of every lane; how many."""
        count = 0
        for name in stages or STAGES:
            worker: Worker = self.workers[name]  # type: ignore[index]
            assert worker.snapshots is not None
            for lane in list(worker.engine.lanes.values()):
                count += await worker.snapshots.take(lane)
        return count

    async def settled(self) -> None:
        """Wait until every household has seen the latest day."""
        ledger = await self.rig.ledger()
        topic = self.rig.prefix + "household.facts"
        at = [(topic, number) for number in range(self.rig.partitions["household.facts"])]
        async with asyncio.timeout(DEADLINE):
            days = [p.day for p in (await ledger.positions("household", at)).values() if p and p.day]
            assert self._flow is not None
            await caught_up(self._flow, min(days))

    async def stop(self) -> None:
        """Stop the workers as a crash would: what they have not committed is lost."""
        for worker in self.workers.values():
            await worker.stop()
        self.rig.workers.clear()
        await self.close()

    async def verify(self, stage: Any = None) -> list[Verified]:
        """Compare everything with a rebuild in memory."""
        ledger = await self.rig.ledger()
        rebuild = Rebuild(self.rig.config(catalog=self.catalog, policy=self.policy), ledger)
        try:
            return [
                await verify(rebuild, ledger, place)
                for place in sorted(await identify(ledger), key=str)
                if place.stage in (("person", "household") if stage is None else (stage,))
            ]
        finally:
            await rebuild.close()

    async def rebuild(
        self, stage: Any = None, partition: int | None = None, **options: Any
    ) -> list[Restored]:
        """Rebuild what is lost."""
        rebuild = Rebuild(
            self.rig.config(catalog=self.catalog, policy=self.policy), await self.rig.ledger(), **options
        )
        try:
            return await rebuild.run(await rebuild.places(stage, partition))
        finally:
            await rebuild.close()


Towns = Callable[..., Awaitable[Town]]


async def wipe(ledger: Ledger) -> None:
    """Delete everything that this ledger has in Redis."""
    cursor = b"0"
    while True:
        cursor, keys = await ledger.link.call("SCAN", cursor, "MATCH", f"*{ledger.name}:*", "COUNT", 10_000)
        if keys:
            await ledger.link.call("DEL", *keys)
        if int(cursor) == 0:
            return


def is_of(town: Town, line: bytes, topic: str) -> bool:
    """Whether a line is published on a topic."""
    outgoing = town.addresser.address(line)
    return isinstance(outgoing, Outgoing) and outgoing.topic == topic


async def owing(town: Town) -> None:
    """Lose Redis before the household worker, which was away all the time, has sent anything.

    Who belongs to which household is told last: people are scored by themselves until then, and warned of.
    Otherwise everybody would wait for a transfer, which nobody reads during a rebuild.
    """
    await town.workers["household"].stop()
    lines = some_lines()
    of_households = [line for line in lines if is_of(town, line, "life.civil-affairs")]
    others = [line for line in lines if not is_of(town, line, "life.civil-affairs")]
    for some in (others, of_households):
        await town.publish_all(some, through=("intake", "person"))
    await town.stop()
    assert await town.warnings() == []
    ledger = await town.rig.ledger()
    id = (await ledger.charter.read()).ledger
    for number in range(2):  # it has started, and has done nothing
        await ledger.charter.write({f"started/household/{town.rig.prefix}{HOUSEHOLD_FACTS}/{number}": id})
    await wipe(ledger)


async def contents(town: Pipeline) -> dict[tuple[str, int], dict[str, bytes]]:
    """States of person and household, by stage and partition."""
    ledger = await town.rig.ledger()
    out = {}
    for stage, topic in (("person", "person.events"), ("household", "household.facts")):
        for number in range(town.rig.partitions[topic]):
            scan = ledger.scan(stage, town.rig.prefix + topic, number)
            out[stage, number] = {key: state async for key, state in scan}
    return out


def some_lines(households: int = 40, events: int = 300, seed: int = 3) -> list[bytes]:
    """A district's year."""
    return list(district_lines(District(households, events, seed=seed), CATALOG))
