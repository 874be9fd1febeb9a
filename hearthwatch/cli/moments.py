"""Points in time as people type and read them."""

from __future__ import annotations

import datetime as dt
from typing import Final

from streams.errors import InputError
from streams.timestamps import SECOND, parse_timestamp

_LOCAL: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d")


def instant_of(text: str, zone: dt.tzinfo, option: str) -> int:
    """Microseconds since 1970 of what was typed: RFC 3339, or without an offset in a time zone.

    Raises:
        InputError: it is no time.
    """
    instant = parse_timestamp(text)
    if instant is not None:
        return instant
    for form in _LOCAL:
        try:
            local = dt.datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
        return int(local.timestamp()) * SECOND
    raise InputError(f"{option}: `{text}` is no time: expected one such as 2026-10-03T09:00")


def local_text(time: str | int, zone: dt.tzinfo) -> str:
    """``2026-10-03 09:00`` in a time zone, of an RFC 3339 text or microseconds since 1970."""
    instant = parse_timestamp(time) if isinstance(time, str) else time
    if instant is None:
        return str(time)
    return f"{dt.datetime.fromtimestamp(instant // SECOND, zone):%Y-%m-%d %H:%M}"
