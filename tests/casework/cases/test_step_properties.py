"""Whatever comes in which order: nothing raises, every command is answered once, and a replay is the same."""

from __future__ import annotations

import dataclasses

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from casework.alerts.alert import Alert
from casework.cases.book import Baseline, Book
from casework.cases.case import Household, new
from casework.cases.case_events import CaseEvent, replay
from casework.cases.commands import (
    DATA,
    Actor,
    Command,
    Record,
    Tick,
    Unreadable,
    WarningBody,
    WarningData,
    WarningPassed,
    decode_record,
    encode_record,
)
from casework.cases.state_format import decode, encode
from casework.cases.step import step
from casework.cases.work import Effects
from rules.state_format import StateFormatError
from tests.casework.cases.a_case import (
    ANNA,
    AUDITOR,
    BOOK,
    COMMUNITY,
    DAY,
    DISTRICT,
    HOME,
    HOUR,
    MONDAY,
    OTHER,
    STREET,
)

BOOKS = (BOOK, dataclasses.replace(BOOK, baselines=(Baseline("420106", MONDAY + 3 * DAY, 5),)))

actors = st.sampled_from(
    [ANNA, STREET, DISTRICT, AUDITOR, Actor("eve", "community", (OTHER,)), Actor("no", "street")]
)
DATA_OF = {
    "acknowledge": [{}, {"note": "seen"}],
    "assign": [{"to": "anna"}, {}],
    "visit": [{"outcome": one} for one in ("met", "absent", "refused", "moved-away", "lost")]
    + [
        {"outcome": "met", "findings": [{"type": kind, "subject": subject, "data": data}]}
        for kind, subject, data in (
            ("income.earnings.assessed", "person/p1", {"monthly_yuan": 800}),
            ("income.earnings.assessed", "person/p1", {"monthly_yuan": -1, "x": 10**30}),
            ("registry.member.left", "person/p1", {"reason": "died"}),
            ("community.visit.recorded", "household/H2", {"severity": 1}),
        )
    ],
    "assess": [{"level": "severe", "causes": ["illness"]}, {"level": "odd"}],
    "propose": [{"measure": "dibao", "amount_yuan": 900}, {"measure": "tutoring"}],
    "approve": [{"measure": "dibao"}, {"measure": "tutoring"}],
    "deliver": [
        {"measure": "dibao"}, {"measure": "tutoring"}, {"measure": "disability-subsidies", "person": "p1"},
        {"measure": "temporary-aid", "amount_yuan": 2000, "under_commitment": True},
    ],
    "refer": [{"to": "justice"}],
    "comment": [{"text": "a remark"}, {"text": ""}],
    "commit": [{"step": one, "papers": ["income"], "allows_checks": True, "reason": "why"}
               for one in ("offer", "sign", "fulfil", "break", "waive")],
    "close": [{"code": one} for one in ("helped", "helped-already", "no-need")]
    + [{"code": one} for one in ("refused", "moved-away", "deceased")]
    + [{"code": "data-wrong", "source": "health"}, {"code": "duplicate", "duplicate_of": "H2-1"}]
    + [{"code": "data-wrong"}, {"code": "bored"}],
    "reopen": [{"reason": "called again"}],
    "dance": [{}],
}  # fmt: skip
assert set(DATA) <= set(DATA_OF)

commands = st.sampled_from(sorted(DATA_OF)).flatmap(
    lambda name: st.builds(
        Command,
        id=st.sampled_from([f"c{n}" for n in range(60)]),
        household=st.sampled_from([HOME] * 20 + ["H2"]),
        case=st.sampled_from(["latest"] * 8 + ["H1-1", "H9-9"]),
        command=st.just(name),
        seen_version=st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1]),  # less or more than the case has
        actor=actors,
        data=st.sampled_from(DATA_OF[name]),
    )
)
because = st.lists(
    st.fixed_dictionaries(
        {
            "indicator": st.sampled_from(["a", "b"]),
            "points": st.integers(-3, 20),
            "dimension": st.sampled_from(["economy", "x"]),
        },
        optional={
            "person": st.sampled_from(["p1", None]),
            "facts": st.sampled_from([[], [{"source": "s", "id": "1"}], 3, [4]]),
        },
    ),
    max_size=3,
)  # fmt: skip
KINDS = ("raised", "raised", "raised", "upgraded", "lowered", "cleared", "withdrawn", "moved", "odd")
warnings = st.builds(
    lambda number, kind, level, community, because: WarningPassed(
        WarningBody(
            f"{HOME}-{number}",
            f"warning.{kind}",
            WarningData(HOME, level, None, 50, community, because, {"source": "/wuchang/health"}),
        )
    ),
    st.sampled_from([0, 1, 1, 1, 1, 3]),  # after the last one, as Run gives it to the household
    st.sampled_from(KINDS),
    st.sampled_from(["blue", "yellow", "yellow", "orange", "red", "violet", None]),
    st.sampled_from([COMMUNITY] * 6 + [OTHER, None]),
    because,
)
ticks = st.builds(Tick, st.integers(0, 2 * DAY))
strange = st.binary(max_size=40).map(decode_record)
moments = st.sampled_from([0, 1, HOUR, 5 * HOUR, DAY, 4 * DAY, 20 * DAY, 200 * DAY, -DAY])


