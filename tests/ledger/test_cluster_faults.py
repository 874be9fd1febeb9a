"""Redis Cluster: failovers, and a node that hangs or is missing; commits are ridden out, and done once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agents.ledger import Claim, Ledger, MemoryCharter, Step
from agents.redis_link import RedisLink
from tests.ledger.homes import Home, settle
from tests.ledger.test_conformance import STAGE, TOPIC, claim


async def test_commits_go_on_over_a_failover_of_the_cluster(redis_cluster: Home) -> None:
    """Every master hands over to its replica while partitions commit; MOVED and refusals are ridden out."""
    link = RedisLink(redis_cluster.address)
    ledger = Ledger(link, MemoryCharter())
    claims = [await claim(ledger, partition) for partition in range(12)]
    masters = [server for server in redis_cluster.servers if _role(server) == "master"]
    replicas = [server for server in redis_cluster.servers if _role(server) == "slave"]
    assert (len(masters), len(replicas)) == (3, 3)
    number = 0
    for server in replicas:
        with server.connect() as client:
            client.execute_command("CLUSTER FAILOVER")  # agreed with the master: nothing is lost
        async with asyncio.timeout(60):
            is_over = False
            while not is_over:
                is_over = _role(server) == "master"  # and once more after it
                number += 1
                states = {"h": b"%d" % number}
                await asyncio.gather(
                    *(ledger.commit(one, next_offset=one.next_offset + 1, states=states) for one in claims)
                )
    for one in claims:
        assert await ledger.load(one, ["h"]) == [b"%d" % number]
    await ledger.close()


@contextmanager
def _hung(home: Home, *, noticed_after_ms: int) -> Iterator[None]:
    """The first node of a cluster answers nobody, and goes on afterwards."""
    for server in home.servers:
        with server.connect() as client:
            client.config_set("cluster-node-timeout", noticed_after_ms)
    node = home.servers[0].process
    assert node is not None
    node.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        node.send_signal(signal.SIGCONT)
        settle(home)
        for server in home.servers:
            with server.connect() as client:
                client.config_set("cluster-node-timeout", 1_000)


def _is_of_first_node(home: Home, ledger: Ledger, one: Claim) -> bool:
    with home.admin(1) as client:
        slot = client.execute_command("CLUSTER KEYSLOT", ledger.keys(STAGE, TOPIC, one.partition)[0])
    return int(slot) <= 5_460


async def test_commits_that_go_together_wait_for_a_node_that_hangs_and_are_done_once(all_homes: Any) -> None:
    """Those on the other nodes are written at once; that it is so is only told when all are."""
    home = all_homes.get("valkey-cluster")
    ledger = Ledger(RedisLink(home.address), MemoryCharter(), name="hung")
    claims = [await claim(ledger, partition) for partition in range(12)]
    assert await ledger.commit_all([(one, Step(1)) for one in claims]) == [None] * 12
    others = [one for one in claims if not _is_of_first_node(home, ledger, one)]
    assert 0 < len(others) < 12
    with _hung(home, noticed_after_ms=60_000):
        steps = [(one, Step(2, {"h": b"2"})) for one in claims]
        together = asyncio.ensure_future(ledger.commit_all(steps))
        async with asyncio.timeout(60):
            at = {0}
            while at != {2}:
                found = await ledger.positions(STAGE, [(TOPIC, one.partition) for one in others])
                at = {0 if one is None else one.next_offset for one in found.values()}
        assert not together.done()
        assert all(one.is_broken for one in claims), "nobody here may go on with any of them"
    async with asyncio.timeout(60):
        assert await together == [None] * 12
    assert {one.commit for one in claims} == {2}
    assert [await ledger.load(one, ["h"]) for one in claims] == [[b"2"]] * 12
    await ledger.close()


async def test_a_cluster_that_misses_a_node_refuses_the_partitions_of_the_others_too(all_homes: Any) -> None:
    """As Redis has it (``cluster-require-full-coverage``), until a replica takes over or the node is back."""
    home = all_homes.get("valkey-cluster")
    refused = asyncio.Event()
    link = RedisLink(home.address)
    ledger = Ledger(link, MemoryCharter(), name="missing")
    claims = [await claim(ledger, partition) for partition in range(12)]
    other = next(one for one in claims if not _is_of_first_node(home, ledger, one))
    with _hung(home, noticed_after_ms=500):
        await ledger.commit(other, next_offset=1)
        link._on_retry = lambda reason: refused.set()
        async with asyncio.timeout(60):
            while not refused.is_set():
                commit = asyncio.ensure_future(ledger.commit(other, next_offset=other.next_offset + 1))
                waiting = asyncio.ensure_future(refused.wait())
                await asyncio.wait([commit, waiting], return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        assert not commit.done()
    async with asyncio.timeout(60):
        await commit
    assert other.commit == other.next_offset
    await ledger.close()


def _role(server: Any) -> str:
    with server.connect() as client:
        return str(client.info("replication")["role"])
