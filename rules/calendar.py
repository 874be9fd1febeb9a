"""Days of a time zone: which date an instant falls on, and when a date begins.

Days are whole numbers since 1970-01-01, instants whole microseconds since 1970-01-01T00:00:00Z. Both may
lie a little outside the years 1 to 9999 that :mod:`datetime` knows, because the zone's offset is added.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
# Offsets are looked up at instants within these bounds, where datetime cannot overflow.
_FIRST_US: Final = (datetime(1, 1, 3, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST_US: Final = (datetime(9999, 12, 29, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

#: Instants are looked up by stretches of 2**36 us, some 19 hours, each of which at most one midnight is in.
_STRETCH_BITS: Final = 36

#: A day that never comes.
NEVER: Final = 2**31


def day_from_text(text: str) -> int:
    """The day of an ISO date such as ``2024-03-01``."""
    return date.fromisoformat(text).toordinal() - _EPOCH_ORDINAL


@lru_cache(maxsize=4_096)
def day_text(day: int) -> str:
    """The ISO date of a day."""
    ordinal = day + _EPOCH_ORDINAL
    if 1 <= ordinal <= date.max.toordinal():
        return date.fromordinal(ordinal).isoformat()
    # One day beyond what `date` knows, at either end: only an offset can lead there.
    return "0000-12-31" if ordinal < 1 else "10000-01-01"


@lru_cache(maxsize=4_096)
def civil(day: int) -> tuple[int, int, int]:
    """Year, month and day of month."""
    ordinal = min(max(day + _EPOCH_ORDINAL, 1), date.max.toordinal())
    when = date.fromordinal(ordinal)
    return when.year, when.month, when.day


def instant_text(instant_us: int) -> str:
    """RFC 3339 in UTC, with decimals only where there are any."""
    when = _EPOCH + timedelta(microseconds=instant_us)
    text = when.isoformat(timespec="microseconds" if instant_us % 1_000_000 else "seconds")
    return text.replace("+00:00", "Z")


class Calendar:
    """The dates of one IANA time zone."""

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        self._zone = ZoneInfo(timezone)
        # Stretch -> the day that it begins on and the instant at which the next one begins, where the zone's
        # offset is the same all through it; otherwise None.
        self._stretches: dict[int, tuple[int, int] | None] = {}
        self._midnights: dict[int, int | None] = {}

    def day_of(self, instant_us: int) -> int:
        """The date of an instant."""
        try:
            stretch = self._stretches[instant_us >> _STRETCH_BITS]
        except KeyError:
            stretch = self._stretch(instant_us >> _STRETCH_BITS)
        if stretch is None:
            return (instant_us + self._offset(instant_us)) // DAY_US
        day, midnight = stretch
        return day if instant_us < midnight else day + 1

    def end_of(self, day: int) -> int:
        """The first instant of the next date that there is; before it nothing is later than ``day``."""
        while (midnight := self.midnight_of(day + 1)) is None:  # the zone leaves that date out
            day += 1
        return midnight

    def midnight_of(self, day: int) -> int | None:
        """The first instant of a date, or None where the zone leaves the date out."""
        try:
            return self._midnights[day]
        except KeyError:
            if len(self._midnights) > 100_000:
                self._midnights.clear()
            first = self._midnights[day] = self._first_instant(day)
            return first

    def _stretch(self, number: int) -> tuple[int, int] | None:
        begin = number << _STRETCH_BITS
        offset, last = self._offset(begin), self._offset(begin + (1 << _STRETCH_BITS) - 1)
        day = (begin + offset) // DAY_US
        if len(self._stretches) > 100_000:
            self._stretches.clear()
        stretch = self._stretches[number] = (day, (day + 1) * DAY_US - offset) if offset == last else None
        return stretch

    def _offset(self, instant_us: int) -> int:
        inside = min(max(instant_us, _FIRST_US), _LAST_US)
        offset = (_EPOCH + timedelta(microseconds=inside)).astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset // timedelta(microseconds=1)

    def _first_instant(self, day: int) -> int | None:
        # Offsets lie within a day of UTC, so the date's first instant is where the zone's clock first
        # reaches it in this window. The clock is monotone but for a fall back over midnight, which the
        # walk over the offsets in use here covers: each gives one candidate.
        nominal = day * DAY_US
        offsets = {self._offset(nominal + hours * 3_600_000_000) for hours in range(-30, 31, 6)}
        candidates = [nominal - offset for offset in offsets if self._offset(nominal - offset) == offset]
        if candidates:
            return min(candidates)
        # Midnight itself does not exist: the clock jumps over it. Find the jump.
        low, high = nominal - max(offsets) - DAY_US, nominal - min(offsets) + DAY_US
        while high - low > 1:
            middle = (low + high) // 2
            if (middle + self._offset(middle)) // DAY_US >= day:
                high = middle
            else:
                low = middle
        return high if (high + self._offset(high)) // DAY_US == day else None
