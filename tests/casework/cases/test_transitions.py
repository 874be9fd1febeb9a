"""One table: what happens stands in it, the page shows it, and every state has a way out."""

from __future__ import annotations

import re
from typing import get_args

from hypothesis import given, settings

from casework.cases import page, transitions
from casework.cases.book import Book
from casework.cases.case import STATES, CloseCode
from casework.cases.case_events import Reason
from casework.cases.commands import DATA, Record
from casework.cases.transitions import COMMANDS, TABLE
from tests.casework.cases.test_step_properties import Run, books, logs
from tests.docs.pages import ROOT, headings

PAGE = ROOT / "docs" / "reference" / "cases.md"
ASIDE = {"refused", "repeated", "passed"}


@settings(max_examples=60, deadline=None)
@given(logs, books)
def test_whatever_happens_stands_in_the_table(log: list[tuple[int, Record]], book: Book) -> None:
    for event in Run(log, book).events:
        if event.type in ASIDE:
            assert event.before == event.after
            continue
        rows = [row for row in TABLE if row.event == event.type]
        assert any(
            (event.before in row.before or (event.before == "none" and "closed" in row.before))
            and event.after == (row.to or event.before)
            for row in rows
        ), (event.type, event.before, event.after)


def test_the_page_shows_the_table_and_the_diagrams_of_the_code() -> None:
    written = PAGE.read_text("utf-8")
    assert page.rewritten(written) == written, (
        "write it anew: python -m casework.cases.page docs/reference/cases.md"
    )
    for part in page.parts().values():
        assert part in written


def test_every_state_is_reached_and_left() -> None:
    arrows = re.findall(r"^    (\S+) --> ([^:\s]+)", transitions.diagram(), re.MULTILINE)
    assert {end for pair in arrows for end in pair} - {"[*]"} == set(STATES)
    for state in STATES:
        assert any(before == state for before, _ in arrows)
        assert any(after == state for _, after in arrows)


def test_each_command_has_its_data_and_its_rows() -> None:
    assert set(COMMANDS) == set(DATA)
    written = PAGE.read_text("utf-8")
    for command in COMMANDS:
        assert re.search(rf"^\| .*`{command}`.* \|", written, re.MULTILINE), command


def test_each_reason_has_a_heading_and_each_heading_is_a_reason() -> None:
    words = {
        heading
        for heading in headings(PAGE)
        if re.fullmatch(r"[a-z]+(-[a-z]+)+|forbidden|stale|barred", heading)
    }
    assert words == set(get_args(Reason))


def test_each_close_code_has_its_row() -> None:
    written = PAGE.read_text("utf-8")
    for code in get_args(CloseCode):
        assert f"| `{code}` |" in written
