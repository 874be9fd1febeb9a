"""Instants, days and local midnights.

An instant is a whole number of microseconds since 1970-01-01T00:00:00Z, a day a whole
number of days since 1970-01-01.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

SECOND = 1_000_000
DAY = 86_400 * SECOND
EPOCH = dt.date(1970, 1, 1).toordinal()
FIRST = (dt.date.min.toordinal() - EPOCH) * DAY
LAST = (dt.date.max.toordinal() - EPOCH + 1) * DAY - 1

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:\.([0-9]+))?(?:([Zz])|([+-])([0-9]{2}):([0-9]{2}))"
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def parse_date(text: str) -> int | None:
    """The day of ``YYYY-MM-DD``; None if it is no real date of the years 0001 to 9999."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return dt.date(int(found[1]), int(found[2]), int(found[3])).toordinal() - EPOCH
    except ValueError:
        return None


def parse_time(text: str) -> int | None:
    """The instant of an RFC 3339 date-time; None if it is malformed."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day = parse_date(f"{found[1]}-{found[2]}-{found[3]}")
    hour, minute, second = int(found[4]), int(found[5]), int(found[6])
    if day is None or hour > 23 or minute > 59 or second > 59:
        return None
    offset = 0
    if found[8] is None:
        hours, minutes = int(found[10]), int(found[11])
        if hours > 23 or minutes > 59:
            return None
        offset = (hours * 60 + minutes) * 60 * (-1 if found[9] == "-" else 1)
    micros = int(((found[7] or "") + "000000")[:6])
    instant = day * DAY + ((hour * 60 + minute) * 60 + second - offset) * SECOND + micros
    return instant if FIRST <= instant <= LAST else None


def format_time(instant: int) -> str:
    """RFC 3339 in UTC, with six decimals where there are any."""
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=instant)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def date_of(day: int) -> tuple[int, int, int]:
    """Year, month and day; also of the days just outside the years 0001 to 9999, by their zone."""
    ordinal = day + EPOCH
    if ordinal < 1:
        return (0, 12, 31)
    if ordinal > dt.date.max.toordinal():
        return (10_000, 1, 1)
    date = dt.date.fromordinal(ordinal)
    return (date.year, date.month, date.day)


def format_date(day: int) -> str:
    year, month, date = date_of(day)
    return f"{year:04d}-{month:02d}-{date:02d}"


def offset_at(zone: ZoneInfo, instant: int) -> int:
    """The zone's offset from UTC at an instant, in microseconds."""
    inside = min(max(instant, FIRST + 2 * DAY), LAST - 2 * DAY)
    moment = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=inside)
    offset = moment.astimezone(zone).utcoffset()
    assert offset is not None
    return offset // dt.timedelta(microseconds=1)


def local_day(zone: ZoneInfo, instant: int) -> int:
    return (instant + offset_at(zone, instant)) // DAY


@lru_cache(maxsize=100_000)
def midnight(zone: ZoneInfo, day: int) -> int | None:
    """The first instant of a local day; None for a day that the zone leaves out.

    Usually 00:00, but a zone may jump over midnight, or come to the same day twice.
    """
    start = day * DAY - 26 * 3600 * SECOND
    samples = [start + hour * 3600 * SECOND for hour in range(79)]
    offsets = [offset_at(zone, sample) for sample in samples]
    candidates = {day * DAY - offset for offset in offsets}
    for index in range(len(samples) - 1):
        if offsets[index] != offsets[index + 1]:
            low, high = samples[index], samples[index + 1]
            while high - low > SECOND:  # offsets change at whole seconds
                middle = (low + high) // 2 // SECOND * SECOND
                if offset_at(zone, middle) == offsets[index]:
                    low = middle
                else:
                    high = middle
            candidates.add(high)
    fitting = [candidate for candidate in candidates if local_day(zone, candidate) == day]
    return min(fitting) if fitting else None
