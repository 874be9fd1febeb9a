"""A policy made ready to run: which indicators an event can change, and their tables of points."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace

from rules.ages import ages_in
from rules.bounds import Table
from rules.calendar import NEVER, Calendar
from rules.conditions import indicators_in, members_source, names_in
from rules.expression import Expression
from rules.indicators import (
    Condition,
    HouseholdIndicator,
    MemberMeasure,
    MembersIndicator,
    PersonIndicator,
    SumIndicator,
    household_indicator,
)
from rules.measure import CompiledMeasure, More, compile_measure
from rules.policy import Indicator, Measure, Policy
from streams.catalog import Catalog


@dataclass(frozen=True, slots=True)
class Period:
    """What holds between two dates of the policy's parameters."""

    tables: tuple[Table, ...]
    """By indicator index."""
    until: int
    """The first day on which a parameter may have another value."""


Numbered = tuple[tuple[int, PersonIndicator], ...]
Shared = tuple[tuple[int, HouseholdIndicator], ...]
Concerned = tuple[tuple[MemberMeasure, ...], Numbered, Shared]
"""What a type can change: measures of members, and person and household indicators with their indices."""
Adding = tuple[tuple[tuple[int, More, MemberMeasure], ...], Shared, bool]
"""What one more fact of a type changes: measures of its person (number, how, which) and household indicators;
whether all of these are sums."""


class Rules:
    """A compiled policy.

    Attributes:
        digest: first 12 hex digits of the policy file's SHA-256.
        person: person-tier indicators by index; household, members: the other two forms.
        person_by_type: type to the person indicators that it can change, with their indices.
        household_by_type: type to the household indicators that it can change, with their indices.
        by_type: type to the members' measures, person and household indicators that it can change.
        eaches: measures of members, by number.
        restless: indices of the household indicators over members that change by days that no measure tells.
        adding: by type, how one more fact changes points, where that is told without a person's other facts.
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
        self.by_type: dict[str, Concerned] = {}
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
        for type in sorted({*self.each_by_type, *self.person_by_type, *self.household_by_type}):
            self.by_type[type] = (
                self.each_by_type.get(type, ()),
                self.person_by_type.get(type, ()),
                self.household_by_type.get(type, ()),
            )
        self.adding = {type: adding for type in catalog.events if (adding := self._adding(type)) is not None}
        self.eaches = tuple(each for _, each in self._eaches)
        self.restless = frozenset(
            index
            for indices in self.household_by_each.values()
            for index in indices
            if not self.household[index].is_plain
        )
        self._changes = sorted({day for p in policy.parameters.values() for day, _ in p.values})
        self._periods: dict[int, Period] = {}
        self._from, self._until = 0, 0
        self._period = Period((), 0)

    def _compile(self, indicator: Indicator, index_of: dict[str, int], catalog: Catalog) -> None:
        if indicator.members is not None:
            condition = _member_condition(indicator.members, index_of)
            reached = {reached for reached in ages_in(indicator.members) if reached >= 0}
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
        shared = self.household[indicator.index] = household_indicator(
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

    def _adding(self, type: str) -> Adding | None:
        if type in self.person_by_type:
            return None
        measures = []
        for each in self.each_by_type.get(type, ()):
            more = each.more.get(type)
            if more is None:
                return None
            measures.append((each.number, more, each))
        shared = self.household_by_type.get(type, ())
        return tuple(measures), shared, all(isinstance(one, SumIndicator) for _, one in shared)

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
