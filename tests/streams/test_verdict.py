"""Rejection (events, sections 1, 3 and 4): every reason of the envelope, and their order."""

from __future__ import annotations

from typing import Any

import pytest

from streams.envelope import Decoder
from streams.events import Event
from tests.streams.judged import rejection
from tests.streams.wire import line, reason


def test_a_good_event(decoder: Decoder) -> None:
    assert decoder.line(line()) == Event(
        type="health.visit.made",
        source="/wuchang/health",
        id="v-1",
        subject="p-1",
        time=1_709_337_600_000_000,
        received=1_709_337_600_000_000,
        data={"severity": 3},
        supersedes=None,
        about_person=True,
    )


def test_a_line_is_received_at_its_recordedtime(decoder: Decoder) -> None:
    told = decoder.line(line(recordedtime="2024-03-05T00:00:00Z"))
    assert (told.time, told.received) == (1_709_337_600_000_000, 1_709_596_800_000_000)


def test_every_field_in_its_stored_form(decoder: Decoder) -> None:
    data = {
        "severity": 3,
        "cost_yuan": 12.5,
        "planned": False,
        "made_on": "2024-02-29",
        "note": "五个汉字哦",
        "code": "A12",
        "ward": "重症",
    }
    told = decoder.line(line(data=data))
    assert told.data == {**data, "cost_yuan": 1250}
    assert type(told.data["planned"]) is bool


@pytest.mark.parametrize("size", [65_536, 65_537])
def test_too_large_is_over_64_kib(decoder: Decoder, size: int) -> None:
    value = line(filler="")
    value = value.replace(b'"filler": ""', b'"filler": "' + b"f" * (size - len(value)) + b'"')
    assert len(value) == size
    assert reason(decoder, value) == ("accepted" if size == 65_536 else "too-large")


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xef\xbb\xbf" + line(),
        line()[:-1],
        line() + b"x",
        line(other=float("nan")),
        line().replace(b"v-1", b"v-\xff"),
        line(other="@").replace(b"@", b"\\ud800"),
        line(other="@").replace(b"@", b"\xed\xa0\x80"),
        line().replace(b'"id": "v-1"', b'"id": "\\udfff", "id": "v-1"'),
        b"{" * 5000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        "{}".encode("utf-16"),
    ],
)
def test_not_json(decoder: Decoder, value: bytes) -> None:
    why, message = rejection(decoder, value)
    assert why == "not-json"
    assert message.startswith("$: expected JSON in UTF-8, but ")


@pytest.mark.parametrize("value", [b"[]", b'"text"', b"1", b"null", b"true", b"[{}]"])
def test_no_object_is_no_cloudevent(decoder: Decoder, value: bytes) -> None:
    assert rejection(decoder, value) == ("not-cloudevent", "$: expected a JSON object")


LONG = "x" * 129


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        *(("specversion", bad) for bad in (..., None, "", "1", "1.0 ", 1.0, 1, True, ["1.0"])),
        *(("id", bad) for bad in (..., None, "", LONG, 5, True, {}, [])),
        *(("source", bad) for bad in (..., None, "", 5, {})),
        *(("type", bad) for bad in (..., None, "", 5, [])),
        *(("recordedtime", bad) for bad in ("", "2024-03-02", "2024-03-02T08:00:00", 5, True, {})),
        *(("supersedes", bad) for bad in ("", LONG, 5, True, "v-1")),
    ],
)
def test_not_cloudevent(decoder: Decoder, attribute: str, value: object) -> None:
    """An attribute missing or malformed; null counts as absent; ``supersedes`` is another event's id."""
    why, message = rejection(decoder, line(**{attribute: value}))
    assert why == "not-cloudevent"
    assert message.startswith(f"$.{attribute}: expected ")


@pytest.mark.parametrize("attribute", ["recordedtime", "supersedes"])
def test_an_optional_attribute_that_is_null_counts_as_absent(decoder: Decoder, attribute: str) -> None:
    assert decoder.line(line(**{attribute: None})) == decoder.line(line())


@pytest.mark.parametrize("id_", ["x", "x" * 128, "汉" * 128, "\U0001f600" * 128, "\u0000", " ", "a/b"])
def test_id_is_counted_in_code_points(decoder: Decoder, id_: str) -> None:
    assert decoder.line(line(id=id_)).id == id_
    assert decoder.line(line(supersedes=id_)).supersedes == id_


