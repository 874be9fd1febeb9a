"""Who sends what was decided when partitions are claimed again, given up or lost: once, and nothing stays."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from agents.deliveries import AT_ONCE, LONGEST_DRAIN_SECONDS
from agents.holding import DRAIN_SECONDS
from agents.ledger import Claim, Ledger
from casework.alerts.inputs import ROUTES_KEY
from streams.records import ALERTS
from streams.timestamps import HOUR, SECOND
from tests.agents.alerting import Alerts, committed, routes_of, routes_text, told
from tests.agents.receivers import Site, web_server
from tests.agents.rig import DEADLINE, Rig
from tests.agents.test_dispatch_live import START, alert

SOME = AT_ONCE + 5
"""More messages than are sent at once by one channel."""

PATIENT = routes_text(
    ("  - id: hook\n    kind: webhook\n", "  - id: hook\n    kind: webhook\n    timeout: 5m\n")
)
"""The channel is waited for however slow this machine is."""


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    async with web_server() as site:
        monkeypatch.setenv("HOOK_URL", site.url)
        monkeypatch.setenv("HOOK_SECRET", "a secret")
        yield site


def keys(site: Site) -> Counter[str]:
    """How often each message came."""
    return Counter(one.headers["Idempotency-Key"] for one in site.requests)


async def some_messages(alerts: Alerts, site: Site, count: int = SOME) -> None:
    """Alerts that wait for nobody; all that may leave has come, and is not answered."""
    site.answers = [(0, {})] * min(count, AT_ONCE)
    for number in range(count):
        await alerts.say(START + number * SECOND, alert(f"H{number}"))
    for _ in range(min(count, AT_ONCE)):
        await asyncio.wait_for(site.came.get(), DEADLINE)


async def dump(ledger: Ledger) -> dict[bytes, Any]:
    """All that Redis holds of a ledger."""
    found: dict[bytes, Any] = {}
    cursor = b"0"
    while True:
        cursor, some = await ledger.link.call("SCAN", cursor, "MATCH", f"*{ledger.name}:*", "COUNT", 10_000)
        for key in some:
            found[key] = await ledger.link.call("DUMP", key)
        if int(cursor) == 0:
            return found


async def test_what_waits_for_its_turn_is_sent_also_where_the_partition_was_claimed_again(
    rig: Rig, site: Site
) -> None:
    """What had left is not sent again, and what had not leaves under the new claim."""
    alerts = Alerts(rig, text=PATIENT)
    signals = await alerts.start()
    await some_messages(alerts, site)
    engine = alerts.workers[0].engine
    ((tp, lane),) = engine.lanes.items()
    await committed(signals, lane)
    seen = len(signals.seen)
    engine.consumer.reclaim(tp)  # as after a commit that was refused
    await signals.wait("resumed", after=seen)
    assert engine.lanes[tp] is not lane
    site.released.set()
    await alerts.tick(START + HOUR)
    assert sorted(told(site.requests)) == sorted(f"H{number}-1-1" for number in range(SOME))
    assert set(keys(site).values()) == {1}
    await alerts.audit()


async def test_who_leaves_waits_for_what_has_left_and_not_for_what_has_not(rig: Rig, site: Site) -> None:
    """A channel that is slow holds a handover up by one answer, and not by all that wait for it."""
    alerts = Alerts(rig, text=PATIENT)
    signals = await alerts.start()
    await some_messages(alerts, site)
    ((_, lane),) = alerts.workers[0].engine.lanes.items()
    await committed(signals, lane)
    deliveries = alerts.workers[0].deliveries
    assert deliveries is not None
    settling = asyncio.ensure_future(deliveries.settled())
    await asyncio.wait([settling], timeout=0)
    assert not settling.done(), "some have left"
    site.released.set()
    await asyncio.wait_for(settling, DEADLINE)
    assert len(site.requests) == AT_ONCE, "the others have not, and are called off"
    await alerts.stop()
    await alerts.start()
    await alerts.tick(START + HOUR)
    assert len(told(site.requests)) == SOME
    assert set(keys(site).values()) == {1}
    await alerts.audit()


async def test_nothing_leaves_between_a_drain_and_the_next_owner(rig: Rig, site: Site) -> None:
    """A partition that is claimed again when it is about to be given up is no way to send: both would."""
    alerts = Alerts(rig, text=PATIENT)
    signals = await alerts.start()
    await signals.wait("resumed")
    engine, load = alerts.workers[0].engine, alerts.workers[0].ledger.load
    ((tp, lane),) = engine.lanes.items()
    asked, gate = asyncio.Event(), asyncio.Event()

    async def slow(claim: Claim, keys: Sequence[str]) -> list[bytes | None]:
        if list(keys) == [ROUTES_KEY]:  # whether the partition is still ours
            asked.set()
            await gate.wait()
        return await load(claim, keys)

    alerts.workers[0].ledger.load = slow  # type: ignore[method-assign]
    await alerts.say(START, alert("H1"))
    await asyncio.wait_for(asked.wait(), DEADLINE)
    await rig.through("dispatch", ALERTS, signals)

    async def claimed_again() -> None:
        gate.set()
        engine.holding.drop(lane, "a commit that was refused")
        assert engine.consumer.reclaim(tp)
        async with asyncio.timeout(DEADLINE):
            while tp in engine.consumer._claiming:
                await asyncio.wait([engine.consumer._claiming[tp]])
            while tp in engine.lanes and not site.requests:
                await site.came.get()

    site.answers = [(0, {})]  # whatever leaves is not answered before its worker has gone
    engine.holding.on_drain.append(claimed_again)
    await alerts.stop()
    assert site.requests == []
    site.answers = []
    await alerts.start()
    await alerts.tick(START + HOUR)
    assert told(site.requests) == ["H1-1-1"]
    assert set(keys(site).values()) == {1}
    await alerts.audit()


async def test_nothing_leaves_from_a_partition_that_is_being_given_up(rig: Rig, site: Site) -> None:
    """Also where what is under way is not called off, because commits take all the time that a drain has."""
    alerts = Alerts(rig, text=PATIENT)
    signals = await alerts.start()
    await signals.wait("resumed")
    engine, load = alerts.workers[0].engine, alerts.workers[0].ledger.load
    (lane,) = engine.lanes.values()
    asked, gate, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def slow(claim: Claim, keys: Sequence[str]) -> list[bytes | None]:
        if list(keys) != [ROUTES_KEY]:
            return await load(claim, keys)
        asked.set()
        await gate.wait()
        found = await load(claim, keys)
        asyncio.get_running_loop().call_soon(ended.set)  # after whoever waits for this has gone on
        return found

    alerts.workers[0].ledger.load = slow  # type: ignore[method-assign]
    await alerts.say(START, alert("H1"))
    await asyncio.wait_for(asked.wait(), DEADLINE)
    await rig.through("dispatch", ALERTS, signals)
    lane.is_closing = True
    gate.set()
    await asyncio.wait_for(ended.wait(), DEADLINE)
    assert "delivering" not in [name for name, _ in signals.seen]


async def test_an_answer_that_is_applied_while_the_unanswered_is_looked_up_is_heeded(
    rig: Rig, site: Site
) -> None:
    """The look-up has its reply after that of the commit, but from before it."""
    alerts = Alerts(rig, text=PATIENT)
    signals = await alerts.start()
    await signals.wait("resumed")
    site.answers = [(0, {})]
    await alerts.say(START, alert("H1"))
    await asyncio.wait_for(site.came.get(), DEADLINE)
    await rig.through("dispatch", ALERTS, signals)
    engine, load = alerts.workers[0].engine, alerts.workers[0].ledger.load
    (tp,) = engine.lanes

    async def slow(claim: Claim, keys: Sequence[str]) -> list[bytes | None]:
        found = await load(claim, keys)
        # Where the lane is held, nothing can be applied before this look-up is over.
        if list(keys) != [ROUTES_KEY] and not engine.lanes[tp].lock.locked():
            site.released.set()
            await signals.wait("answered")
            await rig.through("dispatch", ALERTS, signals)
        return found

    alerts.workers[0].ledger.load = slow  # type: ignore[method-assign]
    seen = len(signals.seen)
    engine.consumer.reclaim(tp)
    await signals.wait("resumed", after=seen)
    site.released.set()
    await alerts.tick(START + HOUR)
    assert set(keys(site).values()) == {1}
    await alerts.audit()


async def test_a_ledger_that_comes_back_behind_sends_nothing_that_the_log_has_answers_to(
    rig: Rig, site: Site
) -> None:
    """It decides anew what was sent long ago; the answers are in the log behind the decisions."""
    alerts = Alerts(rig, max_part=2)
    signals = await alerts.start()
    await signals.wait("resumed")
    await rig.through("dispatch", ALERTS, signals)
    before = await dump(await rig.ledger())
    for number in range(10):
        await alerts.say(START + number * SECOND, alert(f"H{number}"))
    await alerts.tick(START + HOUR)
    await alerts.stop()
    assert len(site.requests) == 10
    ledger = await rig.ledger()
    for key, raw in before.items():
        await ledger.link.call("RESTORE", key, 0, raw, "REPLACE")
    assert len(await alerts.states()) == 0
    site.answers = [(0, {})]  # this one is still to be told
    await alerts.say(START + 2 * HOUR, alert("H99"))
    await alerts.start()
    await asyncio.wait_for(_came(site, 11), DEADLINE)
    site.released.set()
    await alerts.tick(START + 3 * HOUR)
    assert set(keys(site).values()) == {1}
    assert len(told(site.requests)) == 11
    await alerts.audit()


async def _came(site: Site, count: int) -> None:
    while len(site.requests) < count:
        await site.came.get()


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("1s", DRAIN_SECONDS), ("12s", 19.0), ("15s", LONGEST_DRAIN_SECONDS), ("5m", 22.0)],
)
async def test_a_handover_waits_as_long_as_channels_may_take_and_the_group_waits(
    rig: Rig, span: str, seconds: float
) -> None:
    text = routes_text(
        ("  - id: other\n    kind: webhook\n", f"  - id: other\n    kind: webhook\n    timeout: {span}\n")
    )
    text = text.replace(
        "  - id: hook\n    kind: webhook\n", "  - id: hook\n    kind: webhook\n    timeout: 1s\n"
    )
    alerts = Alerts(rig)
    worker, _ = alerts.worker(routes=routes_of(text))
    assert worker.engine.holding.drain_seconds == seconds
