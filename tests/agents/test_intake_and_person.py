"""Intake and person: what goes where, and what is rejected or set aside."""

from __future__ import annotations

import json
from typing import Any

import pytest

import agents.person
from agents.intake import Intake
from agents.person import PersonStage
from rules import person
from streams.deadletters import HEADERS, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TOPIC, REASON
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    About,
    Fact,
    Origin,
    Release,
    decode_household_record,
    decode_person_record,
    encode,
)
from tests.agents.desk import Raw, lane_of, run, small_catalog

CATALOG = small_catalog()
RECEIVED_MS = 1_719_800_000_000


def line(department: str, type: str, subject: str, number: int = 1, **data: Any) -> bytes:
    event = {
        "specversion": "1.0", "id": f"e{number}", "source": f"/wuchang/{department}", "type": type,
        "subject": subject, "time": "2024-07-01T09:00:00+08:00", "data": data,
    }  # fmt: skip
    return json.dumps(event).encode()


def joined(who: str, household: str, number: int) -> bytes:
    return line(
        "civil-affairs", "registry.member.joined", f"person/{who}", number, household=household, role="head"
    )


def raw(offset: int, value: bytes | None, **more: Any) -> Raw:
    return Raw(offset, value, timestamp=RECEIVED_MS, **more)


def test_events_about_persons_go_by_person_and_others_to_the_household() -> None:
    lane = lane_of("intake", "life.civil-affairs", 3)
    records = [
        raw(5, line("civil-affairs", "income.assessed", "person/p1", monthly_yuan="12.5")),
        raw(6, line("civil-affairs", "benefit.granted", "household/H1")),
    ]
    part = run(Intake(CATALOG), lane, records)
    (one, two) = part.sends
    assert one[:2] == (PERSON_EVENTS, b"p1")
    read = decode_person_record(one[2] or b"")
    assert read.origin == Origin("life.civil-affairs", 3, 5)
    assert read.event.data == {"monthly_yuan": 1250}
    # On Kafka an event is received at its record's timestamp.
    assert read.event.received == RECEIVED_MS * 1000
    assert two[:2] == (HOUSEHOLD_FACTS, b"H1")
    about = decode_household_record(two[2] or b"")
    assert isinstance(about, About)
    assert (about.channel, about.number) == ("life.civil-affairs-3", (6, 0))
    assert part.tallies["accepted", "civil-affairs"] == 2


def test_a_rejected_event_is_dead_lettered_byte_for_byte() -> None:
    lane = lane_of("intake", "life.health", 1)
    value = b'{"specversion": "1.0", "id": "e1", \xff'
    headers = [("x", None), ("__streams.errors.exception", b"older"), ("x", b"\xfe")]
    part = run(Intake(CATALOG), lane, [raw(9, value, key=b"\x00", headers=headers)])
    ((topic, key, sent, after),) = part.sends
    assert (topic, key, sent) == (DEADLETTERS, b"\x00", value)
    assert list(after[:2]) == [("x", None), ("x", b"\xfe")]
    assert [name for name, _ in after[2:]] == list(HEADERS)
    told = dict(after[2:])
    assert told[ORIGIN_TOPIC] == b"life.health"
    assert told[ORIGIN_PARTITION] == b"1"
    assert told[ORIGIN_OFFSET] == b"9"
    assert told[REASON] == b"not-json"
    assert part.tallies["rejected", "health", "not-json"] == 1


@pytest.mark.parametrize("value", [None, b"", b"[]", b"\x00" * 70_000])
def test_no_value_stops_intake(value: bytes | None) -> None:
    part = run(Intake(CATALOG), lane_of("intake", "life.health"), [raw(0, value)])
    assert [send[0] for send in part.sends] == [DEADLETTERS]


def test_an_event_of_another_department_is_rejected() -> None:
    part = run(
        Intake(CATALOG),
        lane_of("intake", "life.health"),
        [raw(0, line("civil-affairs", "work.lost", "person/p1"))],
    )
    assert dict(part.sends[0][3])[REASON] == b"wrong-department"


def test_what_intake_fails_on_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Intake(CATALOG)
    record = stage.decoder.record

    def broken(topic: str, value: Any, headers: Any, timestamp_ms: int) -> Any:
        if b'"e2"' in value:
            raise ZeroDivisionError
        return record(topic, value, headers, timestamp_ms)

    monkeypatch.setattr(stage.decoder, "record", broken)
    records = [raw(n, line("health", "health.diagnosed", "person/p1", n, severity=1)) for n in (1, 2, 3)]
    part = run(stage, lane_of("intake", "life.health"), records)
    assert [decode_person_record(s[2] or b"").event.id for s in part.sends] == ["e1", "e3"]
    (failure,) = part.failures
    assert (failure.topic, failure.offset, failure.value) == ("life.health", 2, records[1].value)
    assert part.tallies["rejected", "health", "internal-error"] == 1


