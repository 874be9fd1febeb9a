"""The yield as tables on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from casework.cases.code_words import code_text
from casework.yields.rates import Rate
from hearthwatch.yields.charts import rate_text
from hearthwatch.yields.page import SEVERAL, TABLE_COUNTS, TABLE_RATES, count_text, range_text
from hearthwatch.yields.shown import Shown, ShownRow
from hearthwatch.yields.words import WORDS
from rules.words import Language


def tables(found: Shown, language: Language) -> Iterator[Any]:
    """What is printed, piece by piece: the total, how cases were closed, and a table a dimension."""
    words = WORDS[language]
    yield Text(range_text(found, words))
    if found.total.counts["warned"] == 0:
        yield Text(words["nothing"])
        return
    yield Text("")
    yield _steps(found.total, words)
    yield Text("")
    yield Text(
        words["funnel-about"].format(
            open=count_text(found.total.counts["open"], words),
            waiting=count_text(found.total.counts["waiting"], words),
        ),
        style="dim",
    )
    if found.total.codes:
        told = ", ".join(
            f"{code_text(code, language)} {number:,}" for code, number in found.total.codes.items()
        )
        yield Text(f"{words['codes']}: {told}")
    for one in found.wrong_data:
        yield Text(
            f"{code_text('data-wrong', language)}, {one.title}: {words['by-staff']}"
            f" {one.by_staff:,}, {words['by-itself']} {one.by_itself:,}"
        )
    for dimension, rows in found.by.items():
        yield Text("")
        yield Text(words[dimension], style="bold")
        if dimension in found.withheld:
            yield Text(words["withheld"], style="dim")
            continue
        yield _rows(rows, words)
        if dimension in SEVERAL:
            yield Text(words["several"], style="dim")
    if found.total.is_hidden or any(row.is_hidden for rows in found.by.values() for row in rows):
        yield Text("")
        yield Text(f"· {words['hidden']}", style="dim")


def _steps(total: ShownRow, words: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for name, share in zip(TABLE_COUNTS, (None, None, None, *TABLE_RATES[:3]), strict=True):
        text = Text("") if share is None else _rate(total.rates[share], words, of=words[share])
        table.add_row(words[name], count_text(total.counts[name], words), text)
    table.add_row("", "", _rate(total.rates["need_of_warned"], words, of=words["need_of_warned"]))
    return table


def _rows(rows: list[ShownRow], words: Mapping[str, str]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in TABLE_COUNTS:
        table.add_column(words[name], justify="right")
    table.add_column(words["need_of_warned"])
    for row in rows:
        table.add_row(
            row.title,
            *(count_text(row.counts[name], words) for name in TABLE_COUNTS),
            _rate(row.rates["need_of_warned"], words),
        )
    return table


def _rate(rate: Rate | None, words: Mapping[str, str], *, of: str = "") -> Text:
    """A share, faint where there are too few cases to judge by."""
    text = rate_text(rate, words)
    style = "dim" if rate is None or rate.is_faint else ""
    return Text(f"{of}: {text}" if of else text, style=style)
