"""Times on the wire (events, section 1): RFC 3339 section 5.6, years 0001 to 9999 in UTC too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.timestamps import format_timestamp, is_date, parse_fast, parse_timestamp

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

GOOD = {
    "1970-01-01T00:00:00Z": 0,
    "1970-01-01t00:00:00z": 0,
    "1970-01-01T08:00:00+08:00": 0,
    "1969-12-31T23:59:59.999999-00:00": -1,
    "1970-01-01T00:00:00.5Z": 500_000,
    "1970-01-01T00:00:00.0000019999999999999999999Z": 1,
    "1970-01-01T00:00:00.000000999Z": 0,
    "2024-02-29T00:00:00Z": 1_709_164_800_000_000,
    "0001-01-01T00:00:00Z": -62_135_596_800_000_000,
    "9999-12-31T23:59:59.999999Z": 253_402_300_799_999_999,
    "9999-12-31T23:59:59.9999999Z": 253_402_300_799_999_999,
    "0001-01-01T23:59:00+23:59": -62_135_596_800_000_000,
    "9999-12-31T00:00:00-23:59": 253_402_300_740_000_000,
}

BAD = [
    "",
    "2024-03-01",
    "2024-03-01T08:00:00",
    "2024-03-01T08:00Z",
    "2024-03-01 08:00:00Z",
    "2024-03-01T08:00:00 Z",
    "2024-03-01T08:00:00.Z",
    "2024-03-01T08:00:00,5Z",
    "2024-03-01T24:00:00Z",
    "2024-03-01T08:60:00Z",
    "2024-03-01T08:00:60Z",
    "2016-12-31T23:59:60Z",
    "2023-02-29T00:00:00Z",
    "2024-04-31T00:00:00Z",
    "2024-13-01T00:00:00Z",
    "2024-00-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "10000-01-01T00:00:00Z",
    "2024-03-01T08:00:00+0800",
    "2024-03-01T08:00:00+08",
    "2024-03-01T08:00:00+24:00",
    "2024-03-01T08:00:00+08:60",
    "2024-03-01T08:00:00+08:00:00",
    "2024-03-01T08:00:00\u221208:00",
    "2024-03-01T08:00:00Z\n",
    " 2024-03-01T08:00:00Z",
    "２０２４-03-01T08:00:00Z",
    "2024-W09-5T08:00:00Z",
    "20240301T080000Z",
    "-2024-03-01T08:00:00Z",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_times(text: str) -> None:
    assert parse_timestamp(text) == GOOD[text]
    assert parse_fast(text) == GOOD[text]
    assert parse_fast(text) == GOOD[text]  # the second time from what the first one kept


@pytest.mark.parametrize("text", BAD)
def test_malformed_times(text: str) -> None:
    assert parse_timestamp(text) is None
    assert parse_fast(text) is None


@given(
    st.datetimes(),
    st.integers(-1439, 1439),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
)
@settings(max_examples=150)
def test_agrees_with_datetime(local: datetime, offset: int, spec: str) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=offset)))
    text = moment.isoformat(timespec=spec)
    exact = (datetime.fromisoformat(text) - EPOCH) // MICROSECOND
    in_range = (
        parse_timestamp("0001-01-01T00:00:00Z") <= exact <= parse_timestamp("9999-12-31T23:59:59.999999Z")
    )  # type: ignore[operator]
    assert parse_timestamp(text) == (exact if in_range else None)
    assert parse_fast(text) == parse_timestamp(text)


@given(
    st.text("0123456789-:+TtZz. ", max_size=28)
    | st.from_regex(r"(20|00|99)\d\d-\d\d-\d\dT\d\d:\d\d:\d\d([+-]\d\d:\d\d|Z)")
)
@settings(max_examples=300)
def test_the_fast_reading_is_the_exact_one(text: str) -> None:
    assert parse_fast(text) == parse_timestamp(text)


@given(st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999))
def test_format_then_parse_is_identity(instant: int) -> None:
    assert parse_timestamp(format_timestamp(instant)) == instant


def test_format_has_no_more_decimals_than_needed() -> None:
    assert format_timestamp(0) == "1970-01-01T00:00:00Z"
    assert format_timestamp(1_500_000) == "1970-01-01T00:00:01.5Z"
    with pytest.raises(ValueError, match="0001 to 9999"):
        format_timestamp(10**18)


@pytest.mark.parametrize("text", ["2024-02-29", "0001-01-01", "9999-12-31"])
def test_real_dates(text: str) -> None:
    assert is_date(text)


@pytest.mark.parametrize(
    "text",
    ["2023-02-29", "0000-01-01", "2024-2-1", "20240201", "2024-02-01\n", "2024-02-01T", "２024-02-01", ""],
)
def test_no_dates(text: str) -> None:
    assert not is_date(text)
