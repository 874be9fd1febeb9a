"""What the stages of cases decide: the pure step and nothing else; index and counters fit the states."""

from __future__ import annotations

import dataclasses
import json
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

import agents.cases
from agents.case_index import Entry, entry_of
from agents.cases import CAUSE, CasesStage, counts_of
from agents.forward import ForwardStage
from agents.lanes import Lane, Part
from casework.cases import state_format
from casework.cases.case import Household, new
from casework.cases.case_events import replay
from casework.cases.commands import (
    Command,
    Record,
    Tick,
    WarningPassed,
    decode_record,
    encode_record,
)
from casework.cases.step import step
from rules.state_format import NewerFormatError
from streams.errors import LedgerError
from streams.records import ALERTS, CASE_COMMANDS, CASE_EVENTS
from tests.agents.desk import Raw, lane_of, run
from tests.casework.cases.a_case import (
    ANNA,
    BOOK,
    COMMUNITY,
    DAY,
    DISTRICT,
    HOUR,
    MONDAY,
    OTHER,
    STREET,
    warning,
)

HOMES = [f"H{number}" for number in range(6)]


def commands(seed: int, count: int = 240) -> list[tuple[str, Record, int]]:
    """Households, records and instants: warnings, commands that know the case and some that do not, ticks."""
    chance = random.Random(seed)
    homes: dict[str, Household] = {id: new(id) for id in HOMES}
    at = MONDAY
    out: list[tuple[str, Record, int]] = []
    for number in range(count):
        at += chance.randrange(0, DAY)
        id = chance.choice(HOMES)
        home = homes[id]
        record: Record = Tick(at)
        if home.case is None or chance.random() < 0.2:
            kind = chance.choice(["raised", "upgraded", "lowered", "moved", "withdrawn"])
            level = None if kind == "withdrawn" else chance.choice(list(BOOK.levels))
            community = chance.choice([COMMUNITY, OTHER])
            # Some are repeats.
            record = warning(
                home.warned + chance.randrange(0, 3) or 1, kind, level, community=community, household=id
            )
        elif chance.random() < 0.8:
            name, data = chance.choice(
                [
                    ("acknowledge", {}),
                    ("visit", {"outcome": chance.choice(["met", "absent", "refused"])}),
                    ("assess", {"level": chance.choice(list(BOOK.difficulties)), "causes": []}),
                    ("propose", {"measure": "temporary-aid", "amount_yuan": 500}),
                    ("approve", {"measure": "temporary-aid"}),
                    ("deliver", {"measure": "temporary-aid", "amount_yuan": 500}),
                    ("comment", {"text": "seen"}),
                    ("close", {"code": chance.choice(["helped", "no-need", "moved-away"])}),
                    ("nonsense", {}),
                ]
            )
            case = home.case
            seen = case.version - chance.randrange(0, 2)
            who = chance.choice([ANNA, STREET, DISTRICT])
            record = Command(f"c{number - chance.randrange(0, 2)}", id, case.id, name, seen, who, "", data)
        homes[id], _ = step(home, decode_record(encode_record(record)), at=at // 1000 * 1000, book=BOOK)
        out.append((id, record, at))
    return out


def raws(records: Sequence[tuple[str, Record, int]]) -> list[Raw]:
    return [
        Raw(offset, encode_record(record), id.encode(), at // 1000)  # type: ignore[arg-type]
        for offset, (id, record, at) in enumerate(records)
    ]


def in_parts(stage: CasesStage, lane: Lane, records: Sequence[Raw], size: int) -> list[Part]:
    return [run(stage, lane, records[at : at + size]) for at in range(0, len(records), size)]


@pytest.mark.parametrize("size", [1, 7, 240])
def test_the_stage_is_the_pure_fold_however_the_log_is_cut(size: int) -> None:
    records = commands(size)
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS, 2)
    parts = in_parts(stage, lane, raws(records), size)
    homes: dict[str, Household] = {}
    events: dict[str, list[bytes]] = defaultdict(list)
    alerts = []
    for id, record, at in records:
        homes[id], effects = step(
            homes.get(id, new(id)),
            decode_record(encode_record(record)),  # type: ignore[arg-type]
            at=at // 1000 * 1000,
            book=BOOK,
        )
        events[id] += [event.body() for event in effects.events]
        alerts += [(alert.key.encode(), alert.body()) for alert in effects.alerts]
    assert {key: raw for key, raw in lane.states.items() if raw is not None} == {
        id: state_format.encode(home) for id, home in homes.items()
    }
    sends = [one for part in parts for one in part.sends]
    for id, home in homes.items():
        assert [one[2] for one in sends if one[0] == CASE_EVENTS and one[1] == id.encode()] == events[id]
        # And the record alone gives the state.
        assert replay(id, events[id]) == home
    assert [(one[1], one[2]) for one in sends if one[0] == ALERTS] == alerts
    assert alerts
    assert not [part for part in parts if part.failures]


def test_the_index_the_due_times_and_the_counters_are_those_of_the_states() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    index: set[str] = set()
    due: dict[str, int] = {}
    for part in in_parts(stage, lane, raws(commands(3)), 9):
        for before, after in part.index.values():
            if before is not None:
                index.remove(before)  # raises where it was not there
            if after is not None:
                index.add(after)
        for key, instant in part.next_days.items():
            due.pop(key, None)
            if instant is not None:
                due[key] = instant
    states = {key: raw for key, raw in lane.states.items() if raw is not None}
    assert index == {member for raw in states.values() if (member := stage.member(raw)) is not None}
    assert due == {key: at for key, raw in states.items() if (at := stage.due(raw)) is not None}
    assert {name: n for name, n in lane.counts.items() if n} == stage.counted(states.values())
    assert index
    assert due


def test_what_is_sent_names_its_cause_in_ascending_order() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS, 2)
    parts = in_parts(stage, lane, raws(commands(5)), 11)
    causes = []
    for part in parts:
        for send in part.sends:
            headers = dict(send[3])
            if send[0] in (CASE_EVENTS, ALERTS):
                causes.append((send[0], send[1], headers[CAUSE].decode().split("/")))  # type: ignore[union-attr]
    for topic in (CASE_EVENTS, ALERTS):
        numbers = [(int(cause[2]), int(cause[3])) for to, _, cause in causes if to == topic]
        assert numbers == sorted(set(numbers))
    assert {tuple(cause[:2]) for _, _, cause in causes} == {(CASE_COMMANDS, "2")}


