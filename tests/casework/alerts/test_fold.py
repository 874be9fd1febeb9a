"""In simulated time all that fell due before a record is done before it, unless that is too much."""

from __future__ import annotations

import pytest

from casework.alerts.alert import Resolve
from casework.alerts.inputs import Due, fold
from casework.alerts.intents import Intent, Outcome, Result, Send
from casework.alerts.state import State, encode
from streams.errors import InputError
from streams.timestamps import DAY, HOUR, MINUTE
from tests.casework.alerts.a_district import alert, at, routes

START = at("2026-03-02 10:00")


def told() -> State:
    """Three families that were told of at different times: each is told again twice."""
    state = State()
    for number in range(3):
        when = START + number * 10 * MINUTE
        came = alert(f"H{number}-1", level="red", community=f"42010600100{number}")
        state, intents = fold(state, came, when, routes(), "log")
        (send,) = [one for one in intents if isinstance(one, Send)]
        answer = Result(send.message, send.channel, send.member, send.attempt, "sent")
        state, _ = fold(state, answer, when, routes(), "log")
    return state


def test_each_thing_is_done_at_its_own_instant() -> None:
    _, intents = fold(told(), Resolve("nobody"), START + DAY, routes(), "log")
    repeats = [one.message.partition("#")[0] for one in intents if isinstance(one, Send)]
    assert repeats[:3] == ["H0-1", "H1-1", "H2-1"]


def test_more_than_could_fall_due_is_an_error_and_smaller_steps_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("casework.alerts.inputs._MOST_WAKES", 2)
    with pytest.raises(InputError, match=r"more than 2 times .* the 20 hours .*tick --until"):
        fold(told(), Resolve("nobody"), START + DAY, routes(), "log")
    state = told()
    done: list[Intent] = []
    for hours in (4.2, 5, 8.2, 24):  # the same ticks as an operator lets pass
        until = START + round(hours * HOUR)
        state, intents = fold(state, Due(until), until, routes(), "log")
        done += intents
    assert len([one for one in done if isinstance(one, Send)]) == 6, "two for each family"


def test_by_the_wall_clock_nothing_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due is done when a record comes, all of it at once."""
    monkeypatch.setattr("casework.alerts.inputs._MOST_WAKES", 0)
    state, intents = fold(told(), Resolve("nobody"), START + DAY, routes(), "wall")
    assert len([one for one in intents if isinstance(one, Send)]) == 3
    assert not any(isinstance(one, Outcome) and one.fate == "gave-up" for one in intents)
    assert encode(state)
