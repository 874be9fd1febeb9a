"""What may be done to a case in which state, by whom, and what comes of it: one table.

The step works from :data:`TABLE`, and diagram and table of docs/reference/cases.md are written from it
(``python -m casework.cases.page docs/reference/cases.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from casework.cases import commands
from casework.cases.case import STATES, Case, CaseState, Household
from casework.cases.commands import Role

State = CaseState | Literal["none"]
"""A case's state, or that there is no open case and none that quiets."""

OFFICERS: Final[tuple[Role, ...]] = ("community", "street", "district")
SUPERVISORS: Final[tuple[Role, ...]] = ("street", "district")
COMMENTERS: Final[tuple[Role, ...]] = (*OFFICERS, "policy")

LATE, STILL_LATE, NO_PAPERS = "a deadline has passed", "it is still late", "papers did not come"
ENDED, EXTENDED = "its turn on a worklist has come", "the go-live was prolonged"
LAPSED = "papers did not come for help that was never given"
"""What a tick may bring."""

OPEN: Final[tuple[CaseState, ...]] = STATES[:5]
TAKEN: Final[tuple[CaseState, ...]] = STATES[1:5]
"""Open, and somebody has answered for it."""
SEEN: Final[tuple[CaseState, ...]] = STATES[2:5]
JUDGED: Final[tuple[CaseState, ...]] = STATES[3:5]


@dataclass(frozen=True, slots=True)
class Need:
    """What has to hold beside the state.

    Attributes:
        says: for a refusal and for the page: what has to be so.
    """

    says: str
    holds: Callable[[Household, Case, msgspec.Struct], bool]


@dataclass(frozen=True, slots=True)
class Row:
    """One transition.

    Attributes:
        on: a command, ``warning.<kind>`` or ``tick``.
        when: which of its kind: an outcome, a close code, a step of the commitment; empty for any.
        to: the state after; None: it stays.
        event: the type of the event, behind ``case.``.
        roles: who may send the command; empty of warnings and ticks.
    """

    on: str
    when: str
    before: tuple[State, ...]
    to: CaseState | None
    event: str
    roles: tuple[Role, ...] = ()
    need: Need | None = None


def _clock_runs(home: Household, case: Case, data: msgspec.Struct) -> bool:
    clock = case.clock("acknowledge")
    return clock is not None and clock.is_running