def course(*steps: tuple[str, dict[str, object]]) -> list[tuple[int, Record]]:
    """A usual way of a case: street and district take turns, so that nobody approves a proposal alone."""
    return [
        (HOUR, Command("", HOME, "latest", name, 0, DISTRICT if place % 2 else STREET, "", data))
        for place, (name, data) in enumerate(steps)
    ]


MET, PROPOSED = ("visit", {"outcome": "met"}), ("propose", {"measure": "dibao", "amount_yuan": 900})
SIGNED = ("commit", {"step": "sign", "papers": ["income"], "allows_checks": True})
AT_ONCE = ("deliver", {"measure": "temporary-aid", "amount_yuan": 2000, "under_commitment": True})
JUDGED = ("assess", {"level": "severe", "causes": ["illness"]})
TAKEN_UP, HELPED = ("acknowledge", {}), ("close", {"code": "helped"})
COURSES = (
    course(TAKEN_UP, MET, JUDGED, PROPOSED, ("approve", {"measure": "dibao"}),
           ("deliver", {"measure": "dibao"}), HELPED, ("reopen", {"reason": "called again"})),
    course(TAKEN_UP, SIGNED, AT_ONCE, ("commit", {"step": "fulfil"}), HELPED),
    course(TAKEN_UP, SIGNED, AT_ONCE, ("commit", {"step": "break", "reason": "untrue"}), SIGNED),
    course(MET, ("close", {"code": "no-need"})),
    course(("visit", {"outcome": "absent"}), ("close", {"code": "moved-away"}), ("comment", {"text": "?"})),
)  # fmt: skip
raised = warnings.filter(lambda one: one.body.type == "warning.raised" and one.body.data.level is not None)
item = st.tuples(moments, st.one_of(warnings, commands, commands, ticks, strange)).map(lambda pair: [pair])
begun = st.tuples(raised, st.sampled_from(COURSES), st.integers(0, 8)).map(
    lambda drawn: [(0, drawn[0]), *drawn[1][: drawn[2]]]
)
logs = st.lists(st.one_of(begun, item, item, item), max_size=25).map(
    lambda parts: [pair for part in parts for pair in part]
)


class Run:
    """A log fed to a household, record by record; what a sender knows is filled in on the way."""

    def __init__(self, log: list[tuple[int, Record]], book: Book) -> None:
        self.book = book
        self.at = MONDAY
        self.home = new(HOME)
        self.fed: list[tuple[int, Record]] = []
        self.said: list[Effects] = []
        for wait, record in log:
            self.at += wait
            if isinstance(record, Tick):
                record = Tick(max(0, self.at - DAY + record.instant))
            elif isinstance(record, WarningPassed):
                number = self.home.warned + record.body.number
                body = msgspec.structs.replace(record.body, id=f"{HOME}-{number}")
                record = msgspec.structs.replace(record, body=body)
            elif isinstance(record, Command):
                case = self.home.case or self.home.last
                id = case.id if record.case == "latest" and case is not None else record.case
                version = max(0, (case.version if case is not None else 0) + record.seen_version)
                name = record.id or f"k{len(self.fed)}"
                record = msgspec.structs.replace(record, id=name, case=id, seen_version=version)
            self.fed.append((self.at, record))
            before = encode(self.home)
            self.home, effects = step(decode(before), record, at=self.at, book=book)
            self.said.append(effects)

    @property
    def events(self) -> list[CaseEvent]:
        return [event for effects in self.said for event in effects.events]

    def bodies(self) -> list[bytes]:
        return [event.body() for event in self.events]


def feed(fed: list[tuple[int, Record]], book: Book) -> tuple[Household, list[Effects]]:
    home, said = new(HOME), []
    for at, record in fed:
        home, effects = step(home, record, at=at, book=book)
        said.append(effects)
    return home, said


books = st.sampled_from(BOOKS)


