"""Working days: National Day with its make-up days, years nobody has announced, hours of the clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from casework.workdays import Span, Workdays, parse_span
from rules.calendar import day_from_text, instant_text
from streams.timestamps import parse_timestamp

CHINA = Workdays("Asia/Shanghai")


def at(text: str) -> int:
    instant = parse_timestamp(text + "+08:00")
    assert instant is not None
    return instant


def due(start: str, span: str, days: Workdays = CHINA) -> tuple[str, bool]:
    parsed = parse_span(span)
    assert parsed is not None
    found = days.due(at(start), parsed)
    return instant_text(found.instant + 8 * 3_600_000_000)[:-1], found.is_assumed


def test_three_working_days_are_too_late_when_the_fourth_day_begins() -> None:
    assert due("2026-03-02T10:00:00", "3wd") == ("2026-03-06T00:00:00", False)  # a Monday
    assert due("2026-03-06T10:00:00", "3wd") == ("2026-03-12T00:00:00", False)  # over a weekend


def test_a_holiday_does_not_count_and_its_make_up_day_does() -> None:
    # National Day 2026: off from the 1st to the 7th; Saturday the 10th is worked.
    assert due("2026-09-30T16:00:00", "3wd") == ("2026-10-11T00:00:00", False)
    assert CHINA.is_workday(day_from_text("2026-10-10")) == (True, False)
    assert CHINA.is_workday(day_from_text("2026-10-07")) == (False, False)


def test_a_year_that_nobody_has_announced_is_assumed_and_says_so() -> None:
    assert CHINA.is_workday(day_from_text("2061-01-03")) == (True, True)  # a Monday
    assert CHINA.is_workday(day_from_text("2061-01-01")) == (False, True)
    assert due("2060-12-30T10:00:00", "3wd")[1] is True


def test_the_configuration_can_say_what_no_package_knows_yet() -> None:
    told = Workdays("Asia/Shanghai", exceptions={day_from_text("2061-01-03"): False}, years=frozenset({2061}))
    assert told.is_workday(day_from_text("2061-01-03")) == (False, False)
    assert told.is_workday(day_from_text("2061-01-04")) == (True, False)
    assert told.is_workday(day_from_text("2062-01-03")) == (True, True)


def test_hours_of_the_clock_run_through_the_night_and_days_end_with_the_last_one() -> None:
    assert due("2026-10-01T23:30:00", "1h") == ("2026-10-02T00:30:00", False)
    assert due("2026-10-01T23:30:00", "24h") == ("2026-10-02T23:30:00", False)
    assert due("2026-10-01T10:00:00", "15d") == ("2026-10-17T00:00:00", False)


def test_working_hours_run_while_a_working_day_is_open() -> None:
    assert due("2026-03-02T10:00:00", "4wh") == ("2026-03-02T14:00:00", False)
    assert due("2026-03-02T15:00:00", "4wh") == ("2026-03-03T11:00:00", False)
    assert due("2026-03-06T20:00:00", "8wh") == ("2026-03-09T17:00:00", False)
    assert due("2026-03-07T10:00:00", "1wh") == ("2026-03-09T10:00:00", False)  # a Saturday


def test_spans_are_read_and_what_is_none_is_not() -> None:
    assert parse_span("3wd") == Span(3, "wd")
    assert str(parse_span("24h")) == "24h"
    assert [parse_span(text) for text in ("", "0d", "3", "wd", "-1d", "3 wd", "3w", "99999d")] == [None] * 8


@given(
    start=st.integers(at("2005-01-01T00:00:00"), at("2070-01-01T00:00:00")),
    number=st.integers(1, 60),
    unit=st.sampled_from(["h", "d", "wh", "wd"]),
)
def test_a_deadline_lies_after_its_start_and_a_longer_one_never_before_it(
    start: int, number: int, unit: str
) -> None:
    span = Span(number, unit)  # type: ignore[arg-type]
    longer = Span(number + 1, unit)  # type: ignore[arg-type]
    assert start < CHINA.due(start, span).instant < CHINA.due(start, longer).instant
    assert CHINA.due(start, span).instant <= CHINA.due(start + 1, span).instant
