"""The book that cases are worked by: deadlines, who is told when, after care, and the pace of a go-live.

The file is docs/reference/cases.md, "The book"; :mod:`casework.cases.book_file` reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from casework.assistance.measures import Assistance
from casework.cases.case import CLOCKS, ClockKind, CloseCode
from casework.workdays import Due, Span, Workdays
from rules.policy import Titles
from streams.catalog import Catalog
from streams.errors import InputError

#: The clocks that a level sets; ``papers`` is the commitment's.
LEVEL_CLOCKS: Final[tuple[ClockKind, ...]] = CLOCKS[:4]


@dataclass(frozen=True, slots=True)
class LevelRules:
    """What a level asks for.

    Attributes:
        within: how long each clock runs; a clock that is missing does not.
        street, district: how long after a deadline the next tiers are told.
    """

    within: Mapping[ClockKind, Span]
    street: Span
    district: Span


@dataclass(frozen=True, slots=True)
class CommitmentRules:
    """Notification and commitment.

    Attributes:
        help: how soon help has to follow a signature.
        papers: how long after it the papers are due; grace: how much later it counts as broken.
        barred: how long a household that broke one cannot make another.
    """

    help: Span
    papers: Span
    grace: Span
    barred: Span


@dataclass(frozen=True, slots=True)
class AfterCare:
    """How long a closed case keeps a household quiet, and when a supervisor looks at it.

    Attributes:
        codes: that were closed without need.
        quiet: for how long; new_points: what facts unknown to the closed case have to be worth to end it.
        flags, flags_within: so many warnings raised within this time without help go to the street.
    """

    codes: frozenset[CloseCode]
    quiet: Span
    new_points: int
    flags: int
    flags_within: Span


#: Departments load what they have about a family one after the other, mostly within a day.
SETTLES: Final = Span(24, "h")


@dataclass(frozen=True, slots=True)
class Baseline:
    """A district that goes live: until then what is raised becomes a worklist.

    Attributes:
        prefix: of the communities; empty for all, and those without one.
        until: the instant from which on a warning alerts at once.
        per_day: cases that one community takes up on a working day.
        settles: how long after a case was raised what still comes about its household belongs to the base.
    """

    prefix: str
    until: int
    per_day: int
    settles: Span = SETTLES


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What an assessment may find; ``severity`` is what goes back to the score for it."""

    title: Titles
    severity: int


@dataclass(frozen=True, slots=True)
class Granted:
    """As which event of civil affairs a measure goes back when it was delivered.

    Attributes:
        type: of the catalogue of events.
        amount: the field that takes the amount, or None.
        fixed: fields that are always the same.
    """

    type: str
    amount: str | None = None
    fixed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Book:
    """Everything that a step needs to know beside state and record.

    Attributes:
        levels: rules by level id, in ascending order.
        difficulties: how hard it may be, from none to worst.
        catalog: of events: what goes back is checked against it. None: nothing goes back.
        department: as which department.
        assessed: (event type, field) that take the severity of an assessment, or None.
        assistance: the catalogue of assistance; None: every cause and measure will do.
        digest: of the file.
    """

    id: str
    version: int
    workdays: Workdays
    levels: Mapping[str, LevelRules]
    difficulties: Mapping[str, Difficulty]
    commitment: CommitmentRules
    after_care: AfterCare
    reopen_within: Span
    baselines: tuple[Baseline, ...] = ()
    department: str = ""
    assessed: tuple[str, str] | None = None
    granted: Mapping[str, Granted] = field(default_factory=dict)
    catalog: Catalog | None = None
    assistance: Assistance | None = None
    digest: str = ""

    def rank(self, level: str | None) -> int:
        """The rank of a level, from 1; 0 of none. One that the book does not know is the most urgent."""
        if level is None:
            return 0
        names = list(self.levels)
        return names.index(level) + 1 if level in self.levels else len(names)

    def rules_of(self, level: str) -> LevelRules:
        """A level's rules; of one that the book does not know those of the most urgent: never too late."""
        return self.levels.get(level) or list(self.levels.values())[-1]

    def due(self, start: int, span: Span) -> Due:
        """When what may take so long is too late."""
        return self.workdays.due(start, span)

    def baseline(self, community: str | None, at: int) -> Baseline | None:
        """The go-live that a case of this community falls under at an instant; the closest prefix holds."""
        under = [one for one in self.baselines if (community or "").startswith(one.prefix)]
        closest = max(under, key=lambda one: len(one.prefix), default=None)
        return closest if closest is not None and at < closest.until else None

    def with_assistance(self, assistance: Assistance) -> Book:
        """The same book, with the words of a catalogue of assistance.

        Raises:
            InputError: the book gives back measures that the catalogue does not have.
        """
        missing = [measure for measure in self.granted if measure not in assistance.measures]
        if missing:
            raise InputError(
                f"the book `{self.id}` gives back measures that the catalogue of assistance"
                f" `{assistance.id}` does not have: {', '.join(missing)}"
            )
        return replace(self, assistance=assistance)

    def knows_cause(self, cause: str) -> bool:
        """Whether a cause stands in the catalogue of assistance; any does where there is none."""
        return self.assistance is None or cause in self.assistance.causes

    def knows_measure(self, measure: str) -> bool:
        """Whether a measure stands in the catalogue of assistance; any does where there is none."""
        return self.assistance is None or measure in self.assistance.measures

    def papers_within(self, measure: str) -> Span | None:
        """How soon papers follow a measure that may go out first; None of one that may not."""
        if self.assistance is None:
            return self.commitment.papers
        days = self.assistance.measures[measure].papers_within_days
        return None if days is None else Span(days, "d")