@settings(max_examples=100, deadline=None)
@given(logs, books)
def test_every_command_has_one_answer_and_versions_grow_by_one(
    log: list[tuple[int, Record]], book: Book
) -> None:
    run = Run(log, book)
    versions: dict[str, int] = {}
    ids: set[str] = set()
    for (_, record), effects in zip(run.fed, run.said, strict=True):
        answers = [event for event in effects.events if event.command is not None]
        assert len(answers) == (1 if isinstance(record, Command) else 0)
        if isinstance(record, Command):
            assert answers[0].command == record.id
            assert answers[0] is effects.events[-1]
        if isinstance(record, Unreadable):
            assert [event.type for event in effects.events][-1] == "refused"
        for event in effects.events:
            if event.id != f"{event.case}-{event.version}":
                assert event.type in ("refused", "repeated", "passed")
                continue
            assert event.version == versions.get(event.case or "", 0) + 1
            versions[event.case or ""] = event.version
            assert event.id not in ids
            ids.add(event.id)
        told = [one.alert.id for one in effects.alerts if isinstance(one.alert, Alert)]
        assert len(set(told)) == len(told)


@settings(max_examples=60, deadline=None)
@given(logs, books)
def test_a_replay_gives_the_same_bytes(log: list[tuple[int, Record]], book: Book) -> None:
    run = Run(log, book)
    home, said = feed(run.fed, book)
    assert encode(home) == encode(run.home)
    assert [event.body() for effects in said for event in effects.events] == run.bodies()
    assert [alert.body() for effects in said for alert in effects.alerts] == [
        alert.body() for effects in run.said for alert in effects.alerts
    ]
    assert [effects.feedback for effects in said] == [effects.feedback for effects in run.said]


@settings(max_examples=100, deadline=None)
@given(logs, books)
def test_the_events_alone_give_the_state(log: list[tuple[int, Record]], book: Book) -> None:
    run = Run(log, book)
    bodies = run.bodies()
    assert encode(replay(HOME, bodies)) == encode(run.home)
    twice = [body for body in bodies for _ in range(2)]
    assert encode(replay(HOME, twice)) == encode(run.home)


@settings(max_examples=60, deadline=None)
@given(logs, books)
def test_a_record_that_comes_twice_changes_nothing_more(log: list[tuple[int, Record]], book: Book) -> None:
    run = Run(log, book)
    twice = [pair for pair in run.fed for _ in range(2)]
    home, said = feed(twice, book)
    assert encode(home) == encode(run.home)
    for effects in said[1::2]:
        assert {event.type for event in effects.events} <= {"repeated", "refused"}
        assert not effects.alerts
        assert not effects.feedback
        assert not any(event.changes for event in effects.events)


@settings(max_examples=60, deadline=None)
@given(logs, books, st.data())
def test_when_a_tick_comes_makes_no_difference(
    log: list[tuple[int, Record]], book: Book, data: st.DataObject
) -> None:
    run = Run(log, book)
    ticked: list[tuple[int, Record]] = []
    for at, record in run.fed:
        if data.draw(st.booleans()):
            ticked.append((at, Tick(max(0, at - data.draw(st.integers(0, 3 * DAY))))))
        ticked.append((at, record))
    home, said = feed(ticked, book)
    assert encode(home) == encode(run.home)
    assert [event.body() for effects in said for event in effects.events] == run.bodies()


@settings(max_examples=100, deadline=None)
@given(logs, books)
def test_a_state_read_from_its_bytes_is_the_same(log: list[tuple[int, Record]], book: Book) -> None:
    run = Run(log, book)
    assert encode(decode(encode(run.home))) == encode(run.home)
    assert decode(encode(run.home)) == run.home


@settings(max_examples=100)
@given(st.one_of(commands, warnings, ticks))
def test_a_record_read_from_its_bytes_is_the_same(record: Command | WarningPassed | Tick) -> None:
    if isinstance(record, Command):
        record = msgspec.structs.replace(record, seen_version=abs(record.seen_version))
    read = decode_record(encode_record(record))
    assert read == record or isinstance(record, WarningPassed)  # of its data only what is needed is read
    assert encode_record(read) == encode_record(record)  # type: ignore[arg-type]


@given(st.binary(max_size=200))
def test_whatever_bytes_a_record_has_it_is_read_or_named(raw: bytes) -> None:
    record = decode_record(raw)
    home, effects = step(new(HOME), record, at=MONDAY, book=BOOK)
    if isinstance(record, Unreadable):
        assert [(event.type, event.id) for event in effects.events] == [("refused", f"{record.id}-refused")]
    assert home == new(HOME)


@pytest.mark.parametrize("raw", [b"", b"\x00", b"\x01", b"\x01\x92", b"\x80", b"\xff\x01"])
def test_damaged_states_are_named(raw: bytes) -> None:
    with pytest.raises(StateFormatError, match="damaged"):
        decode(raw)


def test_a_state_of_a_newer_program_is_not_guessed_at() -> None:
    with pytest.raises(StateFormatError, match="format 3, and this program knows 2"):
        decode(b"\x03" + encode(new(HOME))[1:])
