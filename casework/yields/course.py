"""The course of each case, folded from ``case.events``, with the departments behind it from ``warnings``.

Both topics are kept for ever and are read whole. A record may stand there twice: of one case's events every
version counts once, of warnings the last that is read (they are the same, byte for byte).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from casework.cases.case import CloseCode, Measure
from streams.timestamps import parse_timestamp

_TAKEN: Final = frozenset({"acknowledged", "visited", "assessed", "assisted"})
_BEGINS: Final = frozenset({"warning.raised", "warning.upgraded"})


@dataclass(slots=True)
class Course:
    """How far one case has come.

    What it is counted under (`level`, `community`, `indicators`, `warnings`) is as it was when the household
    was first met or helped, or, if it never was, as it was when it was closed or as it is now: what a visit
    finds raises warnings itself, and a warning that came after the visit is not what led to it.

    Attributes:
        opened: in microseconds since 1970.
        version: of the last event that was taken.
        level: the highest so far.
        community: who answers for it, or did when it was closed: 12 digits, or None.
        indicators: ids of those with points above 0 in the warnings that opened or raised it.
        warnings: ids of these warnings.
        found: the level of difficulty that was last assessed, or None.
        is_helped: help was delivered and stands: it was not suspended by a broken commitment.
        code: why it is closed; None while it is open.
        source: the department whose data were wrong.
        is_withdrawn: closed by the department's own correction, before anybody visited.
        joined: warnings that raised it further, and opened no case of their own.
        quieted: warnings that it kept from opening a case after it was closed.
    """

    opened: int
    version: int
    level: str
    community: str | None
    is_baseline: bool
    indicators: set[str]
    warnings: list[str]
    was_acknowledged: bool = False
    was_met: bool = False
    found: str | None = None
    measures: list[Measure] = field(default_factory=list)
    code: CloseCode | None = None
    source: str | None = None
    is_withdrawn: bool = False
    joined: int = 0
    quieted: int = 0
    reopened: int = 0
    is_settled: bool = False

    @property
    def is_open(self) -> bool:
        return self.code is None

    @property
    def is_helped(self) -> bool:
        return any(measure.state == "delivered" for measure in self.measures)


# -- what is read of a record ------------------------------------------------------------------------
class _Indicator(msgspec.Struct, frozen=True):
    indicator: str
    points: int


class _Details(msgspec.Struct, frozen=True):
    warning: str | None = None
    indicators: list[_Indicator] = []
    baseline: bool = False
    outcome: str | None = None
    level: str | None = None
    code: CloseCode | None = None
    source: str | None = None


class _ChangedCase(msgspec.Struct, frozen=True):
    measures: list[Measure] | UnsetType = UNSET


class _Changes(msgspec.Struct, frozen=True):
    case: _ChangedCase | None = None
    last: _ChangedCase | None = None


class _Event(msgspec.Struct, frozen=True):
    case: str | None
    version: int
    after: str | None
    community: str | None
    level: str | None
    details: _Details
    changes: _Changes


class _Fact(msgspec.Struct, frozen=True):
    source: str


class _Entry(msgspec.Struct, frozen=True):
    points: int
    facts: list[_Fact] = []


class _Warning(msgspec.Struct, frozen=True):
    because: list[_Entry]


class _Record(msgspec.Struct, frozen=True):
    id: str
    type: str
    data: msgspec.Raw
    time: str


_read = msgspec.json.Decoder(_Record).decode
_read_event = msgspec.json.Decoder(_Event).decode
_read_warning = msgspec.json.Decoder(_Warning).decode


class Courses:
    """The courses of all cases; feed it the records of both topics, in any order of households.

    A household's own events have to come in the order of its log. About a kilobyte is held for each case, and
    some hundred bytes for each warning.
    """

    def __init__(self) -> None:
        self._cases: dict[str, Course] = {}
        self._departments: dict[str, frozenset[str]] = {}
        self._known: dict[frozenset[str], frozenset[str]] = {}
        self.unreadable = 0
        """Records that are of neither topic."""

    def __iter__(self) -> Iterator[Course]:
        return iter(self._cases.values())

    def __len__(self) -> int:
        return len(self._cases)

    def take(self, value: bytes | None) -> None:
        """Take a record's value; what is none of the two topics' is counted and passed over."""
        try:
            record = _read(value or b"")
            if record.type.startswith("case."):
                self._take_event(record)
            elif record.type in _BEGINS:
                self._take_warning(record)
            elif not record.type.startswith("warning."):
                self.unreadable += 1
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.unreadable += 1

    def departments(self, course: Course) -> frozenset[str] | None:
        """The departments whose facts stand behind a case; None where none of its warnings was read.

        Empty where its indicators rest on the members of the household alone.
        """
        found = [self._departments[one] for one in course.warnings if one in self._departments]
        return frozenset().union(*found) if found else None

    # -- warnings ----------------------------------------------------------------------------------
    def _take_warning(self, record: _Record) -> None:
        sources = frozenset(
            fact.source.rpartition("/")[2]
            for entry in _read_warning(record.data).because
            if entry.points > 0
            for fact in entry.facts
        )
        self._departments[record.id] = self._known.setdefault(sources, sources)

    # -- events of cases ---------------------------------------------------------------------------
    def _take_event(self, record: _Record) -> None:
        event = _read_event(record.data)
        if event.case is None:  # a refusal, or a warning where there is no case
            return
        type, details = record.type.removeprefix("case."), event.details
        course = self._cases.get(event.case)
        if course is None:
            opened = parse_timestamp(record.time)
            if type != "opened" or event.level is None or opened is None:
                return  # of a case whose beginning is not there: an excerpt of the topic
            self._cases[event.case] = Course(
                opened=opened,
                version=event.version,
                level=sys.intern(event.level),
                community=_interned(event.community),
                is_baseline=details.baseline,
                indicators=_behind(details),
                warnings=[event.case],
            )
            return
        if event.version <= course.version:  # a repeat, or a refusal
            return
        course.version = event.version
        self._advance(course, type, event)

    def _advance(self, course: Course, type: str, event: _Event) -> None:
        details = event.details
        if type == "upgraded":
            course.joined += 1
            if not course.is_settled and event.level is not None:
                course.level = sys.intern(event.level)
                course.indicators |= _behind(details)
                if details.warning is not None:
                    course.warnings.append(details.warning)
        elif type == "quieted":
            course.quieted += 1
        elif type == "assessed":
            course.found = details.level
        elif type == "reopened":
            course.reopened += 1
            course.code, course.source, course.is_withdrawn = None, None, False
        elif event.after == "closed" and type in ("closed", "withdrawn"):
            course.code, course.source = details.code, details.source
            course.is_withdrawn = type == "withdrawn"
        if not course.is_settled and course.code is None:  # who closed it: a later move is another's
            course.community = _interned(event.community)
        if event.after in _TAKEN:
            course.was_acknowledged = True
        course.was_met = course.was_met or (type == "visited" and details.outcome == "met")
        for changed in (event.changes.case, event.changes.last):
            if changed is not None and not isinstance(changed.measures, UnsetType):
                course.measures = changed.measures
        course.is_settled = course.is_settled or course.was_met or course.is_helped


def _behind(details: _Details) -> set[str]:
    return {sys.intern(one.indicator) for one in details.indicators if one.points > 0}


def _interned(text: str | None) -> str | None:
    return None if text is None else sys.intern(text)
