"""Ticks: who appends them, when, and what they wait for."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from agents.app import Worker, stage_of
from agents.flow import Flow
from agents.signals import Recorder
from agents.ticks import append_ticks, steps, ticks
from rules import household
from rules.calendar import Calendar, day_from_text
from streams.errors import TransportError
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS, Tick, decode_household_record, encode
from streams.topics import planned
from tests.agents.desk import small_catalog, small_policy
from tests.agents.rig import Rig
from tests.agents.test_household_stage import fact, ill, jobless

CATALOG = small_catalog()
POLICY = small_policy(CATALOG)
ZONE = Calendar(POLICY.timezone)
DAY = day_from_text("2024-07-01")


def midnight(day: int) -> int:
    found = ZONE.midnight_of(day)
    assert found is not None
    return found


def made(rig: Rig, partitions: int = 2) -> None:
    """All topics; ``life.*`` and the hops are stamped by whoever sends, so that tests can."""
    plan = planned(
        CATALOG, clock="log", life_partitions=1, person_partitions=1, household_partitions=partitions
    )
    stamped = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.after.max.ms": "9223372036854775807",
    }
    rig.topics({topic.name: topic.partitions for topic in plan}, {topic.name: stamped for topic in plan})


async def started(rig: Rig, clock: str) -> tuple[Worker, Recorder]:
    config = rig.config(catalog=CATALOG, policy=POLICY, clock=clock)
    worker, signals = rig.worker(stage_of("household", config), catalog=CATALOG, policy=POLICY, clock=clock)
    await worker.start()
    return worker, signals


async def read_ticks(rig: Rig) -> list[tuple[int, Tick]]:
    out = []
    for record in await rig.read(HOUSEHOLD_FACTS):
        message = decode_household_record(record.value)
        if isinstance(message, Tick):
            out.append((record.partition, message))
    return out


def test_each_midnight_has_a_tick_and_a_date_that_is_left_out_has_none() -> None:
    samoa = Calendar("Pacific/Apia")  # went over the date line: there was no 2011-12-30
    first = day_from_text("2011-12-28")
    assert [tick.day - first for tick in ticks(samoa, first, first + 4)] == [1, 3, 4]
    assert list(ticks(ZONE, DAY, DAY)) == []
    assert [tick.received for tick in ticks(ZONE, DAY, DAY + 1)] == [midnight(DAY + 1)]


async def test_no_clock_has_started_no_tick(rig: Rig) -> None:
    made(rig)
    await started(rig, "log")
    done = await append_ticks(
        DAY,
        kafka=rig.kafka,
        ledger=await rig.ledger(),
        catalog=CATALOG,
        calendar=ZONE,
        topic_prefix=rig.prefix,
    )
    assert (done.ticks, done.first_day, done.last_day) == (0, None, None)


async def test_ticks_until_a_day_reach_every_household(rig: Rig) -> None:
    """A household that no record reaches catches up too, and its warning has the midnight as its time."""
    made(rig)
    bill = fact(1, "insurance.bill.settled", self_paid_yuan=2_500_000)
    await rig.send(HOUSEHOLD_FACTS, [(m.household.encode(), encode(m)) for m in (bill, ill(2))])
    await started(rig, "log")
    # Nothing is on life.* and person.events, so intake and person are through by nature.
    ledger = await rig.ledger()
    until = DAY + 365
    done = await append_ticks(
        until, kafka=rig.kafka, ledger=ledger, catalog=CATALOG, calendar=ZONE, topic_prefix=rig.prefix
    )
    assert (done.first_day, done.last_day) == (DAY + 1, until)
    # One partition has a day and gets them all; the other one only the last.
    assert done.ticks == 365 + 1
    raised, cleared = await rig.read("warnings")
    assert b'"warning.raised"' in raised.value
    assert b'"warning.cleared"' in cleared.value
    again = await append_ticks(
        until, kafka=rig.kafka, ledger=ledger, catalog=CATALOG, calendar=ZONE, topic_prefix=rig.prefix
    )
    assert again.ticks == 0


async def test_ticks_wait_for_what_was_published_before(rig: Rig) -> None:
    made(rig)
    await rig.send("life.health", [(b"k", b"{}")], timestamp_ms=0)
    with pytest.raises(TransportError, match=r"intake, person and household running"):
        await append_ticks(
            DAY,
            kafka=rig.kafka,
            ledger=await rig.ledger(),
            catalog=CATALOG,
            calendar=ZONE,
            topic_prefix=rig.prefix,
            timeout_seconds=1.0,
        )
    assert await read_ticks(rig) == []


@pytest.fixture
async def flow(rig: Rig) -> AsyncIterator[Flow]:
    flow = Flow(rig.kafka, await rig.ledger(), prefix=rig.prefix)
    yield flow
    await flow.close()


async def test_the_owner_appends_a_tick_once_intake_and_person_are_past_midnight(
    rig: Rig, flow: Flow
) -> None:
    made(rig, partitions=1)
    await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1))), (b"~p1", encode(jobless(2)))])
    worker, signals = await started(rig, "wall")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    midnights = worker.midnights
    assert midnights is not None
    now = midnight(DAY + 1) / 1e6 + 1
    midnights._now = lambda: now

    # Received before midnight, and not read by intake: no tick. (What comes after it does not matter.)
    before, after = midnight(DAY + 1) // 1000 - 1, midnight(DAY + 1) // 1000
    await rig.send("life.health", [(b"k", b"{}")], timestamp_ms=before)
    await rig.send("life.health", [(b"k", b"{}")], timestamp_ms=after)
    assert await midnights.check() == 0
    ledger = await rig.ledger()
    intake = await ledger.claim("intake", rig.prefix + "life.health", 0, 1, "test")
    await rig.send(PERSON_EVENTS, [(b"p1", b"x")])
    await ledger.commit(intake, next_offset=1)
    # Intake is past it, person is not.
    assert await midnights.check() == 0
    person = await ledger.claim("person", rig.prefix + PERSON_EVENTS, 0, 1, "test")
    await ledger.commit(person, next_offset=1)
    assert await midnights.check() == 1
    assert await read_ticks(rig) == [(0, Tick(DAY + 1, midnight(DAY + 1)))]
    # Once is enough.
    assert await midnights.check() == 0


async def test_after_five_minutes_a_tick_waits_no_longer(rig: Rig) -> None:
    """A stage that stands still does not hold up the day of every household."""
    made(rig, partitions=1)
    await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1)))])
    await rig.send("life.health", [(b"k", b"{}")], timestamp_ms=0)
    worker, signals = await started(rig, "wall")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    midnights = worker.midnights
    assert midnights is not None
    now = midnight(DAY + 3) / 1e6 + 299
    midnights._now = lambda: now
    assert await midnights.check() == 0
    now += 1
    # A worker that was away appends every midnight that it missed.
    assert await midnights.check() == 3
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    lane = worker.engine.lanes[next(iter(worker.engine.lanes))]
    assert lane.day == DAY + 3
    await signals.wait("swept", lambda facts: facts["day"] == DAY + 3)
    state = (await (await rig.ledger()).read("household", rig.prefix + HOUSEHOLD_FACTS, 0, ["~p1"]))[0]
    # Lazy: nothing of it changes on these days, so it has not been touched.
    assert household.decode(state or b"").day == DAY


async def test_a_tick_of_a_clock_that_is_ahead_is_ignored(rig: Rig) -> None:
    """The broker's own time decides: its topic stamps records as they arrive."""
    plan = planned(CATALOG, clock="wall", life_partitions=1, person_partitions=1, household_partitions=1)
    rig.topics(
        {topic.name: topic.partitions for topic in plan}, {topic.name: topic.settings for topic in plan}
    )
    await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1)))])
    worker, signals = await started(rig, "wall")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    far = day_from_text("2400-01-01")
    await rig.send(HOUSEHOLD_FACTS, [(None, encode(Tick(far, midnight(far))))])
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    (lane,) = worker.engine.lanes.values()
    assert lane.day == DAY


