"""What is known of a household's cases: the open one, those before, and what was told of it.

Instants are microseconds since 1970-01-01T00:00:00Z, money is whole yuan. Everything is in an order that
follows from the log alone, so that a replay gives the same bytes.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

CaseState = Literal["new", "acknowledged", "visited", "assessed", "assisted", "closed"]
STATES: Final[tuple[CaseState, ...]] = ("new", "acknowledged", "visited", "assessed", "assisted", "closed")

Outcome = Literal["met", "absent", "refused", "moved-away"]
"""What came of a visit."""

CloseCode = Literal[
    "helped", "helped-already", "no-need", "refused", "moved-away", "deceased", "data-wrong", "duplicate"
]
"""Why a case is closed: exactly one, so that yield can be measured."""

MeasureState = Literal["proposed", "approved", "delivered", "suspended"]
CommitmentState = Literal["offered", "signed", "papers-due", "fulfilled", "broken", "waived"]
ClockKind = Literal["acknowledge", "visit", "assess", "help", "papers"]
CLOCKS: Final[tuple[ClockKind, ...]] = ("acknowledge", "visit", "assess", "help", "papers")

Tier = Literal["community", "street", "district"]
TIERS: Final[tuple[Tier, ...]] = ("community", "street", "district")

MOST_VISITS: Final = 50
MOST_MEASURES: Final = 50
"""What a state holds at most; more is refused, and stands in the events all the same until then."""
MOST_FACTS: Final = 400
"""Facts of a warning that are remembered, as digests of 8 hex digits."""
MOST_PAST: Final = 20
"""Closed cases that are remembered in short."""
MOST_ANSWERED: Final = 64
"""Commands whose ids are remembered; an older one that comes again is stale."""


class Clock(msgspec.Struct, array_like=True):
    """A deadline.

    Attributes:
        due: the first instant that is too late.
        is_assumed: it rests on a year whose holidays are not known.
        done: when it was met; None while it runs; 0 of one that waits for its case's turn on a worklist.
        overdue: when it was found too late, or None.
        told: how many tiers know that it is late: 0 none, 1 community, 2 street, 3 district.
        next: when the next tier is told, or None; of one that waits: when its turn is.
    """

    kind: ClockKind
    due: int
    is_assumed: bool = False
    done: int | None = None
    overdue: int | None = None
    told: int = 0
    next: int | None = None

    @property
    def is_running(self) -> bool:
        return self.done is None

    @property
    def is_waiting(self) -> bool:
        """Whether it stands for the turn of a case on the worklist of a go-live, and is no deadline."""
        return self.done == 0


class Visit(msgspec.Struct, array_like=True):
    """One visit: when it was, by whom, and what came of it."""

    time: int
    by: str
    outcome: Outcome


class Assessment(msgspec.Struct, array_like=True):
    """How hard it is for the household, and why.

    Attributes:
        level: one of the book's difficulties.
        told_as: id of the event that went back to the score: a revised assessment supersedes it.
    """

    time: int
    by: str
    level: str
    causes: list[str] = []
    told_as: str | None = None


class Measure(msgspec.Struct, array_like=True):
    """One measure of assistance on its way to the household.

    Attributes:
        id: of the catalogue of assistance; a case has each at most once that is not delivered.
        under_commitment: delivered before its papers came.
        person: to whom it was delivered, where it is for one person of the household.
    """

    id: str
    state: MeasureState
    by: str
    approved_by: str | None = None
    amount_yuan: int | None = None
    under_commitment: bool = False
    person: str | None = None


class Commitment(msgspec.Struct, array_like=True):
    """What the applicant signed to be true, for help at once and papers later."""

    state: CommitmentState
    changed: int
    by: str
    papers: list[str] = []
    """What is to be brought: words of the catalogue of assistance."""


class Known(msgspec.Struct, array_like=True):
    """What a warning rested on: points by indicator and person, and its facts."""

    points: dict[str, int] = {}
    """By ``<indicator>`` or ``<indicator>/<person>``."""
    facts: list[str] = []


class Case(msgspec.Struct, array_like=True):
    """One case.

    Attributes:
        id: that of the warning that opened it.
        version: number of its events.
        level: the highest level it has had (urgency); id of the policy.
        score: of the last warning.
        community: who answers for it: 12 digits, or None.
        is_baseline: it waits on the worklist of a go-live, without deadlines, until somebody takes it up or
            its turn has come.
        because: dimension -> points of the last warning.
        changed: when its last event was.
        source: the department whose data were wrong, of a case closed for that.
        duplicate_of: another case, of one closed for that.
        basis: version of the last event but those of the clock: a command has to know that one, because that
            it is late takes nothing from what somebody decides.
    """

    id: str
    version: int
    state: CaseState
    opened: int
    level: str
    score: int
    community: str | None
    is_baseline: bool = False
    officer: str | None = None
    because: dict[str, int] = {}
    known: Known = msgspec.field(default_factory=Known)
    clocks: list[Clock] = []
    visits: list[Visit] = []
    assessment: Assessment | None = None
    measures: list[Measure] = []
    commitment: Commitment | None = None
    changed: int = 0
    closed: int | None = None
    code: CloseCode | None = None
    source: str | None = None
    duplicate_of: str | None = None
    basis: int = 0

    @property
    def was_met(self) -> bool:
        """Whether a visit met the household."""
        return any(visit.outcome == "met" for visit in self.visits)

    @property
    def was_visited(self) -> bool:
        """Whether anybody was reached, or the home was found to be left."""
        return any(visit.outcome != "absent" for visit in self.visits)

    @property
    def is_helped(self) -> bool:
        return any(measure.state == "delivered" for measure in self.measures)

    def clock(self, kind: ClockKind) -> Clock | None:
        return next((clock for clock in self.clocks if clock.kind == kind), None)

    def measure(self, id: str) -> Measure | None:
        """The measure of this id that was touched last."""
        return next((measure for measure in reversed(self.measures) if measure.id == id), None)


class Past(msgspec.Struct, array_like=True):
    """A closed case in short."""

    id: str
    closed: int
    level: str
    code: CloseCode


class Household(msgspec.Struct, array_like=True):
    """Everything that the cases stage knows of one household.

    Attributes:
        at: when its last event was; what comes later is never before it.
        warned: number of the last warning that was taken.
        level, score, community: of that warning.
        case: the open case.
        last: the case closed last, whole: it can be reopened, and quiets the household.
        past: closed cases, the latest last.
        flags: when the household was flagged without being helped since, within the window.
        barred: until when it cannot help itself by notification and commitment.
        answered: command id -> (id of its answer, digest of the command), oldest first.
    """

    id: str
    at: int = 0
    warned: int = 0
    level: str | None = None
    score: int = 0
    community: str | None = None
    case: Case | None = None
    last: Case | None = None
    past: list[Past] = []
    flags: list[int] = []
    barred: int = 0
    answered: dict[str, tuple[str, str]] = {}

    @property
    def next_due(self) -> int | None:
        """The first instant at which time alone changes anything, or None."""
        if self.case is None:
            return None
        found = [clock.next for clock in self.case.clocks if clock.next is not None]
        return min(found, default=None)


def new(household: str) -> Household:
    """A household of which nothing is known."""
    return Household(household)
