"""A row of decisions on one state decides what each decision on its own does, to the byte."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.alerts.alert import Resolve
from casework.alerts.decide import decide
from casework.alerts.inputs import fold
from casework.alerts.intents import Input, Intent, Result, Wake
from casework.alerts.routes import Routes
from casework.alerts.state import State, decode, encode, next_due
from streams.timestamps import HOUR, MINUTE
from tests.casework.alerts.a_district import District, alert, at, edited, routes, silence
from tests.casework.alerts.test_nothing_lost import TWO_ON_CALL, inputs, moody

START = "2026-03-02 18:00"
HASTY = edited(
    ("group_wait: 30s", "group_wait: 5s"), ("messages: 10", "messages: 1"), ("repeats: 2", "repeats: 5")
)
courses = st.lists(st.tuples(st.sampled_from([0, 0, 1, 40, 3_600]), inputs), min_size=1, max_size=40)
Step = tuple[Input, int, Routes]


def log_of(course: list[tuple[int, Input]], seed: int) -> list[Step]:
    """What a district decides on, with the wakes and answers between; the routes change now and then."""
    district = District(moody(seed, at(START) + 20 * HOUR), TWO_ON_CALL, START)
    for wait, one in course:
        district.run(wait)
        district.feed(one)
    district.run(40 * 3_600)
    others = [district.routes, routes(HASTY)]
    return [(one, now, others[(number * seed // 100) % 2]) for number, (one, now) in enumerate(district.log)]


def each_alone(log: list[Step]) -> tuple[list[bytes], list[list[Intent]]]:
    """Each decision on a state that was read for it: the state after each, and what was decided."""
    raws, decided = [encode(State())], []
    for one, now, by in log:
        state, intents = decide(decode(raws[-1]), one, now, by)
        raws.append(encode(state))
        decided.append(list(intents))
    return raws[1:], decided


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.integers(0, 999), st.integers(1, 30))
def test_rows_of_any_length_decide_the_same(course: list[tuple[int, Input]], seed: int, length: int) -> None:
    log = log_of(course, seed)
    raws, decided = each_alone(log)
    state = State()
    for number, (one, now, by) in enumerate(log):
        is_last = number % length == length - 1 or number == len(log) - 1
        state, intents = decide(state, one, now, by, is_more=not is_last)
        assert list(intents) == decided[number]
        if is_last:
            assert encode(state) == raws[number]
            if seed % 2:  # as the next commit finds it
                state = decode(encode(state))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.integers(0, 999), st.sampled_from(["log", "wall"]))
def test_records_of_one_commit_are_folded_as_if_each_were_its_own(
    course: list[tuple[int, Input]], seed: int, clock: Literal["log", "wall"]
) -> None:
    log = [step for step in log_of(course, seed) if not isinstance(step[0], Wake)]
    alone, together = encode(State()), State()
    for one, now, by in log:
        state, expected = fold(decode(alone), one, now, by, clock)  # type: ignore[arg-type]
        alone = encode(state)
        together, intents = fold(together, one, now, by, clock, is_more=True)  # type: ignore[arg-type]
        assert list(intents) == list(expected)
    assert encode(together) == alone


def test_what_left_a_row_is_settled_before_it_is_looked_at() -> None:
    """When a state is next due, and its bytes, are asked for in the middle of a row too."""
    now = at("2026-03-02 12:00")
    state, _ = decide(State(), silence(ends="2026-03-02 13:00"), now, routes(), is_more=True)
    for number in range(3):
        state, _ = decide(state, alert(f"H{number}-1"), now, routes(), is_more=True)
    assert next_due(state) == at("2026-03-02 13:00")
    for number in range(3):
        state, _ = decide(state, Resolve(f"H{number}"), now, routes(), is_more=True)
    assert not decode(encode(state)).groups["community/420106007003"].waiting
    assert next_due(state) > now + 30 * HOUR


def waits_in(where: str, *, is_more: bool) -> tuple[State, int, Routes]:
    """Six alerts that wait in a place, or were told there; the state, what time it is, and the routes."""
    now, by = at("2026-03-02 12:00"), routes(edited(("messages: 10, per: 1m", "messages: 1, per: 1d")))
    state = State()
    if where == "digest":  # another message takes what the rate allows
        state, _ = decide(state, alert("H9-1", level="red"), now, by, is_more=is_more)
    for number in range(6):
        state, _ = decide(state, alert(f"H{number}-1"), now, by, is_more=is_more)
    if where == "group":
        return state, now, by
    now += 6 * MINUTE
    state, _ = decide(state, Wake(), now, by, is_more=is_more)
    if where == "digest":
        return state, now, by
    (message,) = state.messages.values()
    outcome = "sent" if where == "told" else "failed"
    result = Result(message.id, message.channel, message.pending[0], 1, outcome)  # type: ignore[arg-type]
    state, _ = decide(state, result, now, by, is_more=is_more)
    return state, now, by


@pytest.mark.parametrize("where", ["group", "told", "digest", "message"])
def test_what_ends_in_a_row_has_ended_wherever_it_waited(where: str) -> None:
    found: list[tuple[bytes, list[Intent]]] = []
    for is_more in (False, True):
        state, now, by = waits_in(where, is_more=is_more)
        full = {
            "group": state.groups,
            "told": state.groups,
            "digest": state.digests,
            "message": state.messages,
        }
        assert full[where]
        before = next_due(state)
        ends: list[Intent] = []
        for number in (1, 4, 5, 0, 2, 3):
            state, some = decide(state, Resolve(f"H{number}"), now, by, is_more=is_more)
            ends += some
        assert next_due(state) > before or where == "digest"  # the other message flies on
        found.append((encode(state), ends))
    alone, row = found
    assert alone == row
    assert len(row[1]) == (0 if where == "told" else 6)
