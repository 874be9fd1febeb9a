"""The picture of :mod:`bench.scale`: cost by number of households, and delays while a district is busy."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import log10
from typing import Any

_WIDTH, _ROW = 900, 330
_INK, _GREY, _BLUE, _RED = "#24292f", "#6e7781", "#0969da", "#cf222e"


def draw(result: dict[str, Any]) -> str:
    """An SVG of the parts that there are figures of."""
    shapes: list[str] = []
    height = _ROW
    if "flat" in result:
        shapes += _flat(result["flat"])
    if "burst" in result:
        shapes += _delays(result["burst"], 0, ((1, "month's end"), (3, "tick")))
    if "activation" in result:
        top = height - 30 if "burst" in result else 0
        height = top + _ROW
        shapes += _delays(result["activation"], top, ((1, "another policy"),))
        if top:
            shapes += _sweep(result["activation"], top)
    about = f"{result['cpu']}, {result['cores']} cores, {_dates(result)}"
    shapes.append(_text(20, height - 10, about, _GREY, 11))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>' + "".join(shapes) + "</svg>\n"
    )


def _dates(result: dict[str, Any]) -> str:
    """When the parts were measured: one date, or each with its parts."""
    parts: dict[str, list[str]] = {}
    for part in ("flat", "burst", "activation"):
        if part in result:
            parts.setdefault(result[part].get("date", result["date"]), []).append(part)
    if len(parts) < 2:
        return next(iter(parts), str(result["date"]))
    return ", ".join(f"{date} ({', '.join(names)})" for date, names in sorted(parts.items()))


def _sweep(found: dict[str, Any], top: int) -> list[str]:
    """What an activation took, in words, in the place beside its delays."""
    phase = found["phases"]["activation"]
    lines = (
        f"{found['households']:,} households evaluated by it after {found['seconds']:.0f} s,",
        f"{found['cpu_us']:.0f} microseconds of CPU each;",
        f"warnings of others meanwhile: half within {phase['p50_ms']:.0f} ms,",
        f"the slowest within {phase['max_ms']:.0f} ms.",
    )
    return [
        _text(20, top + 24, "Another policy is activated", _INK, 14),
        *(_text(20, top + 60 + 20 * number, line) for number, line in enumerate(lines)),
    ]


def _text(x: float, y: float, text: str, colour: str = _INK, size: int = 12, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}">'
        f"{escape(text)}</text>"
    )


def _line(points: list[tuple[float, float]], colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'


def _flat(flat: dict[str, Any]) -> list[str]:
    left, top, width, height = 60, 60, 300, 200
    rows = flat["sizes"]
    most = max(row["us"][str(share)] for row in rows for share in flat["hit_shares"]) * 1.2
    low, high = log10(rows[0]["households"]), log10(rows[-1]["households"])

    def at(households: int, us: float) -> tuple[float, float]:
        share = (log10(households) - low) / ((high - low) or 1)
        return left + share * width, top + height - us / most * height

    shapes = [
        _text(20, 24, "CPU of the household stage for an event, microseconds", _INK, 14),
        _line([(left, top), (left, top + height), (left + width, top + height)], _GREY),
    ]
    for share, colour in zip(flat["hit_shares"], (_BLUE, _RED), strict=True):
        points = [at(row["households"], row["us"][str(share)]) for row in rows]
        shapes.append(_line(points, colour))
        for (x, y), row in zip(points, rows, strict=True):
            shapes.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>')
            shapes.append(_text(x, y - 8, f"{row['us'][str(share)]:.1f}", colour, 11, "middle"))
        x, y = points[-1]
        shapes.append(_text(left + 12, top + height - 40 + 16 * flat["hit_shares"].index(share),
                            f"{share:.0%} of the households at hand", colour))  # fmt: skip
    for row in rows:
        x, _ = at(row["households"], 0)
        shapes.append(_text(x, top + height + 18, f"{row['households']:,}", _GREY, 11, "middle"))
    shapes.append(_text(left + width / 2, top + height + 36, "households", _GREY, 11, "middle"))
    return shapes


def _delays(found: dict[str, Any], above: int, shaded: Sequence[tuple[int, str]]) -> list[str]:
    """The slowest warning of each second; ``shaded`` are phases with their names."""
    left, top, width, height = 470, above + 60, 400, 200
    series, begins = found["series"], found["begins"]
    end = begins[-1]
    most = max(1_000.0, *(delay for _, delay in series)) * 1.1

    def x(second: float) -> float:
        return left + second / end * width

    def y(delay: float) -> float:
        return top + height - delay / most * height

    shapes = [
        _text(430, above + 24, "Slowest warning of others in each second, milliseconds", _INK, 14),
        _line([(left, top), (left, top + height), (left + width, top + height)], _GREY),
        _line([(left, y(1000)), (left + width, y(1000))], "#d0d7de"),
        _text(left - 6, y(1000) + 4, "1,000", _GREY, 11, "end"),
        _text(left - 6, top + height, "0", _GREY, 11, "end"),
    ]
    for number, name in shaded:
        begin, until = begins[number], begins[number + 1]
        shapes.append(
            f'<rect x="{x(begin):.1f}" y="{top}" width="{x(until) - x(begin):.1f}" height="{height}" '
            'fill="#ddf4ff" opacity="0.7"/>'
        )
        shapes.append(_text(x((begin + until) / 2), top - 6, name, _GREY, 11, "middle"))
    shapes.append(_line([(x(second), y(delay)) for second, delay in series], _BLUE))
    shapes.append(
        _text(left + width / 2, top + height + 18, f"{end:.0f} seconds; {found['households']:,} households",
              _GREY, 11, "middle")
    )  # fmt: skip
    return shapes
