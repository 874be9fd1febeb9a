"""A line's topic, key, headers and timestamp, and what stays behind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.outgoing import Addresser, Outgoing, Refused, binary, instant_ms

LIMITS = {"life.health": 1_048_588, "life.civil-affairs": 1_048_588}


def line(**changes: Any) -> bytes:
    """An event as a line; a change to None leaves the attribute out."""
    event = {
        "specversion": "1.0",
        "id": "e1",
        "source": "/wuchang/health",
        "type": "health.hospital.admitted",
        "subject": "person/p1",
        "time": "2024-03-01T08:00:00.123999+08:00",
        "data": {"planned": False},
        **changes,
    }
    return json.dumps({name: value for name, value in event.items() if value is not None}).encode()


def sent(addresser: Addresser, raw: bytes) -> Outgoing:
    record = addresser.address(raw)
    assert isinstance(record, Outgoing), record
    return record


def refused(addresser: Addresser, raw: bytes) -> Refused:
    record = addresser.address(raw)
    assert isinstance(record, Refused), record
    return record


def test_the_topic_is_life_and_the_last_part_of_the_source() -> None:
    addresser = Addresser(LIMITS)
    assert sent(addresser, line()).topic == "life.health"
    assert sent(addresser, line(source="/elsewhere/deep/civil-affairs")).topic == "life.civil-affairs"


def test_the_key_is_the_subject_so_that_one_persons_events_stay_in_order() -> None:
    addresser = Addresser(LIMITS)
    assert sent(addresser, line()).key == b"person/p1"
    assert sent(addresser, line(subject=None)).key is None
    assert sent(addresser, line(subject=7)).key is None


def test_a_structured_value_is_the_line_byte_for_byte() -> None:
    raw = b'{ "source":"/wuchang/health" , "id":"1", "data":{"x":12.50} } '
    record = sent(Addresser(LIMITS), raw)
    assert record.value == raw
    assert record.headers == [("content-type", b"application/cloudevents+json")]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"source": "/wuchang/hea', "not-json"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b'{"source":"/wuchang/health","data":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "not-json"),
        (b"[]", "not-cloudevent"),
        (b'"text"', "not-cloudevent"),
        (line(source=None), "no-topic"),
        (line(source=["/wuchang/health"]), "no-topic"),
        (line(source="/wuchang/nowhere"), "no-topic"),
        (line(source="/wuchang/Health"), "no-topic"),
        (line(source=""), "no-topic"),
        (line(data={"x": "y" * 10_000_000}), "too-large"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[:24].decode(errors="replace"),
)
def test_a_line_that_cannot_go_to_kafka_stays_behind_with_its_reason(raw: bytes, reason: str) -> None:
    told = refused(Addresser(LIMITS), raw)
    assert told.reason == reason
    assert told.message


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "person/Zhang San"},
        {"time": "2024-03-01T08:00:00"},
        {"type": "no.such.type"},
        {"data": {"self_paid_yuan": -1}},
        {"id": 7},
        {"specversion": None},
        {"data": None},
    ],
    ids=str,
)
def test_a_bad_event_that_the_broker_can_take_goes_out_as_it_is(changes: dict[str, Any]) -> None:
    for mode in ("structured", "binary"):
        record = sent(Addresser(LIMITS, mode=mode), line(**changes))
        assert record.topic == "life.health"


def test_a_given_topic_takes_every_line_also_a_broken_one() -> None:
    addresser = Addresser(LIMITS, topic="life.health")
    assert sent(addresser, b'{"trunc').value == b'{"trunc'
    assert sent(addresser, b"\xff\xfe").topic == "life.health"
    assert sent(addresser, line(source="/wuchang/civil-affairs")).topic == "life.health"


def test_in_wall_the_timestamp_is_left_to_the_broker() -> None:
    assert sent(Addresser(LIMITS, clock="wall"), line()).timestamp_ms is None


def test_in_log_the_timestamp_is_recordedtime_or_time() -> None:
    addresser = Addresser(LIMITS, clock="log")
    assert sent(addresser, line()).timestamp_ms == 1709251200123
    assert sent(addresser, line(recordedtime="2024-03-02T00:00:00Z")).timestamp_ms == 1709337600000


def test_in_log_a_line_without_a_time_does_not_move_the_clock() -> None:
    addresser = Addresser(LIMITS, clock="log")
    before = sent(addresser, line()).timestamp_ms
    assert sent(addresser, line(time="yesterday")).timestamp_ms == before
    assert sent(addresser, line(time=None)).timestamp_ms == before


def test_in_log_a_time_before_kafkas_first_becomes_kafkas_first() -> None:
    assert sent(Addresser(LIMITS, clock="log"), line(time="1950-01-01T00:00:00Z")).timestamp_ms == 0


def test_binary_mode_has_attributes_in_headers_and_data_byte_for_byte() -> None:
    raw = (
        b'{"specversion":"1.0","id":"e1","source":"/wuchang/health","type":"t.t","subject":"person/p1",'
        b'"time":"2024-03-01T08:00:00Z","traceparent":"00","empty":null,"data":{"a":12.500,"a":1e400}}'
    )
    record = sent(Addresser(LIMITS, mode="binary"), raw)
    assert record.value == b'{"a":12.500,"a":1e400}'
    assert dict(record.headers) == {
        "content-type": b"application/json",
        "ce_specversion": b"1.0",
        "ce_id": b"e1",
        "ce_source": b"/wuchang/health",
        "ce_type": b"t.t",
        "ce_subject": b"person/p1",
        "ce_time": b"2024-03-01T08:00:00Z",
        "ce_traceparent": b"00",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 7},  # would become the text "7", and good
        {"data": None},
        {"data_base64": "e30="},
        {"Upper": "x"},
        {"datacontenttype": "application/cloudevents+json"},
    ],
    ids=str,
)
def test_binary_mode_falls_back_where_it_would_change_the_event(changes: dict[str, Any]) -> None:
    raw = line(**changes)
    assert binary(raw) is None
    assert sent(Addresser(LIMITS, mode="binary"), raw).value == raw


def test_the_estimated_size_is_never_below_kafkas_own() -> None:
    from kafka.record.default_records import DefaultRecordBatchBuilder

    @settings(max_examples=100, deadline=None)
    @given(
        st.binary(max_size=300), st.binary(max_size=300) | st.none(), st.dictionaries(st.text(), st.binary())
    )
    def check(value: bytes, key: bytes | None, headers: dict[str, bytes]) -> None:
        pairs = list(headers.items())
        builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10_000_000)
        assert builder.append(0, 1709251200123, key, value, pairs) is not None
        assert Outgoing("life.health", key, value, pairs, None).size >= len(builder.build())

    check()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_get_an_answer(raw: bytes) -> None:
    assert isinstance(Addresser(LIMITS, mode="binary", clock="log").address(raw), Outgoing | Refused)


def test_an_instant_is_cut_off_to_milliseconds() -> None:
    assert instant_ms("1970-01-01T00:00:01.9999Z") == 1999
    assert instant_ms("nonsense") is None
    assert instant_ms(None) is None
