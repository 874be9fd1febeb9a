"""What the tests of the documentation read: pages, headings, links and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
_FENCE = re.compile(r"^\s*```")


@dataclass(frozen=True)
class Line:
    """A line of a page.

    Attributes:
        block: language of the code block that it stands in; None outside; '' of a block without one.
    """

    number: int
    text: str
    block: str | None


def lines(page: Path) -> Iterator[Line]:
    block: str | None = None
    for number, text in enumerate(page.read_text("utf-8").splitlines(), start=1):
        if _FENCE.match(text):
            block = text.strip().strip("`").strip() if block is None else None
            continue
        yield Line(number, text, block)


def headings(page: Path) -> list[str]:
    return [
        line.text.lstrip("#").strip()
        for line in lines(page)
        if line.block is None and re.match("#+ ", line.text)
    ]


def anchor(heading: str) -> str:
    """The anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> Iterator[tuple[int, str]]:
    for line in lines(page):
        if line.block is None:
            for target in re.findall(r"\]\(([^)\s]+)\)", line.text):
                yield line.number, target


def commands(page: Path) -> Iterator[tuple[int, str]]:
    """Every `hearthwatch ...` that a page tells a reader to type: in console blocks and in backticks."""
    for line in lines(page):
        if line.block == "console" and line.text.lstrip().startswith("$ "):
            yield line.number, line.text.strip()[2:]
        elif line.block is None:
            for code in re.findall(r"`([^`]+)`", line.text):
                if code.startswith(("hearthwatch ", "scripts/")):
                    yield line.number, code
