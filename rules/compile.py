"""A policy made ready to run: which indicators an event can change, and how each gives its points."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING

from rules.bounds import Table, faded
from rules.calendar import NEVER, Calendar, civil, day_from_text
from rules.conditions import indicators_in, members_source, names_in
from rules.expression import Both, Compare, Either, Expression, Name, Not, OneOf
from rules.measure import NOTHING, CompiledMeasure, Facts, compile_measure
from rules.policy import Indicator, Measure, Policy
from streams.catalog import Catalog
from streams.events import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    def add(self, resident: Resident, today: int, type: str, day: int, data: Mapping[str, Value]) -> None:
        """Measure a member's facts after one was added to them."""
        more = self.more.get(type)
        measures = resident.measures
        after = None if more is None else more(measures.get(self.number, NOTHING), day, data, today)
        if after is None:
            self.take(resident, today)
        else:
            measures[self.number] = after


Ratio = tuple[int, int, int]
"""A household-tier measure: (number, divisor, greatest day of the matching facts). Divisor 0: infinite."""


@dataclass(frozen=True, slots=True)
class HouseholdIndicator:
    """A household-tier indicator over facts, the household's own or the members'.

    Attributes:
        each, each_of_percent: the members' part of ``measure`` and ``percent_of``, where they have one.
    """

    of: Indicator
    measure: CompiledMeasure
    percent_of: CompiledMeasure | None
    each: MemberMeasure | None
    each_of_percent: MemberMeasure | None

    def measured(self, own: Facts, members: Sequence[Resident], today: int) -> tuple[Ratio | None, int]:
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

    def points(self, own: Facts, members: Sequence[Resident], today: int, table: Table) -> tuple[int, int]:
        """(points, next day on which time alone can change them)."""
        found, soon = self.measured(own, members, today)
        if found is None:
            return 0, soon
        number, divisor, newest = found
        grows = self.measure.grows_daily
        if self.percent_of is not None:
            if (grows or self.percent_of.grows_daily) and self.of.points.flat is None:
                soon = min(soon, today + 1)
            grows = False
        elif grows and (divisor != 1 or self.measure.of.across == "sum"):
            # Grows by other than one a day: look every day until the last bound is passed.
            if not table.is_settled(number, divisor):
                soon = min(soon, today + 1)
            grows = False
        if divisor == 1:
            return _settle(self.of, table, number, newest, soon, today, grows=grows)
        given = table.fraction(number, divisor) if divisor else table.infinite()
        if self.of.fades is not None and given:
            given, next_fade = faded(given, newest, today, self.of.fades)
            soon = min(soon, next_fade)
        return given, soon


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
    members: Sequence[Resident],
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


def describe(members: Sequence[Resident], today: int) -> list[Described]:
    """The members as conditions see them on a day."""
    return [(member.role, member.sex, age(member.birth, today), member.points) for member in members]


def age(birth: str | None, today: int) -> int | None:
    """Whole years on a day; None where birth is unknown or still to come.

    Someone born on 29 February turns a year older on 1 March in common years.
    """
    if birth is None:
        return None
    year, month, day = _civil_text(birth)
    this_year, this_month, this_day = civil(today)
    years = this_year - year
    if this_month < month or (this_month == month and this_day < day):
        years -= 1
    return years if years >= 0 else None


def next_birthday(birth: str, today: int, ages: tuple[int, ...]) -> int:
    """The first day after today on which someone reaches one of these ages (ascending)."""
    now = age(birth, today)
    year, month, day = _civil_text(birth)
    for reached in ages:
        if now is None or reached > now:
            year_then = year + reached
            if year_then > 9999:
                break
            if (month, day) == (2, 29) and (year_then % 4 or (year_then % 100 == 0 and year_then % 400)):
                return day_from_text(f"{year_then:04d}-03-01")
            return day_from_text(f"{year_then:04d}-{month:02d}-{day:02d}")
    return NEVER


@lru_cache(maxsize=65_536)
def _civil_text(date: str) -> tuple[int, int, int]:
    return int(date[:4]), int(date[5:7]), int(date[8:])


def _ages_in(condition: Expression) -> frozenset[int]:
    """Ages at which the truth of a condition can change."""
    if isinstance(condition, Compare | OneOf):
        operand = condition.operand if isinstance(condition, Compare) else condition.name
        if not (isinstance(operand, Name) and operand.name == "age"):
            return frozenset()
        values = (condition.literal,) if isinstance(condition, Compare) else condition.values
        reached = {0}
        for value in values:
            assert not isinstance(value, str | bool)
            reached |= {floor(value), floor(value) + 1}
        return frozenset(reached)
    if isinstance(condition, Not):
        return _ages_in(condition.of)
    if isinstance(condition, Both | Either):
        return _ages_in(condition.left) | _ages_in(condition.right)
    return frozenset()


@dataclass(frozen=True, slots=True)
class Period:
    """What holds between two dates of the policy's parameters."""

    tables: tuple[Table, ...]
    """By indicator index."""
    until: int
    """The first day on which a parameter may have another value."""


