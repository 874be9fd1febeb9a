"""The cases step: one record of ``case.commands`` in, the next state and what others are told out.

Pure: the record's own instant is the only clock, so a replay gives the same events, alerts and bytes. The
live agent, a rebuild and the tests all call :func:`step`.
"""

from __future__ import annotations

from casework.cases import baseline, clocks, commitment, staff, warned
from casework.cases.book import Book
from casework.cases.case import Household
from casework.cases.commands import Command, Record, Tick, Unreadable, WarningPassed
from casework.cases.transitions import LAPSED, LATE, NO_PAPERS, STILL_LATE, of_breach, row_of
from casework.cases.work import Effects, Work


def step(state: Household, record: Record, *, at: int, book: Book) -> tuple[Household, Effects]:
    """Fold one record into one household.

    What fell due before the record happens first, so when a tick comes makes no difference. Never raises.

    Args:
        state: is used up; decode the old bytes again for another try.
        at: the record's instant in microseconds since 1970; before an earlier one it counts as that.
    """
    work = Work(state, at, book)
    if isinstance(record, Tick):
        # One of the future would let time pass that has not: it is ignored.
        if record.instant <= work.at:
            _catch_up(work, record.instant)
        return state, work.effects
    _catch_up(work, work.at)
    if isinstance(record, WarningPassed):
        warned.take(work, record)
    elif isinstance(record, Command):
        staff.take(work, record)
    elif isinstance(record, Unreadable):
        told = {"reason": "bad-data", "message": record.why}
        work.aside(f"{record.id}-refused", "refused", told, None, None)
    return state, work.effects


def _catch_up(work: Work, until: int) -> None:
    """Let every deadline up to an instant pass, in order."""
    case = work.home.case
    if case is None:
        return
    baseline.give_turn(work, case)
    while (clock := clocks.next_clock(case, until)) is not None:
        moment = clock.next
        assert moment is not None
        if clock.is_waiting:
            baseline.pass_turn(work, case, moment)
            continue
        was_late = clock.told > 0
        tier = clocks.pass_deadline(case, clock, moment, work.book)
        when = STILL_LATE if was_late else LATE
        if tier is None:
            was_helped = case.commitment is not None and case.commitment.state == "papers-due"
            when = of_breach(case, NO_PAPERS) if was_helped else LAPSED
        row = row_of("tick", when, case.state)
        assert row is not None, "a clock runs in an open case only"
        about: dict[str, object] = {
            "clock": clock.kind,
            "due": clock.due,
            "assumed_calendar": clock.is_assumed,
        }
        if when == LAPSED:
            commitment.lapse(case, moment)
            work.event(case, row.event, case.state, about | {"reason": "papers"}, at=moment)
            work.resolve(case, case.community, ("papers",))
            continue
        if tier is None:
            taken_back = commitment.breach(work, case, moment)
            before, case.state = case.state, row.to or case.state
            event = work.event(case, row.event, before, about | {"reason": "papers"}, at=moment)
            commitment.tell(work, case, event)
            work.resolve(case, case.community, ("papers",))
            work.feed_back(taken_back)
            continue
        event = work.event(case, row.event, case.state, about | {"tier": tier}, at=moment)
        work.alert("escalated", event, case, to=case.community, tier=tier, clock=clock)