def _is_met(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.was_met


def _is_met_only(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.was_met and not case.is_helped


def _is_assessed(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.assessment is not None


def _is_visited(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.was_visited


def _is_alone(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return home.case is None


def _is_proposed(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return _is_measure(case, data, "proposed")


def _is_approved(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return _is_measure(case, data, "approved")


def _is_free(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return not (_is_measure(case, data, "proposed") or _is_measure(case, data, "approved"))


def _is_committed(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.commitment is not None and case.commitment.state in ("signed", "papers-due")


def _is_settled(home: Household, case: Case, data: msgspec.Struct) -> bool:
    return case.is_helped and not _is_committed(home, case, data)


def _is_measure(case: Case, data: msgspec.Struct, state: str) -> bool:
    assert isinstance(data, commands.OfMeasure | commands.Deliver)
    measure = case.measure(data.measure)
    return measure is not None and measure.state == state


_REACHED: Final[dict[str, CaseState]] = {
    "assessed": "assessed",
    "visited": "visited",
    "not visited": "acknowledged",
}
"""How far a case has come without help, to the state that is."""
_NO_OTHER: Final = ", no other help, "


def reached(case: Case) -> str:
    """How far a case has come without help: the column "on" of a reopening."""
    if case.assessment is not None:
        return "assessed"
    return "visited" if case.was_visited else "not visited"


def of_breach(case: Case, when: str) -> str:
    """The column "on" of a breach that is about to be."""
    stands = any(one.state == "delivered" and not one.under_commitment for one in case.measures)
    return when if stands or case.state != "assisted" else f"{when}{_NO_OTHER}{reached(case)}"


UNANSWERED: Final = Need("an alert of it waits for an answer", _clock_runs)
MET: Final = Need("a visit met the household", _is_met)
MET_ONLY: Final = Need("a visit met the household, and no help stands", _is_met_only)
ASSESSED: Final = Need("it was assessed", _is_assessed)
VISITED: Final = Need("it was visited", _is_visited)
ALONE: Final = Need("the household has no other open case", _is_alone)
FREE: Final = Need("the measure is not under way already", _is_free)
PROPOSED: Final = Need("the measure was proposed", _is_proposed)
APPROVED: Final = Need("the measure was approved", _is_approved)
COMMITTED: Final = Need("a commitment was signed", _is_committed)
SETTLED: Final = Need("help was delivered and stands, and no papers of a commitment are due", _is_settled)


def _rows() -> Iterator[Row]:
    officers, supervisors = OFFICERS, SUPERVISORS
    # -- warnings
    yield Row("warning.raised", "", ("none", "closed"), "new", "opened")
    yield Row("warning.raised", "", OPEN, None, "upgraded")
    yield Row("warning.upgraded", "", ("none", "closed"), "new", "opened")
    yield Row("warning.upgraded", "", OPEN, None, "upgraded")
    yield Row("warning.raised", "quiet", ("closed",), None, "quieted")
    yield Row("warning.upgraded", "quiet", ("closed",), None, "quieted")
    yield Row("warning.lowered", "", OPEN, None, "lowered")
    yield Row("warning.cleared", "", OPEN, None, "cleared")
    yield Row("warning.withdrawn", "", ("new", "acknowledged"), "closed", "withdrawn")
    yield Row("warning.withdrawn", "", SEEN, None, "withdrawn")
    yield Row("warning.moved", "", OPEN, None, "moved")
    for kind in ("lowered", "cleared", "withdrawn", "moved"):
        yield Row(f"warning.{kind}", "", ("closed",), None, "noted")
        yield Row(f"warning.{kind}", "", ("none",), None, "passed")
    # -- time
    yield Row("tick", LATE, OPEN, None, "overdue")
    yield Row("tick", STILL_LATE, OPEN, None, "escalated")
    yield Row("tick", ENDED, ("new",), None, "worklist-ended")
    yield Row("tick", EXTENDED, ("new",), None, "worklist-extended")
    yield Row("tick", LAPSED, TAKEN, None, "commitment.waived")
    yield Row("tick", NO_PAPERS, TAKEN, None, "commitment.broken")
    yield from _back("tick", NO_PAPERS, "commitment.broken")
    # -- staff
    yield Row("acknowledge", "", ("new",), "acknowledged", "acknowledged", officers)
    yield Row("acknowledge", "", TAKEN, None, "acknowledged", officers, UNANSWERED)
    yield Row("assign", "", OPEN, None, "assigned", officers)
    for outcome in ("met", "refused", "moved-away"):
        yield Row("visit", outcome, ("new", "acknowledged"), "visited", "visited", officers)
        yield Row("visit", outcome, SEEN, None, "visited", officers)
    yield Row("visit", "absent", ("new",), "acknowledged", "visited", officers)
    yield Row("visit", "absent", TAKEN, None, "visited", officers)
    yield Row("assess", "", ("visited",), "assessed", "assessed", officers, MET)
    yield Row("assess", "", JUDGED, None, "assessed", officers, MET)
    yield Row("propose", "", JUDGED, None, "proposed", officers, FREE)
    yield Row("approve", "", JUDGED, None, "approved", supervisors, PROPOSED)
    yield Row("deliver", "", ("assessed",), "assisted", "delivered", officers, APPROVED)
    yield Row("deliver", "", ("assisted",), None, "delivered", officers, APPROVED)
    yield Row("deliver", "under commitment", STATES[1:4], "assisted", "delivered", officers, COMMITTED)
    yield Row("deliver", "under commitment", ("assisted",), None, "delivered", officers, COMMITTED)
    yield Row("refer", "", TAKEN, None, "referred", officers)
    yield Row("comment", "", (*OPEN, "closed"), None, "commented", COMMENTERS)
    for step, event in (("offer", "offered"), ("sign", "signed"), ("fulfil", "fulfilled")):
        yield Row("commit", step, TAKEN, None, f"commitment.{event}", officers)
    for step, event in (("break", "broken"), ("waive", "waived")):
        yield Row("commit", step, TAKEN, None, f"commitment.{event}", supervisors)
    yield from _back("commit", "break", "commitment.broken", supervisors)
    # Assessed and helped is what a program of before made of a helped case that was reopened.
    yield Row("close", "helped", ("assessed", "assisted"), "closed", "closed", officers, SETTLED)
    for code in ("helped-already", "no-need"):
        yield Row("close", code, ("visited", "assessed"), "closed", "closed", officers, MET_ONLY)
    yield Row("close", "refused", SEEN, "closed", "closed", officers)
    for code in ("moved-away", "deceased", "data-wrong"):
        yield Row("close", code, TAKEN, "closed", "closed", officers)
    yield Row("close", "duplicate", OPEN, "closed", "closed", officers)
    yield Row("reopen", "helped", ("closed",), "assisted", "reopened", officers, ALONE)
    for reached, state in _REACHED.items():
        yield Row("reopen", reached, ("closed",), state, "reopened", officers, ALONE)


def _back(on: str, when: str, event: str, roles: tuple[Role, ...] = ()) -> Iterator[Row]:
    """A breach that leaves no help: the case is again where it had come without it."""
    for reached, state in _REACHED.items():
        yield Row(on, f"{when}{_NO_OTHER}{reached}", ("assisted",), state, event, roles)


TABLE: Final[tuple[Row, ...]] = tuple(_rows())

COMMANDS: Final = tuple(dict.fromkeys(row.on for row in TABLE if row.roles))


def rows_of(on: str, when: str = "") -> tuple[Row, ...]:
    """The rows of a command, a warning or the tick, in the order of the table."""
    return tuple(row for row in TABLE if row.on == on and row.when == when)


def row_of(on: str, when: str, state: State) -> Row | None:
    """The transition out of a state, or None where there is none."""
    return next((row for row in rows_of(on, when) if state in row.before), None)


def may_ever(on: str, role: str) -> bool:
    """Whether a role may send a command in any state and kind of it."""
    return any(role in row.roles for row in TABLE if row.on == on)


def diagram() -> str:
    """The state diagram, as Mermaid: what changes the state, with several on one arrow."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in TABLE:
        if row.to is None:
            continue
        label = f"{row.on} {row.when}".strip()
        for before in row.before:
            ends = ("[*]" if before == "none" else before, row.to)
            if before == "closed" and row.to == "new":  # another case: the closed one stays closed
                continue
            labels = arrows.setdefault(ends, [])
            if label not in labels:
                labels.append(label)
    lines = ["stateDiagram-v2"]
    lines += [f"    {a} --> {b}: {', '.join(_short(labels))}" for (a, b), labels in arrows.items()]
    return "\n".join([*lines, "    closed --> [*]"])


def _short(labels: list[str]) -> Iterator[str]:
    """Labels of one command together: ``close (no-need, refused)``."""
    by_command: dict[str, list[str]] = {}
    for label in labels:
        command, _, when = label.partition(" ")
        by_command.setdefault(command, []).append(when)
    for command, kinds in by_command.items():
        yield command if "" in kinds else f"{command} ({', '.join(kinds)})"


def table() -> str:
    """All transitions, as a table in Markdown."""
    head = "| on | in state | becomes | event | who | if |"
    lines = [head, "|---|---|---|---|---|---|"]
    for row in TABLE:
        on = f"`{row.on}`" + (f" {row.when}" if row.when else "")
        need = row.need.says if row.need is not None else ""
        lines.append(
            f"| {on} | {', '.join(row.before)} | {row.to or '(stays)'} | `case.{row.event}` |"
            f" {', '.join(row.roles)} | {need} |"
        )
    return "\n".join(lines)