@pytest.mark.parametrize(
    "type_name", ["no.such", "Health.visit.made", "health.visit.made ", "registry.member"]
)
def test_unknown_type(decoder: Decoder, type_name: str) -> None:
    why, message = rejection(decoder, line(type=type_name))
    assert why == "unknown-type"
    assert message.startswith("$.type: expected ")


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("/wuchang/nobody", "source"),
        ("/wuchang", "source"),
        ("/wuchang/", "source"),
        ("wuchang/health", "source"),
        ("/hankou/health", "source"),
        ("/wuchang/health/", "source"),
        ("/wuchang/health/x", "source"),
        ("/wuchang//health", "source"),
        ("/Wuchang/health", "source"),
        ("health", "source"),
        ("/wuchang/public-security", "type"),  # a department, but not one that sends visits
    ],
)
def test_wrong_department(decoder: Decoder, source: str, path: str) -> None:
    why, message = rejection(decoder, line(source=source))
    assert why == "wrong-department"
    assert message.startswith(f"$.{path}: expected ")


@pytest.mark.parametrize(
    "subject",
    [
        ...,
        None,
        "",
        "p-1",
        "person",
        "person/",
        "person/" + "x" * 65,
        "household/h-1",
        "Person/p-1",
        "person/p 1",
        "person/张三",
        "person/p-1\n",
        "person/p/1",
        " person/p-1",
        "person/p-1 ",
        5,
        {},
    ],
)
def test_bad_subject(decoder: Decoder, subject: object) -> None:
    """Missing, malformed (a name in it), or of the other kind."""
    why, message = rejection(decoder, line(subject=subject))
    assert why == "bad-subject"
    assert message.startswith("$.subject: expected `person/<id>`")
    assert "张三" not in message


@pytest.mark.parametrize("id_", ["x", "A-z_0.9", "x" * 64, "-", "."])
def test_good_subjects(decoder: Decoder, id_: str) -> None:
    assert decoder.line(line(subject=f"person/{id_}")).subject == id_
    told = decoder.line(
        line(type="home.damaged", source="/wuchang/civil-affairs", subject=f"household/{id_}", data={})
    )
    assert (told.subject, told.about_person) == (id_, False)


@pytest.mark.parametrize(
    "time", [..., None, "", "2024-03-02", "2024-03-02T08:00:00", "2024-03-02T08:00:60Z", 5, True, {}]
)
def test_bad_time(decoder: Decoder, time: object) -> None:
    why, message = rejection(decoder, line(time=time))
    assert why == "bad-time"
    assert message.startswith("$.time: expected ")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-03-03T08:00:00+08:00", "accepted"),
        ("2024-03-03T08:00:00.0000009+08:00", "accepted"),  # cut off before it is compared
        ("2024-03-03T08:00:00.000001+08:00", "bad-time"),
        ("1900-01-01T00:00:00Z", "accepted"),
    ],
)
def test_time_is_at_most_24_hours_after_the_event_was_received(
    decoder: Decoder, time: str, expected: str
) -> None:
    assert reason(decoder, line(recordedtime="2024-03-02T08:00:00+08:00", time=time)) == expected


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("not-cloudevent", {"id": 5}),
    ("unknown-type", {"type": "no.such"}),
    ("wrong-department", {"source": "/wuchang/nobody"}),
    ("bad-subject", {"subject": "household/h-1"}),
    ("bad-time", {"time": "yesterday"}),
    ("bad-data", {"data": None}),
]


@pytest.mark.parametrize("first", range(len(WRONG)))
def test_the_first_reason_that_holds_is_given(decoder: Decoder, first: int) -> None:
    changes: dict[str, Any] = {}
    for _, change in WRONG[first:]:
        changes |= change
    value = line(**changes)
    assert reason(decoder, value) == WRONG[first][0]
    assert reason(decoder, value + b"]") == "not-json"
    assert reason(decoder, value + b"]" + b" " * 65_536) == "too-large"


def test_recordedtime_malformed_comes_before_an_unknown_type(decoder: Decoder) -> None:
    assert reason(decoder, line(recordedtime="x", type="no.such")) == "not-cloudevent"
