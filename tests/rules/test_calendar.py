"""Days and midnights of a zone (policy.md, 2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from rules.calendar import Calendar, day_from_text, day_text, instant_text

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def first_minute(zone: str, day: int) -> int | None:
    """The first minute whose date in the zone is this day, by looking at every minute."""
    for minute in range(-27 * 60, 27 * 60):
        instant = EPOCH + timedelta(days=day, minutes=minute)
        here = instant.astimezone(ZoneInfo(zone)).date().toordinal() - 719_163
        if here >= day:
            return (instant - EPOCH) // timedelta(microseconds=1) if here == day else None
    raise AssertionError


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("Asia/Shanghai", "2024-03-01"),
        ("Asia/Shanghai", "1986-05-04"),
        ("Europe/Berlin", "2024-03-31"),
        ("America/Sao_Paulo", "2008-10-19"),  # midnight does not exist
        ("America/Havana", "2011-03-20"),
        ("America/St_Johns", "2010-11-07"),  # falls back at 00:01: the date begins twice
        ("Pacific/Apia", "2011-12-30"),  # the zone leaves this date out
        ("Pacific/Apia", "2011-12-31"),
        ("America/Toronto", "1919-03-31"),  # jumps from 23:30 to 00:30
        ("Asia/Kathmandu", "1986-01-01"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, date: str) -> None:
    day = day_from_text(date)
    assert Calendar(zone).midnight_of(day) == first_minute(zone, day)


def test_a_date_that_the_zone_leaves_out_has_no_midnight() -> None:
    assert Calendar("Pacific/Apia").midnight_of(day_from_text("2011-12-30")) is None


@pytest.mark.parametrize(
    ("zone", "date"),
    [
        ("Asia/Shanghai", "2024-02-29"),
        ("America/Sao_Paulo", "2008-10-18"),
        ("America/St_Johns", "2010-11-06"),
        ("Pacific/Apia", "2011-12-29"),  # the next date is the one after the next
        ("Pacific/Apia", "2011-12-30"),
    ],
)
def test_a_day_ends_where_a_later_one_begins(zone: str, date: str) -> None:
    calendar, day = Calendar(zone), day_from_text(date)
    end = calendar.end_of(day)
    assert calendar.day_of(end) > day
    assert all(calendar.day_of(end - minutes * 60_000_000 - 1) <= day for minutes in range(3_000))


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/St_Johns", "America/Sao_Paulo"])
def test_a_fact_has_the_date_of_its_time(zone: str) -> None:
    calendar = Calendar(zone)
    for hours in range(0, 24 * 400, 7):
        instant = datetime(2010, 1, 1, tzinfo=UTC) + timedelta(hours=hours, microseconds=1)
        date = instant.astimezone(ZoneInfo(zone)).date().isoformat()
        assert day_text(calendar.day_of((instant - EPOCH) // timedelta(microseconds=1))) == date


def test_the_ends_of_time_do_not_overflow() -> None:
    last = (datetime(9999, 12, 31, 23, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    first = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert day_text(Calendar("Asia/Shanghai").day_of(last)) == "10000-01-01"
    assert day_text(Calendar("America/New_York").day_of(first)) == "0000-12-31"


def test_instants_are_written_in_utc() -> None:
    assert instant_text(0) == "1970-01-01T00:00:00Z"
    assert instant_text(1) == "1970-01-01T00:00:00.000001Z"
