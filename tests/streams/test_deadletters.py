"""Dead letters (events, section 3): headers of KIP-1034, the rest byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.deadletters import HEADERS, dead_letter_headers, read_dead_letter

OURS = [
    ("__streams.errors.topic", b"life.health"),
    ("__streams.errors.partition", b"3"),
    ("__streams.errors.offset", b"1234567890123"),
    ("__streams.errors.exception", b"bad-data"),
    ("__streams.errors.message", "$.data.x: expected 元".encode()),
]


def made(headers: list[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    return dead_letter_headers(
        headers,
        topic="life.health",
        partition=3,
        offset=1_234_567_890_123,
        reason="bad-data",
        message="$.data.x: expected 元",
    )


def test_the_five_headers_follow_those_of_the_record() -> None:
    assert made([]) == OURS
    assert made([("b", b"1"), ("a", None), ("b", b"\xff")]) == [
        ("b", b"1"),
        ("a", None),
        ("b", b"\xff"),
        *OURS,
    ]


def test_headers_of_these_names_that_were_there_already_are_replaced() -> None:
    earlier: list[tuple[str, bytes | None]] = [
        ("__streams.errors.message", b"old"),
        ("a", b""),
        ("__streams.errors.topic", None),
        ("__streams.errors.topic", b"other"),
        ("__streams.errors.stacktrace", b"kept: not one of the five"),
    ]
    assert made(earlier) == [("a", b""), ("__streams.errors.stacktrace", b"kept: not one of the five"), *OURS]
    assert made(made(earlier)) == made(earlier)


@given(
    st.lists(st.tuples(st.text() | st.sampled_from(HEADERS), st.none() | st.binary())),
    st.none() | st.binary(),
    st.none() | st.binary(),
)
def test_a_dead_letter_taken_apart_gives_the_record_back(
    headers: list[tuple[str, bytes | None]], key: bytes | None, value: bytes | None
) -> None:
    letter = read_dead_letter(
        partition=0, offset=7, timestamp_ms=5, key=key, value=value, headers=made(headers)
    )
    assert letter.origin == ("life.health", 3, 1_234_567_890_123)
    assert (letter.reason, letter.message) == ("bad-data", "$.data.x: expected 元")
    assert (letter.key, letter.value) == (key, value)
    assert list(letter.headers) == [header for header in headers if header[0] not in HEADERS]


@given(st.lists(st.tuples(st.sampled_from(HEADERS), st.none() | st.binary(max_size=4) | st.just(b"9" * 30))))
def test_any_record_of_the_topic_can_be_read(headers: list[tuple[str, bytes | None]]) -> None:
    letter = read_dead_letter(partition=0, offset=0, timestamp_ms=-1, key=None, value=None, headers=headers)
    assert letter.as_row()["bytes"] is None


def test_values_are_shown_only_when_asked_for() -> None:
    letter = read_dead_letter(
        partition=0,
        offset=7,
        timestamp_ms=5,
        key=b"p-1",
        value=b"{\xff",
        headers=made([("h", b"x"), ("n", None)]),
    )
    assert letter.as_row() == {
        "partition": 0,
        "offset": 7,
        "timestamp_ms": 5,
        "reason": "bad-data",
        "message": "$.data.x: expected 元",
        "origin": {"topic": "life.health", "partition": 3, "offset": 1_234_567_890_123},
        "bytes": 2,
        "household": None,
    }
    shown = letter.as_row(values=True)
    assert (shown["key"], shown["value"]) == ("p-1", "{\\xff")
    assert shown["headers"] == [["h", "x"], ["n", None]]


def test_an_internal_error_names_the_household_that_has_to_do_without() -> None:
    told = dead_letter_headers(
        [("hearthwatch.household", b"forged")],
        topic="life.health", partition=0, offset=1, reason="internal-error", message="$: x", household=b"H1",
    )  # fmt: skip
    letter = read_dead_letter(partition=0, offset=0, timestamp_ms=0, key=None, value=None, headers=told)
    assert letter.household == letter.as_row()["household"] == "H1"
    assert letter.headers == (("hearthwatch.household", b"forged"),)


@pytest.mark.parametrize("household", [None, b"H1"])
def test_a_sender_may_use_the_household_header_too(household: bytes | None) -> None:
    theirs = [("hearthwatch.household", b"theirs"), ("a", b"1")]
    headers = dead_letter_headers(
        theirs,
        topic="life.health",
        partition=0,
        offset=1,
        reason="bad-data" if household is None else "internal-error",
        message="$: x",
        household=household,
    )
    assert headers[:2] == theirs
    letter = read_dead_letter(partition=0, offset=1, timestamp_ms=0, key=None, value=None, headers=headers)
    assert list(letter.headers) == theirs
    assert letter.household == (None if household is None else "H1")