def test_a_repeated_warning_and_an_early_tick_write_nothing() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    first = warning(1, household="H1")
    run(stage, lane, raws([("H1", first, MONDAY)]))
    part = run(stage, lane, raws([("H1", first, MONDAY + 1000), ("H2", Tick(MONDAY), MONDAY)]))
    assert (part.sends, part.states, part.index, part.next_days) == ([], {}, {}, {})
    assert part.tallies["repeats", "cases"] == 1


def test_what_cannot_be_read_is_refused_and_a_key_that_is_none_is_set_aside() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    part = run(stage, lane, [Raw(0, b"{", b"H1", 1), Raw(1, b"{", b"a|b", 1), Raw(2, b"{", None, 1)])
    (answer,) = part.sends
    assert json.loads(answer[2] or b"")["data"]["details"]["reason"] == "bad-data"
    assert [failure.offset for failure in part.failures] == [1, 2]
    assert part.states == {}


def test_a_record_that_the_program_fails_on_is_set_aside_and_the_household_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [(id, record, at) for id, record, at in commands(9, 60)]
    bad = next(n for n, (_, record, _) in enumerate(records) if n > 20 and isinstance(record, Command))
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    real = agents.cases.step

    def failing(home: Household, record: Record, *, at: int, book: Any) -> Any:
        if record == decode_record(encode_record(records[bad][1])) and at == records[bad][2] // 1000 * 1000:  # type: ignore[arg-type]
            home.score = -1
            home.case = None  # half-way through
            raise RuntimeError("boom")
        return real(home, record, at=at, book=book)

    monkeypatch.setattr(agents.cases, "step", failing)
    parts = in_parts(stage, lane, raws(records), 60)
    assert [failure.offset for part in parts for failure in part.failures] == [bad]
    monkeypatch.setattr(agents.cases, "step", real)
    other = lane_of("cases", CASE_COMMANDS)
    run(CasesStage(BOOK), other, [raw for raw in raws(records) if raw.offset != bad])
    assert lane.states == other.states


def test_at_a_state_of_a_newer_program_the_worker_leaves() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    lane.remember({"H1": bytes((state_format.FORMAT + 1,))})
    with pytest.raises(NewerFormatError):  # a worker leaves at this one (``agents.holding``)
        run(stage, lane, raws([("H1", warning(1, household="H1"), MONDAY)]))


