"""The comparison as a picture: a bar for each program, and behind it what Valkey used for ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from bench.chart import FAINT, INK, OTHER, OURS, sheet, text
from bench.peers import ratios

_WIDTH: Final = 890
_LEFT: Final = 262
_BAR: Final = 26
_GAP: Final = 38
_TOP: Final = 88
_VALKEY: Final = "#9cc0dc"
_GREY: Final = "#c4c9cf"


def draw(result: Mapping[str, Any]) -> str:
    """An SVG. A bar far longer than the others (Faust's) is cut; its figure says how long it is."""
    programs = result["programs"]
    there = {name: one for name, one in programs.items() if "cpu_us" in one}
    longest = sorted(one["cpu_us"]["max"] for one in there.values())
    end = longest[-1] if len(longest) < 2 else min(longest[-1], longest[-2] * 1.25)
    scale = (_WIDTH - _LEFT - 150) / end
    height = _TOP + len(programs) * (_BAR + _GAP) + 30
    load = result["load"]
    parts = [
        *sheet(_WIDTH, height),
        text(20, 28, "One hop: CPU per record of the process, in microseconds, one core", size=16),
        text(
            20, 48,
            f"{load['households']:,} households, {load['records']:,} records, the same"
            f" {load['warnings']:,} warnings from each; {result['cpu']}, {result['date']}",
            fill=FAINT,
        ),
        text(
            20, 68, "Light blue: Valkey's CPU for ours. Lines: least and greatest window. Red tick: aim.",
            fill=FAINT,
        ),
    ]  # fmt: skip
    for number, (name, one) in enumerate(programs.items()):
        y = _TOP + number * (_BAR + _GAP)
        middle = y + _BAR / 2
        parts += [
            text(_LEFT - 12, middle + 1, one["title"], anchor="end"),
            *(
                text(_LEFT, y + _BAR + 13 + 12 * line, words, size=10, fill=FAINT)
                for line, words in enumerate(filter(None, [one.get("set_as"), one["durable"]]))
            ),
        ]
        if name not in there:
            parts.append(
                text(_LEFT + 8, middle + 5, "left out" if "left_out" in one else "failed", fill=FAINT)
            )
            continue
        cpu = one["cpu_us"]
        is_ours = name == ratios.OURS
        colour = OURS if is_ours else _GREY if name == "floor" else OTHER
        right = _LEFT + min(cpu["median"], end) * scale
        low, high = (_LEFT + min(cpu[key], end) * scale for key in ("min", "max"))
        label = f"{cpu['median']:.1f}"
        shown = max(high, right)
        if is_ours:
            whole = ratios.with_valkey(one)["median"]
            behind = _LEFT + whole * scale
            parts.append(_bar(_LEFT, behind, y, _VALKEY))
            label += f" ({whole:.1f} with Valkey)"
            shown = max(shown, behind)
        elif name in result["ratios"]:
            label += f" = {result['ratios'][name]['median']:.1f} x ours"
        parts += [
            _bar(_LEFT, right, y, colour),
            f'<path d="M{low:.1f} {middle}H{high:.1f}" stroke="{INK}" stroke-width="1.5"/>',
            text(shown + 8, middle + 5, label),
        ]
        if cpu["median"] > end:  # a bar with a gap: it goes on beyond the picture
            parts.append(
                f'<path d="M{right - 16:.1f} {y + _BAR + 2}l8 {-_BAR - 4}" stroke="#fff" stroke-width="4"/>'
            )
        if is_ours:
            at = _LEFT + ratios.AIM_US * scale
            parts.append(f'<path d="M{at:.1f} {y - 4}v{_BAR + 8}" stroke="{OTHER}" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>", ""])


def _bar(left: float, right: float, y: float, colour: str) -> str:
    width = right - left
    return f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BAR}" fill="{colour}" rx="2"/>'
