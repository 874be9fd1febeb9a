"""Rejection (events, section 4): the data of an event, field by field."""

from __future__ import annotations

import pytest

from streams.envelope import Decoder
from streams.errors import DecodeError
from tests.streams.judged import BAD_VALUES, GOOD_VALUES, rejection
from tests.streams.wire import event, line, reason, visit, with_data


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
