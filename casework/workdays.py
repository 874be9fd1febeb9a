"""Working days of the Chinese calendar, and deadlines counted in them.

Holidays and make-up working days are those of the State Council's notices, as the package ``chinesecalendar``
knows them: a year is known once its notice is out and the package was brought up to date, or once the
configuration says so. In a year that is not known Monday to Friday count as working days, and every answer
that rests on such a day says that it was assumed.

Days are whole numbers since 1970-01-01 in the time zone, instants microseconds since 1970-01-01T00:00:00Z.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import chinese_calendar

from rules.calendar import DAY_US, Calendar, civil
from streams.timestamps import HOUR, MINUTE

Unit = Literal["h", "d", "wh", "wd"]

_SPAN: Final = re.compile(r"([0-9]{1,4})(wh|wd|h|d)")
#: The days on which working days are looked for, at most: nobody is on holiday for as long.
_FARTHEST: Final = 40_000


@dataclass(frozen=True, slots=True)
class Span:
    """How long something may take.

    Attributes:
        unit: ``h`` hours of the clock, ``d`` days of the calendar, ``wh`` working hours, ``wd`` working days.
    """

    number: int
    unit: Unit

    def __str__(self) -> str:
        return f"{self.number}{self.unit}"


def parse_span(text: str) -> Span | None:
    """A span such as ``1h``, ``15d``, ``4wh`` or ``3wd``; None where the text is none, or is 0."""
    match = _SPAN.fullmatch(text)
    if match is None or int(match[1]) == 0:
        return None
    return Span(int(match[1]), match[2])  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Due:
    """A deadline: the first instant that is too late.

    Attributes:
        is_assumed: it rests on a year whose holidays are not known.
    """

    instant: int
    is_assumed: bool = False


@lru_cache(maxsize=4_096)
def _published(day: int) -> bool | None:
    """Whether a day is a working day by the State Council's notices; None where the year is not known."""
    try:
        return bool(chinese_calendar.is_workday(dt.date(*civil(day))))
    except NotImplementedError:
        return None


class Workdays:
    """Working days and hours in one time zone.

    Args:
        timezone: IANA name.
        opens, closes: when a working day's hours begin and end, in minutes after midnight.
        exceptions: day -> whether it is a working day: what the configuration says, before any notice.
        years: years that the configuration says are complete with its exceptions.
    """

    def __init__(
        self,
        timezone: str,
        *,
        opens: int = 9 * 60,
        closes: int = 17 * 60,
        exceptions: Mapping[int, bool] | None = None,
        years: frozenset[int] = frozenset(),
    ) -> None:
        assert 0 <= opens < closes <= 24 * 60
        self.calendar = Calendar(timezone)
        self.opens = opens
        self.closes = closes
        self._exceptions = dict(exceptions or {})
        self._years = years

    def is_workday(self, day: int) -> tuple[bool, bool]:
        """Whether a day is a working day, and whether that was assumed."""
        exception = self._exceptions.get(day)
        if exception is not None:
            return exception, False
        published = _published(day)
        if published is not None:
            return published, False
        is_weekday = (day + 3) % 7 < 5  # 1970-01-01 was a Thursday
        return is_weekday, civil(day)[0] not in self._years

    def due(self, start: int, span: Span) -> Due:
        """When what may take ``span`` from ``start`` on is too late.

        Hours run by the clock. Days and working days end with their last day: that of the start is not
        counted, so ``3wd`` from a Monday is too late when Friday begins. Working hours run while a working
        day is open.
        """
        if span.unit == "h":
            return Due(start + span.number * HOUR)
        if span.unit == "d":
            return Due(self._midnight(self.calendar.day_of(start) + span.number + 1))
        if span.unit == "wd":
            return self._working_days(start, span.number)
        return self._working_hours(start, span.number * HOUR)

    def _working_days(self, start: int, number: int) -> Due:
        day = self.calendar.day_of(start)
        is_assumed = False
        left = number
        for _ in range(_FARTHEST):
            if not left:
                break
            day += 1
            counts, guessed = self.is_workday(day)
            is_assumed = is_assumed or guessed
            left -= counts
        return Due(self._midnight(day + 1), is_assumed)

    def _working_hours(self, start: int, left: int) -> Due:
        day = self.calendar.day_of(start)
        is_assumed = False
        for _ in range(_FARTHEST):
            counts, guessed = self.is_workday(day)
            is_assumed = is_assumed or guessed
            if counts:
                midnight = self._midnight(day)
                begins = max(start, midnight + self.opens * MINUTE)
                open_for = midnight + self.closes * MINUTE - begins
                if open_for >= left:
                    return Due(begins + left, is_assumed)
                left -= max(0, open_for)
            day += 1
        return Due(self._midnight(day), is_assumed)

    def opening(self, day: int) -> int:
        """When a day's working hours begin, working day or not."""
        return self._midnight(day) + self.opens * MINUTE

    def _midnight(self, day: int) -> int:
        """When a day begins, or the next one that there is: a zone may leave a date out."""
        for candidate in (day, day + 1):
            midnight = self.calendar.midnight_of(candidate)
            if midnight is not None:
                return midnight
        return day * DAY_US
