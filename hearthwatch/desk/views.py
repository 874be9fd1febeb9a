"""What is shown of cases and households: plain values, ready for JSON; times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

from agents.case_index import Entry
from casework.cases.case import Case, Clock, Commitment, Household
from casework.cases.case_events import Reason
from hearthwatch.desk.earlier import ids_of
from streams.timestamps import format_timestamp

REFUSED: Final = "case.refused"
REPEATED: Final = "case.repeated"


class CaseLine(msgspec.Struct, frozen=True):
    """An open case in a list.

    Attributes:
        due: its earliest deadline that runs; None on a go-live's worklist.
    """

    id: str
    household: str
    community: str | None
    level: str
    state: str
    due: str | None
    is_overdue: bool


class Page(msgspec.Struct, frozen=True):
    """Open cases: by community, then level and state, the earliest deadline first.

    Attributes:
        next: what to give as ``after`` for those that follow; None at the end.
    """

    cases: list[CaseLine]
    next: str | None


class Counted(msgspec.Struct, frozen=True):
    """How many open cases a community has of one level in one state."""

    community: str | None
    level: str
    state: str
    cases: int
    overdue: int


class Deadline(msgspec.Struct, frozen=True):
    """A clock of a case.

    Attributes:
        clock: acknowledge, visit, assess, help or papers.
        due: the first instant that is too late.
        is_assumed: it rests on a year whose holidays are not out.
        done: when it was met.
        overdue: when it was found too late.
        told: how many tiers know that it is late, 0 to 3.
    """

    clock: str
    due: str
    is_assumed: bool
    done: str | None
    overdue: str | None
    told: int


class VisitView(msgspec.Struct, frozen=True):
    """One visit."""

    time: str
    by: str
    outcome: str


class AssessmentView(msgspec.Struct, frozen=True):
    """How hard it is, and why."""

    time: str
    by: str
    level: str
    causes: list[str]


class MeasureView(msgspec.Struct, frozen=True):
    """A measure on its way to the household; the state is proposed, approved, delivered or suspended.

    Attributes:
        person: to whom it was delivered, where that was said.
    """

    id: str
    state: str
    by: str
    approved_by: str | None
    amount_yuan: int | None
    under_commitment: bool
    person: str | None = None


class CommitmentView(msgspec.Struct, frozen=True):
    """What the applicant signed, and which papers are to come."""

    state: str
    changed: str
    by: str
    papers: list[str]


class CaseView(msgspec.Struct, frozen=True):
    """One case.

    Attributes:
        id: also that of the warning that opened it.
        version: what a command names as ``seen_version``.
        score, because: of the last warning; points by dimension.
        code: why it was closed.
        before, after: ids of the household's cases before and after this one; None where there is none that
            is remembered.
    """

    id: str
    household: str
    version: int
    state: str
    level: str
    score: int
    community: str | None
    officer: str | None
    opened: str
    changed: str
    closed: str | None
    code: str | None
    source: str | None
    duplicate_of: str | None
    is_baseline: bool
    because: dict[str, int]
    deadlines: list[Deadline]
    visits: list[VisitView]
    assessment: AssessmentView | None
    measures: list[MeasureView]
    commitment: CommitmentView | None
    before: str | None = None
    after: str | None = None


class PastView(msgspec.Struct, frozen=True):
    """A closed case in short."""

    id: str
    closed: str
    level: str
    code: str


class HouseholdView(msgspec.Struct, frozen=True):
    """A household: its cases, and why its score stands as it does.

    Attributes:
        level, score: of today; None where it was never scored.
        warned_level: of the last warning.
        open, last: the open case, and the one closed last.
        past: closed cases, the latest last.
        barred: until when it cannot commit itself.
        why: sentences that explain the score, one a line.
    """

    id: str
    community: str | None
    level: str | None
    score: int | None
    warned_level: str | None
    open: CaseView | None
    last: CaseView | None
    past: list[PastView]
    barred: str | None
    why: list[str]


class WhyView(msgspec.Struct, frozen=True):
    """A reason of a suggestion."""

    kind: str
    of: str
    text: str


class Suggestion(msgspec.Struct, frozen=True):
    """A measure worth asking about (docs/reference/assistance.md)."""

    measure: str
    title: str
    gives: str
    provider: str
    documents: list[str]
    papers_within_days: int | None
    basis: str
    rank: int
    reasons: list[WhyView]


class Answer(msgspec.Struct, frozen=True):
    """What came of a command.

    Attributes:
        event: the CloudEvent that answers it.
        reason: of a refusal; ``repeated-refusal`` where it was refused before, under the same id; None where
            it was done, now or before.
        message: the refusal in a sentence.
    """

    event: dict[str, Any]
    reason: Reason | Literal["repeated-refusal"] | None
    message: str

    @property
    def is_repeated(self) -> bool:
        """Whether the command had been answered before."""
        return bool(self.event["type"] == REPEATED)

    @property
    def version(self) -> int:
        """The case's version after it."""
        return int(self.event["data"]["version"])


