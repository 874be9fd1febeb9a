"""What the stage dispatch decides, on lanes made by hand; and what stands beside its states."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

import agents.dispatch
from agents.cases import CAUSE
from agents.dispatch import DispatchStage, counts_of, routes_key
from casework.alerts.inputs import ROUTES_KEY, encode_due, encode_result, encode_routes, encode_silence, fold
from casework.alerts.instants import UNANSWERED
from casework.alerts.intents import Result, Send
from casework.alerts.silences import Silence
from casework.alerts.state import State, decode, encode, next_due
from casework.cases.case_events import AlertRecord
from streams.records import ALERT_EVENTS, ALERTS
from streams.timestamps import HOUR, MINUTE, SECOND
from tests.agents.alerting import routes_of, routes_text
from tests.agents.desk import Raw, lane_of, run
from tests.casework.alerts.a_district import HERE, POLICY, alert, at

START = at("2026-03-02 10:00")
KEY = b"420106"


def stage(clock: Any = "log") -> DispatchStage:
    return DispatchStage(routes_of(), POLICY, clock=clock)


def raws(*values: tuple[bytes, int], key: bytes = KEY, first: int = 0) -> list[Raw]:
    return [Raw(first + number, value, key, when // 1000) for number, (value, when) in enumerate(values)]


def body(id: str, level: str = "red") -> bytes:
    return AlertRecord("420106", alert(id, level=level)).body()


def answered(send: Send, outcome: Any = "sent") -> bytes:
    return encode_result(Result(send.message, send.channel, send.member, send.attempt, outcome))


def test_a_message_leaves_after_the_commit_and_its_answer_ends_it() -> None:
    dispatch, lane = stage(), lane_of("dispatch", ALERTS, 1)
    part = run(dispatch, lane, raws((body("H1-1-1"), START)))
    (delivery,) = part.after
    assert (delivery.key, delivery.send.channel, delivery.at) == ("420106", "hook", START)
    assert part.sends == [], "nobody has been told yet"
    assert part.next_days == {"420106": UNANSWERED}, "found by whoever takes over"
    assert part.counts == {"waiting/message": 1}
    part = run(dispatch, lane, raws((answered(delivery.send), START + SECOND), first=1))
    ((topic, key, value, headers),) = [one[:4] for one in part.sends]
    event = msgspec.json.decode(value or b"")
    assert (topic, key, event["type"]) == (ALERT_EVENTS, b"H1-1", "alert.sent")
    assert event["id"].encode() == dict(headers)[CAUSE] == b"alerts/1/1/0"
    assert (part.next_days, part.counts) == ({"420106": None}, {"waiting/message": 0})
    assert part.tallies["messages", "hook", "sent"] == part.tallies["alerts", "sent"] == 1
    assert part.observed == [("hearthwatch_alert_seconds", ("red",), 1.0)]


def test_counters_are_those_of_the_states() -> None:
    dispatch, lane = stage(), lane_of("dispatch", ALERTS)
    silence = Silence("s", "li", "known", START, START + HOUR, household="H3-1")
    part = run(
        dispatch,
        lane,
        raws((encode_silence(silence), START), (body("H1-1-1"), START), (body("H2-1-1", "blue"), START)),
    )
    (first,) = part.after
    run(dispatch, lane, raws((body("H3-1-1"), START), (answered(first.send, "failed"), START), first=3))
    part = run(dispatch, lane, raws((encode_due(START + MINUTE), START + MINUTE), first=5))
    states = [state for key, state in lane.states.items() if state is not None]
    assert {name: n for name, n in lane.counts.items() if n} == dispatch.counted(states)
    assert dispatch.counted(states)["unsent"] == 1
    assert dispatch.counted(states)["waiting/silenced"] == 1
    assert dispatch.due(states[0]) == next_due(decode(states[0]))


def test_a_record_that_the_program_fails_on_is_set_aside_and_the_district_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = raws(*[(body(f"H{number}-1-1", "blue"), START + number) for number in range(6)])
    clean = run(stage(), lane_of("dispatch", ALERTS), [*records[:3], *records[4:]])

    def failing(state: State, record: Any, *more: Any, **how: Any) -> Any:
        done = fold(state, record, *more, **how)
        if getattr(record, "id", "") == "H3-1-1":
            raise RuntimeError("boom")  # the state was changed by then
        return done

    monkeypatch.setattr(agents.dispatch, "fold", failing)
    part = run(stage(), lane_of("dispatch", ALERTS), records)
    assert [failure.offset for failure in part.failures] == [3]
    assert part.states == clean.states


def test_a_record_before_which_too_much_fell_due_is_set_aside_and_the_partition_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three silences end, each at its own time, between two ticks."""
    quiet = [Silence(f"s{n}", "li", "known", START, START + n * HOUR, household=f"H{n}-1") for n in (1, 2, 3)]
    records = [(encode_silence(one), START) for one in quiet]
    records += [(body(f"H{n}-1-1"), START) for n in (1, 2, 3)]
    dispatch, lane = stage(), lane_of("dispatch", ALERTS)
    before = run(dispatch, lane, raws(*records)).states
    monkeypatch.setattr("casework.alerts.inputs._MOST_WAKES", 2)
    late, earlier = (encode_due(START + hours * HOUR) for hours in (9, 2))
    part = run(dispatch, lane, raws((late, START + 9 * HOUR), first=6))
    assert [failure.offset for failure in part.failures] == [6]
    assert part.states == {}, "as it was"
    assert before.keys() == {"420106"}
    part = run(dispatch, lane, raws((earlier, START + 2 * HOUR), (late, START + 9 * HOUR), first=7))
    assert part.failures == []
    assert len(part.after) == 3


