"""Kafka records (events, sections 1 and 3): both content modes, topic and receipt."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streams.envelope import Decoder, binary_attributes
from streams.errors import DecodeError
from streams.events import Event
from tests.streams.wire import DAY_MS, THEN_MS, catalog, event, line

JSON = b"application/cloudevents+json"
Headers = list[tuple[str, bytes | None]]


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(catalog())


def binary(**changes: Any) -> tuple[bytes, Headers]:
    """Value and headers of :func:`event` in binary mode."""
    attributes = event(**changes)
    data = attributes.pop("data", {})
    headers: Headers = [("content-type", b"application/json")]
    headers += [(f"ce_{name}", str(value).encode()) for name, value in attributes.items()]
    return json.dumps(data).encode(), headers


def rejection(
    decoder: Decoder,
    value: bytes | None,
    headers: Headers,
    timestamp_ms: int = THEN_MS,
    topic: str = "life.health",
) -> tuple[str, str]:
    with pytest.raises(DecodeError) as caught:
        decoder.record(topic, value, headers, timestamp_ms)
    return caught.value.reason, caught.value.message


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("content-type", JSON)],
        [("content-type", b"application/cloudevents+json; charset=UTF-8")],
        [("content-type", b"Application/CloudEvents+JSON;charset=utf-8")],
        [("content-type", b" application/cloudevents+json ")],
        [("content-type", None)],
        [("content-type", b"application/json"), ("content-type", JSON)],
        [("x", b"\xff"), ("traceparent", None)],
        [("content-type", JSON), ("ce_id", b"other"), ("ce_time", b"\xff")],
    ],
)
def test_structured_mode(decoder: Decoder, headers: Headers) -> None:
    told = decoder.record("life.health", line(), headers, THEN_MS + 5)
    assert (told.id, told.received) == ("v-1", (THEN_MS + 5) * 1000)


def test_binary_mode(decoder: Decoder) -> None:
    value, headers = binary(recordedtime="2024-03-02T09:00:00Z", supersedes="v-0")
    structured = line(recordedtime="2024-03-02T09:00:00Z", supersedes="v-0")
    told = decoder.record("life.health", value, headers, THEN_MS)
    assert told == decoder.record("life.health", structured, [], THEN_MS)
    assert told.supersedes == "v-0"
    without_type = [header for header in headers if header[0] != "content-type"]
    assert decoder.record("life.health", value, without_type, THEN_MS) == told


@pytest.mark.parametrize(
    "headers",
    [
        [("content-type", b"application/json")],
        [("content-type", b"")],
        [("content-type", b"\xff")],
        [("content-type", b"application/cloudevents-batch+json")],
        [("content-type", JSON), ("content-type", b"application/json")],
        [("ce_id", b"v-1")],
        [("ce_id", None)],
        [("ce_", b"")],
    ],
)
def test_a_structured_event_that_is_announced_as_binary(decoder: Decoder, headers: Headers) -> None:
    """A content-type of another kind or any ce_* header means binary mode: the attributes are missing."""
    why, message = rejection(decoder, line(), headers)
    assert why == "not-cloudevent"
    assert message.startswith("$.specversion: expected ")


def test_of_a_header_that_stands_twice_the_last_one_holds(decoder: Decoder) -> None:
    value, headers = binary()
    assert decoder.record("life.health", value, [("ce_id", b"\xff"), *headers], THEN_MS).id == "v-1"
    assert rejection(decoder, value, [*headers, ("ce_id", None)])[1].startswith("$.id: expected ")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("specversion", "not-cloudevent"),
        ("id", "not-cloudevent"),
        ("source", "not-cloudevent"),
        ("type", "not-cloudevent"),
        ("recordedtime", "not-cloudevent"),
        ("supersedes", "not-cloudevent"),
        ("subject", "bad-subject"),
        ("time", "bad-time"),
    ],
)
def test_a_header_that_is_no_utf8_is_a_malformed_attribute(
    decoder: Decoder, name: str, expected: str
) -> None:
    value, headers = binary()
    why, message = rejection(decoder, value, [*headers, (f"ce_{name}", b"\xff\xfe")])
    assert (why, message.partition(":")[0]) == (expected, f"$.{name}")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("id", "not-cloudevent"),
        ("source", "not-cloudevent"),
        ("subject", "bad-subject"),
        ("time", "bad-time"),
    ],
)
def test_a_header_that_is_missing_or_null(decoder: Decoder, name: str, expected: str) -> None:
    value, headers = binary()
    missing = [header for header in headers if header[0] != f"ce_{name}"]
    assert rejection(decoder, value, missing)[0] == expected
    assert rejection(decoder, value, [*missing, (f"ce_{name}", None)])[0] == expected


def test_other_headers_are_ignored_whatever_they_hold(decoder: Decoder) -> None:
    value, headers = binary()
    others: Headers = [("ce_other", b"\xff"), ("ce_data", b"{}"), ("x", None), ("ce_traceparent", b"00-1")]
    assert decoder.record("life.health", value, headers + others, THEN_MS).data == {"severity": 3}


@pytest.mark.parametrize("value", [b"[]", b"null", b'"x"', b"5"])
def test_binary_data_that_is_no_object(decoder: Decoder, value: bytes) -> None:
    why, message = rejection(decoder, value, binary()[1])
    assert (why, message.partition(":")[0]) == ("bad-data", "$.data")


def test_the_path_is_that_of_the_structured_form_in_both_modes(decoder: Decoder) -> None:
    expected = ("bad-data", "$.data.severity: expected a whole number from 1 up to 9007199254740995")
    assert rejection(decoder, line(data={"severity": 0}), []) == expected
    assert rejection(decoder, b'{"severity": 0}', binary()[1]) == expected


@pytest.mark.parametrize("headers", [[], binary()[1]])
def test_a_null_value_is_no_json(decoder: Decoder, headers: Headers) -> None:
    why, message = rejection(decoder, None, headers)
    assert (why, message) == ("not-json", "$: expected JSON in UTF-8, but the value is null")


def test_binary_values_are_measured_and_read_before_the_attributes(decoder: Decoder) -> None:
    assert rejection(decoder, b" " * 65_537, [("ce_id", b"")])[0] == "too-large"
    assert rejection(decoder, b"", [("ce_id", b"")])[0] == "not-json"
    assert rejection(decoder, b'{"severity": 3}\xff', binary()[1])[0] == "not-json"
    ten_megabytes = b"x" * 10_000_000
    assert rejection(decoder, ten_megabytes, [])[0] == "too-large"


@pytest.mark.parametrize(
    ("topic", "source", "expected"),
    [
        ("life.health", "/wuchang/health", "accepted"),
        ("life.civil-affairs", "/wuchang/civil-affairs", "accepted"),
        ("life.civil-affairs", "/wuchang/health", "wrong-department"),
        ("life.health", "/wuchang/civil-affairs", "wrong-department"),
        ("life.Health", "/wuchang/health", "wrong-department"),
        ("health", "/wuchang/health", "wrong-department"),
        ("life.", "/wuchang/health", "wrong-department"),
    ],
)
def test_the_source_is_the_topics_department(
    decoder: Decoder, topic: str, source: str, expected: str
) -> None:
    value, headers = binary(source=source)
    if expected == "accepted":
        assert decoder.record(topic, line(source=source), [], THEN_MS).source == source
        assert decoder.record(topic, value, headers, THEN_MS).source == source
    else:
        assert rejection(decoder, line(source=source), [], topic=topic)[0] == expected
        assert rejection(decoder, value, headers, topic=topic)[0] == expected


@pytest.mark.parametrize("name", ["time", "recordedtime"])
def test_times_are_at_most_24_hours_after_the_record_was_received(decoder: Decoder, name: str) -> None:
    """On Kafka that holds of ``recordedtime`` too, and is ``bad-time`` of both."""
    changes = {"time": "2024-03-01T00:00:00Z", name: "2024-03-02T08:00:00+08:00"}
    value, headers = binary(**changes)
    assert decoder.record("life.health", line(**changes), [], THEN_MS - DAY_MS).id == "v-1"
    assert decoder.record("life.health", value, headers, THEN_MS - DAY_MS).id == "v-1"
    for told in (
        rejection(decoder, line(**changes), [], THEN_MS - DAY_MS - 1),
        rejection(decoder, value, headers, THEN_MS - DAY_MS - 1),
    ):
        assert told == (
            "bad-time",
            f"$.{name}: expected a time at most 24 hours after the event was received",
        )


def test_recordedtime_too_late_comes_after_a_bad_subject(decoder: Decoder) -> None:
    value = line(recordedtime="2030-01-01T00:00:00Z", subject="x")
    assert rejection(decoder, value, [])[0] == "bad-subject"
    value = line(recordedtime="2030-01-01T00:00:00Z", data=None)
    assert rejection(decoder, value, [])[0] == "bad-time"


def test_attributes_of_structured_records_are_none() -> None:
    assert binary_attributes([]) is None
    assert binary_attributes([("ce_id", "汉".encode()), ("ce_x", None)]) == {"id": "汉"}
    assert binary_attributes([("content-type", b"text/plain")]) == {}


def test_an_event_is_not_kept_by_the_decoder(decoder: Decoder) -> None:
    first: Event = decoder.line(line())
    second = decoder.line(line())
    assert first == second
    assert first.data is not second.data
