"""Rejection (events, sections 1, 3 and 4): every reason, in its order, and what is accepted."""

from __future__ import annotations

from typing import Any

import pytest

from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.events import Event
from tests.streams.wire import catalog, event, line, reason, visit, with_data

REGISTERED = {
    "type": "registry.household.registered",
    "source": "/wuchang/civil-affairs",
    "subject": "household/h-1",
    "data": {"community": "420106001001"},
}
JOINED = {
    "type": "registry.member.joined",
    "source": "/wuchang/public-security",
    "data": {"household": "h-1", "role": "head"},
}
LEFT = {"type": "registry.member.left", "source": "/wuchang/civil-affairs", "data": {"reason": "moved"}}
RETRACTED: dict[str, Any] = {
    "type": "fact.retracted",
    "supersedes": "v-0",
    "data": {"reason": "wrong person"},
}


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(catalog())


def rejection(decoder: Decoder, value: bytes) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decoder.line(value)
    return caught.value.reason, caught.value.message


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


@pytest.mark.parametrize("data", [..., None, [], "text", 5, True])
def test_data_missing_or_no_object(decoder: Decoder, data: object) -> None:
    why, message = rejection(decoder, line(data=data, data_base64="e30="))
    assert why == "bad-data"
    assert message.startswith("$.data: expected a JSON object")


def test_a_required_field_that_is_missing_or_null(decoder: Decoder) -> None:
    for data in ({}, {"severity": None}):
        why, message = rejection(decoder, line(data=data))
        assert (why, message) == (
            "bad-data",
            "$.data.severity: expected a whole number from 1 up to 9007199254740995, but it is missing",
        )


def test_an_optional_field_that_is_null_counts_as_absent(decoder: Decoder) -> None:
    assert decoder.line(visit("planned", "null")).data == {"severity": 3}


GOOD_VALUES: dict[str, dict[str, Any]] = {
    "severity": {
        "5": 5,
        "5.0": 5,
        "5e0": 5,
        "0.5e1": 5,
        "50E-1": 5,
        "9007199254740993.0": 9007199254740993,
        "9007199254740993": 9007199254740993,
        "1": 1,
        "9007199254740995": 9007199254740995,
    },
    "any_number": {
        "9223372036854775807": 2**63 - 1,
        "-9223372036854775808": -(2**63),
        "-0": 0,
        "-0.0": 0,
        "0e99999": 0,
        "922337203685477580.7e1": 2**63 - 1,
    },
    "cost_yuan": {
        "12": 1200,
        "12.5": 1250,
        "12.50": 1250,
        "12.500": 1250,
        "1.25e1": 1250,
        "-5": -500,
        "-0.00": 0,
        "1e2": 10000,
        '"12"': 1200,
        '"12.5"': 1250,
        '"12.05"': 1205,
        '"-4.99"': -499,
        '"007.50"': 750,
        '"-0"': 0,
        "10000000.50": 1000000050,
        '"10000000.5"': 1000000050,
        "0.01": 1,
        "1e-2": 1,
        '"\\u0031"': 100,
    },
    "any_yuan": {
        "92233720368547758.07": 2**63 - 1,
        '"92233720368547758.07"': 2**63 - 1,
        "-92233720368547758.08": -(2**63),
        '"' + "0" * 5000 + '1"': 100,
    },
    "planned": {"true": True, "false": False},
    "made_on": {'"2024-02-29"': "2024-02-29", '"0001-01-01"': "0001-01-01", '"9999-12-31"': "9999-12-31"},
    "note": {
        '""': "",
        '"五个汉字哦"': "五个汉字哦",
        '"\\u0000"': "\u0000",
        '"\\ud83d\\ude00bcde"': "\U0001f600bcde",
    },
    "code": {'"A12"': "A12", '"x"': "x"},
    "ward": {'"general"': "general", '"重症"': "重症", '"\\u91cd\\u75c7"': "重症"},
}

