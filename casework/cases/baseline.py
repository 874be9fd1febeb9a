"""Going live: what a district's base raises at once becomes a worklist with a pace, and no alert storm.

A case that was raised before its district's baseline ends waits without clocks and without an alert. Each
community takes up so many on a working day, the most urgent first; who takes one up acknowledges it, and its
clocks run from then on. A household that crosses another line meanwhile is a case like any other at once,
unless that comes within ``settles`` of the opening: then it belongs to the base, and the case waits on.

What nobody has taken up when the baseline ends becomes a case like any other too, not all on one day: each
case has its turn, drawn from its household's id, within as many working days as there were for the list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from casework.cases import clocks
from casework.cases.book import Baseline, Book
from casework.cases.case import Case, Household
from casework.cases.transitions import ENDED, EXTENDED, row_of
from casework.cases.work import Work

_LEAST_DAYS: Final = 5
"""Over so many working days turns are spread also of what came shortly before the end."""
_MOST_DAYS: Final = 260
_GRAVE: Final = 10
"""The highest level has its turns in the first tenth of these days."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One case of a worklist, and the day on which it is to be taken up (days since 1970-01-01)."""

    household: str
    case: str
    community: str | None
    level: str
    score: int
    day: int


def worklist(households: Iterable[Household], book: Book, at: int) -> list[Planned]:
    """What waits from the go-live: by community, the most urgent first, with the days of its pace.

    Args:
        at: now, in microseconds since 1970: today is the first day, if it is a working one.
    """
    waiting: dict[str, list[Household]] = {}
    for home in households:
        if home.case is not None and home.case.is_baseline:
            waiting.setdefault(home.case.community or "", []).append(home)
    planned = []
    for community in sorted(waiting):
        pace = _pace(community, book)
        day = _working_day(book, book.workdays.calendar.day_of(at))
        for place, home in enumerate(sorted(waiting[community], key=lambda home: _order(home, book))):
            if place and place % pace == 0:
                day = _working_day(book, day + 1)
            case = home.case
            assert case is not None
            planned.append(Planned(home.id, case.id, case.community, case.level, case.score, day))
    return planned


def is_taken_in(work: Work, case: Case) -> bool:
    """Let a case wait for its turn, where its community is going live; whether it is."""
    baseline = work.book.baseline(case.community, work.at)
    if baseline is not None:
        clocks.wait(case, turn_of(work.home.id, case, baseline, work.book))
    return baseline is not None


def is_settling(work: Work, case: Case) -> bool:
    """Whether what comes about a case of the worklist is still its base; then it has its new level's turn."""
    baseline = work.book.baseline(case.community, work.at)
    if baseline is None or work.at >= work.book.due(case.opened, baseline.settles).instant:
        return False
    return is_taken_in(work, case)


def turn_of(household: str, case: Case, baseline: Baseline, book: Book) -> int:
    """When a case that nobody takes up becomes one like any other: when an office opens, after the end."""
    calendar = book.workdays.calendar
    end = calendar.day_of(baseline.until)
    opened = max(calendar.day_of(case.opened), end - 2 * _MOST_DAYS)
    days = sum(book.workdays.is_workday(day)[0] for day in range(opened, end))
    days = min(max(days, _LEAST_DAYS), _MOST_DAYS)
    if book.rank(case.level) >= len(book.levels):
        days = -(-days // _GRAVE)
    drawn = int.from_bytes(hashlib.sha256(household.encode()).digest()[:8])
    day = _working_day(book, end)
    for _ in range(drawn % days):
        day = _working_day(book, day + 1)
    return max(baseline.until, book.workdays.opening(day))


def give_turn(work: Work, case: Case) -> None:
    """Let a case wait for a turn that a program of before put on a worklist without one.

    Nothing falls due of such a case, so it has its turn only when anything else befalls it.
    """
    if case.is_baseline and not any(clock.is_waiting for clock in case.clocks):
        pass_turn(work, case, work.at)


def pass_turn(work: Work, case: Case, moment: int) -> None:
    """A case's turn has come, and nobody has taken it up; unless the baseline's end was put off meanwhile."""
    book = work.book
    baseline = book.baseline(case.community, moment)
    row = row_of("tick", ENDED if baseline is None else EXTENDED, case.state)
    assert row is not None, "who answers for a case takes it off the worklist"
    if baseline is not None:
        turn = turn_of(work.home.id, case, baseline, book)
        clocks.wait(case, turn)
        work.event(case, row.event, case.state, {"due": turn}, at=moment)
        return
    clocks.take_up(case, moment, book)
    event = work.event(case, row.event, case.state, at=moment)
    work.alert("raised", event, case, to=case.community)


def _order(home: Household, book: Book) -> tuple[int, int, int, str]:
    case = home.case
    assert case is not None
    return (-book.rank(case.level), -case.score, case.opened, case.id)


def _pace(community: str, book: Book) -> int:
    """The pace of the closest prefix, also after the baseline has ended; 1 where there is none any more."""
    under = [one for one in book.baselines if community.startswith(one.prefix)]
    closest = max(under, key=lambda one: len(one.prefix), default=None)
    return 1 if closest is None else closest.per_day


def _working_day(book: Book, day: int) -> int:
    """This day, or the next working one."""
    while not book.workdays.is_workday(day)[0]:
        day += 1
    return day
