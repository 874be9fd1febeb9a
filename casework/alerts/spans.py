"""Spans, times of day and days of a routes file."""

from __future__ import annotations

import re
from typing import Final

from rules.calendar import day_from_text
from streams.timestamps import DAY, HOUR, MINUTE, SECOND, is_date
from streams.yamlfile import Node

_UNITS: Final = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
_SPAN: Final = re.compile(r"([0-9]{1,6})([smhd])")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def span_of(text: str) -> int | None:
    """A span such as ``30s``, ``5m``, ``4h`` or ``2d``, in microseconds; None for what is none."""
    match = _SPAN.fullmatch(text)
    return None if match is None else int(match[1]) * _UNITS[match[2]]


def read_span(node: Node | None, what: str, default: int, least: int = SECOND) -> int:
    """A span such as ``30s``, ``5m``, ``4h`` or ``2d``, in microseconds; the default where it is missing or
    faulty."""
    text = node.string(what) if node is not None else None
    if node is None or text is None:
        return default
    span = span_of(text)
    if span is None:
        node.source.fault(node, f"{what} must be a span such as 30s, 5m, 4h or 2d, not {node.described()}")
        return default
    if span < least:
        node.source.fault(node, f"{what} must be at least {span_text(least)}, not {text}")
        return default
    return span


def read_clock(node: Node | None, what: str) -> int | None:
    """A time of day such as ``"08:30"``, in minutes after midnight."""
    text = node.string(what) if node is not None else None
    if node is None or text is None:
        return None
    match = _CLOCK.fullmatch(text)
    if match is None:
        node.source.fault(node, f"{what} must be a time of day such as 08:30, not {node.described()}")
        return None
    return int(match[1]) * 60 + int(match[2])


def read_day(node: Node | None, what: str) -> int | None:
    """A date, in days since 1970-01-01."""
    text = node.string(what) if node is not None else None
    if node is None or text is None:
        return None
    if is_date(text):
        return day_from_text(text)
    node.source.fault(node, f"{what} must be a date such as 2026-10-01, not {node.described()}")
    return None


def span_text(span: int) -> str:
    """A span as a file says it, in the largest unit that is whole."""
    for unit, size in reversed(_UNITS.items()):
        if span >= size and span % size == 0:
            return f"{span // size}{unit}"
    return f"{span // SECOND}s"
