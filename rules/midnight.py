"""What a midnight changes in the caches of a household, where nothing falls out.

Nineteen of twenty midnights that a household passes change no points: a fact falls out of one measure, and
the others stand. So only what has moved is computed.
"""

from __future__ import annotations

from collections.abc import Iterable

from rules.calendar import NEVER
from rules.compile import Period, Rules
from rules.measure import Measured
from rules.score import put, recompute_resident, recompute_shared, recount, set_next_day
from rules.state import Household, Resident


def let_pass(home: Household, rules: Rules, today: int) -> bool:
    """Compute anew what a midnight can change where nothing falls out; return whether points changed."""
    period = rules.period_at(today)
    members = home.members
    has_changed = False
    stale: Iterable[int] = ()
    measured: set[int] = set()
    for resident in home.residents.values():
        if resident.next_day <= today:
            before, measures = resident.points, resident.measures
            is_other = recompute_resident(resident, rules, period, today)
            if resident.measures != measures:
                measured.update(_told_apart(measures, resident.measures))
            if is_other:
                has_changed = True
                stale = {*stale, *_told_by(before, resident.points, rules)}
            stale = {*stale, *rules.aging}
    if home.shared_day <= today:
        # The next date of a parameter is one reason for that day.
        if rules.period_at(home.shared_day - 1) is not period:
            stale = rules.members
            has_changed |= recompute_shared(home, members, rules, period, today)
        else:
            has_changed |= _let_shared_pass(home, members, measured, rules, period, today)
    if stale:
        has_changed |= recount(home, members, sorted(stale), rules, period, today)
    set_next_day(home)
    return has_changed


def _let_shared_pass(
    home: Household, members: list[Resident], moved: set[int], rules: Rules, period: Period, today: int
) -> bool:
    """What :func:`recompute_shared` does at a midnight: nobody comes or goes, and no parameter changes.

    What is measured over the household's own facts keeps no next day, and is looked at.

    Args:
        moved: numbers of the members' measures that differ from those at hand when points were last computed.
    """
    soon = period.until if members else NEVER
    stale = {index for number in moved for index in rules.household_by_each[number]}
    for member in members:
        measures = member.measures
        for number, measured in measures.items():
            next_day = measured[2]
            if next_day <= today:
                rules.eaches[number].take(member, today)
                next_day = measures[number][2]
                stale.update(rules.household_by_each[number])
            elif rules.restless:
                stale.update(rules.restless.intersection(rules.household_by_each[number]))
            if next_day < soon:
                soon = next_day
    own = home.own.facts
    if members:
        for type in own:
            for index, _ in rules.household_by_type.get(type, ()):
                stale.add(index)
    household = rules.household
    before = {index: given for index, given in home.points.items() if index in household}
    after = before.copy()
    for index in stale:
        given, change = household[index].points(own, members, today, period.tables[index])
        put(after, index, given)
        if change < soon:
            soon = change
    points = {index: given for index, given in home.points.items() if index not in household}
    for index in sorted(after):
        points[index] = after[index]
    home.points = points
    home.shared_day = soon
    return before != after


def _told_apart(before: dict[int, Measured], after: dict[int, Measured]) -> Iterable[int]:
    """The numbers of measures that differ."""
    return (number for number in before | after if before.get(number) != after.get(number))


def _told_by(before: dict[int, int], after: dict[int, int], rules: Rules) -> Iterable[int]:
    """The conditions on members that speak of points that changed."""
    for index, speaking in rules.members_by_indicator.items():
        if before.get(index, 0) != after.get(index, 0):
            yield from speaking
