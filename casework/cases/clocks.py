"""Clocks of a case: when what is too late, and which tier is told next.

A clock that was met stands still. What is late is told to the community, then to the street, then to the
district, once each; the papers of a commitment are told once, and broken when they still do not come.
"""

from __future__ import annotations

from typing import Final

from casework.cases.book import LEVEL_CLOCKS, Book
from casework.cases.case import TIERS, Case, Clock, ClockKind, Tier
from casework.workdays import Due, Span

#: Clocks that run again when a case becomes more urgent, though they were met: somebody has to answer for it
#: anew, and to help with what is new. A visit and an assessment stand; only their running clocks are brought
#: forward.
RUN_AGAIN: Final[tuple[ClockKind, ...]] = ("acknowledge", "help")


def start(case: Case, at: int, book: Book, kinds: tuple[ClockKind, ...] = LEVEL_CLOCKS) -> None:
    """Let the clocks of the case's level run from now on; those that are there already begin anew."""
    within = book.rules_of(case.level).within
    for kind in kinds:
        if kind in within:
            _set(case, kind, book.due(at, within[kind]))


def wait(case: Case, turn: int) -> None:
    """The case waits on a worklist: until its turn no clock runs."""
    case.clocks = [Clock("acknowledge", turn, done=0, next=turn)]


def take_up(case: Case, at: int, book: Book) -> None:
    """The case waits no longer: its clocks run from now on."""
    case.is_baseline = False
    case.clocks = [clock for clock in case.clocks if not clock.is_waiting]
    start(case, at, book)


def hurry(case: Case, at: int, book: Book) -> None:
    """The case became more urgent: no clock runs longer than its new level allows from now on.

    What is late stays late, and whoever was told is not told again; the next tiers hear of it when the new
    level, counted from now, has them hear of it, or before.
    """
    within = book.rules_of(case.level).within
    for kind in LEVEL_CLOCKS:
        clock = case.clock(kind)
        if kind not in within:
            if clock is not None and clock.is_running:
                clock.next = None if clock.overdue is None else clock.next
            continue
        due = book.due(at, within[kind])
        if clock is None:
            if kind in RUN_AGAIN or not _is_past(case, kind):
                _set(case, kind, due)
        elif not clock.is_running:
            if kind in RUN_AGAIN:
                _set(case, kind, due)
        elif clock.overdue is not None:
            _hasten(case, clock, due, book)
        elif due.instant < clock.due:
            _set(case, kind, due)


def decide_anew(case: Case, at: int, book: Book) -> None:
    """Help does not stand any more: somebody has to answer for the case, and to judge and help again.

    A clock that runs, late or not, goes on.
    """
    within = book.rules_of(case.level).within
    judge: ClockKind = "assess" if "assess" in within else "visit"
    for kind in ("acknowledge", judge) if case.is_helped else ("acknowledge", judge, "help"):
        clock = case.clock(kind)
        if clock is None or not clock.is_running:
            start(case, at, book, (kind,))


def bring_forward(case: Case, kind: ClockKind, at: int, span: Span, book: Book) -> None:
    """A clock runs no longer than this from now on; one that is not there begins."""
    clock = case.clock(kind)
    due = book.due(at, span)
    if clock is None or not clock.is_running or (clock.overdue is None and due.instant < clock.due):
        _set(case, kind, due)


def start_anew(case: Case, kind: ClockKind, at: int, span: Span, book: Book) -> None:
    """A clock runs for this long from now on, whatever it showed; one that was found late stays late."""
    clock = case.clock(kind)
    if clock is None or clock.overdue is None:
        _set(case, kind, book.due(at, span))


def finish(case: Case, kind: ClockKind, at: int) -> None:
    """A clock is met; one that does not run stays as it is."""
    clock = case.clock(kind)
    if clock is not None and clock.is_running:
        clock.done = at
        clock.next = None


def stop(case: Case) -> None:
    """The case is closed: what still runs is dropped."""
    case.clocks = [clock for clock in case.clocks if not (clock.is_running or clock.is_waiting)]


def asking(case: Case) -> set[ClockKind]:
    """What is still to be done: the clocks that run, and the one that stands for a turn on a worklist.

    Somebody may have been told of any: an alert names what is due first, a breach what is to be judged anew.
    """
    return {clock.kind for clock in case.clocks if clock.is_running or clock.is_waiting}


def next_clock(case: Case, until: int) -> Clock | None:
    """The clock on which something is to be told first, up to an instant; of several the first of all."""
    running = [clock for clock in case.clocks if clock.next is not None and clock.next <= until]
    return min(running, key=lambda clock: (clock.next, case.clocks.index(clock)), default=None)


def pass_deadline(case: Case, clock: Clock, at: int, book: Book) -> Tier | None:
    """A clock's next moment has come: note who knows, and when the next tier will.

    Returns:
        The tier that is told now; None: papers are not coming any more.
    """
    assert clock.next is not None
    if clock.kind == "papers":
        if clock.told:
            clock.next = None
            return None
        clock.overdue, clock.told = clock.next, 1
        clock.next = book.due(clock.due, book.commitment.grace).instant
        return "community"
    moment = clock.next
    if clock.overdue is None:
        clock.overdue = moment
    tier = TIERS[clock.told]
    clock.told += 1
    clock.next = None
    if clock.told < len(TIERS):
        clock.next = max(_next_tier(case, clock, moment, book), moment + 1)
    return tier


def _next_tier(case: Case, clock: Clock, moment: int, book: Book) -> int:
    """When the tier after the one that is told at a moment is told."""
    rules = book.rules_of(case.level)
    if clock.told == 1:
        return book.due(clock.due, rules.street).instant
    if moment <= book.due(clock.due, rules.street).instant:
        return book.due(clock.due, rules.district).instant
    # The level has risen since the deadline: the district has the same time after the street as ever.
    street, district = rules.street, rules.district
    if street.unit != district.unit:
        return book.due(moment, district).instant
    gap = district.number - street.number
    return book.due(moment, Span(gap, district.unit)).instant if gap > 0 else moment


def _hasten(case: Case, clock: Clock, due: Due, book: Book) -> None:
    """A clock that is late: the next tier is told no later than if it had been due at this instant."""
    if clock.next is not None:
        rules = book.rules_of(case.level)
        wait = rules.street if clock.told == 1 else rules.district
        clock.next = min(clock.next, book.due(due.instant, wait).instant)


def _set(case: Case, kind: ClockKind, due: Due) -> None:
    clock = Clock(kind, due.instant, due.is_assumed, next=due.instant)
    for place, other in enumerate(case.clocks):
        if other.kind == kind:
            case.clocks[place] = clock
            return
    case.clocks.append(clock)


def _is_past(case: Case, kind: ClockKind) -> bool:
    """Whether what a clock waits for was done before it was ever set."""
    return (kind == "visit" and case.was_visited) or (kind == "assess" and case.assessment is not None)
