"""Workers die: each kind, at each moment, and nothing is lost or counted twice."""

from __future__ import annotations

import asyncio

import pytest

from agents.app import STAGES, StageName
from tests.faults.audit import audited
from tests.faults.site import Site, load
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(240)

#: In the order of a part's life: before anything is sent; acknowledged and not committed; the commit on its
#: way; executed in Redis and known to nobody; committed; and the claim likewise.
MOMENTS = ("decided", "sent", "commit-asked", "commit-answered", "committed", "claim-asked", "claim-answered")


@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=pytest.mark.soak if stage != "household" else ()) for stage in STAGES]
)
async def test_a_stage_survives_a_death_at_each_moment(site: Site, stage: StageName) -> None:
    """kill -9 before, during and after a commit, between sending and commit, and during a claim."""
    site.start_all(but=[stage])
    publishing = asyncio.ensure_future(site.publish(load()))
    for moment in MOMENTS:
        # The name stays, as with a pod or a unit that is started again: nobody waits for the session to end.
        victim = site.start(stage, Fault(moment), instance="static", max_part=20)
        assert (await victim.fault())["moment"] == moment
    await publishing
    site.start(stage, instance="static")
    audit = await audited(site)
    assert audit.circle() > 50


@pytest.mark.parametrize(
    ("stage", "moment"),
    [
        pytest.param("person", "moving", marks=pytest.mark.soak),
        pytest.param("person", "moved", marks=pytest.mark.soak),
        pytest.param("household", "moving", marks=pytest.mark.soak),
        ("household", "moved"),
    ],
)
async def test_a_death_in_the_middle_of_a_move(site: Site, stage: StageName, moment: str) -> None:
    """The release, or the transfer, is on Kafka or is not; nobody has committed that it was sent."""
    site.start_all(but=[stage])
    publishing = asyncio.ensure_future(site.publish(load(seed=11)))
    for nth in (1, 3):
        victim = site.start(stage, Fault(moment, nth), instance="static", max_part=20)
        await victim.fault()
    site.start(stage, instance="static")
    await publishing
    await audited(site)


async def test_a_death_in_the_middle_of_a_long_tick(site: Site) -> None:
    """A midnight that many households notice is done in chunks; the worker dies within, twice."""
    site.start_all(but=["household"])
    before = site.start("household", instance="static")
    await site.publish(load())
    await site.at_rest()
    await before.leave()
    last = max(day for day in (await site.days()).values() if day is not None)
    victim = site.start("household", Fault("sweep-chunk", 3), instance="static", sweep_chunk=3)
    ticking = asyncio.ensure_future(site.tick(last + 40))
    await victim.fault()
    victim = site.start("household", Fault("sent", 3), instance="static", sweep_chunk=3)
    await victim.fault()
    site.start("household", instance="static", sweep_chunk=3)
    await ticking
    await audited(site)
    assert set((await site.days()).values()) == {last + 40}


@pytest.mark.soak
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("moment", ["drained", "claimed"])
async def test_a_death_in_the_middle_of_a_rebalance(site: Site, stage: StageName, moment: str) -> None:
    """The one that gives partitions up, or the one that takes them over, dies while it does, under load."""
    site.start_all(but=[stage])
    first = site.start(stage, *([Fault("drained")] if moment == "drained" else []), max_part=20)
    await first.signals.wait("claimed")
    enough = asyncio.Event()
    publishing = asyncio.ensure_future(site.pour(load(40, 3000), enough))
    await first.signals.wait("committed")
    second = site.start(stage, *([Fault("claimed")] if moment == "claimed" else []))
    await (first if moment == "drained" else second).fault()
    left = second if moment == "drained" else first
    goes_on = len(left.signals.seen)
    await left.signals.wait("committed", after=goes_on)
    enough.set()
    await publishing
    await audited(site)


@pytest.mark.soak
async def test_two_deaths_in_a_row(site: Site) -> None:
    """Who takes over dies as well, and so does the stage before."""
    site.start_all(but=["person", "household"])
    person = site.start("person", Fault("sent", 3), max_part=20)
    victims = [site.start("household", Fault("sent", 2), max_part=20)]
    publishing = asyncio.ensure_future(site.publish(load()))
    await victims[0].fault()
    victims.append(site.start("household", Fault("commit-answered", 2), max_part=20))
    await person.fault()
    await victims[1].fault()
    site.start("person")
    site.start("household")
    await publishing
    await audited(site)
