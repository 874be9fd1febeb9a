"""The score of a household: what its caches hold, brought up to date, and added up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from rules.ages import next_birthday
from rules.bounds import Table
from rules.calendar import NEVER
from rules.compile import Adding, Concerned, Period, Rules, Shared
from rules.indicators import describe
from rules.measure import NOTHING, Measured
from rules.state import DEAD, Household, Resident
from streams.events import Value

_NOBODY: Final[Concerned] = ((), (), ())


@dataclass(frozen=True, slots=True)
class Score:
    """Points of a household.

    Attributes:
        total: 0 to 100.
        dimensions: points after the cap, by index of the dimension.
        floor: the highest floor in force as a level (0: none, otherwise 1 + index).
    """

    total: int
    dimensions: tuple[int, ...]
    floor: int


def recompute(home: Household, rules: Rules, today: int) -> bool:
    """Compute every cache of a household anew; return whether any points changed."""
    home.fall_day = home.own.oldest_day() + rules.keep_days if home.own else NEVER
    home.digest = rules.digest
    return regroup(home, rules, today, home.residents.values())


def regroup(home: Household, rules: Rules, today: int, arrived: Iterable[Resident]) -> bool:
    """Bring the caches up to date after persons arrived, changed or left; the others' own points stand.

    Args:
        arrived: those who arrived or changed.
    """
    period = rules.period_at(today)
    members = home.members
    has_changed = False
    for resident in arrived:
        has_changed |= recompute_resident(resident, rules, period, today)
        if resident.known:
            home.fall_day = min(home.fall_day, resident.known.oldest_day() + rules.keep_days)
    has_changed |= recompute_shared(home, members, rules, period, today)
    has_changed |= recount(home, members, rules.members, rules, period, today)
    set_next_day(home)
    return has_changed


def refresh(
    home: Household,
    rules: Rules,
    today: int,
    resident: Resident | None,
    types: Iterable[str],
    added: tuple[int, Mapping[str, Value]] | None = None,
) -> bool:
    """Bring the caches up to date after facts of these types changed, of a resident or the household's own.

    The next days can only come nearer: where a change takes a reason for one away, the household is looked
    at once too often, never too late.

    Args:
        types: in an order that a replay repeats.
        added: day and data, where all that changed is one more fact.

    Returns:
        Whether any points changed.
    """
    period = rules.period_at(today)
    tables = period.tables
    has_changed = False
    stale: dict[int, None] = {}
    members: list[Resident] | None = None
    for type in types:
        eaches, person, household = rules.by_type.get(type, _NOBODY)
        if resident is not None:
            if period.until < resident.next_day:
                resident.next_day = period.until
            if eaches:
                measures = resident.measures
                for each in eaches:
                    after: Measured | None = None
                    if added is not None and (more := each.more.get(type)):
                        after = more(measures.get(each.number, NOTHING), added[0], added[1], today)
                    if after is None:
                        each.take(resident, today)
                    else:
                        measures[each.number] = after
            if person:
                points = resident.points
                facts = resident.known.facts
                for index, alone in person:
                    given, change = alone.points(facts, today, tables[index])
                    if change < resident.next_day:
                        resident.next_day = change
                    if given != points.get(index, 0):
                        has_changed = True
                        put(points, index, given)
                        if speaking := rules.members_by_indicator.get(index):
                            stale.update(dict.fromkeys(speaking))
        if household:
            if members is None:
                members = home.members
            has_changed |= _refresh_shared(home, members, household, tables, today)
    if stale:
        recount(home, home.members, stale, rules, period, today)
    if resident is not None and resident.next_day < home.next_day:
        home.next_day = resident.next_day
    if home.shared_day < home.next_day:
        home.next_day = home.shared_day
    return has_changed


def add_fact(
    home: Household,
    rules: Rules,
    adding: Adding,
    resident: Resident,
    day: int,
    data: Mapping[str, Value],
    today: int,
) -> bool:
    """What :func:`refresh` does for one more fact, of a type that :attr:`Rules.adding` has.

    Args:
        day, data: of the fact.

    Returns:
        Whether any points changed.
    """
    period = rules.period_at(today)
    more_of, shared, are_sums = adding
    if more_of:
        measures = resident.measures
        for number, more, each in more_of:
            after = more(measures.get(number, NOTHING), day, data, today)
            if after is None:
                each.take(resident, today)
            else:
                measures[number] = after
    if period.until < resident.next_day:
        resident.next_day = period.until
    if resident.next_day < home.next_day:
        home.next_day = resident.next_day
    if not shared:
        return False
    members = home.residents.values() if are_sums else home.members
    has_changed = _refresh_shared(home, members, shared, period.tables, today)
    if home.shared_day < home.next_day:
        home.next_day = home.shared_day
    return has_changed


def _refresh_shared(
    home: Household, members: Collection[Resident], shared: Shared, tables: tuple[Table, ...], today: int
) -> bool:
    """Points of household indicators anew; their next day can only come nearer."""
    has_changed = False
    points = home.points
    own = home.own.facts
    for index, indicator in shared:
        given, change = indicator.points(own, members, today, tables[index])
        if change < home.shared_day:
            home.shared_day = change
        if given != points.get(index, 0):
            has_changed = True
            put(points, index, given)
    return has_changed


def recompute_resident(resident: Resident, rules: Rules, period: Period, today: int) -> bool:
    """Compute the points of one resident; those of the dead are none."""
    before = resident.points
    points: dict[int, int] = {}
    soon = NEVER
    resident.measures = {}
    if resident.role != DEAD:
        facts = resident.known.facts
        by_type = rules.person_by_type
        if facts:
            eaches = {each.number: each for type in facts for each in rules.each_by_type.get(type, ())}
            for number in sorted(eaches):
                eaches[number].take(resident, today)
            soon = period.until
            for index in sorted({index for type in facts for index, _ in by_type.get(type, ())}):
                given, change = rules.person[index].points(facts, today, period.tables[index])
                if given:
                    points[index] = given
                if change < soon:
                    soon = change
        if rules.ages and resident.birth is not None:
            soon = min(soon, next_birthday(resident.birth, today, rules.ages))
    resident.points = points
    resident.next_day = soon
    return points != before


def recompute_shared(
    home: Household, members: list[Resident], rules: Rules, period: Period, today: int
) -> bool:
    """Compute the measures of the household tier; where no type of one is present it has none."""
    before = {index: given for index, given in home.points.items() if index in rules.household}
    # Not all that is left over: under another policy a number may be of no indicator of the household.
    points = {index: given for index, given in home.points.items() if index in rules.members}
    after: dict[int, int] = {}
    soon = NEVER
    if members:
        soon = period.until
        by_type = rules.household_by_type
        own = home.own.facts
        concerned = {index for type in own for index, _ in by_type.get(type, ())}
        for resident in members:
            for number in resident.measures:
                concerned.update(rules.household_by_each[number])
        for index in sorted(concerned):
            given, change = rules.household[index].points(own, members, today, period.tables[index])
            if given:
                after[index] = given
            if change < soon:
                soon = change
    home.points = points | after
    home.shared_day = soon
    return before != after


def recount(
    home: Household,
    members: list[Resident],
    indices: Iterable[int],
    rules: Rules,
    period: Period,
    today: int,
) -> bool:
    """Count anew the members for which conditions are true."""
    has_changed = False
    people = describe(members, today)
    for index in indices if people or home.points else ():
        given = period.tables[index].whole(rules.members[index].measured(people)) if people else 0
        if given != home.points.get(index, 0):
            has_changed = True
            put(home.points, index, given)
    return has_changed


def set_next_day(home: Household) -> None:
    soon = min(home.shared_day, home.fall_day)
    for resident in home.residents.values():
        if resident.next_day < soon:
            soon = resident.next_day
    home.next_day = soon


def put(points: dict[int, int], index: int, given: int) -> None:
    if given:
        points[index] = given
    else:
        points.pop(index, None)


def add_up(home: Household, rules: Rules) -> Score:
    """The score that the caches give; of a household without members: 0 and no floor."""
    members = home.members
    caps = rules.caps
    totals = [0] * len(caps)
    if not members:
        return Score(0, tuple(totals), 0)
    dimension_of = rules.dimension_of
    floor_of = rules.floor_of
    floor = 0
    greatest: dict[int, int] | None = None
    for resident in members:
        points = resident.points
        if rules.greatest_dimensions:
            mine = dict.fromkeys(rules.greatest_dimensions, 0)
            for index, given in points.items():
                dimension = dimension_of[index]
                if dimension in mine:
                    mine[dimension] += given
                else:
                    totals[dimension] += given
            greatest = mine if greatest is None else {at: max(greatest[at], mine[at]) for at in mine}
        else:
            for index, given in points.items():
                totals[dimension_of[index]] += given
        for index in points:
            if index in floor_of and floor_of[index] > floor:
                floor = floor_of[index]
    for at, given in (greatest or {}).items():
        totals[at] += given
    for index, given in home.points.items():
        totals[dimension_of[index]] += given
        if index in floor_of and floor_of[index] > floor:
            floor = floor_of[index]
    total = 0
    for at, cap in enumerate(caps):
        given = totals[at]
        if given < 0:
            totals[at] = 0
        elif given > cap:
            totals[at] = cap
            total += cap
        else:
            total += given
    return Score(total, tuple(totals), floor)
