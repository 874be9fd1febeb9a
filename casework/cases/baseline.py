"""Going live: what a district's base raises at once becomes a worklist with a pace, and no alert storm.

A case that was raised before its district's baseline ends waits without clocks and without an alert. Each
community takes up so many on a working day, the most urgent first; who takes one up acknowledges it, and its
clocks run from then on. A household that crosses another line meanwhile is a case like any other at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from casework.cases.book import Book
from casework.cases.case import Household


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
