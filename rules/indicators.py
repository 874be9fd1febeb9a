"""Indicators ready to run: what each gives for the facts of a person or a household on a day."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from rules.ages import age
from rules.bounds import Table, faded
from rules.calendar import NEVER
from rules.measure import CompiledMeasure, Facts
from rules.policy import Indicator
from rules.state import Resident

Described = tuple[str, str | None, int | None, Mapping[int, int]]
"""A member as conditions see it: role, sex, age in whole years, points by indicator."""
Condition = Callable[[str, str | None, int | None, Mapping[int, int]], bool]
"""What is :data:`Described` to true or false."""


@dataclass(frozen=True, slots=True)
class PersonIndicator:
    """A person-tier indicator."""

    of: Indicator
    measure: CompiledMeasure

    def points(self, facts: Facts, today: int, table: Table) -> tuple[int, int]:
        """(points, next day on which time alone can change them)."""
        value, newest, soon = self.measure.run(facts, today)
        if value is None:
            return 0, soon
        return _settle(self.of, table, value, newest, soon, today, grows=self.measure.grows_daily)


class MemberMeasure:
    """A measure that the household tier takes of each member and then puts together.

    What it gives for a member is cached with the member (``Resident.measures``, under the number): a fact
    about one of them leaves the others' as they are. Indicators that measure the same share it.

    Attributes:
        number: among the policy's, counting from 0.
        types: every type that can change it.
    """

    __slots__ = ("first", "grows_daily", "more", "number", "run", "types")

    def __init__(self, number: int, measure: CompiledMeasure) -> None:
        self.number = number
        self.run = measure.run
        self.more = measure.more
        self.first = measure.first
        self.types = measure.types
        self.grows_daily = measure.grows_daily

    def take(self, resident: Resident, today: int) -> None:
        """Measure a member's facts; without one of the types to measure there is no measure, now or later."""
        facts = resident.known.facts
        for type in self.first:
            if type in facts:
                resident.measures[self.number] = self.run(facts, today)
                return
        resident.measures.pop(self.number, None)


Ratio = tuple[int, int, int]
"""A household-tier measure: (number, divisor, greatest day of the matching facts). Divisor 0: infinite."""


@dataclass(frozen=True, slots=True)
class HouseholdIndicator:
    """A household-tier indicator over facts, the household's own or the members'.

    Attributes:
        each, each_of_percent: the members' part of ``measure`` and ``percent_of``, where they have one.
        is_plain: neither the number of days nor fading has a part in it.
    """

    of: Indicator
    measure: CompiledMeasure
    percent_of: CompiledMeasure | None
    each: MemberMeasure | None
    each_of_percent: MemberMeasure | None
    is_plain: bool = field(init=False)

    def __post_init__(self) -> None:
        grows = self.measure.grows_daily or (self.percent_of is not None and self.percent_of.grows_daily)
        object.__setattr__(self, "is_plain", not grows and self.of.fades is None)

    def measured(self, own: Facts, members: Collection[Resident], today: int) -> tuple[Ratio | None, int]:
        """(measure or None, next day on which time alone can change it, growing by the day apart)."""
        found, soon = _combined(self.measure, self.each, own, members, today)
        if self.percent_of is None:
            return found, soon
        whole, soon_whole = _combined(self.percent_of, self.each_of_percent, own, members, today)
        if soon_whole < soon:
            soon = soon_whole
        if found is None or whole is None:
            return None, soon
        number = 100 * found[0] * whole[1]
        divisor = found[1] * whole[0] * self.of.times
        if divisor < 0:
            number, divisor = -number, -divisor
        return (number, divisor, found[2]), soon

    def points(self, own: Facts, members: Collection[Resident], today: int, table: Table) -> tuple[int, int]:
        """(points, next day on which time alone can change them)."""
        if self.percent_of is None:
            found, soon = _combined(self.measure, self.each, own, members, today)
            if found is not None and found[1] == 1 and self.is_plain:
                return table.whole(found[0]), soon
        else:
            found, soon = self.measured(own, members, today)
        if found is None:
            return 0, soon
        number, divisor, newest = found
        grows = self.measure.grows_daily
        if self.percent_of is not None:
            if self.is_plain:
                return (table.fraction(number, divisor) if divisor else table.infinite()), soon
            if (grows or self.percent_of.grows_daily) and self.of.points.flat is None:
                soon = min(soon, today + 1)
            grows = False
        elif grows and (divisor != 1 or self.measure.of.across == "sum"):
            # Grows by other than one a day: look every day until the last bound is passed.
            if not table.is_settled(number, divisor):
                soon = min(soon, today + 1)
            grows = False
        if divisor == 1:
            if self.is_plain:
                return table.whole(number), soon
            return _settle(self.of, table, number, newest, soon, today, grows=grows)
        given = table.fraction(number, divisor) if divisor else table.infinite()
        if self.of.fades is not None and given:
            given, next_fade = faded(given, newest, today, self.of.fades)
            soon = min(soon, next_fade)
        return given, soon


