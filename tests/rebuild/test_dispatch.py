"""Redis is disposable for dispatch too: the log has what was answered, so a rebuild has nobody told again."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.ledger.restoring import Place, account, identify
from agents.rebuild.restore import Rebuild, Restored
from agents.rebuild.verify import Verified, verify
from casework.alerts.alert import Alert, Resolve
from casework.alerts.inputs import RoutesInForce, encode_silence
from casework.alerts.silences import Silence
from casework.alerts.state import decode
from streams.records import ALERT_EVENTS, ALERTS
from streams.timestamps import DAY, HOUR, MINUTE
from tests.agents.alerting import Alerts, routes_of, routes_text
from tests.agents.receivers import Site, web_server
from tests.agents.rig import DEADLINE, Rig
from tests.agents.test_dispatch_live import START, alert
from tests.casework.alerts.a_district import HERE
from tests.rebuild.town import NEVER_BY_ITSELF, wipe

DISTRICTS = ("420106", "420108")
"""One on each partition."""
OTHERS = routes_of(
    routes_text(("channels: [hook], next", "channels: [other], next"), ("group_wait: 30s", "group_wait: 10m"))
)
"""Routes by which all would have gone otherwise."""


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async with web_server() as site:
        monkeypatch.setenv("HOOK_URL", site.url)
        monkeypatch.setenv("HOOK_SECRET", "a secret")
        yield site


@pytest.fixture
async def alerts(rig: Rig, site: Site) -> Alerts:
    alerts = Alerts(rig, partitions=2, snapshot_seconds=NEVER_BY_ITSELF, snapshot_states=1_000_000)
    await alerts.start()
    return alerts


async def work(alerts: Alerts, site: Site, seed: int, count: int = 40) -> int:
    """Some hours of alerts, some of which fail, wait, are silenced, replaced or acknowledged; their end."""
    chance = random.Random(seed)
    at = START + seed * DAY
    silence = Silence(f"s{seed}", "li", "they are visited", at, at + 3 * HOUR, household=f"H{seed}-3")
    await alerts.append(at, encode_silence(silence))
    site.answers = [(chance.choice([200, 200, 503, 400]), {}) for _ in range(count)]
    for number in range(count):
        at += chance.randint(0, 5 * MINUTE)
        district = chance.choice(DISTRICTS)
        community = HERE if district == DISTRICTS[0] else f"{district}001001"
        home = f"H{seed}-{chance.randrange(12)}"
        one: Alert | Resolve = alert(
            home, number, level=chance.choice(["blue", "red"]), community=community,
            kind=chance.choice(["raised", "upgraded"]),
        )  # fmt: skip
        if chance.random() < 0.2:
            one = Resolve(f"{home}-1")
        await alerts.say(at, one, key=district)
        if number % 8 == 7:
            await alerts.tick(at)
    await alerts.tick(at + 6 * HOUR)
    site.answers = []
    await alerts.tick(at + 12 * HOUR)
    return at + 12 * HOUR


async def snapshots(alerts: Alerts) -> None:
    for worker in alerts.workers:
        assert worker.snapshots is not None
        for lane in list(worker.engine.lanes.values()):
            await worker.snapshots.take(lane)


async def rebuilt(alerts: Alerts, **options: Any) -> list[Restored]:
    """By a program that has other routes."""
    rebuild = Rebuild(alerts.config(routes=OTHERS), await alerts.rig.ledger(), **options)
    try:
        return await rebuild.run(await rebuild.places())
    finally:
        await rebuild.close()


async def verified(alerts: Alerts) -> list[Verified]:
    ledger = await alerts.rig.ledger()
    rebuild = Rebuild(alerts.config(routes=OTHERS), ledger)
    try:
        return [await verify(rebuild, ledger, place) for place in sorted(await identify(ledger), key=str)]
    finally:
        await rebuild.close()


async def contents(alerts: Alerts) -> list[Any]:
    """All that the ledger holds of both partitions: states with those of routes, counters, what is due."""
    ledger = await alerts.rig.ledger()
    out: list[Any] = []
    for number in range(2):
        at = (alerts.rig.prefix + ALERTS, number)
        found = (await account(ledger, Place("dispatch", *at))).standing
        out.append(
            (
                {key: raw async for key, raw in ledger.scan("dispatch", *at)},
                {name: count for name, count in found.counts.items() if count},
                found.marks,
                found.next_offset,
                await ledger.next_due("dispatch", *at, 2**52, -1),
            )
        )
    return out


async def sizes(alerts: Alerts) -> dict[str, int]:
    return {topic: sum((await alerts.rig.ends(topic)).values()) for topic in (ALERTS, ALERT_EVENTS)}


def keys(site: Site) -> Counter[str]:
    return Counter(one.headers["Idempotency-Key"] for one in site.requests)


@pytest.mark.parametrize("begins", ["at snapshots", "without snapshots", "from the log alone"])
async def test_a_lost_redis_is_made_again_to_the_byte(
    rig: Rig, alerts: Alerts, site: Site, begins: str
) -> None:
    """With the routes of then, whatever the rebuild has; and when dispatch goes on nobody is told again."""
    await work(alerts, site, 1)
    if begins != "without snapshots":
        await snapshots(alerts)
    await work(alerts, site, 2)
    await alerts.stop()
    before, topics, told = await contents(alerts), await sizes(alerts), len(site.requests)
    assert told > 20
    await wipe(await rig.ledger())
    assert await alerts.states() == {}
    done = await rebuilt(alerts, from_log=begins == "from the log alone")
    assert [one.is_from_snapshot for one in done] == [begins == "at snapshots"] * 2
    assert [one.sent for one in done] == [0, 0], "all of it had been put on record"
    assert await contents(alerts) == before
    assert [(one.differences, one.first) for one in await verified(alerts)] == [(0, "")] * 2
    assert await sizes(alerts) == topics
    signals = await alerts.start()
    for _ in range(2):
        await signals.wait("resumed")
    first = keys_of(site, told)
    await work(alerts, site, 3)
    later = keys(site) - first
    assert later
    assert not first.keys() & later.keys(), "what was answered before is sent again"
    await alerts.audit()
    assert [(one.differences, one.first) for one in await verified(alerts)] == [(0, "")] * 2


def keys_of(site: Site, count: int) -> Counter[str]:
    """Of the first requests."""
    return Counter(one.headers["Idempotency-Key"] for one in site.requests[:count])


@pytest.mark.parametrize("with_snapshots", [True, False])
async def test_only_what_was_not_answered_is_sent_again_after_a_loss(
    rig: Rig, alerts: Alerts, site: Site, with_snapshots: bool
) -> None:
    """A worker dies with two messages under way, and Redis with it; one was not even read yet."""
    at = await work(alerts, site, 1)
    if with_snapshots:
        await snapshots(alerts)
    told = len(site.requests)
    site.answers = [(0, {}), (0, {})]
    await alerts.say(at, alert("L1"), alert("L2"))
    for _ in range(2):
        while (await asyncio.wait_for(site.came.get(), DEADLINE)) not in site.requests[told:]:
            pass
    for task in list(alerts.workers[0].engine._tasks):
        task.cancel()  # as a crash would
    await alerts.stop()
    site.released.set()
    flying = [one for raw in (await alerts.states()).values() for one in decode(raw).messages.values()]
    assert sorted(one.alerts[0].id for one in flying) == ["L1-1-1", "L2-1-1"]
    await alerts.say(at + MINUTE, alert("L3"))
    await wipe(await rig.ledger())
    topics = await sizes(alerts)
    done = await rebuilt(alerts)
    assert sum(one.sent for one in done) == 0, "its fate is known when it is answered"
    assert await sizes(alerts) == topics
    assert len(site.requests) == told + 2
    signals = await alerts.start()
    for _ in range(2):
        await signals.wait("resumed")
    await alerts.tick(at + HOUR)
    later = keys(site) - keys_of(site, told)
    assert {key.partition("#")[0]: count for key, count in later.items()} == {
        "L1-1-1": 2, "L2-1-1": 2, "L3-1-1": 1,
    }  # fmt: skip
    await alerts.audit()


async def test_what_was_not_put_on_record_before_the_loss_is_put_there_by_the_rebuild(
    rig: Rig, alerts: Alerts, site: Site
) -> None:
    at = await work(alerts, site, 1)
    await snapshots(alerts)
    await alerts.stop()
    await alerts.say(at, alert("L1", level="blue"))
    await alerts.say(at + MINUTE // 6, Resolve("L1-1"))
    await wipe(await rig.ledger())
    topics, told = await sizes(alerts), len(site.requests)
    done = await rebuilt(alerts)
    assert sum(one.sent for one in done) == 1
    assert await sizes(alerts) == {**topics, ALERT_EVENTS: topics[ALERT_EVENTS] + 1}
    await alerts.start()
    await alerts.tick(at + HOUR)
    assert len(site.requests) == told
    await alerts.audit()


async def test_a_rebuild_with_other_routes_leaves_those_of_the_log_in_force(
    rig: Rig, alerts: Alerts, site: Site
) -> None:
    """They change when a worker with others takes over, and from there on."""
    at = await work(alerts, site, 1, count=10)
    await snapshots(alerts)
    await alerts.say(at, alert("L1", level="blue"))
    await rig.through("dispatch", ALERTS)
    await alerts.stop()
    await wipe(await rig.ledger())
    await rebuilt(alerts)
    before = await contents(alerts)
    texts = [raw for states, *_ in before for key, raw in states.items() if key.startswith("@routes")]
    assert len(texts) == 2
    assert all(alerts.routes.digest.encode() in raw for raw in texts)
    told = len(site.requests)
    signals = await alerts.start(routes=OTHERS)
    for _ in range(2):
        await signals.wait("resumed")
    # By the routes of the log it waits for 30 seconds; who goes on now tells it, by its own channel.
    await alerts.tick(at + MINUTE)
    assert [one.path for one in site.requests[told:]] == ["/other"]
    # What comes now waits for ten minutes.
    await alerts.say(at + 2 * HOUR, alert("L2", level="blue"))
    await alerts.tick(at + 2 * HOUR + 9 * MINUTE)
    assert len(site.requests) == told + 1
    await alerts.tick(at + 3 * HOUR)
    assert [one.path for one in site.requests[told:]] == ["/other", "/other"]
    inforce = [one.digest for _, _, one in await alerts.log() if isinstance(one, RoutesInForce)]
    assert Counter(inforce) == {alerts.routes.digest: 2, OTHERS.digest: 2}
    await alerts.audit()
