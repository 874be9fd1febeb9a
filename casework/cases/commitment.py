"""Notification and commitment: the household signs what is true, help follows at once, papers come later.

A commitment is offered, signed, then its papers are due; it is fulfilled when they came, broken when they did
not or when what was signed proved untrue, or waived. Breaking one suspends what was given under it, sends the
case to the street, lets it be decided anew, and keeps the household from another commitment for a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from casework.cases import clocks, feedback
from casework.cases.book import Book
from casework.cases.case import Case, Commitment, CommitmentState, Household
from casework.cases.case_events import CaseEvent, Feedback, Reason
from casework.cases.commands import Commit
from casework.cases.work import Work

Step = Literal["offer", "sign", "deliver", "fulfil", "break", "waive"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of the path; ``before`` has None where there is no commitment yet."""

    step: Step
    before: tuple[CommitmentState | None, ...]
    to: CommitmentState


STEPS: Final[tuple[StepRow, ...]] = (
    StepRow("offer", (None, "waived"), "offered"),
    StepRow("sign", (None, "offered", "waived"), "signed"),
    StepRow("deliver", ("signed", "papers-due"), "papers-due"),
    StepRow("fulfil", ("signed", "papers-due"), "fulfilled"),
    StepRow("break", ("signed", "papers-due"), "broken"),
    StepRow("waive", ("offered", "signed", "papers-due"), "waived"),
)


def row_of(step: Step, case: Case) -> StepRow | None:
    """The step out of where the commitment stands, or None where there is none."""
    state = None if case.commitment is None else case.commitment.state
    return next((row for row in STEPS if row.step == step and state in row.before), None)


def refusal(home: Household, case: Case, data: Commit, at: int) -> tuple[Reason, str] | None:
    """Why a step cannot be taken, or None."""
    if row_of(data.step, case) is None:
        state = "none yet" if case.commitment is None else case.commitment.state
        return "wrong-state", f"the commitment is {state}: it cannot take the step `{data.step}`"
    if data.step in ("offer", "sign") and at < home.barred:
        return "barred", "the household broke a commitment, and cannot make another for now"
    if data.step == "sign" and not data.allows_checks:
        return "bad-data", "nothing is signed without the applicant allowing checks: `allows_checks`"
    if data.step == "sign" and not (data.papers or (case.commitment is not None and case.commitment.papers)):
        return "bad-data", "a commitment names the papers that come later: `papers`"
    if data.step in ("break", "waive") and data.reason is None:
        return "bad-data", f"a commitment is not ended by `{data.step}` without a `reason`"
    return None


def take(case: Case, data: Commit, by: str, at: int, book: Book) -> None:
    """Take a step that was not refused; what a breach leads to is :func:`breach`."""
    row = row_of(data.step, case)
    assert row is not None
    papers = list(data.papers) or ([] if case.commitment is None else case.commitment.papers)
    case.commitment = Commitment(row.to, at, by, papers)
    if data.step == "sign":
        clocks.bring_forward(case, "papers", at, book.commitment.papers, book)
        if not case.is_helped:
            clocks.bring_forward(case, "help", at, book.commitment.help, book)
    elif row.to in ("fulfilled", "waived"):
        clocks.finish(case, "papers", at)


def delivered(case: Case, measure: str, by: str, at: int, book: Book) -> None:
    """Help was given under the commitment: now its papers are due, in the time of the measure.

    The first measure sets the time; others can only bring it forward.
    """
    assert case.commitment is not None
    within = book.papers_within(measure)
    assert within is not None
    if case.commitment.state == "signed":
        clocks.start_anew(case, "papers", at, within, book)
    else:
        clocks.bring_forward(case, "papers", at, within, book)
    case.commitment = Commitment("papers-due", at, by, case.commitment.papers)


def breach(work: Work, case: Case, at: int) -> list[Feedback]:
    """The commitment is broken: what was given under it is suspended, and there is none for a time.

    Somebody has to decide anew: the clocks for that run again.

    Returns:
        what takes the suspended help back from the score.
    """
    home, book = work.home, work.book
    assert case.commitment is not None
    case.commitment = Commitment("broken", at, case.commitment.by, case.commitment.papers)
    taken_back = []
    for place, measure in enumerate(case.measures):
        if measure.under_commitment and measure.state == "delivered":
            measure.state = "suspended"
            name = feedback.commitment_name(case, place)
            taken_back += feedback.of_breach(home.id, measure, name, at, book)
    clocks.finish(case, "papers", at)
    home.barred = max(home.barred, book.due(at, book.commitment.barred).instant)
    clocks.decide_anew(case, at, book)
    return taken_back


def lapse(case: Case, at: int) -> None:
    """Papers did not come, and no help was given for which they were due: nobody has broken anything."""
    assert case.commitment is not None
    case.commitment = Commitment("waived", at, case.commitment.by, case.commitment.papers)
    clocks.finish(case, "papers", at)


def tell(work: Work, case: Case, event: CaseEvent) -> None:
    """The street hears of a breach, and who answers for the case that it is to be worked anew."""
    deciding = [case.clock(kind) for kind in ("assess", "visit", "help")]
    first = next((clock for clock in deciding if clock is not None and clock.is_running), None)
    work.alert("escalated", event, case, to=case.community, tier="street", clock=first)
    work.alert("reopened", event, case, to=case.community, clock=case.clock("acknowledge"))


def diagram() -> str:
    """The states of a commitment, as Mermaid."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for row in STEPS:
        for before in row.before:
            arrows.setdefault((before or "[*]", row.to), []).append(row.step)
    lines = ["stateDiagram-v2"]
    lines += [f"    {a} --> {b}: {', '.join(steps)}" for (a, b), steps in arrows.items() if a != b]
    return "\n".join([*lines, *(f"    {state} --> [*]" for state in ("fulfilled", "broken", "waived"))])
