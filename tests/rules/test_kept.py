"""A person's facts may stay as bytes, be read, or be changed: what is written down is always the same."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.backtest import Backtest
from rules.compile import Rules
from rules.household import Effect, Household, catch_up, decode, encode, step
from rules.kept import append
from rules.known import Known
from rules.score import regroup
from rules.state import decode_known, encode_known
from streams.events import Event
from streams.records import Fact, Origin
from tests.rules.a_policy import DAY_ZERO, POLICY, Events, catalog, rules

NOWHERE = Origin("life.health", 0, 0)
#: Bills and incomes fall out of what is measured before they fall out of what is kept.
RULES = rules(
    POLICY.replace("measure: sum(paid_yuan)", "measure: sum(paid_yuan), within: 9d").replace(
        "measure: latest(yuan),\n     across: per_member",
        "measure: latest(yuan), within: 12d,\n     across: per_member",
    )
)
TYPES = ("bill.settled", "bill.settled", "income.assessed", "health.ill", "health.well", "work.lost")
DATA: dict[str, dict[str, Any]] = {
    "bill.settled": {"paid_yuan": 70_000_000},
    "income.assessed": {"yuan": 90_000},
    "health.ill": {"severity": 3},
}


def known_of(*events: Event) -> Known:
    known = Known()
    for event in events:
        known.add(event, DAY_ZERO)
    return known


def home_of(*people: str) -> Household:
    made = Events()
    district = Backtest(catalog(), RULES.policy, RULES)
    for person in people:
        district.take(made.joined(person, "A", 0, birth="1980-01-01"))
    return district.households["A"]


def bill(made: Events, day: float, **more: Any) -> Event:
    return made.fact("bill.settled", "p1", day, paid_yuan=5, **more)


def test_the_bytes_are_those_of_the_object() -> None:
    made = Events()
    first, second = made.fact("health.ill", "p1", 1, severity=2), bill(made, 2)
    for before in (
        [],
        [first],
        [first, second],
        [second, first, *(bill(made, 3 + n / 10) for n in range(20))],
    ):
        kept = encode_known(known_of(*before))
        for more in (bill(made, 9), made.fact("work.lost", "p1", 0, id="失业-1")):
            assert append(kept, more, DAY_ZERO) == encode_known(known_of(*before, more))


def test_what_may_depend_on_the_other_facts_is_not_told_from_bytes() -> None:
    made = Events()
    last = bill(made, 5)
    kept = encode_known(known_of(bill(made, 4), last))
    assert append(kept, last, DAY_ZERO) is None, "a repeat"
    assert append(kept, bill(made, 5), DAY_ZERO) is None, "of the same time: the names decide"
    assert append(kept, bill(made, 3), DAY_ZERO) is None, "it goes before others"
    with_kill = encode_known(known_of(last, made.retracted("p1", 6, "not-yet-here")))
    assert append(with_kill, bill(made, 9, id="not-yet-here"), DAY_ZERO) is None, "it is dead on arrival"
    other = bill(made, 9)
    both = known_of(last)
    for event in (made.retracted("p1", 6, "not-yet-here", id="r1"), other):
        both.add(event, DAY_ZERO)
    kept = encode_known(known_of(last, made.retracted("p1", 6, "not-yet-here", id="r1")))
    assert append(kept, other, DAY_ZERO) == encode_known(both)


def test_reading_writes_nothing_anew_and_changing_does() -> None:
    home = home_of("p1")
    encode(home)
    resident = home.residents["p1"]
    raw = resident.kept
    assert type(raw) is bytes
    assert not resident.known.facts
    encode(home)
    assert resident.kept is raw
    resident.changing().add(bill(Events(), 1), DAY_ZERO + 1)
    encode(home)
    assert decode_known(resident.kept).facts.keys() == {"bill.settled"}


def test_a_plain_fact_leaves_the_others_as_bytes() -> None:
    """The short way is taken; else it would only be slower, and nothing would show it."""
    made = Events()
    home = decode(encode(home_of("p1")))
    for day in (1, 2, 3):
        home, _ = take(home, bill(made, day), day)
        assert type(home.residents["p1"].kept) is bytes
    home, _ = take(home, bill(made, 2), 3)
    assert type(home.residents["p1"].kept) is not bytes


def take(home: Household, event: Event, day: int, by: Rules = RULES) -> tuple[Household, tuple[Effect, ...]]:
    message = Fact("A", "c", (1, 0), NOWHERE, 1, event)
    return step(home, message, rules=by, day=DAY_ZERO + day)


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[int, Event]]:
    """Facts about two persons on later and later days: late, repeated, corrected, retracted."""
    made = Events()
    out: list[tuple[int, Event]] = []
    day = 1
    for number in range(draw(st.integers(1, 14))):
        day += draw(st.sampled_from([0, 0, 0, 1, 2, 7]))
        ids = [event.id for _, event in out] or ["e-later"]
        person = draw(st.sampled_from(["p1", "p2"]))
        when = day - draw(st.sampled_from([0, 0, 0, 1, 9])) + number / 100
        kind = draw(st.sampled_from(["new"] * 6 + ["repeat", "correction", "retraction"]))
        if kind == "repeat" and out:
            event = out[draw(st.integers(0, len(out) - 1))][1]
        elif kind == "retraction":
            event = made.retracted(person, when, draw(st.sampled_from([*ids, "e9"])))
        else:
            type = draw(st.sampled_from(TYPES))
            target = draw(st.sampled_from(ids)) if kind == "correction" else None
            event = made.fact(type, person, when, supersedes=target, **DATA.get(type, {}))
        out.append((day, event))
    return out


@settings(max_examples=150, deadline=None)
@given(scripts(), st.lists(st.booleans(), min_size=14, max_size=14))
def test_written_down_in_between_or_not_a_household_is_the_same(
    script: list[tuple[int, Event]], writes: list[bool]
) -> None:
    start = encode(home_of("p1", "p2"))
    open_all_along, at_times, every_time = decode(start), decode(start), start
    for person in open_all_along.residents.values():
        person.changing()
    for (day, event), is_written in zip(script, writes, strict=False):
        open_all_along, expected = take(open_all_along, event, day)
        at_times, others = take(at_times, event, day)
        state, effects = take(decode(every_time), event, day)
        every_time = encode(state)
        if is_written:
            at_times = decode(encode(at_times))
        assert effects == others == expected
        assert every_time == encode(deepcopy(open_all_along))
    assert encode(at_times) == every_time


@settings(max_examples=150, deadline=None)
@given(scripts(), st.integers(1, 45))
def test_a_midnight_computes_what_a_whole_computation_does(
    script: list[tuple[int, Event]], more: int
) -> None:
    home = home_of("p1", "p2")
    for day, event in script:
        home, _ = take(home, event, day)
    last = script[-1][0]
    for day in range(DAY_ZERO + last + 1, DAY_ZERO + last + more):
        home, _ = catch_up(home, rules=RULES, day=day)
        again = deepcopy(home)
        regroup(again, RULES, day, again.residents.values())
        assert home.points == again.points
        for person, resident in home.residents.items():
            assert resident.points == again.residents[person].points
            assert resident.measures == again.residents[person].measures
        assert day < home.next_day <= again.next_day, "at once too often, never too late"


def test_only_types_that_need_no_other_fact_are_added_as_bytes() -> None:
    assert RULES.adding.keys() == {"bill.settled", "income.assessed", "home.lost"}
