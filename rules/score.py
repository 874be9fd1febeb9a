"""The score of a household: what its caches hold, brought up to date, and added up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rules.calendar import NEVER
from rules.compile import Rules
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


def recompute(home: Household, rules: Rules, today: int) -> None:
    """Compute every cache of a household anew, and its next day."""
    period = rules.period_at(today)
    soon = home.own.oldest_day() + rules.keep_days if home.own else NEVER
    members = home.members
    by_type = rules.person_by_type
    for resident in home.residents.values():
        if resident.known:
            soon = min(soon, resident.known.oldest_day() + rules.keep_days)
        resident.points = {}
    if members:
        soon = min(soon, period.until)
    for resident in members:
        facts = resident.known.facts
        concerned = {index for type in facts for index in by_type.get(type, ())}
        for index in sorted(concerned):
            given, change = rules.person[index].points(facts, today, period.tables[index])
            if given:
                resident.points[index] = given
            soon = min(soon, change)
    home.points = {}
    if members:
        for index, indicator in rules.household.items():
            given, change = indicator.points(home.own.facts, members, today, period.tables[index])
            if given:
                home.points[index] = given
            soon = min(soon, change)
        for index, counted in rules.members.items():
            given = period.tables[index].whole(counted.measured(members, today))
            if given:
                home.points[index] = given
            soon = min(soon, counted.next_day(members, today))
    home.next_day = soon
    home.digest = rules.digest


def refresh(home: Household, rules: Rules, today: int, resident: Resident | None, types: Iterable[str]) -> None:
    """Bring the caches up to date after facts of these types changed, of a resident or the household's own.

    The next day can only come nearer: where a change takes a reason for it away, the household is looked
    at once too often, never too late.
    """
    period = rules.period_at(today)
    tables = period.tables
    soon = home.next_day
    members: list[Resident] | None = None
    recount: set[int] = set()
    household: set[int] = set()
    for type in sorted(types):  # a set's order differs between processes, a replay's must not
        if resident is not None:
            facts = resident.known.facts
            points = resident.points
            for index in rules.person_by_type.get(type, ()):
                given, change = rules.person[index].points(facts, today, tables[index])
                if change < soon:
                    soon = change
                if given != points.get(index, 0):
                    if given:
                        points[index] = given
                    else:
                        del points[index]
                    recount.update(rules.members_by_indicator.get(index, ()))
        household.update(rules.household_by_type.get(type, ()))
    if household or recount:
        members = home.members
        for index in household:
            given, change = rules.household[index].points(home.own.facts, members, today, tables[index])
            if change < soon:
                soon = change
            _put(home.points, index, given)
        for index in recount:
            _put(home.points, index, tables[index].whole(rules.members[index].measured(members, today)))
    home.next_day = soon


def _put(points: dict[int, int], index: int, given: int) -> None:
    if given:
        points[index] = given
    elif index in points:
        del points[index]


def add_up(home: Household, rules: Rules) -> Score:
    """The score that the caches give; of a household without members: 0 and no floor."""
    members = home.members
    dimension_of = rules.dimension_of
    floor_of = rules.floor_of
    totals = [0] * len(rules.caps)
    if not members:
        return Score(0, tuple(totals), 0)
    floor = 0
    for index in home.points if floor_of else ():
        if index in floor_of and floor_of[index] >= floor:
            floor = floor_of[index] + 1
    greatest: list[int] | None = None if all(rules.adds_members) else [0] * len(totals)
    first = True
    for resident in members:
        if greatest is None:
            for index, given in resident.points.items():
                totals[dimension_of[index]] += given
        else:
            mine = [0] * len(totals)
            for index, given in resident.points.items():
                mine[dimension_of[index]] += given
            for at, given in enumerate(mine):
                if rules.adds_members[at]:
                    totals[at] += given
                elif first or given > greatest[at]:
                    greatest[at] = given
            first = False
        if floor_of:
            for index in resident.points:
                if index in floor_of and floor_of[index] >= floor:
                    floor = floor_of[index] + 1
    if greatest is not None:
        for at, given in enumerate(greatest):
            totals[at] += given
    for index, given in home.points.items():
        totals[dimension_of[index]] += given
    capped = tuple(min(max(total, 0), cap) for total, cap in zip(totals, rules.caps, strict=True))
    return Score(sum(capped), capped, floor)
