"""A picture of a result: bars of CPU per record, as an SVG that needs nothing to be drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import escape

_WIDTH: Final = 760
_LEFT: Final = 190
_BAR: Final = 26
_GAP: Final = 16
_TOP: Final = 66
INK: Final = "#24292f"
FAINT: Final = "#8c959f"
OURS: Final = "#2f6f9f"
OTHER: Final = "#b5542b"


def draw(result: Mapping[str, Any]) -> str:
    """Stages and Faust as bars; whiskers from the least to the greatest window, ticks at the aims."""
    rows = list(_rows(result))
    greatest = max(cpu["max"] for _, cpu, _, _ in rows)
    scale = (_WIDTH - _LEFT - 90) / greatest
    height = _TOP + len(rows) * (_BAR + _GAP) + 34
    parts = [
        *sheet(_WIDTH, height),
        text(20, 28, "CPU per record, in microseconds (user and system, one core)", size=16),
        text(20, 48, f"{result['cpu']}, Python {result['python']}, {result['date']}", fill=FAINT),
    ]
    for number, (name, cpu, aim, colour) in enumerate(rows):
        y = _TOP + number * (_BAR + _GAP)
        middle = y + _BAR / 2
        right = _LEFT + cpu["median"] * scale
        low, high = _LEFT + cpu["min"] * scale, _LEFT + cpu["max"] * scale
        parts += [
            text(_LEFT - 12, middle + 5, name, anchor="end"),
            f'<rect x="{_LEFT}" y="{y}" width="{right - _LEFT:.1f}" height="{_BAR}" fill="{colour}" rx="2"/>',
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{INK}" stroke-width="1.5"/>',
            text(max(high, right) + 10, middle + 5, f"{cpu['median']:.1f}"),
        ]
        if aim is not None:
            at = _LEFT + aim * scale
            parts.append(f'<path d="M{at:.1f} {y - 4}v{_BAR + 8}" stroke="{OTHER}" stroke-width="2"/>')
    parts.append(text(20, height - 14, "Red ticks: aims. Lines: least and greatest window.", fill=FAINT))
    return "\n".join([*parts, "</svg>", ""])


def _rows(result: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, float], float | None, str]]:
    summary = result["pipeline"]["summary"]
    for stage in ("intake", "person", "household"):
        yield stage, summary[stage]["cpu_us"], summary[stage]["aim_us"], OURS
    yield "Faust as documented", result["faust"]["cpu_us"], None, OTHER


def sheet(width: int, height: int) -> list[str]:
    """The beginning of an SVG: its head, and a white sheet."""
    return [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
            f' viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" role="img">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]


def text(x: float, y: float, what: str, *, size: int = 13, fill: str = INK, anchor: str = "start") -> str:
    """Some words at a place."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}" text-anchor="{anchor}">'
        f"{escape(what)}</text>"
    )
