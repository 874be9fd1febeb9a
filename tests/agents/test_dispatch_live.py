"""Dispatch on a real broker, a real ledger and a real web server: each alert is told, once."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from casework.alerts.alert import Alert, Resolve
from casework.alerts.inputs import ROUTES_KEY, Due, RoutesInForce, encode_routes, encode_silence
from casework.alerts.intents import Result
from casework.alerts.silences import Silence
from streams.records import ALERTS
from streams.timestamps import HOUR, MINUTE, SECOND
from tests.agents.alerting import Alerts, routes_of, routes_text, told
from tests.agents.receivers import Site, web_server
from tests.agents.rig import DEADLINE, Rig
from tests.casework.alerts.a_district import HERE, at

START = at("2026-03-02 10:00")


def alert(
    home: str, version: int = 1, *, kind: str = "raised", level: str = "red", community: str = HERE
) -> Alert:
    return Alert(
        f"{home}-1-{version}",
        f"{home}-1",
        home,
        kind,
        level,
        community,
        dimensions=("health",),  # type: ignore[arg-type]
    )


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async with web_server() as site:
        monkeypatch.setenv("HOOK_URL", site.url)
        monkeypatch.setenv("HOOK_SECRET", "a secret")
        yield site


async def test_an_alert_is_told_and_what_became_of_it_is_on_record(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig)
    await alerts.start()
    await alerts.say(START, alert("H1"), alert("H2"))
    await alerts.tick(START + HOUR)
    assert sorted(told(site.requests)) == ["H1-1-1", "H2-1-1"]
    assert {one.path for one in site.requests} == {"/hook"}
    events = await alerts.events()
    assert [(one["type"], one["data"]["alert"], one["data"]["channel"]) for one in events] == [
        ("alert.sent", "H1-1-1", "hook"), ("alert.sent", "H2-1-1", "hook"),
    ]  # fmt: skip
    folded = await alerts.audit()
    assert len(folded.sends) == len(site.requests)


async def test_a_burst_is_one_message_and_an_upgrade_takes_the_place_of_what_waits(
    rig: Rig, site: Site
) -> None:
    alerts = Alerts(rig)
    await alerts.start()
    await alerts.say(START, *(alert(f"H{number}", level="blue") for number in range(5)))
    await alerts.say(START + SECOND, alert("H0", 2, kind="upgraded", level="blue"))
    await alerts.say(START + SECOND, alert("H0", 2, kind="upgraded", level="blue"))  # and once more
    await alerts.tick(START + 20 * SECOND)
    assert site.requests == [], "they wait for each other"
    await alerts.tick(START + MINUTE)
    assert told(site.requests) == ["H0-1-2", "H1-1-1", "H2-1-1", "H3-1-1", "H4-1-1"]
    assert len(site.requests) == 1
    fates = Counter(one["type"] for one in await alerts.events())
    assert fates == {"alert.sent": 5, "alert.replaced": 1, "alert.duplicate": 1}
    await alerts.audit()


async def test_in_simulated_time_what_was_due_before_an_acknowledgement_is_told(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig)
    await alerts.start()
    await alerts.say(START, alert("H1", level="blue"))
    await alerts.say(START + HOUR, Resolve("H1-1"))
    await alerts.say(START + HOUR, alert("H2", level="blue"))
    await alerts.say(START + HOUR + 10 * SECOND, Resolve("H2-1"))
    await alerts.tick(START + 2 * HOUR)
    assert told(site.requests) == ["H1-1-1"]
    assert [one["type"] for one in await alerts.events()] == ["alert.sent", "alert.resolved"]
    await alerts.audit()


async def test_who_is_away_for_an_hour_is_told_later_and_nothing_is_lost(rig: Rig, site: Site) -> None:
    """Both channels fail for an hour: attempts grow apart, the desk goes on, then everybody is told, once."""
    alerts = Alerts(rig)
    await alerts.start()
    site.answers = [(503, {})] * 10_000
    await alerts.say(START, *(alert(f"H{number}") for number in range(3)))
    for minute in range(1, 61):
        await alerts.tick(START + minute * MINUTE)
    failed = len(site.requests)
    assert 3 * 3 < failed < 120, "each channel was tried, and not without end"
    assert {one["type"] for one in await alerts.events()} == {"alert.gave-up", "alert.passed-on"}
    site.answers = []
    for minute in range(61, 121):
        await alerts.tick(START + minute * MINUTE)
    later = site.requests[failed:]
    assert sorted(told(later)) == ["H0-1-1", "H1-1-1", "H2-1-1"]
    assert {one.path for one in later} == {"/other"}, "they had been passed on to the desk"
    assert len({one.headers["Idempotency-Key"] for one in later}) == len(later)
    await alerts.audit()


async def test_a_silence_holds_alerts_until_it_ends(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig)
    await alerts.start()
    silence = Silence("s1", "li", "the street visits all of them", START, START + 2 * HOUR, community=HERE)
    await alerts.append(START, encode_silence(silence))
    await alerts.say(START + MINUTE, alert("H1"))
    await alerts.tick(START + HOUR)
    assert site.requests == []
    await alerts.tick(START + 3 * HOUR)
    assert told(site.requests) == ["H1-1-1"]
    assert [one["type"] for one in await alerts.events()] == ["alert.silenced", "alert.sent"]
    await alerts.audit()


async def test_what_flies_when_a_worker_leaves_is_answered_first(rig: Rig, site: Site) -> None:
    """On SIGTERM a worker waits for the answers to what it has sent; its successor sends nothing again."""
    alerts = Alerts(rig)
    signals = await alerts.start()
    site.answers = [(0, {})]
    await alerts.say(START, alert("H1"))
    await asyncio.wait_for(site.came.get(), DEADLINE)
    draining = asyncio.Event()

    async def reached() -> None:
        draining.set()

    alerts.workers[0].engine.holding.on_drain.insert(0, reached)
    leaving = asyncio.ensure_future(alerts.stop())
    await asyncio.wait_for(draining.wait(), DEADLINE)
    site.released.set()
    await leaving
    names = [name for name, _ in signals.seen]
    assert names.index("answered") < names.index("drained")
    await alerts.start()
    await alerts.tick(START + HOUR)
    assert len(site.requests) == 1
    await alerts.audit()


async def test_what_was_decided_and_not_answered_is_sent_again_under_the_same_key(
    rig: Rig, site: Site
) -> None:
    """A worker is gone between a message and its answer: whoever comes next sends it again, once."""
    alerts = Alerts(rig)
    await alerts.start()
    site.answers = [(0, {}), (0, {})]
    await alerts.say(START, alert("H1"), alert("H2"))
    await asyncio.wait_for(site.came.get(), DEADLINE)
    await asyncio.wait_for(site.came.get(), DEADLINE)
    worker = alerts.workers[0]
    for task in list(worker.engine._tasks):
        task.cancel()  # as a crash would
    await alerts.stop()
    site.released.set()
    await alerts.start()
    await alerts.tick(START + HOUR)
    keys = Counter(one.headers["Idempotency-Key"] for one in site.requests)
    assert sorted(keys.values()) == [2, 2]
    assert [one["type"] for one in await alerts.events()] == ["alert.sent"] * 2
    await alerts.audit()


async def test_other_routes_hold_from_where_they_stand_in_the_log(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig)
    signals = await alerts.start()
    await signals.wait("resumed")
    await alerts.say(START, alert("H1"))
    await alerts.tick(START + HOUR)
    await alerts.stop()
    text = routes_text(("channels: [hook], next", "channels: [other], next"), ("version: 1", "version: 2"))
    signals = await alerts.start(routes=routes_of(text))
    await signals.wait("resumed")
    await alerts.say(START + 2 * HOUR, alert("H2"))
    await alerts.tick(START + 3 * HOUR)
    assert [one.path for one in site.requests] == ["/hook", "/other"]
    inforce = [one for _, _, one in await alerts.log() if isinstance(one, RoutesInForce)]
    assert [routes_of(one.text).version for one in inforce] == [1, 2]
    assert (await alerts.audit()).sends[1].channel == "other"
    # The same file again says nothing new.
    await alerts.stop()
    signals = await alerts.start(routes=routes_of(text))
    await signals.wait("resumed")
    assert len([one for _, _, one in await alerts.log() if isinstance(one, RoutesInForce)]) == 2


async def test_routes_of_the_log_that_no_longer_fit_the_policy_are_replaced_once(
    rig: Rig, site: Site
) -> None:
    """Until then the worker's own stand in; somebody else's would be others."""
    alerts = Alerts(rig)
    unfit = routes_text(("{language", '{quiet: {from: "22:00", to: "07:00", levels: [purple]}, language'))
    await alerts.append(START, encode_routes("of then", unfit), key=ROUTES_KEY)
    signals = await alerts.start()
    await signals.wait("resumed")
    await rig.through("dispatch", ALERTS, signals)
    engine = alerts.workers[0].engine
    (tp,) = engine.lanes
    seen = len(signals.seen)
    engine.consumer.reclaim(tp)
    await signals.wait("resumed", after=seen)
    await alerts.stop()
    signals = await alerts.start()
    await signals.wait("resumed")
    in_force = [one for _, _, one in await alerts.log() if isinstance(one, RoutesInForce)]
    assert [one.digest for one in in_force] == ["of then", alerts.routes.digest]


async def test_by_the_wall_clock_its_owner_lets_time_pass(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig, clock="wall", text=routes_text(("group_wait: 30s", "group_wait: 2s")))
    signals = await alerts.start()
    await alerts.say(START, alert("H1", level="blue"), alert("H2", level="blue"))
    await signals.wait("answered")
    assert told(site.requests) == ["H1-1-1", "H2-1-1"]
    log = [one for _, _, one in await alerts.log()]
    assert any(isinstance(one, Due) for one in log)
    assert any(isinstance(one, Result) for one in log)


async def test_what_is_no_record_is_set_aside_and_stops_nothing(rig: Rig, site: Site) -> None:
    alerts = Alerts(rig)
    await alerts.start()
    await alerts.append(START, b"{", b'{"kind": "raised"}', b'{"kind": "tick", "at": "x"}')
    await alerts.append(START, b'{"kind": "tick", "at": 1}', key="nowhere")
    await alerts.say(START, alert("H1"))
    await alerts.tick(START + HOUR)
    assert told(site.requests) == ["H1-1-1"]
    letters = [
        json.loads(one.value) if one.value[:1] == b"{" and one.value != b"{" else None
        for one in await rig.read("deadletters")
    ]
    assert len(letters) == 4


async def test_a_flood_becomes_few_messages(rig: Rig, site: Site) -> None:
    """5,000 raised warnings in a minute: nobody gets 5,000 messages, and no family is left out."""
    text = routes_text(("rate: {messages: 1000, per: 1m}", "rate: {messages: 20, per: 1m, digest: 10m}"))
    alerts = Alerts(rig, text=text)
    await alerts.start()
    levels = ("blue", "blue", "blue", "red")
    flood = [alert(f"F{number}", level=levels[number % 4]) for number in range(5_000)]
    for first in range(0, 5_000, 500):
        await alerts.say(START + first * 12_000, *flood[first : first + 500])
    for minute in range(1, 40):
        await alerts.tick(START + minute * MINUTE)
    assert len(site.requests) < 120
    ids = Counter(told(site.requests))
    assert len(ids) == 5_000
    assert set(ids.values()) == {1}
    assert "digest" in {json.loads(one.body)["kind"] for one in site.requests}
    await alerts.audit()