async def test_a_clock_that_jumped_a_year_ahead_and_back_costs_no_midnight(rig: Rig) -> None:
    """No partition's day follows it, and when it is right again the day comes."""
    plan = planned(CATALOG, clock="wall", life_partitions=1, person_partitions=1, household_partitions=1)
    rig.topics(
        {topic.name: topic.partitions for topic in plan}, {topic.name: topic.settings for topic in plan}
    )
    await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1)))])
    worker, signals = await started(rig, "wall")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    midnights = worker.midnights
    assert midnights is not None
    today = ZONE.day_of(int(time.time() * 1e6))
    right = midnight(today) / 1e6 + 600
    midnights._now = lambda: midnight(today + 365) / 1e6 + 600
    assert await midnights.check() == today + 365 - DAY
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    (lane,) = worker.engine.lanes.values()
    assert lane.day == today, "of its ticks only those count that the broker's clock has passed"
    # Had it been a day behind meanwhile, it would get that day now, and not in a year.
    lane.day = today - 1
    midnights._now = lambda: right
    assert await midnights.check() == 1


async def test_a_tick_that_did_not_move_the_day_is_appended_again(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(rig, partitions=1)
    await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1)))])
    worker, signals = await started(rig, "wall")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    midnights = worker.midnights
    assert midnights is not None
    midnights._now = lambda: midnight(DAY + 1) / 1e6 + 600
    (lane,) = worker.engine.lanes.values()
    lane.is_closing = True  # it takes nothing in
    assert [await midnights.check(), await midnights.check()] == [1, 0]
    monkeypatch.setattr("agents.ticks.AGAIN_SECONDS", -1.0)
    assert await midnights.check() == 1


async def test_many_households_catch_up_between_batches(rig: Rig) -> None:
    """More than a chunk of them, without a record of their own; each once, in its own order."""
    made(rig, partitions=1)
    messages = []
    for n in range(600):
        bill = fact(2 * n, "insurance.bill.settled", person=f"p{n}", self_paid_yuan=2_500_000)
        messages += [bill, ill(2 * n + 1, person=f"p{n}")]
    await rig.send(HOUSEHOLD_FACTS, [(m.household.encode(), encode(m)) for m in messages])
    _, signals = await started(rig, "log")
    await rig.through("household", HOUSEHOLD_FACTS, signals)
    await append_ticks(
        DAY + 365,
        kafka=rig.kafka,
        ledger=await rig.ledger(),
        catalog=CATALOG,
        calendar=ZONE,
        topic_prefix=rig.prefix,
    )
    warnings = await rig.read("warnings")
    assert len(warnings) == 1200
    assert sum(b'"warning.cleared"' in record.value for record in warnings) == 600
    sweeps = [facts for name, facts in signals.seen if name == "committed" and facts["states"] == 250]
    assert len(sweeps) == 2


def test_the_order_of_the_flow() -> None:
    assert [stage for stage, _ in steps(CATALOG)] == ["intake", "person", "household"]