def test_metrics_count_commands_lateness_and_the_time_that_steps_took() -> None:
    stage, lane = CasesStage(BOOK), lane_of("cases", CASE_COMMANDS)
    command = Command("c1", "H1", "H1-1", "acknowledge", 1, ANNA)
    stale = Command("c2", "H1", "H1-1", "comment", 0, ANNA, "", {"text": "x"})
    records: list[tuple[str, Record, int]] = [
        ("H1", warning(1, level="red", household="H1"), MONDAY),
        ("H1", Tick(MONDAY + 90 * 60_000_000), MONDAY + 2 * HOUR),
        ("H1", command, MONDAY + 3 * HOUR),
        ("H1", command, MONDAY + 3 * HOUR),
        ("H1", stale, MONDAY + 3 * HOUR),
    ]
    part = run(stage, lane, raws(records))
    tallies = {name: n for name, n in part.tallies.items() if name[0] in ("commands", "late", "opened")}
    assert tallies == {
        ("opened", "red"): 1,
        ("late", "acknowledge", "community"): 1,
        ("late", "acknowledge", "street"): 1,
        ("commands", "acknowledge", "done"): 1,
        ("commands", "acknowledge", "repeated"): 1,
        ("commands", "comment", "stale"): 1,
    }
    assert part.observed == [("hearthwatch_case_step_seconds", ("acknowledge", "red"), 3 * 3600.0)]
    assert {name: n for name, n in lane.counts.items() if n} == {"open/red/acknowledged": 1}


def test_simulated_time_is_stamped_on_what_is_sent() -> None:
    for clock in ("wall", "log"):
        stage, lane = CasesStage(BOOK, clock=clock), lane_of("cases", CASE_COMMANDS)  # type: ignore[arg-type]
        part = run(stage, lane, raws([("H1", warning(1, household="H1"), MONDAY)]))
        (alert,) = [one for one in part.sends if one[0] == ALERTS]
        assert alert[4:] == ((MONDAY // 1000,) if clock == "log" else ())


def test_an_entry_of_the_index_is_read_as_it_was_written() -> None:
    home, _ = step(new("H1"), warning(1, household="H1", level="red"), at=MONDAY, book=BOOK)
    member = CasesStage(BOOK).member(state_format.encode(home))
    assert member is not None
    assert entry_of(member) == Entry(COMMUNITY, "red", "new", MONDAY + HOUR, "H1", "H1-1")
    baseline = dataclasses.replace(BOOK, baselines=())
    home, _ = step(new("~p1"), warning(1, household="~p1", community=None), at=MONDAY, book=baseline)
    read = entry_of(CasesStage(BOOK).member(state_format.encode(home)) or "")
    assert (read.community, read.household) == (None, "~p1")
    with pytest.raises(LedgerError):
        entry_of("H1")
    assert counts_of(home) == Counter({"open/orange/new": 1})


# -- forward -----------------------------------------------------------------------------------------
def body(**changes: Any) -> bytes:
    event = {
        "specversion": "1.0",
        "type": "warning.raised",
        "source": "hearthwatch/wuchang",
        "subject": "household/H1",
        "id": "H1-1",
        "time": "2026-03-02T02:00:00Z",
        "data": {"household": "H1", "level": "red", "score": 70, "community": COMMUNITY, "members": 3},
    }
    return json.dumps(event | changes).encode()


def test_a_warning_is_passed_on_by_its_household_with_the_way_back() -> None:
    lane = lane_of("forward", "warnings")
    headers = [("content-type", b"x"), ("hearthwatch.origin", b"life.health/0/7")]
    raw = Raw(0, body(), b"H1", 5, headers)
    (sent,) = run(ForwardStage(), lane, [raw]).sends
    assert sent[:2] == (CASE_COMMANDS, b"H1")
    read = decode_record(sent[2])
    assert isinstance(read, WarningPassed)
    assert (read.body.id, read.body.number, read.body.data.level) == ("H1-1", 1, "red")
    assert list(sent[3]) == headers[1:]
    assert len(sent) == 4
    (timed,) = run(ForwardStage(clock="log"), lane, [raw]).sends
    assert timed[4:] == (MONDAY // 1000,)


@pytest.mark.parametrize(
    ("key", "value"),
    [(b"H1", b"{"), (None, body()), (b"H2", body()), (b"H1", body(time="now")), (b"H1", None)],
)
def test_what_is_no_warning_is_set_aside(key: bytes | None, value: bytes | None) -> None:
    part = run(ForwardStage(), lane_of("forward", "warnings"), [Raw(3, value, key, 5)])
    assert part.sends == []
    assert [failure.offset for failure in part.failures] == [3]
