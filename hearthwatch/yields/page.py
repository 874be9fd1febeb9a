"""The yield as one HTML file: it asks nothing of the network, prints, and follows dark and light."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from casework.cases.code_words import code_text
from casework.yields.rates import FEW, Rate
from hearthwatch.yields import charts
from hearthwatch.yields.charts import LAYOUTS, Layout
from hearthwatch.yields.shown import Shown, ShownRow
from hearthwatch.yields.style import SCRIPT, STYLE
from hearthwatch.yields.words import WORDS
from rules.words import Language

TABLE_COUNTS: Final = ("warned", "open", "acknowledged", "visited", "need", "helped")
TABLE_RATES: Final = ("visited_of_warned", "need_of_visited", "helped_of_need", "need_of_warned")
SEVERAL: Final = ("indicator", "department")
"""Where a case may stand in several rows."""


def page(found: Shown, language: Language) -> str:
    """The whole file.

    Args:
        found: every dimension in it becomes a section.
    """
    words = WORDS[language]
    html = Element("html", {"lang": "zh-CN" if language == "zh" else "en"})
    _head(SubElement(html, "head"), words)
    body = SubElement(html, "body")
    _top(SubElement(body, "header"), found, words)
    main = SubElement(body, "main")
    if found.total.counts["warned"] == 0:
        _paragraph(main, words["nothing"])
    else:
        _sections(main, found, words, language)
    SubElement(body, "script").text = SCRIPT
    return "<!doctype html>\n" + tostring(html, encoding="unicode", method="html") + "\n"


def _head(head: Element, words: Mapping[str, str]) -> None:
    SubElement(head, "meta", {"charset": "utf-8"})
    # Nothing may be fetched, whatever a title holds.
    policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": policy})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "meta", {"name": "color-scheme", "content": "light dark"})
    SubElement(head, "title").text = words["title"]
    SubElement(head, "style").text = STYLE


def range_text(found: Shown, words: Mapping[str, str]) -> str:
    """Of which cases this is, and what is counted."""
    text = words["range"].format(since=found.since or words["first"], until=found.until or words["now"])
    where = words["where"].format(code=found.community) if found.community else ""
    return f"{text}{where}{words['case-of']}"


def _top(header: Element, found: Shown, words: Mapping[str, str]) -> None:
    SubElement(header, "h1").text = words["title"]
    _paragraph(header, range_text(found, words))
    tiles = SubElement(header, "dl", {"class": "tiles"})
    for name in ("warned", "visited", "need", "helped", "open"):
        tile = SubElement(tiles, "div")
        SubElement(tile, "dt").text = words[name]
        SubElement(tile, "dd").text = count_text(found.total.counts[name], words)


def _sections(main: Element, found: Shown, words: Mapping[str, str], language: Language) -> None:
    total = found.total
    about = words["funnel-about"].format(
        open=count_text(total.counts["open"], words), waiting=count_text(total.counts["waiting"], words)
    )
    section = _section(main, "funnel", words["funnel"], about)
    _chart(section, lambda layout: charts.funnel(total, words, "chart-funnel", layout))
    _paragraph(section, words["rates-about"])
    _chart(section, lambda layout: charts.steps(total, words, "chart-rates", layout))
    _table(section, words["funnel"], [total], words, first="")
    if total.is_hidden:
        _paragraph(section, words["hidden"])
    more = [f"{words[name]}: {total.counts[name]:,}" for name in ("worklist", "reopened", "joined", "quieted")
            if total.counts[name]]  # fmt: skip
    if more:
        _paragraph(section, "; ".join(more) + ".")
    closed = total.codes
    if closed:
        section = _section(main, "codes", words["codes"])
        _chart(section, lambda layout: charts.codes(closed, words, "chart-codes", language, layout))
        rows = [[code_text(code, language), f"{number:,}"] for code, number in closed.items()]
        _plain_table(section, words["codes"], ["", words["cases"]], rows, words)
    if found.wrong_data:
        section = _section(main, "wrong", words["wrong"])
        rows = [[one.title, f"{one.by_staff:,}", f"{one.by_itself:,}"] for one in found.wrong_data]
        columns = [words["source"], words["by-staff"], words["by-itself"]]
        _plain_table(section, words["wrong"], columns, rows, words)
    for dimension, shown in found.by.items():
        if shown:
            _by(main, dimension, shown, words)
        elif dimension in found.withheld:
            _section(main, dimension, words[dimension], words["withheld"])
    _conclude(main, words)


def _by(main: Element, dimension: str, rows: Sequence[ShownRow], words: Mapping[str, str]) -> None:
    about = [words["by-about"].format(few=FEW)]
    if dimension in SEVERAL:
        about.append(words["several"])
    if dimension in ("indicator", "level", "community", "street"):
        about.append(words["frozen"])
    if any(row.is_hidden for row in rows):
        about.append(words["hidden"])
    drawn = charts.drawn(rows)
    if len(drawn) < len(rows):
        about.append(words["shown"].format(shown=len(drawn), all=len(rows)))
    section = _section(main, dimension, words[dimension], " ".join(about))
    if drawn:
        id, title = f"chart-{dimension}", words[dimension]
        _chart(section, lambda layout: charts.yields(drawn, words, id, title, layout))
    _table(section, words[dimension], rows, words, first=words[dimension], is_sorted=len(rows) > 1)


def _conclude(main: Element, words: Mapping[str, str]) -> None:
    section = _section(main, "conclude", words["conclude"])
    points = SubElement(section, "ul")
    for number in range(1, 5):
        SubElement(points, "li").text = words[f"conclude-{number}"]


def _section(main: Element, id: str, title: str, about: str = "") -> Element:
    section = SubElement(main, "section", {"id": id, "aria-labelledby": f"{id}-heading"})
    SubElement(section, "h2", {"id": f"{id}-heading"}).text = title
    if about:
        _paragraph(section, about)
    return section


def _chart(section: Element, draw: Callable[[Layout], Element]) -> None:
    """A chart in each layout; the style sheet shows one."""
    for layout in LAYOUTS:
        section.append(draw(layout))


def _paragraph(parent: Element, text: str) -> None:
    SubElement(parent, "p").text = text


# -- tables ------------------------------------------------------------------------------------------
def count_text(count: int | None, words: Mapping[str, str]) -> str:
    """A number of cases; of one that is hidden that it is not 0."""
    return "·" if count is None else f"{count:,}"


def _table(
    section: Element,
    caption: str,
    rows: Sequence[ShownRow],
    words: Mapping[str, str],
    *,
    first: str,
    is_sorted: bool = False,
) -> None:
    """A table of rows; with buttons to sort it where there are several."""
    columns = [first, *(words[name] for name in (*TABLE_COUNTS, *TABLE_RATES))]
    body = _table_head(section, caption, columns, words, is_sorted=is_sorted)
    for row in rows:
        line = SubElement(body, "tr")
        SubElement(line, "th", {"scope": "row"}).text = row.title
        for name in TABLE_COUNTS:
            count = row.counts[name]
            cell = SubElement(line, "td", {"data-value": str(-1 if count is None else count)})
            cell.text = count_text(count, words)
            if count is None:
                cell.set("title", words["hidden"])
        for name in TABLE_RATES:
            _rate_cell(line, row.rates[name], words)


def _rate_cell(line: Element, rate: Rate | None, words: Mapping[str, str]) -> None:
    share = -1.0 if rate is None or rate.share is None else rate.share
    cell = SubElement(line, "td", {"data-value": f"{share:.6f}"})
    if rate is None or rate.share is None:
        cell.text = "·"
        return
    if rate.is_faint:
        cell.set("class", "faint")
    cell.text = f"{100 * share:.0f} % "
    low, high = f"{100 * rate.low:.0f}", f"{100 * rate.high:.0f}"
    counted = words["of"].format(hits=f"{rate.hits:,}", of=f"{rate.of:,}")
    SubElement(cell, "small").text = counted
    SubElement(cell, "small").text = words["interval"].format(low=low, high=high)


def _plain_table(
    section: Element,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: Mapping[str, str],
) -> None:
    body = _table_head(section, caption, columns, words)
    for row in rows:
        line = SubElement(body, "tr")
        SubElement(line, "th", {"scope": "row"}).text = row[0]
        for text in row[1:]:
            SubElement(line, "td").text = text


def _table_head(
    section: Element,
    caption: str,
    columns: Sequence[str],
    words: Mapping[str, str],
    *,
    is_sorted: bool = False,
) -> Element:
    """A table's caption and head; its body, still empty."""
    reached = {"class": "wide", "tabindex": "0", "role": "region", "aria-label": caption}
    wide = SubElement(section, "div", reached)
    kind = "sortable" if is_sorted else "narrow" if len(columns) < 4 else "plain"
    table = SubElement(wide, "table", {"class": kind})
    SubElement(table, "caption").text = caption
    line = SubElement(SubElement(table, "thead"), "tr")
    for name in columns:
        head = SubElement(line, "th", {"scope": "col"})
        if is_sorted and name:
            told = words["sort"].format(column=name)
            SubElement(head, "button", {"type": "button", "title": told}).text = name
        else:
            head.text = name
    return SubElement(table, "tbody")
