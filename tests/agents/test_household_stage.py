"""What the household stage decides: repeats, days, ticks, levels, and records that the program fails on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import agents.household
from agents.household import HouseholdStage
from agents.lanes import Part
from rules import household
from rules.calendar import Calendar, day_from_text
from rules.compile import compile_policy
from rules.rulebook import Rulebook
from streams.errors import LedgerError
from streams.events import Event
from streams.policies import LANGUAGE, Activation, Files
from streams.records import (
    HOUSEHOLD_FACTS,
    WARNINGS,
    Activate,
    Cause,
    Fact,
    Member,
    Message,
    Origin,
    Release,
    Tick,
    Transfer,
    Update,
    decode_household_record,
    encode,
)
from tests.agents.desk import CASE, Raw, lane_of, run, small_catalog, small_policy

CATALOG = small_catalog()
RULES = compile_policy(small_policy(CATALOG), CATALOG)
ZONE = Calendar("Asia/Shanghai")
DAY = day_from_text("2024-07-01")
HOUR_US = 3_600_000_000


def at(day: int, hours: int = 9) -> int:
    midnight = ZONE.midnight_of(day)
    assert midnight is not None
    return midnight + hours * HOUR_US


def fact(
    number: int,
    type: str,
    *,
    person: str = "p1",
    n: int = 0,
    day: int = DAY,
    home: str | None = None,
    **data: Any,
) -> Fact:
    """A fact of a person, who is in a household of its own unless ``home`` is given."""
    event = Event(type, "/wuchang/health", f"e{number}", person, at(day), at(day), data)
    return Fact(
        home or f"~{person}", "person.events-0", (number, 0), Origin("life.health", 0, number), n, event
    )


def ill(number: int, **more: Any) -> Fact:
    return fact(number, "health.diagnosed", severity=5, **more)


def jobless(number: int, **more: Any) -> Fact:
    return fact(number, "work.lost", **more)


def raws(messages: Sequence[Message | Tick | Activate], *, first: int = 0, timestamp: int = 0) -> list[Raw]:
    return [
        Raw(first + place, encode(message), b"k", timestamp or at(DAY + 1000) // 1000)
        for place, message in enumerate(messages)
    ]


def warned(part: Part) -> list[tuple[str, str]]:
    bodies = [json.loads(value or b"") for topic, _, value, _ in part.sends if topic == WARNINGS]
    return [(body["type"], body["id"]) for body in bodies]


def stage(clock: Any = "log") -> HouseholdStage:
    return HouseholdStage(RULES, clock=clock)


def test_a_number_that_is_not_above_its_mark_is_dropped() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    first = run(stage(), lane, raws([ill(1), jobless(2), jobless(2), ill(1)]))
    assert warned(first) == [("warning.raised", "~p1-1")]
    assert first.marks == {"person.events-0": (2, 0)}
    assert first.tallies["repeats", "household"] == 2
    again = run(stage(), lane, raws([ill(1), jobless(2)], first=4))
    assert (again.states, again.marks, again.sends) == ({}, {}, [])


def test_numbers_are_compared_within_their_channel_and_by_index() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    one, two = ill(7), jobless(7)
    two = Fact(two.household, two.channel, (7, 1), two.origin, 0, two.event)
    other = Fact(two.household, "person.events-1", (3, 0), two.origin, 0, ill(9).event)
    part = run(stage(), lane, raws([one, two, other]))
    assert part.marks == {"person.events-0": (7, 1), "person.events-1": (3, 0)}
    assert part.tallies["repeats", "household"] == 0


def test_the_day_is_the_latest_received_and_never_goes_back() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, raws([ill(1, day=DAY + 3), jobless(2, day=DAY)]))
    assert part.day == lane.day == DAY + 3
    body = json.loads(part.sends[0][2] or b"")
    assert body["data"]["day"] == "2024-07-04"
    # The day of a warning is the lane's; its time is when the record was received.
    assert body["time"].startswith("2024-07-01T01:00:00")


def test_a_tick_moves_the_day_and_a_late_one_does_not() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, raws([ill(1), Tick(DAY + 2, at(DAY + 2, 0)), Tick(DAY + 1, at(DAY + 1, 0))]))
    assert part.day == DAY + 2
    assert part.tallies["ticks", "applied"] == 2


@pytest.mark.parametrize(("clock", "day"), [("wall", DAY), ("log", DAY + 2)])
def test_a_tick_ahead_of_the_brokers_clock_is_ignored_and_counted(clock: Any, day: int) -> None:
    """Only in clock wall: in clock log the broker's time says nothing."""
    lane = lane_of("household", HOUSEHOLD_FACTS)
    tick = Tick(DAY + 2, at(DAY + 2, 0))
    part = run(stage(clock), lane, raws([ill(1), tick], timestamp=at(DAY + 2, 0) // 1000 - 1))
    assert part.day == day
    assert part.tallies["ticks", "ignored"] == (clock == "wall")


def test_a_household_catches_up_before_its_own_next_record() -> None:
    """A bill of 365 days ago counts no more: the midnight clears, then the new record raises again."""
    lane = lane_of("household", HOUSEHOLD_FACTS)
    bill = fact(1, "insurance.bill.settled", self_paid_yuan=2_500_000)
    part = run(
        stage(), lane, raws([bill, ill(2), Tick(DAY + 365, at(DAY + 365, 0)), jobless(3, day=DAY + 365)])
    )
    assert warned(part) == [
        ("warning.raised", "~p1-1"),
        ("warning.cleared", "~p1-2"),
        ("warning.raised", "~p1-3"),
    ]
    assert part.next_days["~p1"] is not None


def test_the_index_has_the_next_day_and_an_empty_household_is_deleted() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    kept = run(stage(), lane, raws([ill(1)]))
    assert kept.next_days == {"~p1": DAY + 1100}
    gone = run(stage(), lane, raws([ill(2, person="old", day=DAY - 2000)], first=1))
    assert gone.states == {"~old": None}
    assert gone.next_days == {"~old": None}


def test_households_by_level_are_counted() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, raws([ill(1), jobless(2), ill(3, person="p2")]))
    assert part.counts == {"blue": 1}
    bill = fact(4, "insurance.bill.settled", self_paid_yuan=2_500_000)
    part = run(stage(), lane, raws([bill], first=3))
    assert part.counts == {"blue": 0, "red": 1}
    assert lane.counts == {"blue": 0, "red": 1}


def test_a_level_that_changes_while_the_next_day_stays_is_counted() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    run(stage(), lane, raws([ill(1)]))
    part = run(stage(), lane, raws([jobless(2)], first=1))
    assert part.next_days == {}
    assert part.counts == lane.counts == stage().counted([part.states["~p1"] or b""]) != {}


def test_a_policy_that_takes_over_between_two_records_of_a_household_in_one_part() -> None:
    policy, catalog = ((CASE / name).read_bytes() for name in ("policy.yaml", "catalog.yaml"))
    same = Files(LANGUAGE, policy, "policy.yaml", catalog, "catalog.yaml")
    book = Rulebook([Activation(number, 0, same, same.digest) for number in (1, 2)])
    one = HouseholdStage(RULES, clock="log", book=book)
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(one, lane, raws([ill(1), Activate(2, same.digest, at(DAY)), jobless(2), ill(3, person="p2")]))
    for id in ("~p1", "~p2"):
        assert household.decode(part.states[id] or b"").activation == 2
    assert warned(part) == [("warning.raised", "~p1-1")]


def test_between_records_households_catch_up_in_chunks() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    one = stage()
    bill = fact(1, "insurance.bill.settled", self_paid_yuan=2_500_000)
    run(one, lane, raws([bill, ill(2), Tick(DAY + 400, at(DAY + 400, 0))]))
    part = Part(lane.next, states={"~p1": lane.states["~p1"], "gone": None})
    one.catch_up(lane, part)
    assert warned(part) == [("warning.cleared", "~p1-2")]
    assert part.next_days == {"~p1": DAY + 1100, "gone": None}
    assert part.day == DAY + 400
    assert part.counts == {"blue": 0}
    assert part.next_offset == lane.next


# -- records that the program fails on ---------------------------------------------------------------


def failing(monkeypatch: pytest.MonkeyPatch, is_bad: Any, error: type[Exception] = ZeroDivisionError) -> None:
    """Let the core fail on some records, after it has spoilt the state."""
    step = household.step

    def broken(state: Any, message: Message, *rest: Any, **options: Any) -> Any:
        if is_bad(message) and options.get("scoring", True):
            state.residents.clear()
            state.score = -1
            raise error("about somebody")
        return step(state, message, *rest, **options)

    monkeypatch.setattr(agents.household.household, "step", broken)


def is_work(message: Message) -> bool:
    return isinstance(message, Fact) and message.event.type == "work.lost"


def test_a_failing_fact_is_set_aside_and_the_others_count(monkeypatch: pytest.MonkeyPatch) -> None:
    bill = fact(3, "insurance.bill.settled", self_paid_yuan=2_500_000)
    failing(monkeypatch, is_work)
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, raws([ill(1), jobless(2), bill]))
    (failure,) = part.failures
    assert failure.origin == Origin("life.health", 0, 2)
    assert isinstance(failure.error, ZeroDivisionError)
    assert warned(part) == [("warning.raised", "~p1-1")]
    without = lane_of("household", HOUSEHOLD_FACTS)
    assert run(stage(), without, raws([ill(1), bill])).states == part.states
    assert part.marks == {"person.events-0": (3, 0)}


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("bij"), st.sampled_from(["p1", "p2"]), st.integers(0, 500)), max_size=12
    )
)
def test_setting_aside_is_as_if_the_record_had_not_come(script: list[tuple[str, str, int]]) -> None:
    """Wherever in a part the bad records stand, and whatever day it is: same states, same warnings."""
    day = 0
    messages: list[Message] = []
    for number, (kind, person, days) in enumerate(script):
        day += days
        make = {"b": lambda *a, **k: fact(*a, "insurance.bill.settled", self_paid_yuan=900_000, **k),
                "i": ill, "j": jobless}[kind]  # fmt: skip
        messages.append(make(number, person=person, day=DAY + day))
    # The days of the bad records pass all the same: their ticks come from the log.
    ticks = [
        Tick(ZONE.day_of(m.received), at(ZONE.day_of(m.received), 0)) if is_work(m) else m for m in messages
    ]
    if not messages:
        return
    with pytest.MonkeyPatch.context() as patch:
        failing(patch, is_work)
        lane = lane_of("household", HOUSEHOLD_FACTS)
        part = run(stage(), lane, raws(list(messages)))
    other = lane_of("household", HOUSEHOLD_FACTS)
    expected = run(stage(), other, raws(list(ticks)))
    assert len(part.failures) == sum(map(is_work, messages))
    # A household that only a bad record reached has ticked up to that day; nothing else may differ.
    for lane_, one in ((lane, part), (other, expected)):
        sweep = Part(lane_.next, states={k: v for k, v in lane_.states.items() if v is not None})
        stage().catch_up(lane_, sweep)
        one.sends += sweep.sends
        one.states |= sweep.states
    held = {key: state for key, state in part.states.items() if state is not None}
    assert held == {key: state for key, state in expected.states.items() if state is not None}
    key = lambda send: (send[1], json.loads(send[2] or b"")["id"])  # noqa: E731
    assert sorted(part.sends, key=key) == sorted(expected.sends, key=key)


