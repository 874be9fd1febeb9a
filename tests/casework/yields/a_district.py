"""What the tests of yields share: families whose cases the real step worked, as records of both topics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from casework.cases.book import Book
from casework.cases.case_events import CaseEvent
from casework.cases.commands import Actor, WarningPassed
from casework.yields.course import Courses
from tests.casework.cases.a_case import BOOK, COMMUNITY, DISTRICT, HOME, MONDAY, Desk, entry, warning

ANOTHER = Actor("chen", "district", DISTRICT.communities)
"""Whoever proposed a measure does not approve it."""
NO_NEED = frozenset(level for level, found in BOOK.difficulties.items() if found.severity == 0)


def because(*indicators: str, **sources: str) -> list[dict[str, Any]]:
    """Entries of a warning: each indicator of 10 points, with a fact of its department (or health)."""
    entries = []
    for name in indicators:
        found = entry(name, "economy", 10, f"{name}-fact")
        found["facts"][0]["source"] = f"/wuchang/{sources.get(name.replace('-', '_'), 'health')}"
        entries.append(found)
    return entries


class Family(Desk):
    """A household whose warnings are kept beside its events."""

    def __init__(self, name: str = HOME, at: int = MONDAY, book: Book = BOOK) -> None:
        super().__init__(book, at)
        self.name = name
        self.warned: list[WarningPassed] = []

    def warn(
        self, number: int, kind: str = "raised", level: str | None = "orange", **more: Any
    ) -> list[CaseEvent]:
        self.warned.append(warning(number, kind, level, **more))
        return self.take(self.warned[-1])

    def send(self, name: str, by: Actor = DISTRICT, /, **data: Any) -> CaseEvent:
        """A command, of the district unless given: it answers for every community."""
        answer = super().send(name, by, **data)
        assert answer.type != "refused", answer.data
        return answer

    def visited(self, level: str | None = None) -> Family:
        """Met, and assessed if a level is given."""
        self.send("visit", outcome="met")
        if level is not None:
            self.send("assess", level=level)
        return self

    def helped(self) -> Family:
        """Assessed, proposed, approved and delivered."""
        self.visited("severe")
        self.send("propose", measure="dibao", amount_yuan=900)
        self.send("approve", ANOTHER, measure="dibao")
        self.send("deliver", measure="dibao")
        return self

    @property
    def records(self) -> list[bytes]:
        """Of ``case.events``, under the family's own name."""
        return [event.body().replace(HOME.encode(), self.name.encode()) for event in self.events]

    @property
    def warnings(self) -> list[bytes]:
        """Of the topic ``warnings``."""
        found = [
            msgspec.json.encode({"time": "2026-03-02T02:00:00Z"} | msgspec.to_builtins(one.body))
            for one in self.warned
        ]
        return [value.replace(HOME.encode(), self.name.encode()) for value in found]


def opened(
    name: str = HOME,
    *indicators: str,
    level: str = "orange",
    community: str | None = COMMUNITY,
    at: int = MONDAY,
    **sources: str,
) -> Family:
    """A family with a new case."""
    family = Family(name, at)
    family.warn(1, level=level, community=community, because=because(*indicators or ("bills",), **sources))
    return family


def courses(*families: Family, with_warnings: bool = True) -> Courses:
    """All records of some families, one family after the other."""
    found = Courses()
    for family in families:
        feed(found, family.records)
        if with_warnings:
            feed(found, family.warnings)
    assert found.unreadable == 0
    return found


def feed(found: Courses, values: Iterable[bytes]) -> None:
    for value in values:
        found.take(value)


Ending = Callable[[Family], object]
ENDINGS: dict[str, Ending] = {
    "waiting": lambda family: None,
    "acknowledged": lambda family: family.send("acknowledge"),
    "absent": lambda family: family.send("visit", outcome="absent"),
    "met": lambda family: family.visited(),
    "assessed": lambda family: family.visited("light"),
    "no difficulty": lambda family: family.visited("none"),
    "assisted": lambda family: family.helped(),
    "helped": lambda family: family.helped().send("close", code="helped"),
    "helped already": lambda family: family.visited().send("close", code="helped-already"),
    "no need": lambda family: family.visited("light").send("close", code="no-need"),
    "refused": lambda family: [family.send("visit", outcome="refused"), family.send("close", code="refused")],
    "deceased": lambda family: [family.send("acknowledge"), family.send("close", code="deceased")],
    "data wrong": lambda family: [
        family.send("acknowledge"), family.send("close", code="data-wrong", source="housing")
    ],
    "withdrawn": lambda family: family.warn(2, "withdrawn", None, source="/wuchang/health"),
    "duplicate": lambda family: family.send("close", code="duplicate", duplicate_of="H9-1"),
}  # fmt: skip
"""Ways in which a case may go."""
