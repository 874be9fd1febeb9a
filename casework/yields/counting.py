"""Cases counted by how far they came, and broken down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import msgspec

from casework.cases.case import CloseCode
from casework.yields.course import Course, Courses
from casework.yields.rates import Rate, rate
from rules.calendar import Calendar, day_text

Dimension = Literal["indicator", "department", "community", "street", "level", "month"]
DIMENSIONS: Final[tuple[Dimension, ...]] = get_args(Dimension)
CODES: Final[tuple[CloseCode, ...]] = get_args(CloseCode)

MEMBERS_ONLY: Final = "-members"
"""Instead of a department: what the case rests on is who lives in the household."""
UNKNOWN: Final = "-unknown"
"""Instead of a department: the case's warnings were not read."""
OTHER: Final = "-other"
"""Instead of a source of wrong data: a word that staff wrote, and no department."""
NOWHERE: Final = "-none"
"""Instead of a community or street: the household has none."""


class Counts(msgspec.Struct, frozen=True):
    """How far some cases came; each counts once in every number that it reached.

    Attributes:
        warned: cases, each opened by a warning.
        open: not closed yet.
        waiting: whether there is need is not known yet: neither closed nor assessed nor helped.
        worklist: opened by a go-live's worklist.
        acknowledged: somebody answered for it.
        visited: a visit met the household.
        need: a need was found: assessed as more than no difficulty, or help was delivered; and not closed as
            ``no-need``.
        helped: help was delivered and stands.
        reopened: closed, and taken up again.
        joined: later warnings that raised an open case.
        quieted: warnings that after care kept from opening a case.
        codes: closed cases by close code.
        visited_of_warned: met / those met or closed.
        need_of_visited: need / those met, of which it is known.
        helped_of_need: helped / those with need, and helped or closed.
        need_of_warned: need / all of which it is known: the yield.

    The rates leave out what is still open and undecided, so that a young cohort does not look poor, and cases
    closed as ``duplicate``: their family's other case counts.
    """

    warned: int
    open: int
    waiting: int
    worklist: int
    acknowledged: int
    visited: int
    need: int
    helped: int
    reopened: int
    joined: int
    quieted: int
    codes: dict[str, int]
    visited_of_warned: Rate
    need_of_visited: Rate
    helped_of_need: Rate
    need_of_warned: Rate


FUNNEL: Final = ("warned", "acknowledged", "visited", "need", "helped")
RATES: Final = ("visited_of_warned", "need_of_visited", "helped_of_need", "need_of_warned")


class Row(msgspec.Struct, frozen=True):
    """The cases that share one indicator, department, and so on."""

    id: str
    counts: Counts


class WrongData(msgspec.Struct, frozen=True):
    """Cases closed because a source's data were wrong.

    Attributes:
        by_staff: staff found it out.
        by_itself: the source corrected itself before anybody visited.
    """

    source: str
    by_staff: int
    by_itself: int


class Yield(msgspec.Struct, frozen=True):
    """What warnings led to.

    Attributes:
        total: of cases. An indicator's and a department's rows add up to more: a case stands in each of its.
        by: dimension -> rows, those with the most cases first; months and levels in their own order.
        wrong_data: the sources with the most cases first.
    """

    total: Counts
    by: dict[str, list[Row]]
    wrong_data: list[WrongData]


@dataclass(frozen=True, slots=True)
class Cohort:
    """Which cases are counted.

    Attributes:
        since, until: days of opening, both inclusive, since 1970-01-01; None: without bound.
        community: the beginning of the community's code; empty: all.
    """

    calendar: Calendar
    since: int | None = None
    until: int | None = None
    community: str = ""

    def has(self, course: Course) -> bool:
        """Whether a case is counted."""
        day = self.calendar.day_of(course.opened)
        return (
            (self.since is None or day >= self.since)
            and (self.until is None or day <= self.until)
            and (not self.community or (course.community or "").startswith(self.community))
        )


