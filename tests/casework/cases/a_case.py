"""What the tests of cases share: the book of Wuchang, an instant, and a household that records are fed to."""

from __future__ import annotations

from typing import Any

import msgspec

from casework.alerts.alert import Resolve, decode_alert
from casework.cases.book import Book
from casework.cases.book_file import DEFAULT, read_book
from casework.cases.case import Case, Household, new
from casework.cases.case_events import AlertRecord, CaseEvent, Feedback
from casework.cases.commands import (
    Actor,
    Command,
    Record,
    Role,
    Tick,
    WarningBody,
    WarningData,
    WarningPassed,
    decode_record,
    encode_record,
)
from casework.cases.step import step
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.timestamps import parse_timestamp
from tests.docs.pages import ROOT

CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
POLICY = read_policy(ROOT / "rules/policies/wuchang.yaml", CATALOG)
BOOK = read_book(DEFAULT, catalog=CATALOG, policy=POLICY)

HOME = "H1"
COMMUNITY = "420106003005"
OTHER = "420106007001"
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def instant(text: str) -> int:
    """An instant of Wuhan's clock: ``2026-03-02T10:00``."""
    found = parse_timestamp(f"{text}:00+08:00")
    assert found is not None
    return found


MONDAY = instant("2026-03-02T10:00")
ANNA = Actor("anna", "community", (COMMUNITY,))
BEN = Actor("ben", "community", (OTHER,))
STREET = Actor("li", "street", ("420106003", "420106007"))
DISTRICT = Actor("wu", "district", ("420106",))
AUDITOR = Actor("yu", "auditor", ("420106",))


def warning(
    number: int,
    kind: str = "raised",
    level: str | None = "orange",
    *,
    community: str | None = COMMUNITY,
    because: list[dict[str, Any]] | None = None,
    score: int = 60,
    source: str = "/wuchang/health",
    household: str = HOME,
) -> WarningPassed:
    if because is None:
        because = [entry("hospital-bills", "economy", 20, "a"), entry("chronic-illness", "health", 12, "b")]
    data = WarningData(
        household,
        level,
        None,
        score,
        community,
        because,
        {"source": source, "id": "e1", "subject": "person/p1"},
    )
    return WarningPassed(WarningBody(f"{household}-{number}", f"warning.{kind}", data))


def entry(
    indicator: str, dimension: str, points: int, *facts: str, person: str | None = "p1"
) -> dict[str, Any]:
    named = [{"source": "/wuchang/health", "id": fact, "subject": "person/p1"} for fact in facts]
    return {
        "indicator": indicator,
        "dimension": dimension,
        "points": points,
        "person": person,
        "facts": named,
    }


class Desk:
    """One household's cases, with a clock that only the test moves."""

    def __init__(self, book: Book = BOOK, at: int = MONDAY) -> None:
        self.book = book
        self.at = at
        self.home: Household = new(HOME)
        self.events: list[CaseEvent] = []
        self.alerts: list[AlertRecord] = []
        self.feedback: list[Feedback] = []
        self.sent = 0

    @property
    def case(self) -> Case:
        case = self.home.case or self.home.last
        assert case is not None
        return case

    def take(self, record: Record) -> list[CaseEvent]:
        """Feed a record, as its bytes give it."""
        if not isinstance(record, Command | WarningPassed | Tick):
            read: Record = record
        else:
            read = decode_record(encode_record(record))
        self.home, effects = step(self.home, read, at=self.at, book=self.book)
        self.events += effects.events
        self.alerts += effects.alerts
        self.feedback += effects.feedback
        return list(effects.events)

    def warn(
        self, number: int, kind: str = "raised", level: str | None = "orange", **more: Any
    ) -> list[CaseEvent]:
        return self.take(warning(number, kind, level, **more))

    def send(self, name: str, by: Actor = ANNA, /, **data: Any) -> CaseEvent:
        """Send a command that knows the case as it is; return its answer."""
        return self.take(self.command(name, by, **data))[-1]

    def command(self, name: str, by: Actor = ANNA, /, **data: Any) -> Command:
        self.sent += 1
        case = self.case
        return Command(f"c{self.sent}", HOME, case.id, name, case.version, by, "", data)

    def refused(self, name: str, by: Actor = ANNA, /, **data: Any) -> str:
        """Send a command that is refused; return why."""
        before = msgspec.msgpack.encode(self.home.case), msgspec.msgpack.encode(self.home.last)
        answer = self.send(name, by, **data)
        assert answer.type == "refused", answer
        assert before == (msgspec.msgpack.encode(self.home.case), msgspec.msgpack.encode(self.home.last))
        return str(answer.data["reason"])

    def later(self, micros: int) -> list[CaseEvent]:
        """Let time pass, with a tick at its end."""
        self.at += micros
        return self.take(Tick(self.at))

    def until(self, text: str) -> list[CaseEvent]:
        return self.later(instant(text) - self.at)

    def types(self) -> list[str]:
        return [event.type for event in self.events]

    def told(self) -> list[str]:
        """Alerts as ``<kind>`` or ``<kind> <tier>``, and ``resolve``; from now on only later ones."""
        told = []
        for record in self.alerts:
            read = decode_alert(record.body())
            assert read == record.alert
            if isinstance(read, Resolve):
                told.append("resolve")
            else:
                told.append(read.kind if read.tier == "community" else f"{read.kind} {read.tier}")
        self.alerts.clear()
        return told


def role(name: Role, *codes: str) -> Actor:
    return Actor(name, name, codes)