def test_a_move_is_applied_without_its_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves are never set aside: the person would be lost."""
    cause = Cause("/wuchang/civil-affairs", "j1", "person/p1", at(DAY))
    release = Release(
        "~p1",
        "person.events-0",
        (3, 0),
        Origin("life.civil-affairs", 0, 5),
        "p1",
        1,
        cause,
        "H1",
        Member("head"),
    )
    failing(monkeypatch, lambda message: isinstance(message, Release | Transfer | Update))
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, raws([ill(1), jobless(2), release]))
    assert part.failures == []
    assert part.tallies["unevaluated", "household"] == 1
    (transfer,) = [decode_household_record(v or b"") for t, _, v, _ in part.sends if t == HOUSEHOLD_FACTS]
    assert isinstance(transfer, Transfer)
    assert transfer.number == (2, 0)
    joined = run(stage(), lane, [Raw(3, encode(transfer), b"H1", at(DAY) // 1000)])
    state = household.decode(joined.states["H1"] or b"")
    assert list(state.residents) == ["p1"]
    # The next record evaluates anew.
    monkeypatch.undo()
    bill = fact(6, "insurance.bill.settled", n=1, home="H1", self_paid_yuan=2_500_000)
    assert warned(run(stage(), lane, [Raw(4, encode(bill), b"H1", at(DAY) // 1000)])) == [
        ("warning.raised", "H1-1")
    ]


def test_a_midnight_that_fails_moves_the_day_without_an_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    one = stage()
    run(one, lane, raws([ill(1), jobless(2), Tick(DAY + 1200, at(DAY + 1200, 0))]))
    catch_up = household.catch_up

    def broken(state: Any, *, scoring: bool = True, **options: Any) -> Any:
        if scoring:
            raise ZeroDivisionError
        return catch_up(state, scoring=False, **options)

    monkeypatch.setattr(agents.household.household, "catch_up", broken)
    part = Part(lane.next, states={"~p1": lane.states["~p1"]})
    one.catch_up(lane, part)
    assert part.tallies["unevaluated", "household"] == 1
    assert part.next_days == {"~p1": DAY + 1201}
    assert part.sends == []


def test_a_state_that_does_not_fit_the_log_stops_the_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, is_work, LedgerError)
    with pytest.raises(LedgerError):
        run(stage(), lane_of("household", HOUSEHOLD_FACTS), raws([jobless(1)]))


def test_a_hop_record_that_cannot_be_read_is_set_aside_itself() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    part = run(stage(), lane, [Raw(0, b"\xc1", b"k"), *raws([ill(1)], first=1)])
    (failure,) = part.failures
    assert (failure.origin, failure.topic, failure.offset, failure.value) == (
        None,
        HOUSEHOLD_FACTS,
        0,
        b"\xc1",
    )
    assert list(part.states) == ["~p1"]


def test_the_index_is_left_alone_while_the_next_day_stays_and_written_when_it_moves() -> None:
    lane = lane_of("household", HOUSEHOLD_FACTS)
    first = run(stage(), lane, raws([ill(1)]))
    assert first.next_days == {"~p1": DAY + 1100}
    lane.remember(first.states)
    later = run(stage(), lane, raws([ill(2, day=DAY)], first=1))
    assert later.states["~p1"] != first.states["~p1"]
    assert later.next_days == {}
    lane.remember(later.states)
    older = run(stage(), lane, raws([ill(3, day=DAY - 10)], first=2))
    assert older.next_days == {"~p1": DAY + 1090}


def test_a_wrong_day_on_the_index_is_put_right_by_the_household_that_it_calls() -> None:
    """Else a key that is due without a reason would be due for ever."""
    lane = lane_of("household", HOUSEHOLD_FACTS)
    known = run(stage(), lane, raws([ill(1)]))
    lane.remember(known.states)
    part = Part(lane.next, states=dict(known.states))
    stage().catch_up(lane, part)
    assert part.next_days == {"~p1": DAY + 1100}
