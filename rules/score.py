"""The score of a household: what its caches hold, brought up to date, and added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.calendar import NEVER
from rules.compile import Period, Rules, describe, next_birthday
from rules.state import Household, Resident


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
    """Compute every cache of a household anew, and its next day; return whether any points changed."""
    before = [home.points, *[resident.points for resident in home.residents.values()]]
    period = rules.period_at(today)
    soon = home.own.oldest_day() + rules.keep_days if home.own else NEVER
    members = home.members
    for resident in home.residents.values():
        if resident.known:
            soon = min(soon, resident.known.oldest_day() + rules.keep_days)
        resident.points = {}
    home.points = {}
    if members:
        # Where no type of an indicator is present it has no measure, and time alone cannot change that.
        types = set(home.own.facts)
        soon = min(soon, period.until)
        for resident in members:
            types.update(resident.known.facts)
            soon = min(soon, _recompute_resident(resident, rules, period, today))
        by_type = rules.household_by_type
        for index in sorted({index for type in types for index, _ in by_type.get(type, ())}):
            shared = rules.household[index]
            given, change = shared.points(home.own.facts, members, today, period.tables[index])
            if given:
                home.points[index] = given
            if change < soon:
                soon = change
        people = describe(members, today)
        for index, counted in rules.members.items():
            given = period.tables[index].whole(counted.measured(people))
            if given:
                home.points[index] = given
    home.next_day = soon
    home.digest = rules.digest
    return before != [home.points, *[resident.points for resident in home.residents.values()]]


def _recompute_resident(resident: Resident, rules: Rules, period: Period, today: int) -> int:
    """Compute a member's points anew; return the first day on which time alone can change them."""
    soon = NEVER
    facts = resident.known.facts
    by_type = rules.person_by_type
    for index in sorted({index for type in facts for index, _ in by_type.get(type, ())}):
        given, change = rules.person[index].points(facts, today, period.tables[index])
        if given:
            resident.points[index] = given
        if change < soon:
            soon = change
    if rules.ages and resident.birth is not None:
        soon = min(soon, next_birthday(resident.birth, today, rules.ages))
    return soon


def refresh(
    home: Household, rules: Rules, today: int, resident: Resident | None, types: Iterable[str]
) -> bool:
    """Bring the caches up to date after facts of these types changed, of a resident or the household's own.

    The next day can only come nearer: where a change takes a reason for it away, the household is looked
    at once too often, never too late.

    Args:
        types: in an order that a replay repeats.

    Returns:
        Whether any points changed.
    """
    tables = rules.period_at(today).tables
    soon = home.next_day
    has_changed = False
    recount: tuple[int, ...] = ()
    members: list[Resident] | None = None
    for type in types:
        if resident is not None:
            facts = resident.known.facts
            points = resident.points
            for index, indicator in rules.person_by_type.get(type, ()):
                given, change = indicator.points(facts, today, tables[index])
                if change < soon:
                    soon = change
                if given != points.get(index, 0):
                    has_changed = True
                    _put(points, index, given)
                    recount += rules.members_by_indicator.get(index, ())
        for index, shared in rules.household_by_type.get(type, ()):
            if members is None:
                members = home.members
            given, change = shared.points(home.own.facts, members, today, tables[index])
            if change < soon:
                soon = change
            if given != home.points.get(index, 0):
                has_changed = True
                _put(home.points, index, given)
    if recount:
        people = describe(home.members, today)
        for index in recount:
            _put(home.points, index, tables[index].whole(rules.members[index].measured(people)))
    home.next_day = soon
    return has_changed


def _put(points: dict[int, int], index: int, given: int) -> None:
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
