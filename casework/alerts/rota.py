"""Who is on call: weeks that take turns, holidays of their own, and overrides.

A day of a rota begins at its handover and ends at that of the next day. Days are whole numbers since
1970-01-01 in the time zone.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from casework.workdays import Workdays
from streams.timestamps import SECOND

DayKind = Literal["work", "rest", "holiday"]

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WORKDAYS, WEEKENDS = "workdays", "weekends"
SLOTS: Final = (*WEEKDAYS, WORKDAYS, WEEKENDS)
"""Keys of a week that is not one shift: a weekday goes before ``workdays`` and ``weekends``."""
#: No run of days without work is longer; it bounds a search.
_LONGEST_HOLIDAY: Final = 30


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody else, from a day to a day, both included."""

    first: int
    last: int
    who: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rota:
    """A team's rota.

    Attributes:
        starts: the day on which the first week begins.
        handover: minutes after midnight.
        weeks: they take turns; each is {slot: members}.
        holidays: they take turns by the day of a holiday; empty: holidays are as weekends.
        overrides: the last one that covers a day wins.
    """

    weeks: tuple[Mapping[str, tuple[str, ...]], ...]
    starts: int = 0
    handover: int = 0
    holidays: tuple[tuple[str, ...], ...] = ()
    overrides: tuple[Override, ...] = ()

    def on_call(self, at: int, zone: zoneinfo.ZoneInfo, workdays: Workdays) -> tuple[str, ...]:
        """The members on call at an instant, in microseconds since 1970."""
        local = dt.datetime.fromtimestamp(at // SECOND, zone)
        day = workdays.calendar.day_of(at)
        if local.hour * 60 + local.minute < self.handover:
            day -= 1
        return self.on_day(day, workdays)

    def on_day(self, day: int, workdays: Workdays) -> tuple[str, ...]:
        """The members on call on a day of the rota."""
        for override in reversed(self.overrides):
            if override.first <= day <= override.last:
                return override.who
        kind = day_kind(day, workdays)
        if kind == "holiday" and self.holidays:
            return self.holidays[_day_of_holiday(day, workdays) % len(self.holidays)]
        week = self.weeks[(day - self.starts) // 7 % len(self.weeks)]
        weekday = WEEKDAYS[(day + 3) % 7]  # 1970-01-01 was a Thursday
        is_weekend = weekday in ("sat", "sun")
        if kind == "work" and is_weekend:  # a make-up day is worked by those who work
            order: tuple[str, ...] = (WORKDAYS, weekday, WEEKENDS)
        elif kind != "work" and not is_weekend:
            order = (WEEKENDS, weekday, WORKDAYS)
        else:
            order = (weekday, WEEKENDS if is_weekend else WORKDAYS)
        return next((week[slot] for slot in order if slot in week), ())


def day_kind(day: int, workdays: Workdays) -> DayKind:
    """What a day is.

    A run of days without work that holds a Monday to Friday is a holiday, its weekends with it.
    """
    if _works(day, workdays):
        return "work"
    first, last = _run(day, workdays)
    return "holiday" if any((one + 3) % 7 < 5 for one in range(first, last + 1)) else "rest"


def _works(day: int, workdays: Workdays) -> bool:
    return workdays.is_workday(day)[0]


def _run(day: int, workdays: Workdays) -> tuple[int, int]:
    """The first and the last day of the days without work around a day."""
    first = last = day
    while day - first < _LONGEST_HOLIDAY and not _works(first - 1, workdays):
        first -= 1
    while last - day < _LONGEST_HOLIDAY and not _works(last + 1, workdays):
        last += 1
    return first, last


def _day_of_holiday(day: int, workdays: Workdays) -> int:
    """Which day of its holiday a day is, from 0."""
    return day - _run(day, workdays)[0]