BAD_VALUES: dict[str, list[str]] = {
    "severity": [
        "0",
        "9007199254740996",
        "5.5",
        "5.0000000000000000000000001",
        '"5"',
        "true",
        "[5]",
        "{}",
        "1e400",
        "1e-400",
        "1e999999999999",
        "1" * 5000,
    ],
    "any_number": [
        "9223372036854775808",
        "-9223372036854775809",
        "9223372036854775807.5",
        "12345678901234567890123",
    ],
    "cost_yuan": [
        "12.501",
        "0.1000000000000000000001",
        "-5.01",
        "10000000.51",
        '"12.500"',
        '".5"',
        '"5."',
        '"1e2"',
        '"+5"',
        '" 5"',
        '"5\\n"',
        '""',
        '"1,000"',
        '"１２"',
        '"1_0"',
        '"NaN"',
        '"-5.01"',
        "true",
        "[]",
        "1e400",
        '"--5"',
        '"10000000.51"',
    ],
    "any_yuan": [
        "92233720368547758.08",
        '"92233720368547758.08"',
        "-92233720368547758.09",
        "1e17",
        "1" * 5000,
        '"' + "1" * 5000 + '"',
        "1e999999999",
    ],
    "planned": ["1", "0", '"true"', "[]"],
    "made_on": [
        '"2023-02-29"',
        '"2024-2-1"',
        '"2024-02-01T00:00:00Z"',
        '"0000-01-01"',
        '"20240201"',
        "20240201",
        '"2024-02-01 "',
        '""',
    ],
    "note": ['"sixsix"', "5", "true", "[]", "{}", '"六个汉字哦哦"'],
    "code": ['"A1"', '"A123"', '"xA12"', '"A12\\n"', '"A１２"', '""', '"a12"'],
    "ward": ['"General"', '""', '"general "', "1", "true", '["general"]', "{}"],
}


@pytest.mark.parametrize(
    ("field", "text", "stored"),
    [(field, text, stored) for field, values in GOOD_VALUES.items() for text, stored in values.items()],
    ids=lambda part: str(part)[:30],
)
def test_good_values(decoder: Decoder, field: str, text: str, stored: object) -> None:
    value = with_data(f'{{"severity": {text}}}') if field == "severity" else visit(field, text)
    told = decoder.line(value).data[field]
    assert told == stored
    assert type(told) is type(stored)


@pytest.mark.parametrize(
    ("field", "text"),
    [(field, text) for field, values in BAD_VALUES.items() for text in values],
    ids=lambda part: str(part)[:30],
)
def test_bad_values(decoder: Decoder, field: str, text: str) -> None:
    value = with_data(f'{{"severity": {text}}}') if field == "severity" else visit(field, text)
    why, message = rejection(decoder, value)
    assert why == "bad-data"
    assert message.startswith(f"$.data.{field}: expected ")
    assert len(message) < 200


def test_a_field_that_the_catalogue_does_not_name_is_dropped_and_counted(decoder: Decoder) -> None:
    told = decoder.line(with_data('{"severity": 3, "other": {"a": [1]}, "more": 1.5, "nothing": null}'))
    assert told.data == {"severity": 3}
    decoder.line(visit("other", '"x"'))
    assert decoder.dropped == {("health.visit.made", "other"): 2, ("health.visit.made", "more"): 1}


def test_fields_of_rejected_events_are_not_counted(decoder: Decoder) -> None:
    assert reason(decoder, with_data('{"severity": 0, "other": 1}')) == "bad-data"
    assert not decoder.dropped


def test_the_count_of_dropped_fields_has_an_end(decoder: Decoder) -> None:
    """Senders choose the names of fields: memory must not grow with them."""
    for number in range(1100):
        decoder.line(visit(f"f{number}", "1"))
    assert len(decoder.dropped) == 1001
    assert decoder.dropped["health.visit.made", "*"] == 100


def test_other_attributes_are_carried_and_ignored(decoder: Decoder) -> None:
    told = decoder.line(
        line(datacontenttype="text/plain", dataschema=5, traceparent={"a": None}, data_base64="!", Type="x")
    )
    assert told == decoder.line(line())


def test_of_a_key_that_stands_twice_the_last_one_holds(decoder: Decoder) -> None:
    value = line().replace(b'"id"', b'"id": 5, "i\\u0064": "first", "id"')
    assert decoder.line(value).id == "v-1"
    value = line().replace(b'"severity"', b'"severity": [1], "severity"')
    assert decoder.line(value).data == {"severity": 3}
    value = line().replace(b'"data"', b'"data": 5, "data": {"severity": 4, "planned": true}, "data"')
    assert decoder.line(value).data == {"severity": 3}
    value = line().replace(b'"severity": 3', b'"severity": 3, "severity": null')
    assert reason(decoder, value) == "bad-data"


# -- the order of reasons ---------------------------------------------------------------------------------

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


# -- built-in types ---------------------------------------------------------------------------------------