def count(
    courses: Courses,
    cohort: Cohort,
    *,
    by: Sequence[Dimension] = DIMENSIONS,
    levels: Sequence[str] = (),
    no_need: Collection[str] = (),
    departments: Collection[str] = (),
) -> Yield:
    """Count the cases of a cohort.

    Args:
        levels: of the policy, ascending: the order of their rows.
        no_need: levels of difficulty that are none.
        departments: those of the catalogue. Staff write which source was wrong: what else they wrote might
            speak of a person.
    """
    chosen = [course for course in courses if cohort.has(course)]
    keys: dict[Dimension, Callable[[Course], Collection[str]]] = {
        "indicator": lambda course: course.indicators,
        "department": lambda course: _departments(courses, course),
        "community": lambda course: (course.community or NOWHERE,),
        "street": lambda course: ((course.community or NOWHERE)[:9],),
        "level": lambda course: (course.level,),
        "month": lambda course: (day_text(cohort.calendar.day_of(course.opened))[:7],),
    }
    rows: dict[str, list[Row]] = {dimension: _rows(chosen, keys[dimension], no_need) for dimension in by}
    if "month" in rows:
        rows["month"].sort(key=lambda row: row.id)
    if "level" in rows:
        rank = {level: number for number, level in enumerate(levels)}
        rows["level"].sort(key=lambda row: (rank.get(row.id, len(rank)), row.id))
    return Yield(_counts(chosen, no_need), rows, _wrong_data(chosen, departments))


def _departments(courses: Courses, course: Course) -> Collection[str]:
    found = courses.departments(course)
    if found is None:
        return (UNKNOWN,)
    return found or (MEMBERS_ONLY,)


def _rows(
    chosen: Iterable[Course], keys: Callable[[Course], Collection[str]], no_need: Collection[str]
) -> list[Row]:
    groups: dict[str, list[Course]] = {}
    for course in chosen:
        for key in keys(course):
            groups.setdefault(key, []).append(course)
    rows = [Row(key, _counts(group, no_need)) for key, group in groups.items()]
    return sorted(rows, key=lambda row: (-row.counts.warned, row.id))


def _wrong_data(chosen: Iterable[Course], departments: Collection[str]) -> list[WrongData]:
    found = Counter(
        (course.source if course.source in departments else OTHER, course.is_withdrawn)
        for course in chosen
        if course.code == "data-wrong"
    )
    rows = [
        WrongData(str(source), found[source, False], found[source, True])
        for source in {source for source, _ in found}
    ]
    return sorted(rows, key=lambda row: (-(row.by_staff + row.by_itself), row.source))


def _counts(group: Sequence[Course], no_need: Collection[str]) -> Counts:
    needs = [_need(course, no_need) for course in group]
    codes = Counter(course.code for course in group if course.code is not None)
    # A duplicate says nothing of how good its warning was: it was the same family's.
    told = [(one, need) for one, need in zip(group, needs, strict=True) if one.code != "duplicate"]
    met = [need for one, need in told if one.was_met and need is not None]
    needy = [one for one, need in told if need and (one.is_helped or not one.is_open)]
    return Counts(
        warned=len(group),
        open=sum(one.is_open for one in group),
        waiting=sum(need is None for need in needs),
        worklist=sum(one.is_baseline for one in group),
        acknowledged=sum(one.was_acknowledged for one in group),
        visited=sum(one.was_met for one in group),
        need=sum(need is True for need in needs),
        helped=sum(one.is_helped for one in group),
        reopened=sum(one.reopened > 0 for one in group),
        joined=sum(one.joined for one in group),
        quieted=sum(one.quieted for one in group),
        codes={code: codes[code] for code in CODES if codes[code]},
        visited_of_warned=rate(
            sum(one.was_met for one, _ in told), sum(one.was_met or not one.is_open for one, _ in told)
        ),
        need_of_visited=rate(sum(met), len(met)),
        helped_of_need=rate(sum(one.is_helped for one in needy), len(needy)),
        need_of_warned=rate(sum(need is True for _, need in told), sum(need is not None for _, need in told)),
    )


def _need(course: Course, no_need: Collection[str]) -> bool | None:
    """Whether need was found; None while nobody can know."""
    if course.code == "no-need":
        return False
    if course.is_helped:
        return True
    if course.found is not None:
        return course.found not in no_need
    return None if course.is_open else False
