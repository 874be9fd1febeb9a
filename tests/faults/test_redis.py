"""Redis crashes, fills up, fails over, and loses everything."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
import redis

from agents.app import WorkerConfig
from agents.ledger import KafkaCharter, Ledger
from agents.rebuild.restore import Rebuild
from agents.redis_link import RedisLink
from deploy.local import Stack
from deploy.local.valkey import binary
from streams.records import HOUSEHOLD_FACTS
from tests.faults.audit import audited
from tests.faults.site import Site, load, opened
from tests.faults.test_brokers import restart
from tests.faults.worker import Fault
from tests.ledger.homes import Home, RedisHome, cluster

pytestmark = pytest.mark.timeout(300)


async def test_redis_is_killed_under_load(site: Site, own_stack: Stack) -> None:
    """kill -9; the append-only file has every commit that was answered."""
    workers = site.start_all(max_part=20)
    publishing = asyncio.ensure_future(site.publish(load()))
    await workers["household"].signals.wait("committed")
    await asyncio.to_thread(own_stack.kill, "valkey")
    await site.heard.wait("redis-lost", timeout=60)
    await restart(own_stack)
    await publishing
    await audited(site)
    assert not any(one.exited.is_set() for one in workers.values())


async def test_a_full_redis_stops_the_stream_and_loses_nothing(site: Site, own_stack: Stack) -> None:
    """maxmemory without eviction: commits wait, nothing is evicted, and with more memory all goes on."""
    lines = load()
    site.start_all()
    await site.publish(lines[:200])
    await site.at_rest()
    with redis.Redis(port=own_stack.valkey.port) as admin:
        admin.config_set("maxmemory", 1_000_000)  # less than an empty server takes
        try:
            publishing = asyncio.ensure_future(site.publish(lines[200:]))
            for stage in ("intake", "person", "household"):
                await site.heard.wait(
                    "redis-retry",
                    lambda facts, stage=stage: (  # type: ignore[misc]
                        facts["worker"].startswith(stage) and facts["what"] == "refused-write"
                    ),
                )
            positions = await site.days()
        finally:
            admin.config_set("maxmemory", 0)
        assert admin.info("stats")["evicted_keys"] == 0
    assert positions
    await publishing
    await audited(site)


@pytest.mark.parametrize(
    "is_busy", [pytest.param(True, id="busy"), pytest.param(False, id="quiet", marks=pytest.mark.soak)]
)
async def test_an_emptied_redis_is_noticed_and_nobody_starts_from_nothing(
    own_stack: Stack, tmp_path: Path, is_busy: bool
) -> None:
    """Workers stop their partitions, new ones leave; both name the rebuild, after which all goes on."""
    async with opened(Site(own_stack, tmp_path)) as site:
        site.create()
        workers = site.start_all()
        lines = load()
        await site.publish(lines[:300])
        await site.at_rest()
        sent = await site.rig.ends("warnings")
        await asyncio.to_thread(own_stack.kill, "valkey")
        shutil.rmtree(own_stack.valkey.folder / "data")
        await restart(own_stack)
        if is_busy:
            await site.publish(lines[300:])
        for one in workers.values():
            stopped = await one.signals.wait("stopped", timeout=60)
            assert "hearthwatch rebuild" in stopped["why"]
        for late in [site.start(stage) for stage in workers]:
            assert await late.gone() == 1
            assert "hearthwatch rebuild" in late.last_lines()
        with redis.Redis(port=own_stack.valkey.port) as admin:
            assert admin.dbsize() == 0
        if not is_busy:
            # Under load one may go out before its commit is refused; the books know it as the right one.
            assert await site.rig.ends("warnings") == sent
            await site.publish(lines[300:])
        await rebuilt(site)
        assert (await audited(site)).circle()


@pytest.mark.soak
async def test_a_redis_that_comes_back_behind_is_made_good_also_where_nothing_is_sent(
    site: Site, own_stack: Stack
) -> None:
    """An append-only file of some time ago: what it lacks is done again, and sent as the same bytes."""
    lines = load()
    folder = own_stack.valkey.folder / "data"
    old = folder.with_name("old")
    workers = site.start_all(max_part=20)
    await site.publish(lines[:300])
    await site.at_rest()
    await asyncio.to_thread(shutil.copytree, folder, old)
    await site.publish(lines[300:])
    await site.at_rest()
    await asyncio.to_thread(own_stack.kill, "valkey")
    shutil.rmtree(folder)
    old.rename(folder)
    await restart(own_stack)
    audit = await audited(site)
    assert audit.repeats[HOUSEHOLD_FACTS]
    assert not any(one.exited.is_set() for one in workers.values())


async def rebuilt(site: Site) -> None:
    """Make everything again that Redis has lost, as `hearthwatch rebuild` does."""
    files = {name: file for several in site.files.values() for name, file in several.items()}
    config = WorkerConfig(catalog=site.catalog, policy=site.policy, **site.options("rebuild"), **files)
    charter = KafkaCharter(site.rig.kafka, topic=config.ledger_topic)
    ledger = Ledger(RedisLink(config.redis), charter, name=config.namespace)
    work = Rebuild(config, ledger)
    try:
        assert await work.run(await work.places(None, None))
    finally:
        await work.close()
        await ledger.close()


@pytest.mark.soak
async def test_a_master_of_a_redis_cluster_is_lost_under_load(own_stack: Stack, tmp_path: Path) -> None:
    """Six nodes, one master dies for good. What was not replicated yet is made again from Kafka, the same."""
    home = Home("cluster", RedisHome())
    try:
        await asyncio.to_thread(cluster, home, str(binary()), tmp_path / "cluster", replicas=True)
        async with opened(Site(own_stack, tmp_path, redis=home.address)) as site:
            site.create(4)
            workers = site.start_all(max_part=20)
            enough = asyncio.Event()
            publishing = asyncio.ensure_future(site.pour(load(40, 3000), enough))
            await workers["household"].signals.wait("committed")
            await asyncio.to_thread(home.servers[0].kill)
            await site.heard.wait("redis-lost", timeout=60)
            lost = len(site.heard.seen)
            await site.heard.wait("committed", lambda facts: "household" in facts["worker"], 60, lost)
            enough.set()
            await publishing
            await audited(site)
            assert not any(one.exited.is_set() for one in workers.values())
    finally:
        for server in home.servers:
            await asyncio.to_thread(server.kill)


@pytest.mark.soak
async def test_a_worker_dies_while_redis_is_away(site: Site, own_stack: Stack) -> None:
    """Two faults in a row: the commit that was on its way is in the file, and its worker is gone."""
    site.start_all(but=["household"])
    victim = site.start("household", Fault("redis-lost"), max_part=20)
    publishing = asyncio.ensure_future(site.publish(load()))
    await victim.signals.wait("committed")
    await asyncio.to_thread(own_stack.kill, "valkey")
    await victim.fault()
    await restart(own_stack)
    site.start("household")
    await publishing
    await audited(site)
