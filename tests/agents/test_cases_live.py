"""Forward and cases on a real broker and a real ledger: warnings, officers, deadlines, a go-live."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator, Callable

import pytest

from agents.case_index import entry_of, open_cases
from agents.deadlines import Deadlines, case_tick
from casework.cases import state_format
from casework.cases.baseline import worklist
from casework.cases.book import Baseline
from casework.cases.commands import Actor
from casework.workdays import Span
from streams.deadletters import REASON
from streams.records import ALERTS, CASE_COMMANDS, CASE_EVENTS, DEADLETTERS
from tests.agents.casework import Cases, ids
from tests.agents.rig import DEADLINE, Rig
from tests.casework.cases.a_case import BOOK, COMMUNITY, DAY, HOUR, MONDAY, OTHER, instant

BEN = Actor("ben", "community", (COMMUNITY,))


@pytest.fixture
async def make(rig: Rig) -> AsyncIterator[Callable[..., Cases]]:
    made: list[Cases] = []

    def one(**options: object) -> Cases:
        made.append(Cases(rig, **options))  # type: ignore[arg-type]
        return made[-1]

    yield one
    for cases in made:
        await cases.close()


async def test_a_warning_becomes_a_case_that_is_worked_until_it_is_closed(make: Callable[..., Cases]) -> None:
    cases = make()
    await cases.start()
    await cases.warn("H1", MONDAY, level="red")
    await cases.through()
    await cases.send("H1", "acknowledge", 1, at=MONDAY + HOUR // 2)
    finding = {"type": "income.earnings.assessed", "subject": "person/p1", "data": {"monthly_yuan": 800}}
    await cases.send("H1", "visit", 2, at=MONDAY + 2 * HOUR, outcome="met", findings=[finding])
    await cases.send("H1", "close", 3, at=MONDAY + 3 * HOUR, code="no-need")
    await cases.through()
    events = (await cases.events())["H1"]
    assert ids(events) == ["opened", "acknowledged", "visited", "closed"]
    assert [event["time"] for event in events[:2]] == ["2026-03-02T02:00:00Z", "2026-03-02T02:30:00Z"]
    # What was found goes back by the departments' own contract.
    (told,) = await cases.rig.read(f"life.{BOOK.department}")
    assert json.loads(told.value)["id"] == "H1-1-3-1"
    assert (told.key, told.timestamp) == (b"person/p1", (MONDAY + 2 * HOUR) // 1000)
    assert await open_cases(await cases.rig.ledger(), range(2), topic_prefix=cases.rig.prefix) == []
    await cases.audit()


async def test_two_officers_at_once_one_acts_and_the_other_is_told_that_it_is_stale(
    make: Callable[..., Cases],
) -> None:
    cases = make(partitions=3)
    await cases.start()
    homes = [f"H{number}" for number in range(12)]
    for home in homes:
        await cases.warn(home, MONDAY)
    await cases.through()
    at = MONDAY + HOUR
    await asyncio.gather(
        *(cases.send(home, "acknowledge", 1, at=at, by=who) for home in homes for who in (cases_anna, BEN))
    )
    await cases.through()
    for home, events in (await cases.events()).items():
        assert ids(events) == ["opened", "acknowledged", "refused"], home
        assert events[2]["data"]["details"]["reason"] == "stale"
        assert events[1]["data"]["actor"]["id"] != events[2]["data"]["actor"]["id"]
    await cases.audit()


async def test_deadlines_pass_over_the_national_day(make: Callable[..., Cases]) -> None:
    """Raised on the last working day before the holidays of 2026, an orange case is visited after them."""
    cases = make()
    await cases.start()
    eve = instant("2026-09-30T10:00")
    await cases.warn("H1", eve)
    await cases.through()
    await cases.send("H1", "acknowledge", 1, at=eve + HOUR)
    await cases.through()
    # 1 to 7 October are off; three working days are the 8th, the 9th and the 10th, which is made up for.
    assert await cases.tick(instant("2026-10-10T23:59")) == 0
    assert ids((await cases.events())["H1"]) == ["opened", "acknowledged"]
    assert await cases.tick(instant("2026-10-11T00:00")) == 1
    (late,) = (await cases.events())["H1"][2:]
    assert (late["type"], late["time"]) == ("case.overdue", "2026-10-10T16:00:00Z")
    assert late["data"]["details"]["clock"] == "visit"
    await cases.audit()


async def test_by_the_wall_clock_the_owner_lets_a_deadline_pass(make: Callable[..., Cases]) -> None:
    rules = {
        level: dataclasses.replace(one, within={**one.within, "acknowledge": Span(0, "h")})
        for level, one in BOOK.levels.items()
    }
    cases = make(clock="wall", book=dataclasses.replace(BOOK, levels=rules))
    await cases.start()
    now = int(time.time() * 1_000_000)
    await cases.warn("H1", now)
    await cases.through()
    # Its deadline is the moment of its opening: the worker's own look appends the tick.
    async with asyncio.timeout(DEADLINE):
        while True:
            seen = len(cases.signals["cases"].seen)
            if "overdue" in ids((await cases.events()).get("H1", [])):
                break
            await cases.signals["cases"].wait("committed", after=seen)
    late = (await cases.events())["H1"][1]
    opened = (await cases.events())["H1"][0]
    assert late["time"] == opened["time"]
    await cases.audit()


async def test_a_tick_under_way_is_not_told_twice_and_one_that_was_ignored_is_told_again(
    make: Callable[..., Cases],
) -> None:
    cases = make(clock="wall")
    await cases.start()
    await cases.warn("H1", MONDAY, level="red")
    await cases.through()
    engine = cases.workers["cases"].engine
    opened = (await cases.events())["H1"][0]
    ahead = time.time() + 2 * 3600  # by our clock an hour is over; by the broker's it is not
    look = Deadlines(engine, CASE_COMMANDS, case_tick, now=lambda: ahead)
    assert await look.check() == 1
    assert await look.check() == 0
    await cases.through()
    assert [event["id"] for event in (await cases.events())["H1"]] == [opened["id"]]
    again = Deadlines(engine, CASE_COMMANDS, case_tick, now=lambda: ahead, again_seconds=0)
    assert [await again.check(), await again.check()] == [1, 1]
    await cases.through()
    await cases.audit()


async def test_what_cannot_be_worked_on_is_set_aside_and_nothing_stops(make: Callable[..., Cases]) -> None:
    cases = make()
    await cases.start()
    await cases.rig.send("warnings", [(b"H1", b"no warning"), (b"H2", None)])
    await cases.rig.send(
        CASE_COMMANDS, [(b"no|household", b"{}"), (None, b"{}")], timestamp_ms=MONDAY // 1000
    )
    await cases.warn("H1", MONDAY)
    await cases.through()
    assert ids((await cases.events())["H1"]) == ["opened"]
    letters = await cases.rig.read(DEADLETTERS)
    assert sorted(letter.value or b"" for letter in letters) == [b"", b"no warning", b"{}", b"{}"]
    assert all(dict(one.headers)[REASON] == b"internal-error" for one in letters)
    await cases.audit()


async def test_a_go_live_becomes_a_worklist_and_no_storm(make: Callable[..., Cases]) -> None:
    live = dataclasses.replace(BOOK, baselines=(Baseline("420106", MONDAY + 5 * DAY, 20),))
    cases = make(book=live)
    await cases.start()
    homes = [f"B{number}" for number in range(3_000)]
    levels = list(BOOK.levels)
    bodies = []
    for number, home in enumerate(homes):
        community = (COMMUNITY, OTHER)[number % 2]
        cases.numbers[home] += 1
        bodies.append((home.encode(), _raised(home, levels[number % 4], community)))
    await cases.rig.send("warnings", bodies)
    await cases.through()
    assert await cases.rig.read(ALERTS) == []
    ledger = await cases.rig.ledger()
    members = await open_cases(ledger, range(2), topic_prefix=cases.rig.prefix)
    assert len(members) == 3_000
    assert {entry_of(member).due for member in members} == {None}
    scope = await open_cases(ledger, range(2), COMMUNITY, topic_prefix=cases.rig.prefix, limit=2_000)
    assert len(scope) == 1_500
    assert {entry_of(member).community for member in scope} == {COMMUNITY}
    page = await open_cases(ledger, range(2), COMMUNITY[:9], topic_prefix=cases.rig.prefix, limit=10)
    after = await open_cases(
        ledger, range(2), COMMUNITY[:9], topic_prefix=cases.rig.prefix, limit=10, after=page[-1]
    )
    assert page + after == scope[:20]
    # A worklist by community, the most urgent first, so many a day.
    states = [state_format.decode(raw) for raw in (await cases.states()).values()]
    plan = [one for one in worklist(states, live, MONDAY) if one.community == COMMUNITY]
    assert len({one.day for one in plan}) == 75
    assert [one.level for one in plan] == sorted(
        (one.level for one in plan), key=lambda level: -levels.index(level)
    )
    # What crosses a line a day after alerts at once, also before the end.
    await cases.warn("B0", MONDAY + DAY + HOUR, kind="upgraded", level="red")
    await cases.through()
    assert [alert["kind"] for alert in await cases.alerts()] == ["upgraded"]
    assert len(await cases.rig.read(CASE_EVENTS)) == 3_001


def _raised(home: str, level: str, community: str) -> bytes:
    from tests.agents.casework import warning_body

    return warning_body(home, 1, MONDAY, level=level, community=community)


cases_anna = Actor("anna", "community", (COMMUNITY,))