class Change(msgspec.Struct, frozen=True):
    """An event of ``case.events`` as it came.

    Attributes:
        place: what to give as ``since`` to go on after it.
    """

    place: str
    event: dict[str, Any]


def answer_of(event: dict[str, Any]) -> Answer:
    """An event that answers a command."""
    details = event["data"]["details"]
    if event["type"] == REFUSED:
        return Answer(event, details["reason"], str(details["message"]))
    if event["type"] == REPEATED and details.get("answer") == f"{event['data'].get('command')}-refused":
        return Answer(
            event, "repeated-refusal", "it was refused when it was sent first, and is not tried again"
        )
    return Answer(event, None, "")


def line_of(entry: Entry, now: int) -> CaseLine:
    """A line of the index; ``now`` in microseconds since 1970."""
    is_overdue = entry.due is not None and entry.due <= now
    return CaseLine(
        entry.case, entry.household, entry.community, entry.level, entry.state, _text(entry.due), is_overdue
    )


def case_view(case: Case, home: Household) -> CaseView:
    """A case as it is shown.

    A closed one is where its household lives now, whoever had closed it: they may have to open it again.
    """
    found = case.assessment
    before, after = _beside(ids_of(home), case.id)
    return CaseView(
        id=case.id,
        household=home.id,
        version=case.version,
        state=case.state,
        level=case.level,
        score=case.score,
        community=case.community if case.closed is None else home.community,
        officer=case.officer,
        opened=format_timestamp(case.opened),
        changed=format_timestamp(case.changed),
        closed=_text(case.closed),
        code=case.code,
        source=case.source,
        duplicate_of=case.duplicate_of,
        is_baseline=case.is_baseline,
        because=case.because,
        deadlines=[_deadline(one) for one in case.clocks if not one.is_waiting],
        visits=[VisitView(format_timestamp(one.time), one.by, one.outcome) for one in case.visits],
        assessment=None
        if found is None
        else AssessmentView(format_timestamp(found.time), found.by, found.level, list(found.causes)),
        measures=[
            MeasureView(
                one.id, one.state, one.by, one.approved_by, one.amount_yuan, one.under_commitment, one.person
            )
            for one in case.measures
        ],
        commitment=None if case.commitment is None else _commitment(case.commitment),
        before=before,
        after=after,
    )


def _beside(ids: list[str], id: str) -> tuple[str | None, str | None]:
    """The ids before and after one; of one that is forgotten the first that is not comes after."""
    if id not in ids:
        return None, ids[0] if ids else None
    place = ids.index(id)
    return ids[place - 1] if place else None, ids[place + 1] if place + 1 < len(ids) else None


def household_view(
    home: Household, *, community: str | None, level: str | None, score: int | None, why: list[str]
) -> HouseholdView:
    """A household as it is shown.

    Args:
        community: where it lives now.
        level, score, why: of its score today.
    """
    return HouseholdView(
        id=home.id,
        community=community,
        level=level,
        score=score,
        warned_level=home.level,
        open=None if home.case is None else case_view(home.case, home),
        last=None if home.last is None else case_view(home.last, home),
        past=[PastView(one.id, format_timestamp(one.closed), one.level, one.code) for one in home.past],
        barred=_text(home.barred or None),
        why=why,
    )


def case_of(home: Household, id: str) -> Case | None:
    """The open case or the one closed last, by its id: those that a household keeps whole."""
    return next((one for one in (home.case, home.last) if one is not None and one.id == id), None)


def _deadline(clock: Clock) -> Deadline:
    return Deadline(
        clock.kind,
        format_timestamp(clock.due),
        clock.is_assumed,
        _text(clock.done),
        _text(clock.overdue),
        clock.told,
    )


def _commitment(found: Commitment) -> CommitmentView:
    return CommitmentView(found.state, format_timestamp(found.changed), found.by, list(found.papers))


def _text(instant: int | None) -> str | None:
    return None if instant is None else format_timestamp(instant)