@dataclass(frozen=True, slots=True)
class SumIndicator(HouseholdIndicator):
    """A plain one that adds up what is measured of each member, and so does ``percent_of``: nearly every one.

    The dead, of whom nothing is measured, may be among the members that it is given.
    """

    def points(self, own: Facts, members: Collection[Resident], today: int, table: Table) -> tuple[int, int]:
        """See :meth:`HouseholdIndicator.points`."""
        assert self.each is not None
        total, soon = _summed(self.each, members, today)
        if self.each_of_percent is None:
            return (0 if total is None else table.whole(total)), soon
        whole, soon_whole = _summed(self.each_of_percent, members, today)
        if soon_whole < soon:
            soon = soon_whole
        if total is None or whole is None:
            return 0, soon
        number = 100 * total
        divisor = whole * self.of.times
        if divisor < 0:
            number, divisor = -number, -divisor
        return (table.fraction(number, divisor) if divisor else table.infinite()), soon


def household_indicator(
    indicator: Indicator,
    measure: CompiledMeasure,
    percent_of: CompiledMeasure | None,
    each: MemberMeasure | None,
    each_of_percent: MemberMeasure | None,
) -> HouseholdIndicator:
    """An indicator of the form that it may have; arguments as of :class:`HouseholdIndicator`."""
    made = HouseholdIndicator(indicator, measure, percent_of, each, each_of_percent)
    if made.is_plain and all(one is None or one.of.across == "sum" for one in (measure, percent_of)):
        return SumIndicator(indicator, measure, percent_of, each, each_of_percent)
    return made


@dataclass(frozen=True, slots=True)
class MembersIndicator:
    """A household-tier indicator that counts the members for which a condition is true."""

    of: Indicator
    condition: Condition

    def measured(self, people: Sequence[Described]) -> int:
        """How many members, or the percentage of them, rounded down."""
        true = 0
        condition = self.condition
        for described in people:
            if condition(*described):
                true += 1
        return 100 * true // len(people) if self.of.share else true


def _settle(
    indicator: Indicator, table: Table, value: int, newest: int, soon: int, today: int, *, grows: bool
) -> tuple[int, int]:
    given = table.whole(value)
    if grows:
        steps = table.steps_to_change(value)
        if today + steps < soon:
            soon = today + steps
    if indicator.fades is not None and given:
        given, next_fade = faded(given, newest, today, indicator.fades)
        if next_fade < soon:
            soon = next_fade
    return given, soon


def _combined(
    measure: CompiledMeasure,
    each: MemberMeasure | None,
    own: Facts,
    members: Collection[Resident],
    today: int,
) -> tuple[Ratio | None, int]:
    if each is None:
        value, newest, soon = measure.run(own, today)
        return (None if value is None else (value, 1, newest)), soon
    across = measure.of.across
    slot = each.number
    total: int | None = None
    newest, soon = -NEVER, NEVER
    for member in members:
        measured = member.measures.get(slot)
        if measured is None:
            continue
        if measured[2] <= today:
            each.take(member, today)
            measured = member.measures[slot]
        value, member_newest, member_soon = measured
        if member_soon < soon:
            soon = member_soon
        if value is None:
            continue
        if each.grows_daily:
            value = today - member_newest
        if member_newest > newest:
            newest = member_newest
        if total is None or (across == "max" and value > total):
            total = value
        elif across != "max":
            total += value
    if total is None:
        return None, soon
    return (total, len(members) if across == "per_member" else 1, newest), soon


def _summed(each: MemberMeasure, members: Collection[Resident], today: int) -> tuple[int | None, int]:
    """As :func:`_combined` with ``across: sum``, where the day of the newest fact has no part."""
    slot = each.number
    total: int | None = None
    soon = NEVER
    for member in members:
        measured = member.measures.get(slot)
        if measured is not None:
            value, _, next_day = measured
            if next_day <= today:
                each.take(member, today)
                value, _, next_day = member.measures[slot]
            if next_day < soon:
                soon = next_day
            if value is not None:
                total = value if total is None else total + value
    return total, soon


def describe(members: Sequence[Resident], today: int) -> list[Described]:
    """The members as conditions see them on a day."""
    return [(member.role, member.sex, age(member.birth, today), member.points) for member in members]
