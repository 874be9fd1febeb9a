"""The charts of the page: SVG drawn by hand, with a title and a description for who cannot see it.

Colours come from the page's style sheet, so that they follow dark and light; the numbers of a chart stand in
a table beside it. Each chart is drawn in two layouts, of which the style sheet shows the one that fits.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from casework.cases.code_words import code_text
from casework.yields.counting import FUNNEL, RATES
from casework.yields.rates import Rate
from hearthwatch.yields.shown import ShownRow
from rules.words import Language

MOST_BARS: Final = 25
"""The most rows of a chart; its table has all."""
_BAR: Final = 16
_TOP: Final = 12


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand in a chart, in its own units: pixels where it is as wide as :attr:`width`.

    Attributes:
        name: its class in the style sheet.
        left, right: what is left of the bars, and beside them for values.
        row: from a bar to the next.
        cells: how much of a title is shown, in Latin letters; a Chinese one is as wide as two.
        is_named_above: a row's name stands above its bar and not before it.
    """

    name: str
    width: int
    left: int
    right: int
    row: int
    cells: int
    is_named_above: bool = False

    @property
    def scale(self) -> int:
        """How long the longest bar can be."""
        return self.width - self.left - self.right

    @property
    def middle(self) -> float:
        """From the top of a row to the middle of its bar."""
        return self.row - _BAR / 2 - 5 if self.is_named_above else self.row / 2 - 2


BROAD: Final = Layout("broad", 1040, 300, 180, 30, 42)
SLENDER: Final = Layout("slender", 340, 14, 150, 46, 42, is_named_above=True)
"""For telephones."""
LAYOUTS: Final = (BROAD, SLENDER)


def funnel(total: ShownRow, words: Mapping[str, str], id: str, layout: Layout = BROAD) -> Element:
    """From warned to helped: a bar each, and how many cases it is."""
    counts = [(words[name], total.counts[name]) for name in FUNNEL]
    return _counts(counts, words, id, words["funnel"], layout, of=total.counts["warned"])


def codes(
    found: Mapping[str, int],
    words: Mapping[str, str],
    id: str,
    language: Language,
    layout: Layout = BROAD,
) -> Element:
    """How cases were closed: a bar a code, the most frequent first."""
    ordered = sorted(found.items(), key=lambda item: -item[1])
    counts = [(code_text(code, language), number) for code, number in ordered]
    return _counts(counts, words, id, words["codes"], layout, of=sum(found.values()))


def steps(total: ShownRow, words: Mapping[str, str], id: str, layout: Layout = BROAD) -> Element:
    """The four shares of the total, each with its interval."""
    shares = [(words[name], total.rates[name]) for name in RATES]
    return _shares(shares, words, id, words["rates"], layout)


def drawn(rows: Sequence[ShownRow]) -> Sequence[ShownRow]:
    """The rows of a chart: those with a share that is shown, so many as are read at a glance."""
    return [row for row in rows if row.rates["need_of_warned"] is not None][:MOST_BARS]


def yields(
    rows: Sequence[ShownRow], words: Mapping[str, str], id: str, title: str, layout: Layout = BROAD
) -> Element:
    """Need found of warned, a bar a row."""
    shares = [(row.title, row.rates["need_of_warned"]) for row in rows]
    return _shares(shares, words, id, title, layout)


def _counts(
    counts: Sequence[tuple[str, int | None]],
    words: Mapping[str, str],
    id: str,
    title: str,
    layout: Layout,
    *,
    of: int | None,
) -> Element:
    said = [f"{name}: {_number(number, words)}" for name, number in counts]
    svg = _sheet(len(counts), id, title, said, layout)
    greatest = max((n or 0 for _, n in counts), default=0)
    for place, (name, number) in enumerate(counts):
        y = _row(svg, place, name, said[place], layout)
        length = layout.scale * (number or 0) / (greatest or 1)
        _bar(svg, layout.left, y, length, "bar")
        text = _number(number, words)
        if number is not None and of:
            text += f"  ·  {100 * number / of:.0f} %"
        _text(svg, layout.left + length + 8, y, text)
    return svg


def _shares(
    shares: Sequence[tuple[str, Rate | None]],
    words: Mapping[str, str],
    id: str,
    title: str,
    layout: Layout,
) -> Element:
    said = [f"{name}: {rate_text(rate, words)}" for name, rate in shares]
    svg = _sheet(len(shares), id, title, said, layout, axis=True)
    for place, (name, rate) in enumerate(shares):
        y = _row(svg, place, name, said[place], layout)
        if rate is not None and rate.share is not None:
            faint = " faint" if rate.is_faint else ""
            _bar(svg, layout.left, y, layout.scale * rate.share, f"bar{faint}")
            low, high = (layout.left + layout.scale * end for end in (rate.low, rate.high))
            d = f"M{low:.1f} {y - 4}v8m0-4H{high:.1f}m0-4v8"
            SubElement(svg, "path", {"d": d, "class": f"interval{faint}"})
        _text(svg, layout.width - layout.right + 14, y, _short(rate, words))
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
def _sheet(
    rows: int, id: str, title: str, said: Sequence[str], layout: Layout, *, axis: bool = False
) -> Element:
    id = f"{id}-{layout.name}"
    height = _TOP + rows * layout.row + (22 if axis else 4)
    svg = Element(
        "svg",
        {
            "viewBox": f"0 0 {layout.width} {height}",
            "role": "img",
            "aria-labelledby": f"{id}-title {id}-desc",
            "class": f"chart {layout.name}",
        },
    )
    SubElement(svg, "title", {"id": f"{id}-title"}).text = title
    SubElement(svg, "desc", {"id": f"{id}-desc"}).text = "; ".join(said)
    bottom = _TOP + rows * layout.row
    for percent in (0, 25, 50, 75, 100) if axis else (0,):
        x = layout.left + layout.scale * percent / 100
        SubElement(svg, "path", {"d": f"M{x:.1f} {_TOP - 4}V{bottom}", "class": "grid"})
        if axis:
            at = {"x": f"{x:.1f}", "y": str(bottom + 15), "text-anchor": "middle"}
            SubElement(svg, "text", at | {"class": "axis"}).text = f"{percent} %"
    return svg


def _row(svg: Element, place: int, name: str, said: str, layout: Layout) -> float:
    """Write a row's name; the middle of its bar."""
    top = _TOP + place * layout.row
    y = top + layout.middle
    if layout.is_named_above:
        at = {"x": str(layout.left), "y": f"{top + 14:.1f}"}
    else:
        at = {"x": str(layout.left - 12), "y": f"{y + 4:.1f}", "text-anchor": "end"}
    label = SubElement(svg, "text", at | {"class": "name"})
    SubElement(label, "title").text = said
    label[0].tail = _cut(name, layout.cells)
    return y


def _bar(svg: Element, x: int, y: float, length: float, kind: str) -> None:
    box = {"x": str(x), "y": f"{y - _BAR / 2:.1f}", "width": f"{length:.1f}", "height": str(_BAR)}
    SubElement(svg, "rect", box | {"rx": "2", "class": kind})


def _text(svg: Element, x: float, y: float, text: str) -> None:
    SubElement(svg, "text", {"x": f"{x:.1f}", "y": f"{y + 4:.1f}", "class": "value"}).text = text


def _cut(text: str, most: int) -> str:
    """A title as far as it fits, in Latin letters."""
    cells = 0
    for place, letter in enumerate(text):
        cells += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
        if cells > most:
            return text[:place].rstrip() + "…"
    return text