class Rules:
    """A compiled policy.

    Attributes:
        digest: first 12 hex digits of the policy file's SHA-256.
        person: person-tier indicators by index; household, members: the other two forms.
        person_by_type: type to the person indicators that it can change, with their indices.
        household_by_type: type to the household indicators that it can change, with their indices.
        members_by_indicator: person indicator to the members indicators that speak of it, by index.
        ages: at which any condition on members can change, ascending; empty where none speaks of the age.
        aging: indices of the conditions on members that speak of the age.
        dimension_of: indicator index to dimension index.
        floor_of: indicator index to level (1 + index), where it has a floor.
        greatest_dimensions: indices of the dimensions whose members' points combine by ``max``.
    """

    def __init__(self, policy: Policy, catalog: Catalog) -> None:
        self.policy = policy
        self.calendar = Calendar(policy.timezone)
        self.keep_days = catalog.keep_days
        self.digest = policy.digest[:12]
        self.person: dict[int, PersonIndicator] = {}
        self.household: dict[int, HouseholdIndicator] = {}
        self.members: dict[int, MembersIndicator] = {}
        self.ages: tuple[int, ...] = ()
        self.aging: tuple[int, ...] = ()
        self.person_by_type: dict[str, tuple[tuple[int, PersonIndicator], ...]] = {}
        self.household_by_type: dict[str, tuple[tuple[int, HouseholdIndicator], ...]] = {}
        self.members_by_indicator: dict[int, tuple[int, ...]] = {}
        self.each_by_type: dict[str, tuple[MemberMeasure, ...]] = {}
        self.household_by_each: dict[int, tuple[int, ...]] = {}
        self._eaches: list[tuple[Measure, MemberMeasure]] = []
        self.dimension_of = tuple(indicator.dimension for indicator in policy.indicators)
        self.floor_of = {i.index: i.floor + 1 for i in policy.indicators if i.floor is not None}
        self.caps = tuple(dimension.cap for dimension in policy.dimensions)
        self.greatest_dimensions = tuple(
            at for at, dimension in enumerate(policy.dimensions) if dimension.members == "max"
        )
        index_of = {indicator.id: indicator.index for indicator in policy.indicators}
        for indicator in policy.indicators:
            self._compile(indicator, index_of, catalog)
        self._changes = sorted({day for p in policy.parameters.values() for day, _ in p.values})
        self._periods: dict[int, Period] = {}
        self._from, self._until = 0, 0
        self._period = Period((), 0)

    def _compile(self, indicator: Indicator, index_of: dict[str, int], catalog: Catalog) -> None:
        if indicator.members is not None:
            condition = _member_condition(indicator.members, index_of)
            reached = {reached for reached in _ages_in(indicator.members) if reached >= 0}
            self.ages = tuple(sorted(reached.union(self.ages)))
            if reached:
                self.aging = (*self.aging, indicator.index)
            self.members[indicator.index] = MembersIndicator(indicator, condition)
            for name in indicators_in(indicator.members):
                known = self.members_by_indicator.get(index_of[name], ())
                self.members_by_indicator[index_of[name]] = (*known, indicator.index)
            assert names_in(indicator.members) <= {"age", "role", "sex"}
            return
        assert indicator.measure is not None
        measure = compile_measure(indicator.measure, catalog)
        if indicator.tier == "person":
            alone = self.person[indicator.index] = PersonIndicator(indicator, measure)
            for type in measure.types:
                self.person_by_type[type] = (*self.person_by_type.get(type, ()), (indicator.index, alone))
            return
        whole = compile_measure(indicator.percent_of, catalog) if indicator.percent_of else None
        shared = self.household[indicator.index] = HouseholdIndicator(
            indicator, measure, whole, self._each(measure), self._each(whole)
        )
        for each in (shared.each, shared.each_of_percent):
            if each is not None:
                known = self.household_by_each.get(each.number, ())
                self.household_by_each[each.number] = (*known, indicator.index)
        for type in measure.types | (whole.types if whole else frozenset()):
            self.household_by_type[type] = (*self.household_by_type.get(type, ()), (indicator.index, shared))

    def _each(self, measure: CompiledMeasure | None) -> MemberMeasure | None:
        """The members' part of a measure; one that is there already, where it measures the same."""
        if measure is None or measure.of.across is None:
            return None
        alone = replace(measure.of, across=None)
        for known, each in self._eaches:
            if known == alone:
                return each
        each = MemberMeasure(len(self._eaches), measure)
        self._eaches.append((alone, each))
        for type in sorted(each.types):
            self.each_by_type[type] = (*self.each_by_type.get(type, ()), each)
        return each

    def period_at(self, day: int) -> Period:
        """Tables for the parameters' values of a day."""
        if self._from <= day < self._until:
            return self._period
        at = bisect_right(self._changes, day)
        period = self._periods.get(at)
        if period is None:
            parameters = self.policy.parameters_at(day)
            tables = tuple(
                Table(indicator.points, parameters, 100 if self._is_money(indicator) else 1)
                for indicator in self.policy.indicators
            )
            until = self._changes[at] if at < len(self._changes) else NEVER
            period = self._periods[at] = Period(tables, until)
        self._from, self._until = (self._changes[at - 1] if at else -NEVER), period.until
        self._period = period
        return period

    @staticmethod
    def _is_money(indicator: Indicator) -> bool:
        """Whether the measure that the bounds are compared with is money."""
        return indicator.measure is not None and indicator.measure.is_money and indicator.percent_of is None


def _member_condition(condition: Expression, index_of: dict[str, int]) -> Condition:
    source = f"lambda role, sex, age, points: {members_source(condition, index_of)}"
    # Made from a checked policy: its texts stand in the source as literals only.
    function: Condition = eval(compile(source, "<policy members>", "eval"), {})  # noqa: S307
    return function


def compile_policy(policy: Policy, catalog: Catalog) -> Rules:
    """Compile a policy for the catalogue that it was checked against."""
    return Rules(policy, catalog)
