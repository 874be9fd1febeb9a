"""A rebuild that is killed, and one beside workers that go on: nothing is lost, and nothing is half there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agents.ledger.restoring import Restoring, identify, standing
from agents.rebuild.restore import Rebuild
from streams.records import HOUSEHOLD_FACTS
from tests.agents.rig import DEADLINE, Rig
from tests.rebuild.test_rebuild import numbers
from tests.rebuild.test_repartition import CutShortError, unlocked
from tests.rebuild.town import Town, Towns, owing, some_lines

pytestmark = pytest.mark.timeout(240)


@pytest.mark.parametrize("moment", ["written", "sent"])
async def test_a_rebuild_that_is_killed_is_run_again(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """When states are written and nothing is sent; when all is sent, and nothing may be claimed yet."""
    town = await towns()
    await owing(town)
    ledger = await rig.ledger()

    async def killed(*_: Any) -> None:
        raise CutShortError

    with monkeypatch.context() as fault:
        if moment == "written":
            fault.setattr(Rebuild, "_finish", killed)
        else:
            fault.setattr(Restoring, "open", killed)
        with pytest.raises(CutShortError):
            await town.rebuild()
    sent = sum(map(len, (await numbers(town)).values()))
    assert (sent > 0) == (moment == "sent")
    # What it has not finished is as lost as before.
    assert {await standing(ledger, place) for place in await identify(ledger)} == {None}
    await unlocked(ledger)
    done = await town.rebuild()
    assert {one.place.stage for one in done} == {"intake", "person", "household"}
    told = await numbers(town)
    assert sum(map(len, told.values())) > sent
    for id, several in told.items():
        assert several == list(range(1, len(several) + 1)), id
    assert [one.first for one in await town.verify()] == [""] * 4


@asynccontextmanager
async def held_up(
    town: Town, monkeypatch: pytest.MonkeyPatch, stage: str | None = None, partition: int | None = None
) -> AsyncIterator[asyncio.Task[Any]]:
    """A rebuild that has replayed all, and writes nothing before the block ends."""
    begin, asked, gate = Restoring.begin, asyncio.Event(), asyncio.Event()

    async def later(self: Restoring) -> None:
        asked.set()
        await gate.wait()
        await begin(self)

    monkeypatch.setattr(Restoring, "begin", later)
    work = asyncio.ensure_future(town.rebuild(stage, partition))
    async with asyncio.timeout(DEADLINE):
        await asked.wait()
    try:
        yield work
    finally:
        gate.set()
        await work


async def committed(town: Town, partition: int) -> None:
    """Wait until a partition of the households has committed all of its log."""
    assert town._flow is not None
    ends = await town._flow.ends([HOUSEHOLD_FACTS])
    at = {(topic, number): end for (topic, number), end in ends.items() if number == partition}
    async with asyncio.timeout(DEADLINE):
        await town._flow.reached("household", at)


def told_once(several: list[int]) -> bool:
    """Whether first occurrences are 1, 2, 3 and so on; what a worker repeats has the same number."""
    return list(dict.fromkeys(several)) == list(range(1, max(several) + 1))


async def test_the_others_go_on_while_a_lost_partition_is_made_again(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    town = await towns()
    await town.publish_all(some_lines())
    ledger, topic = await rig.ledger(), rig.prefix + HOUSEHOLD_FACTS
    await ledger.link.call("DEL", *ledger.keys("household", topic, 0))
    async with held_up(town, monkeypatch) as work:
        before = (await rig.ends(HOUSEHOLD_FACTS))[1]
        await town.publish_all(some_lines(40, 60, seed=5), through=("intake", "person"))
        await committed(town, 1)
        assert (await rig.ends(HOUSEHOLD_FACTS))[1] > before
        assert not work.done()
    await town.through()
    await town.settled()
    assert all(told_once(several) for several in (await numbers(town)).values())
    assert [one.first for one in await town.verify()] == [""] * 4


async def test_a_partition_that_is_there_goes_on_until_its_replacement_is_ready(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it commits meanwhile is behind the replacement's end: it is taken from the log once more."""
    town = await towns()
    await town.publish_all(some_lines())
    async with held_up(town, monkeypatch, "household", 0) as work:
        await town.publish_all(some_lines(40, 60, seed=5), through=("intake", "person"))
        await committed(town, 0)
        assert not work.done()
    await town.through()
    await town.settled()
    assert all(told_once(several) for several in (await numbers(town)).values())
    assert [one.first for one in await town.verify()] == [""] * 4
