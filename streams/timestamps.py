"""Points in time on the wire: RFC 3339 text to microseconds since 1970 and back.

The grammar is that of RFC 3339 section 5.6, always with an offset, years 0001 to 9999 in local time and in
UTC. A leap second (``:60``) is malformed; decimals beyond microseconds are cut off.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Final

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
"""Microseconds."""

_EPOCH: Final = date(1970, 1, 1).toordinal()
_FIRST: Final = (date(1, 1, 1).toordinal() - _EPOCH) * DAY
_LAST: Final = (date(9999, 12, 31).toordinal() - _EPOCH + 1) * DAY - 1

# The grammar's letters stand for both cases (RFC 5234, 2.3); re.ASCII is not needed: no class is used.
_TIMESTAMP: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]"
    r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))"
)
_DATE: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")

# For parse_fast: what each part of ``2024-03-01T08:00:00+08:00`` adds, in microseconds. Days and tails
# (``:00+08:00``) are kept as they come, up to a number that bounds the memory of a stream with all there are.
_days: dict[str, int] = {}
_MINUTES: Final = {f"T{h:02}:{m:02}": h * HOUR + m * MINUTE for h in range(24) for m in range(60)}
_tails: dict[str, int] = {}
_KEPT: Final = 20_000


def parse_timestamp(text: str) -> int | None:
    """Microseconds since 1970-01-01T00:00:00Z, or None where the text is malformed."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, decimals, sign, offset_hour, offset_minute = match.groups()
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError:  # no such date, or the year 0000
        return None
    instant = days * DAY + int(hour) * HOUR + int(minute) * MINUTE + int(second) * SECOND
    if decimals is not None:
        instant += int(decimals[:6].ljust(6, "0"))
    if sign is not None:
        offset = int(offset_hour) * HOUR + int(offset_minute) * MINUTE
        instant += -offset if sign == "+" else offset
    return instant if _FIRST <= instant <= _LAST else None


def parse_fast(text: str) -> int | None:
    """The same as :func:`parse_timestamp`, several times faster for whole seconds with a usual date."""
    try:
        return _days[text[:10]] + _MINUTES[text[10:16]] + _tails[text[16:]]
    except KeyError:
        return _parse_and_keep(text)


def _parse_and_keep(text: str) -> int | None:
    instant = parse_timestamp(text)
    # Years at the edge stay out, because there the offset may lead out of range.
    if instant is None or "." in text or not "0001" < text[:4] < "9999" or text[10] != "T":
        return instant
    day = (date.fromisoformat(text[:10]).toordinal() - _EPOCH) * DAY
    if len(_days) < _KEPT:
        _days[text[:10]] = day
    if len(_tails) < _KEPT:
        _tails[text[16:]] = instant - day - _MINUTES[text[10:16]]
    return instant


def is_date(text: str) -> bool:
    """Whether a text is ``YYYY-MM-DD``, a real date of the years 0001 to 9999."""
    match = _DATE.fullmatch(text)
    if match is None:
        return False
    try:
        date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return False
    return True


def format_timestamp(instant: int) -> str:
    """RFC 3339 in UTC, with as many decimals as needed: ``2024-03-01T00:00:00Z``.

    Raises:
        ValueError: the instant is outside the years 0001 to 9999.
    """
    if not _FIRST <= instant <= _LAST:
        raise ValueError("a timestamp must lie in the years 0001 to 9999")
    days, rest = divmod(instant, DAY)
    seconds, micros = divmod(rest, SECOND)
    day = date.fromordinal(days + _EPOCH)
    decimals = f".{micros:06}".rstrip("0") if micros else ""
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{day.year:04}-{day.month:02}-{day.day:02}T{clock}{decimals}Z"
