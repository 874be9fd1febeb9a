"""Dispatch dies at each moment: no alert is lost, and none is sent again whose answer is in the log."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agents.app import StageName
from casework.alerts.alert import Alert
from casework.alerts.inputs import Due
from deploy.local import Stack
from streams.records import ALERTS
from tests.agents.alerting import routes_text
from tests.agents.casework import Cases
from tests.faults.audit import audited
from tests.faults.post import Post, posting
from tests.faults.site import POLICY, Site, load, opened
from tests.faults.test_brokers import restart
from tests.faults.test_workers import MOMENTS
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(300)

#: A message is about to leave; it has left, and its answer is not written down; the answer is in the log.
OWN_MOMENTS = ("delivering", "delivered", "answered")


@pytest.fixture
async def post(site: Site) -> AsyncIterator[Post]:
    """A web server that is told, and nobody at work yet."""
    async with posting(site) as post:
        yield post


async def test_dispatch_survives_a_death_at_each_moment(post: Post) -> None:
    """kill -9 before, during and after a commit, during a claim, and around the sending of a message."""
    enough = asyncio.Event()
    pouring = asyncio.ensure_future(post.pour(enough))
    deaths = {}
    for moment in (*MOMENTS, "resumed", *OWN_MOMENTS):
        victim = post.start(Fault(moment), instance="static", max_part=20)
        deaths[moment] = await victim.fault()
        assert deaths[moment]["moment"] == moment
    enough.set()
    await pouring
    post.start(instance="static")
    await post.at_rest()
    folded, accounts = await post.audit()
    assert accounts.came[deaths["delivered"]["key"]] >= 2
    assert accounts.begun[deaths["delivering"]["key"]] > accounts.came[deaths["delivering"]["key"]]
    assert len(folded.sends) > 50


async def test_a_message_comes_twice_only_where_its_answer_was_lost(post: Post) -> None:
    """One message at a time, with a death before it leaves, behind that, and behind its answer."""
    died = {}
    for moment in OWN_MOMENTS:
        victim = post.start(Fault(moment), instance="static")
        await victim.signals.wait("resumed")
        await post.say(post.new())
        died[moment] = (await victim.fault())["key"]
        heir = post.start(instance="static")
        if moment != "answered":
            await heir.signals.wait("answered")
        await heir.signals.wait("resumed")
        await post.alerts.rig.through("dispatch", ALERTS, heir.signals)
        await heir.leave()
    post.start(instance="static")
    await post.at_rest()
    _, accounts = await post.audit()
    assert [accounts.came[died[moment]] for moment in OWN_MOMENTS] == [1, 2, 1]
    assert [accounts.begun[died[moment]] for moment in OWN_MOMENTS] == [2, 2, 1]


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["delivering", "delivered", "answered", "resumed", "committed", "sent"])
async def test_dispatch_dies_again_and_again_at_one_moment(post: Post, moment: str) -> None:
    enough = asyncio.Event()
    pouring = asyncio.ensure_future(post.pour(enough, seed=3))
    for nth in (1, 2, 5, 3, 8):
        victim = post.start(Fault(moment, 1 if moment == "resumed" else nth), instance="static", max_part=20)
        await victim.fault()
    enough.set()
    await pouring
    post.start(instance="static")
    await post.at_rest()
    await post.audit()


async def test_a_zombie_sends_nothing(post: Post) -> None:
    """Stopped when its commit was through and nothing sent, it finds that another has the partition."""
    partitions = post.alerts.rig.partitions[ALERTS]
    zombie = post.start(Fault("committed", partitions + 1, "stop"))
    for number in range(partitions):  # of each which routes hold
        await zombie.signals.wait(
            "committed",
            lambda facts, number=number: facts["tp"].partition == number,  # type: ignore[misc]
        )
    await post.say(post.new())
    await zombie.fault()
    rival = post.start()
    await rival.signals.wait("answered")
    zombie.send(signal.SIGCONT)
    await zombie.signals.wait("drained")
    await post.say(post.new())
    await post.at_rest()
    await zombie.leave()
    first, _ = post.said.values()
    _, accounts = await post.audit()
    assert [facts["key"] for name, facts in zombie.signals.seen if name == "delivering"] == [
        key for key in accounts.begun if not key.startswith(first.id) and not _by(rival, key)
    ]
    assert not accounts.doubled


def _by(worker: object, key: str) -> bool:
    return any(name == "delivering" and facts["key"] == key for name, facts in worker.signals.seen)  # type: ignore[attr-defined]


async def test_a_zombie_that_had_sent_writes_an_answer_that_changes_nothing(post: Post) -> None:
    """It hung before it had written the answer down, so its successor sent again: what no fence prevents."""
    zombie = post.start(Fault("delivered", 1, "stop"))
    await post.say(post.new())
    key = (await zombie.fault())["key"]
    rival = post.start()
    await rival.signals.wait("answered")
    zombie.send(signal.SIGCONT)
    await zombie.signals.wait("answered")
    await post.say(post.new())
    await post.at_rest()
    _, accounts = await post.audit(hung=True)
    assert accounts.answers[key] == 2
    assert accounts.doubled == {key: 2}


@pytest.mark.parametrize("moment", ["committed", pytest.param("deadlines-sent", marks=pytest.mark.soak)])
async def test_alerts_that_wait_are_told_by_the_wall_clock_of_who_takes_over(
    own_stack: Stack, tmp_path: Path, moment: str
) -> None:
    """The one that took the alerts in dies while they wait for each other, or when their time has come."""
    text = routes_text(("group_wait: 30s", "group_wait: 3s"))
    async with opened(Site(own_stack, tmp_path, clock="wall")) as site:
        site.create()
        async with posting(site, clock="wall", text=text) as post:
            first = post.start(instance="static")
            await first.signals.wait("committed")  # which routes hold
            await first.leave()
            victim = post.start(Fault(moment), instance="static")
            await post.say(post.new(level="blue"), post.new(level="blue"))
            await victim.fault()
            assert not post.channel.requests
            last = post.start(instance="static")
            if moment == "committed":
                await last.signals.wait("deadlines-sent")
            await last.signals.wait("answered")
            await post.alerts.rig.through("dispatch", ALERTS, last.signals)
            folded, accounts = await post.audit()
            assert len(folded.sends) == 1, "they are one message"
            assert any(isinstance(one, Due) for _, _, one in await post.alerts.log())
            assert not accounts.doubled


async def test_partitions_change_hands_under_load(post: Post) -> None:
    """Workers come and leave in good order: what has left is answered first, so nothing comes twice."""
    workers = [post.start(max_part=20)]
    await workers[0].signals.wait("claimed")
    enough = asyncio.Event()
    pouring = asyncio.ensure_future(post.pour(enough))
    for _ in range(3):
        await workers[-1].signals.wait("answered")
        workers.append(post.start(max_part=20))
        await workers[-1].signals.wait("claimed")
        await workers[-1].signals.wait("answered", after=len(workers[-1].signals.seen))
        await workers.pop(0).leave()
    enough.set()
    await pouring
    await post.at_rest()
    _, accounts = await post.audit()
    assert not accounts.doubled
    assert accounts.begun == accounts.answers


@pytest.mark.soak
@pytest.mark.parametrize("moment", ["drained", "claimed"])
async def test_a_death_while_partitions_change_hands(post: Post, moment: str) -> None:
    """The one that gives partitions up, or the one that takes them over, dies while it does."""
    first = post.start(*([Fault("drained")] if moment == "drained" else []), max_part=20)
    await first.signals.wait("claimed")
    enough = asyncio.Event()
    pouring = asyncio.ensure_future(post.pour(enough))
    await first.signals.wait("answered")
    second = post.start(*([Fault("claimed")] if moment == "claimed" else []), max_part=20)
    await (first if moment == "drained" else second).fault()
    left = second if moment == "drained" else first
    await left.signals.wait("answered", after=len(left.signals.seen))
    enough.set()
    await pouring
    await post.at_rest()
    _, accounts = await post.audit()
    if moment == "drained":  # all that had left was answered before
        assert not accounts.doubled


async def test_a_handover_waits_for_a_slow_channel(post: Post) -> None:
    """The channel answers only once the worker has been told to leave, and has begun to.

    For how long it would wait is tests/agents/test_deliveries.py's: longer than for commits alone.
    """
    first = post.start()
    post.channel.silent.add("/hook")
    await post.say(post.new())
    await post.came(1)
    first.send(signal.SIGTERM)
    await first.signals.wait("draining")
    assert not first.exited.is_set()
    post.channel.silent.clear()
    post.channel.released.set()
    assert await first.gone() == 0
    names = [name for name, _ in first.signals.seen]
    assert names.index("draining") < names.index("answered") < names.index("drained")
    post.start()
    await post.at_rest()
    _, accounts = await post.audit()
    assert not accounts.doubled


async def test_the_broker_is_away_when_an_answer_is_to_be_written(post: Post, own_stack: Stack) -> None:
    """The worker keeps what it knows until it can write it down, and sends nothing twice meanwhile."""
    worker = post.start()
    post.channel.silent.add("/hook")
    for _ in range(20):  # more than leave at once
        await post.say(post.new())
    await post.say(post.new("420108"), district="420108")
    await post.came(17)
    await asyncio.to_thread(own_stack.kill, "kafka")
    post.channel.silent.clear()
    post.channel.released.set()
    await worker.signals.wait("delivered", lambda facts: facts["key"].endswith("@hook"))
    await restart(own_stack)
    await post.at_rest()
    _, accounts = await post.audit(hung=True)
    assert not accounts.doubled
    assert not worker.exited.is_set()


async def test_redis_is_away_while_messages_wait(post: Post, own_stack: Stack) -> None:
    """What has left is answered meanwhile; what has not waits until the ledger says whose it is."""
    worker = post.start()
    post.channel.silent.add("/hook")
    for _ in range(24):
        await post.say(post.new())
    await post.came(16)
    await post.alerts.rig.through("dispatch", ALERTS, worker.signals)
    await asyncio.to_thread(own_stack.kill, "valkey")
    post.channel.silent.clear()
    post.channel.released.set()
    await worker.signals.wait("redis-lost", timeout=60)
    assert len(post.channel.requests) == 16
    await restart(own_stack)
    await post.at_rest()
    _, accounts = await post.audit()
    assert len(accounts.came) == 24
    assert not accounts.doubled
    assert not worker.exited.is_set()


async def test_a_channel_that_never_answers_holds_up_nobody_else(post: Post) -> None:
    """Other channels are used and the log goes on, also when a worker dies meanwhile."""
    post.channel.silent.add("/hook")
    victim = post.start(instance="static")
    for _ in range(20):
        await post.say(post.new())
        await post.say(post.new("420101"), district="420101")  # of the same partition
    await post.came(16 + 20)
    await post.alerts.rig.through("dispatch", ALERTS, victim.signals)
    victim.kill()
    last = post.start(instance="static")
    for _ in range(5):
        await post.say(post.new("420101"), district="420101")
    await post.came(2 * 16 + 25)
    paths = [one.path for one in post.channel.requests]
    assert (paths.count("/hook"), paths.count("/other")) == (32, 25)
    await post.alerts.rig.through("dispatch", ALERTS, last.signals)
    post.channel.silent.clear()
    post.channel.released.set()
    await post.at_rest()
    _, accounts = await post.audit()
    assert sorted(accounts.doubled.values()) == [2] * 16
    assert all(key.endswith("@hook") for key in accounts.doubled)


async def test_from_an_event_to_a_message_while_all_stages_die(site: Site) -> None:
    """The whole way: every warning is in its case, every alert of a case is told, each message came."""
    cases = Cases(site.rig, create=False)
    async with posting(site, policy=POLICY) as post:
        deaths: list[tuple[StageName, str, int]] = [
            ("intake", "sent", 2), ("person", "commit-answered", 2), ("household", "sent", 2),
            ("forward", "sent", 1), ("cases", "sent", 1), ("dispatch", "delivered", 2),
        ]  # fmt: skip
        await site.publish_while_dying(load(60, 900), deaths)
        try:
            await audited(site)
            await cases.through()
            folded = await cases.audit()
            assert folded.alerts
            last = max(at for _, at, one in await post.alerts.log() if isinstance(one, Alert))
            post.now = max(post.now, last)
            await post.at_rest()
            _, accounts = await post.audit()
            told = {one.id for _, _, one in await post.alerts.log() if isinstance(one, Alert)}
            assert len(told) >= len(folded.states)
            assert sum(accounts.cut.values()) >= 1
        finally:
            await cases.close()
