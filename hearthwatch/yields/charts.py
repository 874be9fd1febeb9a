"""The charts of the page: SVG drawn by hand, with a title and a description for who cannot see it.

Colours come from the page's style sheet, so that they follow dark and light; the numbers of a chart stand in
a table beside it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from casework.cases.code_words import code_text
from casework.yields.counting import FUNNEL, RATES
from casework.yields.rates import Rate
from hearthwatch.yields.shown import ShownRow
from rules.words import Language

MOST_BARS: Final = 25
"""The most rows of a chart; its table has all."""
_WIDTH: Final = 1040
_LEFT: Final = 300
_RIGHT: Final = 180
_ROW: Final = 30
_BAR: Final = 16
_TOP: Final = 12
_LABEL_CELLS: Final = 42
"""How much of a title is shown, in Latin letters; a Chinese one is as wide as two."""


def funnel(total: ShownRow, words: Mapping[str, str], id: str) -> Element:
    """From warned to helped: a bar each, and how many cases it is."""
    counts = [(words[name], total.counts[name]) for name in FUNNEL]
    return _counts(counts, words, id, words["funnel"], of=total.counts["warned"])


def codes(found: Mapping[str, int], words: Mapping[str, str], id: str, language: Language) -> Element:
    """How cases were closed: a bar a code, the most frequent first."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    counts = [(code_text(code, language), number) for code, number in ordered]
    return _counts(counts, words, id, words["codes"], of=sum(found.values()))


def steps(total: ShownRow, words: Mapping[str, str], id: str) -> Element:
    """The four shares of the total, each with its interval."""
    return _shares([(words[name], total.rates[name]) for name in RATES], words, id, words["rates"])


def drawn(rows: Sequence[ShownRow]) -> Sequence[ShownRow]:
    """The rows of a chart: those with a share that is shown, so many as are read at a glance."""
    return [row for row in rows if row.rates["need_of_warned"] is not None][:MOST_BARS]


def yields(rows: Sequence[ShownRow], words: Mapping[str, str], id: str, title: str) -> Element:
    """Need found of warned, a bar a row."""
    shares = [(row.title, row.rates["need_of_warned"]) for row in rows]
    return _shares(shares, words, id, title)


def _counts(
    counts: Sequence[tuple[str, int | None]],
    words: Mapping[str, str],
    id: str,
    title: str,
    *,
    of: int | None,
) -> Element:
    said = [f"{name}: {_number(number, words)}" for name, number in counts]
    svg, greatest = _sheet(len(counts), id, title, said), max((n or 0 for _, n in counts), default=0)
    for place, (name, number) in enumerate(counts):
        y = _row(svg, place, name, said[place])
        length = _scale() * (number or 0) / (greatest or 1)
        _bar(svg, y, length, "bar")
        text = _number(number, words)
        if number is not None and of:
            text += f"  ·  {100 * number / of:.0f} %"
        _text(svg, _LEFT + length + 8, y, text)
    return svg


def _shares(
    shares: Sequence[tuple[str, Rate | None]], words: Mapping[str, str], id: str, title: str
) -> Element:
    said = [f"{name}: {rate_text(rate, words)}" for name, rate in shares]
    svg = _sheet(len(shares), id, title, said, axis=True)
    for place, (name, rate) in enumerate(shares):
        y = _row(svg, place, name, said[place])
        if rate is not None and rate.share is not None:
            faint = " faint" if rate.is_faint else ""
            _bar(svg, y, _scale() * rate.share, f"bar{faint}")
            low, high = (_LEFT + _scale() * end for end in (rate.low, rate.high))
            d = f"M{low:.1f} {y - 4}v8m0-4H{high:.1f}m0-4v8"
            SubElement(svg, "path", {"d": d, "class": f"interval{faint}"})
        _text(svg, _WIDTH - _RIGHT + 14, y, _short(rate, words))
    return svg


def rate_text(rate: Rate | None, words: Mapping[str, str]) -> str:
    """A share with its numerator, denominator and interval."""
    if rate is None or rate.share is None:
        return _short(rate, words)
    low, high = f"{100 * rate.low:.0f}", f"{100 * rate.high:.0f}"
    return f"{_short(rate, words)} ({words['interval'].format(low=low, high=high)})"


def _short(rate: Rate | None, words: Mapping[str, str]) -> str:
    if rate is None:
        return "·"
    counted = words["of"].format(hits=f"{rate.hits:,}", of=f"{rate.of:,}")
    return counted if rate.share is None else f"{100 * rate.share:.0f} %, {counted}"


def _number(number: int | None, words: Mapping[str, str]) -> str:
    return "·" if number is None else f"{number:,}"


# -- drawing -----------------------------------------------------------------------------------------
def _scale() -> float:
    return _WIDTH - _LEFT - _RIGHT


def _sheet(rows: int, id: str, title: str, said: Sequence[str], *, axis: bool = False) -> Element:
    height = _TOP + rows * _ROW + (22 if axis else 4)
    svg = Element(
        "svg",
        {
            "viewBox": f"0 0 {_WIDTH} {height}",
            "role": "img",
            "aria-labelledby": f"{id}-title {id}-desc",
            "class": "chart",
        },
    )
    SubElement(svg, "title", {"id": f"{id}-title"}).text = title
    SubElement(svg, "desc", {"id": f"{id}-desc"}).text = "; ".join(said)
    bottom = _TOP + rows * _ROW
    for percent in (0, 25, 50, 75, 100) if axis else (0,):
        x = _LEFT + _scale() * percent / 100
        SubElement(svg, "path", {"d": f"M{x:.1f} {_TOP - 4}V{bottom}", "class": "grid"})
        if axis:
            at = {"x": f"{x:.1f}", "y": str(bottom + 15), "text-anchor": "middle"}
            SubElement(svg, "text", at | {"class": "axis"}).text = f"{percent} %"
    return svg


def _row(svg: Element, place: int, name: str, said: str) -> float:
    """Write a row's name; the middle of its bar."""
    y = _TOP + place * _ROW + _ROW / 2 - 2
    label = SubElement(
        svg, "text", {"x": str(_LEFT - 12), "y": f"{y + 4:.1f}", "text-anchor": "end", "class": "name"}
    )
    SubElement(label, "title").text = said
    label[0].tail = _cut(name)
    return y


def _bar(svg: Element, y: float, length: float, kind: str) -> None:
    box = {"x": str(_LEFT), "y": f"{y - _BAR / 2:.1f}", "width": f"{length:.1f}", "height": str(_BAR)}
    SubElement(svg, "rect", box | {"rx": "2", "class": kind})


def _text(svg: Element, x: float, y: float, text: str) -> None:
    SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y + 4:.1f}", "class": "value"}).text = text


def _cut(text: str) -> str:
    """A title as far as it fits."""
    cells = 0
    for place, letter in enumerate(text):
        cells += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if cells > _LABEL_CELLS:
            return text[:place].rstrip() + "…"
    return text
