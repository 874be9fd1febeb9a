"""Brokers restart, crash and stay away; one of three is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deploy.local import Stack
from tests.faults.audit import audited
from tests.faults.brokers import ThreeBrokers
from tests.faults.site import Site, load, opened
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(300)


async def restart(stack: Stack) -> None:
    """Start what does not run, without holding the loop up."""
    await asyncio.to_thread(stack.up)


async def test_a_broker_is_killed_under_load(site: Site, own_stack: Stack) -> None:
    """kill -9 while records are under way in both directions; the publisher and the workers ride it out."""
    workers = site.start_all()
    publishing = asyncio.ensure_future(site.publish(load()))
    await workers["household"].signals.wait("committed")
    await asyncio.to_thread(own_stack.kill, "kafka")
    await restart(own_stack)
    await publishing
    await audited(site)
    assert not any(one.exited.is_set() for one in workers.values())


@pytest.mark.soak
async def test_a_broker_is_restarted_in_good_order(site: Site, own_stack: Stack) -> None:
    workers = site.start_all()
    publishing = asyncio.ensure_future(site.publish(load()))
    await workers["household"].signals.wait("committed")
    await asyncio.to_thread(own_stack.process("kafka").stop, timeout_seconds=30.0)
    await restart(own_stack)
    await publishing
    await audited(site)


@pytest.mark.soak
async def test_a_broker_is_away_for_half_a_minute(site: Site, own_stack: Stack) -> None:
    """Longer than sessions, requests and the patience of clients; nobody gives up."""
    workers = site.start_all()
    lines = load()
    await site.publish(lines[:300])
    await workers["household"].signals.wait("committed")
    await asyncio.to_thread(own_stack.kill, "kafka")
    publishing = asyncio.ensure_future(site.publish(lines[300:]))
    # For half a minute none of them may leave.
    ends = [asyncio.ensure_future(one.exited.wait()) for one in workers.values()]
    done, _ = await asyncio.wait(ends, timeout=30, return_when=asyncio.FIRST_COMPLETED)
    assert not done
    for end in ends:
        end.cancel()
    await restart(own_stack)
    await publishing
    await audited(site)


@pytest.mark.soak
async def test_a_broker_and_then_a_worker(site: Site, own_stack: Stack) -> None:
    """Two faults in a row: the worker dies of its first commit after the broker is back."""
    site.start_all(but=["household"])
    victim = site.start("household", Fault("sent", 12), max_part=20)
    publishing = asyncio.ensure_future(site.publish(load()))
    await victim.signals.wait("committed")
    await asyncio.to_thread(own_stack.kill, "kafka")
    await restart(own_stack)
    await victim.fault()
    site.start("household")
    await publishing
    await audited(site)


@pytest.mark.soak
async def test_one_of_three_brokers_is_lost_under_load(own_stack: Stack, tmp_path: Path) -> None:
    """Replication 3, two in sync at the least, no unclean election: one may go, for good."""
    brokers = ThreeBrokers(tmp_path / "brokers", own_stack.kafka)
    await asyncio.to_thread(brokers.start)
    try:
        async with opened(Site(own_stack, tmp_path, bootstrap=brokers.bootstrap)) as site:
            site.create(3, replication=3)
            workers = site.start_all()
            enough = asyncio.Event()
            publishing = asyncio.ensure_future(site.pour(load(40, 3000), enough))
            await workers["household"].signals.wait("committed")
            await asyncio.to_thread(brokers.kill, 3)
            lost = {stage: len(one.signals.seen) for stage, one in workers.items()}
            for stage, one in workers.items():
                await one.signals.wait("committed", after=lost[stage], timeout=60)
            enough.set()
            await publishing
            await audited(site)
            assert not any(one.exited.is_set() for one in workers.values())
    finally:
        await asyncio.to_thread(brokers.stop)