def test_built_in_types(decoder: Decoder) -> None:
    assert decoder.line(line(**REGISTERED)).data == {"community": "420106001001"}
    joined = decoder.line(line(**JOINED))
    assert (joined.subject, joined.data) == ("p-1", {"household": "h-1", "role": "head"})
    assert decoder.line(line(**LEFT)).data == {"reason": "moved"}
    assert decoder.line(line(**RETRACTED)).supersedes == "v-0"


@pytest.mark.parametrize("built_in", [REGISTERED, JOINED, LEFT])
def test_registry_types_come_from_registry_departments_only(
    decoder: Decoder, built_in: dict[str, Any]
) -> None:
    for department, expected in (
        ("civil-affairs", "accepted"),
        ("public-security", "accepted"),
        ("health", "wrong-department"),
    ):
        assert reason(decoder, line(**{**built_in, "source": f"/wuchang/{department}"})) == expected


def test_a_retraction_comes_from_every_department_about_a_person_or_a_household(decoder: Decoder) -> None:
    for department in ("health", "civil-affairs", "public-security"):
        for subject, about_person in (("person/p-1", True), ("household/h-1", False)):
            told = decoder.line(line(**{**RETRACTED, "source": f"/wuchang/{department}", "subject": subject}))
            assert told.about_person is about_person
    assert reason(decoder, line(**{**RETRACTED, "source": "/wuchang/fire"})) == "wrong-department"
    assert reason(decoder, line(**{**RETRACTED, "subject": "family/h-1"})) == "bad-subject"


@pytest.mark.parametrize("supersedes", [..., None])
def test_a_retraction_without_supersedes_is_no_cloudevent(decoder: Decoder, supersedes: object) -> None:
    assert reason(decoder, line(**{**RETRACTED, "supersedes": supersedes})) == "not-cloudevent"


@pytest.mark.parametrize(
    ("built_in", "field", "good", "bad"),
    [
        (
            REGISTERED,
            "community",
            ["000000000000"],
            [None, "42010600100", "4201060010011", "４２０１０６００１００１", 5],
        ),
        (REGISTERED, "address_ref", ["x", "", "汉" * 200, None], ["x" * 201, 5]),
        (
            JOINED,
            "household",
            ["h", "x" * 64, "A.b_c-9"],
            [None, "", "x" * 65, "h 1", "household/h-1", "~p-1", 5],
        ),
        (
            JOINED,
            "role",
            ["head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other"],
            [None, "aunt", ""],
        ),
        (JOINED, "birth", ["1980-02-29", None], ["1981-02-29", "1980", 5]),
        (JOINED, "sex", ["female", "male", None], ["f", ""]),
        (LEFT, "reason", ["moved", "died", "other"], [None, "Moved", ""]),
        (RETRACTED, "reason", ["x", "", "汉" * 200], [None, "x" * 201, 5]),
    ],
)
def test_fields_of_built_in_types(
    decoder: Decoder, built_in: dict[str, Any], field: str, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        told = decoder.line(line(**{**built_in, "data": {**built_in["data"], field: value}}))
        assert told.data.get(field) == value
    for value in bad:
        assert reason(decoder, line(**{**built_in, "data": {**built_in["data"], field: value}})) == "bad-data"


def test_subjects_of_built_in_types(decoder: Decoder) -> None:
    assert reason(decoder, line(**{**REGISTERED, "subject": "person/p-1"})) == "bad-subject"
    assert reason(decoder, line(**{**JOINED, "subject": "household/h-1"})) == "bad-subject"
    assert reason(decoder, line(**{**LEFT, "subject": "household/h-1"})) == "bad-subject"


def test_supersedes_of_a_registry_event_has_no_effect(decoder: Decoder) -> None:
    """It is carried no further; its own id there is malformed all the same."""
    assert decoder.line(line(**JOINED, supersedes="j-0")).supersedes is None
    assert reason(decoder, line(**JOINED, supersedes="v-1")) == "not-cloudevent"


def test_a_catalogue_without_registry_lets_nobody_send_registry_types() -> None:
    from dataclasses import replace

    assert reason(Decoder(replace(catalog(), registry=())), line(**JOINED)) == "wrong-department"


def test_messages_never_repeat_a_value(decoder: Decoder) -> None:
    """Logs and dead letters' headers carry ids and paths, never personal values."""
    secret = "SECRET-420106198001011234"
    for name in event():
        assert secret not in rejection_of(decoder, line(**{name: secret}))
    for field in GOOD_VALUES:
        assert secret not in rejection_of(decoder, visit(field, f'"{secret}"'))


def rejection_of(decoder: Decoder, value: bytes) -> str:
    try:
        decoder.line(value)
    except DecodeError as error:
        return str(error)
    return ""