def test_routes_of_the_log_hold_from_their_record_on() -> None:
    text = routes_text(("channels: [hook], next", "channels: [other], next"))
    dispatch, lane = stage(), lane_of("dispatch", ALERTS)
    records = raws((body("H1-1-1"), START), (body("H2-1-1"), START + SECOND), first=0)
    new = Raw(2, encode_routes(routes_of(text).digest, text), ROUTES_KEY.encode(), 0)
    later = raws((body("H3-1-1"), START + 2 * SECOND), first=3)
    part = run(dispatch, lane, [*records, new, *later])
    assert [one.send.channel for one in part.after] == ["hook", "hook", "other"]
    assert lane.marks[ROUTES_KEY] == (2, 2)
    # Whoever takes the lane over reads them in its state, whatever file it has itself.
    heir = lane_of("dispatch", ALERTS)
    heir.marks.update(lane.marks)
    heir.remember(dict(lane.states))
    assert routes_key(heir) == "@routes-2"
    part = run(stage(), heir, raws((body("H4-1-1"), START + 3 * SECOND), first=4))
    assert [one.send.channel for one in part.after] == ["other"]


def test_old_routes_stay_for_who_begins_at_an_earlier_snapshot_and_then_go() -> None:
    dispatch, lane = stage(), lane_of("dispatch", ALERTS)
    for offset in range(4):
        text = routes_text(("version: 1", f"version: {offset + 1}"))
        run(
            dispatch, lane, [Raw(offset, encode_routes(routes_of(text).digest, text), ROUTES_KEY.encode(), 0)]
        )
    kept = [key for key, state in lane.states.items() if state is not None]
    assert kept == ["@routes-2", "@routes-3"]
    assert dispatch.due(lane.states["@routes-3"] or b"") is None
    assert dispatch.counted([lane.states["@routes-3"] or b""]) == {}
    assert dispatch.anew(lane.states["@routes-3"] or b"") == lane.states["@routes-3"]


def test_routes_that_no_longer_fit_the_policy_give_way_to_the_workers_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    text = routes_text(("defaults: {", 'defaults: {quiet: {from: "22:00", to: "07:00", levels: [purple]}, '))
    dispatch, lane = stage(), lane_of("dispatch", ALERTS)
    part = run(
        dispatch,
        lane,
        [Raw(0, encode_routes("d", text), ROUTES_KEY.encode(), 0), *raws((body("H1-1-1"), START), first=1)],
    )
    assert [one.send.channel for one in part.after] == ["hook"]
    assert "do not fit the policy" in caplog.text


def test_by_the_wall_clock_a_worker_whose_clock_is_wrong_moves_no_district() -> None:
    """A tick may be ahead of the broker's clock by seconds; a year is not believed."""
    dispatch, lane = stage("wall"), lane_of("dispatch", ALERTS)
    run(dispatch, lane, raws((body("H1-1-1", "blue"), START)))
    year = 365 * 24 * HOUR
    part = run(dispatch, lane, raws((encode_due(START + year), START + SECOND), first=1))
    assert part.after == []
    assert decode(lane.states["420106"] or b"").now <= START + 10 * SECOND
    part = run(dispatch, lane, raws((encode_due(START + 30 * SECOND), START + 28 * SECOND), first=2))
    assert len(part.after) == 1, "due, by a clock that is two seconds ahead"


def test_by_the_wall_clock_what_was_resolved_while_nobody_worked_is_not_told() -> None:
    dispatch, lane = stage("wall"), lane_of("dispatch", ALERTS)
    resolve = b'{"kind": "resolve", "case": "H1-1"}'
    part = run(dispatch, lane, raws((body("H1-1-1", "blue"), START), (resolve, START + HOUR)))
    assert part.after == []
    assert [msgspec.json.decode(one[2] or b"")["type"] for one in part.sends] == ["alert.resolved"]


def test_by_the_wall_clock_an_answer_that_never_comes_counts_as_failed() -> None:
    state, intents = fold(State(), alert("H1-1-1", level="red", community=HERE), START, routes_of(), "wall")
    (first,) = [one for one in intents if isinstance(one, Send)]
    waiting = copy.deepcopy(state)
    later, intents = fold(waiting, alert("H2-1-1", level="red"), START + HOUR, routes_of(), "wall")
    assert decode(encode(later)).messages[first.message].flying == []
    # Where time is simulated it is waited for.
    state, intents = fold(State(), alert("H1-1-1", level="red"), START, routes_of(), "log")
    state, intents = fold(state, alert("H2-1-1", level="red"), START + HOUR, routes_of(), "log")
    assert [one.message for one in intents if isinstance(one, Send)] == ["H2-1-1#2"]
    assert state.is_flying
    assert counts_of(state)["waiting/message"] == 2
