"""Workers come and go under load: joins, leaves, restarts under the same name, idle ones, uneven shares."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.app import STAGES
from deploy.local import Stack
from tests.faults.audit import audited
from tests.faults.site import Site, load, opened
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(240)


@pytest.mark.soak
async def test_workers_join_and_leave_under_load(site: Site) -> None:
    lines = load(40, 900)
    third = len(lines) // 3
    first = site.start_all()
    await site.publish(lines[:third])
    second = {stage: site.start(stage) for stage in STAGES}
    await site.publish(lines[third : 2 * third])
    for one in second.values():
        await one.signals.wait("claimed")
    publishing = asyncio.ensure_future(site.publish(lines[2 * third :]))
    await asyncio.gather(*(one.leave() for one in first.values()))
    await publishing
    audit = await audited(site)
    # An orderly change of hands repeats nothing and refuses nothing.
    assert not audit.repeats.total()
    assert not [name for name, _ in site.heard.seen if name == "refused"]


@pytest.mark.soak
async def test_a_restart_under_the_same_name_moves_no_partition_of_the_others(site: Site) -> None:
    """Static membership: the survivor keeps what it has and is not paused."""
    options = {"session_seconds": 20.0}
    site.start_all(but=["household"])
    left = site.start("household", instance="left", **options)
    await left.signals.wait("claimed")
    right = site.start("household", instance="right", **options)
    await right.signals.wait("claimed")
    publishing = asyncio.ensure_future(site.publish(load()))
    await left.signals.wait("committed")
    before = [name for name, _ in left.signals.seen if name in {"claimed", "drained"}]
    right.kill()
    again = site.start("household", instance="right", **options)
    await again.signals.wait("claimed")
    await publishing
    await audited(site)
    assert [name for name, _ in left.signals.seen if name in {"claimed", "drained"}] == before


@pytest.mark.soak
async def test_an_idle_worker_takes_over(site: Site) -> None:
    """Five workers for three partitions: two have nothing to do until an owner dies."""
    site.start_all(but=["household"])
    several = [site.start("household") for _ in range(5)]
    await site.publish(load()[:300])
    await site.at_rest()
    ledger = await site.rig.ledger()
    at = [(site.rig.prefix + "household.facts", number) for number in range(3)]
    owners = {place.owner for place in (await ledger.positions("household", at)).values() if place}
    assert len(owners) == 3
    victim = next(one for one in several if one.name in owners)
    publishing = asyncio.ensure_future(site.publish(load()[300:]))
    victim.kill()
    await publishing
    await audited(site)
    assert victim.name not in {p.owner for p in (await ledger.positions("household", at)).values() if p}


@pytest.mark.soak
async def test_nearly_everything_in_one_partition(own_stack: Stack, tmp_path: Path) -> None:
    """Three households in twelve partitions: most are empty, and the owner of the busiest dies."""
    async with opened(Site(own_stack, tmp_path)) as site:
        site.create(12)
        site.start_all(but=["household"])
        several = {one.name: one for one in (site.start("household") for _ in range(3))}
        lines = load(3, 600)
        await site.publish(lines[:300])
        await site.at_rest()
        ends = await site.rig.ends("household.facts")
        assert sum(end == 0 for end in ends.values()) >= 6
        busiest = (site.rig.prefix + "household.facts", max(ends, key=lambda number: ends[number]))
        place = (await (await site.rig.ledger()).positions("household", [busiest]))[busiest]
        assert place is not None
        publishing = asyncio.ensure_future(site.publish(lines[300:]))
        several[place.owner].kill()
        await publishing
        await audited(site)


@pytest.mark.soak
async def test_uneven_partitions(own_stack: Stack, tmp_path: Path) -> None:
    """Five and seven partitions over three workers, one of which dies."""
    async with opened(Site(own_stack, tmp_path)) as site:
        site.create(5, life_partitions=2, household=7)
        site.start_all()
        for stage in ("person", "household"):
            site.start(stage)
        victim = site.start("household", Fault("sent", nth=2), max_part=20)
        await victim.signals.wait("claimed")
        publishing = asyncio.ensure_future(site.publish(load()))
        await victim.fault()
        await publishing
        await audited(site)
