"""A picture of latencies: how many milliseconds each share of the warnings took, and on which leg."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import log10
from typing import Any, Final

from bench.chart import FAINT, INK, OTHER, sheet, text

_WIDTH: Final = 760
_HEIGHT: Final = 520
_LEFT: Final = 64
_RIGHT: Final = 30
_TOP: Final = 66
_BOTTOM: Final = 340
_GRID: Final = "#d8dee4"
_LINES: Final = ("#2f6f9f", "#6b4c9a")
_LEGS: Final = {
    "life": "#9ecae1", "intake": "#4292c6", "person": "#2171b5", "household": "#08519c", "reader": "#bdbdbd",
}  # fmt: skip
_SHARES: Final = (0.0, 50.0, 90.0, 99.0, 99.9)


def draw(about: Mapping[str, Any], scenarios: Mapping[str, Mapping[str, Any]]) -> str:
    """Percentiles as lines (each nine takes the same room), aims as marks, medians of the legs as bars.

    Args:
        about: ``cpu``, ``cores``, ``python`` and ``date``.
        scenarios: name -> what :func:`bench.latency.measure` gives.
    """
    greatest = max(
        *(one["ms"]["p99.9"] for one in scenarios.values()),
        *(aim for one in scenarios.values() for aim in one["aims_ms"].values()),
    )
    scale = (_BOTTOM - _TOP) / (greatest * 1.05)
    parts = [
        *sheet(_WIDTH, _HEIGHT),
        text(20, 28, "From publishing an event to reading its warning, in milliseconds", size=16),
        text(
            20, 48,
            f"{about['cpu']}, {about['cores']} cores for all, Python {about['python']}, {about['date']}",
            fill=FAINT,
        ),
    ]  # fmt: skip
    parts += _axes(greatest, scale)
    for (name, one), colour in zip(scenarios.items(), _LINES, strict=False):
        parts += _line(name, one, colour, scale)
    parts += _bars(scenarios)
    return "\n".join([*parts, "</svg>", ""])


def _x(share: float) -> float:
    """Where a percentile stands: 0, 90, 99 and 99.9 at the same distances."""
    nines = -log10(max(1 - share / 100, 0.001))
    return _LEFT + nines / 3 * (_WIDTH - _LEFT - _RIGHT)


def _axes(greatest: float, scale: float) -> Iterator[str]:
    step = next(one for one in (5, 10, 20, 50, 100, 200, 500, 1_000, 5_000, 60_000) if greatest / one <= 8)
    for ms in range(0, int(greatest) + 1, step):
        y = _BOTTOM - ms * scale
        yield f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>'
        yield text(_LEFT - 8, y + 4, f"{ms}", fill=FAINT, anchor="end")
    for share in _SHARES:
        yield f'<path d="M{_x(share):.1f} {_TOP}V{_BOTTOM}" stroke="{_GRID}"/>'
        yield text(_x(share), _BOTTOM + 18, f"{share:g} %", fill=FAINT, anchor="middle")


def _line(name: str, one: Mapping[str, Any], colour: str, scale: float) -> Iterator[str]:
    points = [(share * 100, ms) for ms, share in one["cdf"] if share <= 0.9991]
    path = "L".join(f"{_x(share):.1f} {_BOTTOM - ms * scale:.1f}" for share, ms in points)
    yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    share, ms = min(points, key=lambda point: abs(point[0] - 75.0))
    yield text(_x(share), _BOTTOM - ms * scale - 10, name, fill=colour, anchor="middle")
    for key, aim in one["aims_ms"].items():
        x, y = _x(float(key[1:])), _BOTTOM - aim * scale
        yield f'<path d="M{x - 9:.1f} {y:.1f}h18" stroke="{OTHER}" stroke-width="3"/>'
        yield text(x + 13, y + 4, f"aim {aim:g}, {one['rate']:,}/s", fill=OTHER, size=11)


def _bars(scenarios: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    medians = {name: [(leg, one["legs_ms"][leg]["p50"]) for leg in _LEGS] for name, one in scenarios.items()}
    longest = max(sum(ms for _, ms in legs) for legs in medians.values())
    width = (_WIDTH - 130 - _RIGHT) / max(longest, 0.1)
    y = _BOTTOM + 46
    yield text(20, y, "Median of each leg:", fill=INK)
    x = 150.0
    for leg, colour in _LEGS.items():
        yield f'<rect x="{x:.0f}" y="{y - 10}" width="11" height="11" fill="{colour}"/>'
        yield text(x + 16, y, leg, fill=FAINT)
        x += 36 + 8 * len(leg)
    for number, (name, legs) in enumerate(medians.items()):
        top = y + 16 + number * 36
        yield text(120, top + 17, name, anchor="end")
        yield from _bar(legs, top, width)
    yield text(20, _HEIGHT - 14, "Red marks: aims. Events count from the moment they were due.", fill=FAINT)


def _bar(legs: Sequence[tuple[str, float]], top: float, width: float) -> Iterator[str]:
    x = 130.0
    for leg, ms in legs:
        long = max(0.0, ms) * width
        yield f'<rect x="{x:.1f}" y="{top}" width="{long:.1f}" height="24" fill="{_LEGS[leg]}"/>'
        if long > 26:
            ink = INK if leg in ("life", "reader") else "#ffffff"
            yield text(x + long / 2, top + 16, f"{ms:.1f}", fill=ink, anchor="middle", size=11)
        x += long