def person_records(lines: list[tuple[str, bytes]]) -> list[Raw]:
    """What intake makes of lines, as records of ``person.events``."""
    stage = Intake(CATALOG)
    out = []
    for offset, (department, value) in enumerate(lines):
        part = run(stage, lane_of("intake", f"life.{department}"), [raw(offset, value)])
        out.append(Raw(offset, part.sends[0][2], part.sends[0][1], RECEIVED_MS))
    return out


LIFE = [
    ("health", line("health", "health.diagnosed", "person/p1", 1, severity=4)),
    ("civil-affairs", joined("p1", "H1", 2)),
    ("health", line("health", "health.diagnosed", "person/p1", 3, severity=5)),
]


def test_a_person_is_sent_to_the_household_and_only_the_registry_writes_a_state() -> None:
    lane = lane_of("person", PERSON_EVENTS, 2)
    part = run(PersonStage(), lane, person_records(LIFE))
    sent = [decode_household_record(value or b"") for _, _, value, _ in part.sends]
    assert [(type(m), key) for m, (_, key, _, _) in zip(sent, part.sends, strict=True)] == [
        (Fact, b"~p1"), (Release, b"~p1"), (Fact, b"H1"),
    ]  # fmt: skip
    assert {m.channel for m in sent if isinstance(m, Fact | Release)} == {"person.events-2"}
    assert [m.number for m in sent if isinstance(m, Fact | Release)] == [(0, 0), (1, 0), (2, 0)]
    assert list(part.states) == ["p1"]
    assert run(PersonStage(), lane, [Raw(3, person_records(LIFE)[2].value, b"p1", 0)]).states == {}


def test_what_a_crash_repeats_has_the_same_bytes() -> None:
    records = person_records(LIFE)
    first = run(PersonStage(), lane_of("person", PERSON_EVENTS), records)
    again = run(PersonStage(), lane_of("person", PERSON_EVENTS), records)
    assert (first.sends, first.states) == (again.sends, again.states)


def test_what_the_person_step_fails_on_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    step = person.step

    def broken(state: Any, record: Any, **options: Any) -> Any:
        if record.event.id == "e2":
            raise ZeroDivisionError
        return step(state, record, **options)

    monkeypatch.setattr(agents.person.person, "step", broken)
    part = run(PersonStage(), lane_of("person", PERSON_EVENTS), person_records(LIFE))
    (failure,) = part.failures
    assert failure.origin == Origin("life.civil-affairs", 0, 1)
    assert failure.household == b"~p1", "the person never came to H1"
    assert [key for _, key, _, _ in part.sends] == [b"~p1", b"~p1"]
    assert part.tallies["set-aside", PERSON_EVENTS] == 1


def test_a_fact_that_cannot_be_passed_on_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(record: Any, where: str, n: int, **options: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(agents.person.person, "pass_on", broken)
    part = run(PersonStage(), lane_of("person", PERSON_EVENTS), person_records(LIFE))
    assert [failure.origin for failure in part.failures] == [
        Origin("life.health", 0, 0),
        Origin("life.health", 0, 2),
    ]
    assert [failure.household for failure in part.failures] == [b"~p1", b"H1"]
    assert [key for _, key, _, _ in part.sends] == [b"~p1"]


def test_where_a_person_is_may_be_what_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(id: str, state: bytes | None) -> tuple[str, int]:
        raise ZeroDivisionError

    monkeypatch.setattr(agents.person.person, "whereabouts", broken)
    part = run(PersonStage(), lane_of("person", PERSON_EVENTS), person_records(LIFE)[:1])
    assert [(one.origin, one.household) for one in part.failures] == [(Origin("life.health", 0, 0), None)]


def test_a_fact_is_passed_on_as_the_step_would_send_it() -> None:
    """Unread, but the same bytes as :func:`rules.person.step` makes of the event."""
    records = person_records(LIFE)
    part = run(PersonStage(), lane_of("person", PERSON_EVENTS, 2), records)
    state: person.Person | None = None
    expected = []
    for record in records:
        read = decode_person_record(record.value or b"")
        after, messages = person.step(state, read, channel="person.events-2", offset=record.offset)
        expected += [encode(message) for message in messages]
        state = state if after is None else after
    assert [value for _, _, value, _ in part.sends] == expected


def test_a_record_that_person_cannot_read_is_set_aside_itself() -> None:
    part = run(PersonStage(), lane_of("person", PERSON_EVENTS), [Raw(0, b"\xc1", b"p1")])
    (failure,) = part.failures
    assert (failure.origin, failure.topic, failure.offset) == (None, PERSON_EVENTS, 0)
