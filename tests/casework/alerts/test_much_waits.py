"""What a decision costs grows with what waits, and no faster: it stops everything else in the worker's loop.

Counted in steps of the interpreter, which are the same on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import pytest

from casework.alerts.alert import Resolve
from casework.alerts.decide import decide
from casework.alerts.intents import Input, Result, Send, Silenced
from casework.alerts.silences import Silence
from casework.alerts.state import State, decode, encode
from streams.timestamps import DAY, HOUR, MINUTE, SECOND
from tests.casework.alerts.a_district import alert, at, routes, silence

NOON = at("2026-03-02 12:00")
FEW, MANY = 100, 400


def steps(work: Callable[[], object]) -> int:
    """How many steps the interpreter makes for some work."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


def held(number: int, communities: int, silences: int = 1) -> State:
    """A district of which so many alerts wait for a silence of its households, in so many communities."""
    state = State()
    for n in range(1, silences):
        another = Silence(f"t{n}", "chen", "ill", NOON, NOON + 30 * DAY, household=f"other-{n}")
        state, _ = decide(state, Silenced(another), NOON, routes())
    state, _ = decide(state, silence(ends="2026-03-30 12:00", community="420106"), NOON, routes())
    for n in range(number):
        came = alert(f"F{n}-1", community=f"420106001{n % communities:03}")
        state, _ = decide(state, came, NOON, routes())
    return state


def fed(state: State, inputs: Sequence[Input], after: int) -> Callable[[], object]:
    """Deciding inputs of one commit on a state as the ledger gives it."""
    raw = encode(state)

    def feed() -> None:
        fresh = decode(raw)
        for one in inputs:
            fresh, _ = decide(fresh, one, NOON + after, routes(), is_more=True)
        fresh.settle()

    return feed


def lifted(number: int, communities: int) -> tuple[State, list[Send]]:
    """The silence has ended, all was decided to be sent, and the rates let little of it through."""
    state, _ = decide(held(number, communities), silence(ends="2026-03-02 12:00"), NOON + SECOND, routes())
    state, intents = decide(state, Resolve("nobody"), NOON + HOUR, routes())
    return state, [one for one in intents if isinstance(one, Send)]


def sweep(number: int) -> int:
    """Every case is older than is remembered, and still waits."""
    return steps(fed(held(number, 20), [Resolve("nobody")], 8 * DAY))


def end_of_a_silence(number: int) -> int:
    """Of one community, so that each alert that leaves its group leaves the longest one."""
    return steps(fed(held(number, 1), [silence(ends="2026-03-02 12:00")], MINUTE))


def flush_into_a_digest(number: int) -> int:
    """One message a community, most of them beyond the rate: each joins the digest."""
    state, _ = decide(held(number, number), silence(ends="2026-03-02 12:00"), NOON + SECOND, routes())
    return steps(fed(state, [Resolve("nobody")], HOUR))


def answer(number: int) -> int:
    """One message about all that waited was taken: each of its alerts is to be told again in four hours."""
    state, sends = lifted(number, 1)
    (send,) = sends
    assert len(send.data["alerts"]) == number
    return steps(
        fed(state, [Result(send.message, send.channel, send.member, send.attempt, "sent")], HOUR + SECOND)
    )


def refused(send: Send) -> Result:
    return Result(send.message, send.channel, send.member, send.attempt, "rejected")


def pass_on(number: int) -> int:
    """The last channel of a team refuses a message about all that waited: each waits for the next team."""
    state = held(0, 1)
    for n in range(number):
        state, _ = decide(state, alert(f"F{n}-1", community="420106007009"), NOON, routes())
    state, _ = decide(state, silence(ends="2026-03-02 12:00"), NOON + SECOND, routes())
    state, intents = decide(state, Resolve("nobody"), NOON + HOUR, routes())
    (by_wecom,) = [one for one in intents if isinstance(one, Send)]
    state, intents = decide(state, refused(by_wecom), NOON + HOUR, routes())
    (by_sms,) = [one for one in intents if isinstance(one, Send)]
    assert len(by_sms.data["alerts"]) == number
    cost = steps(fed(state, [refused(by_sms)], HOUR))
    state, _ = decide(state, refused(by_sms), NOON + HOUR, routes())
    assert len(state.groups["desk/420106007009"].waiting) == number
    return cost


@pytest.mark.parametrize("of", [sweep, end_of_a_silence, flush_into_a_digest, answer, pass_on])
def test_a_decision_takes_in_proportion_to_what_waits(of: Callable[[int], int]) -> None:
    few, many = of(FEW), of(MANY)
    assert few > FEW  # it does look through all of them
    assert many < 1.5 * MANY / FEW * few


def test_silences_of_other_households_are_not_asked_for_each_alert() -> None:
    """Each household's silence is found by its name: a look at all of them once, and not once an alert."""
    few, many = (
        steps(fed(held(FEW, 10, silences), [silence(ends="2026-03-02 12:00")], MINUTE))
        for silences in (10, 210)
    )
    assert many - few < 200 * FEW


@pytest.mark.parametrize("kind", ["raised", "upgraded", "resolved"])
@pytest.mark.parametrize("communities", [1, 20])
def test_one_commit_looks_through_what_waits_once_and_not_for_each_alert(kind: str, communities: int) -> None:
    """New alerts, upgrades and answers come hundreds a commit, on states in which thousands wait."""
    most = 50
    inputs: list[Input] = [
        Resolve(f"F{n}")
        if kind == "resolved"
        else alert(
            f"{'N' if kind == 'raised' else 'F'}{n}-2", kind, community=f"420106001{n % communities:03}"
        )
        for n in range(most)
    ]
    few, many = (steps(fed(held(number, communities), inputs, MINUTE)) for number in (FEW, MANY))
    assert many - few < (MANY - FEW) * 150
