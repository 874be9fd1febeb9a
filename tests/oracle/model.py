"""Facts, membership, score and level, worked out anew whenever they are asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from tests.oracle.accept import Event, Value
from tests.oracle.clock import date_of, local_day, parse_date
from tests.oracle.reading import (
    HOUSEHOLD,
    JOINED,
    LEFT,
    PERSON,
    REGISTERED,
    RETRACTED,
    Catalog,
    Indicator,
    Policy,
    Selection,
)

ENDLESS = "greater than every bound"
Measure = Fraction | str | None  # a number, ENDLESS, or no measure
MAX_FACTS = 20


@dataclass
class Kept:
    """An event of a catalogue type, or a retraction, that was no duplicate when it arrived."""

    event: Event
    day: int
    dead: bool = False


@dataclass(frozen=True)
class Outcome:
    """What one indicator gives, for one member or for the household."""

    indicator: Indicator
    person: str | None
    points: int
    measure: Measure
    facts: tuple[Kept, ...]


@dataclass(frozen=True)
class Score:
    total: int
    dimensions: dict[str, int]
    because: tuple[Outcome, ...]
    floor: int  # rank of the highest floor in force, 0 for none


@dataclass
class World:
    """Everything that was ever accepted, and the questions that can be asked about it."""

    catalog: Catalog
    policy: Policy
    today: int = 0
    kept: dict[str, list[Kept]] = field(default_factory=dict)  # by subject
    registry: dict[str, list[Event]] = field(default_factory=dict)  # by subject

    # -- what arrives ------------------------------------------------------------

    def arrive(self, event: Event) -> bool:
        """Take in an event; False if it changes nothing (too old, or a duplicate)."""
        if event.type in (JOINED, LEFT, REGISTERED):
            earlier = self.registry.setdefault(event.subject, [])
            if any(other.key == event.key for other in earlier):
                return False
            earlier.append(event)
            return True
        day = local_day(self.policy.zone, event.time)
        if self.today - day >= self.catalog.keep:
            return False
        known = self.still_kept(event.subject)
        if any(other.event.source == event.source and other.event.id == event.id for other in known):
            return False
        arrived = Kept(event, day)
        for other in known:
            if other.event.source != event.source:
                continue
            if event.supersedes == other.event.id:
                other.dead = True
            if other.event.supersedes == event.id:
                arrived.dead = True
        self.kept.setdefault(event.subject, []).append(arrived)
        return True

    def still_kept(self, subject: str) -> list[Kept]:
        return [kept for kept in self.kept.get(subject, []) if self.today - kept.day < self.catalog.keep]

    def live(self, subject: str) -> list[Kept]:
        return [kept for kept in self.still_kept(subject) if not kept.dead and kept.event.type != RETRACTED]

    # -- who belongs where -------------------------------------------------------

    def persons(self) -> list[str]:
        subjects = set(self.kept) | set(self.registry)
        return sorted(subject.split("/", 1)[1] for subject in subjects if subject.startswith("person/"))

    def membership(self, person: str) -> Event | None:
        events = self.registry.get(f"person/{person}", [])
        return max(events, key=lambda event: event.key) if events else None

    def home(self, person: str) -> str | None:
        """The household that the person belongs to now; None for the dead and the unknown."""
        holding = self.membership(person)
        if holding is not None and holding.type == JOINED:
            return str(holding.data["household"])
        if holding is not None and holding.data["reason"] == "died":
            return None
        if holding is None and not self.still_kept(f"person/{person}"):
            return None
        return f"~{person}"

    def members(self, household: str) -> list[str]:
        return [person for person in self.persons() if self.home(person) == household]

    def households(self) -> set[str]:
        """Every household that has members now."""
        homes = {self.home(person) for person in self.persons()}
        return {home for home in homes if home is not None}

    def community(self, household: str) -> str | None:
        events = self.registry.get(f"household/{household}", [])
        return str(max(events, key=lambda event: event.key).data["community"]) if events else None

    def role(self, person: str) -> str:
        holding = self.membership(person)
        return str(holding.data["role"]) if holding is not None and holding.type == JOINED else "other"

    def given(self, person: str, name: str) -> str | None:
        """Birth or sex: that of the greatest joined event that gives it."""
        events = self.registry.get(f"person/{person}", [])
        giving = [event for event in events if event.type == JOINED and name in event.data]
        return str(max(giving, key=lambda event: event.key).data[name]) if giving else None

    def age(self, person: str) -> int | None:
        birth = self.given(person, "birth")
        if birth is None:
            return None
        day = parse_date(birth)
        assert day is not None
        if day > self.today:
            return None
        born, now = date_of(day), date_of(self.today)
        return now[0] - born[0] - (now[1:] < born[1:])

    # -- what an indicator measures ----------------------------------------------

    def matching(self, subject: str, selection: Selection) -> list[Kept]:
        live = self.live(subject)
        ending = [kept for kept in live if kept.event.type in selection.until and kept.day <= self.today]
        found = []
        for kept in live:
            if kept.event.type not in selection.types or kept.day > self.today:
                continue
            if selection.within is not None and self.today - kept.day >= selection.within:
                continue
            if selection.field is not None and selection.field not in kept.event.data:
                continue
            if any(other.event.time >= kept.event.time for other in ending):
                continue
            if selection.where is None or selection.where(_FactSubject(kept.event)):
                found.append(kept)
        return found

    def measure(self, selection: Selection, facts: list[Kept]) -> Fraction | None:
        """The measure of one subject's matching facts; None without any."""
        if not facts:
            return None
        if selection.measure == "count":
            return Fraction(len(facts))
        if selection.measure == "days_since":
            return Fraction(self.today - max(kept.day for kept in facts))
        assert selection.field is not None
        if selection.measure == "latest":
            latest = max(facts, key=lambda kept: kept.event.key)
            return _number(latest.event.data[selection.field])
        values = [_number(kept.event.data[selection.field]) for kept in facts]
        if selection.measure == "sum":
            return sum(values, Fraction(0))
        return max(values) if selection.measure == "max" else min(values)

    def household_measure(
        self, selection: Selection, household: str, members: list[str]
    ) -> tuple[Fraction | None, list[Kept]]:
        """A household's measure over its own facts, or across its members'."""
        if selection.about == HOUSEHOLD:
            facts = self.matching(f"household/{household}", selection)
            return self.measure(selection, facts), facts
        every: list[Kept] = []
        measures = []
        for person in members:
            facts = self.matching(f"person/{person}", selection)
            measure = self.measure(selection, facts)
            every.extend(facts)
            if measure is not None:
                measures.append(measure)
        if not measures:
            return None, every
        if selection.across == "max":
            return max(measures), every
        total = sum(measures, Fraction(0))
        return (total / len(members) if selection.across == "per_member" else total), every

    def points(self, indicator: Indicator, measure: Measure, facts: list[Kept]) -> int:
        if measure is None:
            return 0
        points = indicator.fixed if indicator.fixed is not None else self.bounded(indicator, measure)
        if indicator.fades is None or not facts:
            return points
        after, over = indicator.fades
        age = self.today - max(kept.day for kept in facts)
        if age <= after:
            return points
        return math.trunc(Fraction(points * max(0, over - (age - after)), over))

    def bounded(self, indicator: Indicator, measure: Measure) -> int:
        values = {name: self.parameter(name) for name in self.policy.parameters}
        chosen: tuple[Fraction, int] | None = None
        for bound, worth in indicator.bounds:
            at = bound(values)
            if indicator.direction == "at_least":
                fits = measure == ENDLESS or (isinstance(measure, Fraction) and at <= measure)
                better = chosen is None or at > chosen[0]
            else:
                fits = isinstance(measure, Fraction) and at >= measure
                better = chosen is None or at < chosen[0]
            if fits and better:
                chosen = (at, worth)
        return 0 if chosen is None else chosen[1]

    def parameter(self, name: str) -> Fraction:
        dated = self.policy.parameters[name]
        past = [value for day, value in dated if day <= self.today]
        return past[-1] if past else dated[0][1]

    def person_outcome(self, indicator: Indicator, person: str) -> Outcome:
        assert indicator.selection is not None
        facts = self.matching(f"person/{person}", indicator.selection)
        measure = self.measure(indicator.selection, facts)
        return Outcome(indicator, person, self.points(indicator, measure, facts), measure, tuple(facts))

    def household_outcome(self, indicator: Indicator, household: str, members: list[str]) -> Outcome:
        if indicator.members is not None:
            true = sum(1 for person in members if indicator.members(_MemberSubject(self, person)))
            measure: Measure = Fraction(100 * true // len(members)) if indicator.share else Fraction(true)
            return Outcome(indicator, None, self.points(indicator, measure, []), measure, ())
        assert indicator.selection is not None
        number, facts = self.household_measure(indicator.selection, household, members)
        measure = number
        if number is not None and indicator.percent_of is not None:
            whole, _ = self.household_measure(indicator.percent_of, household, members)
            if whole is None:
                measure = None
            elif whole == 0:
                measure = ENDLESS
            else:
                measure = 100 * number / (whole * indicator.times)
        return Outcome(indicator, None, self.points(indicator, measure, facts), measure, tuple(facts))

    # -- the score ---------------------------------------------------------------

    def score(self, household: str, members: list[str]) -> Score:
        """The score of a household with members."""
        assert members
        outcomes: list[Outcome] = []
        for indicator in self.policy.indicators:
            if indicator.tier == PERSON:
                outcomes.extend(self.person_outcome(indicator, person) for person in members)
            else:
                outcomes.append(self.household_outcome(indicator, household, members))
        dimensions = {}
        for name, cap, combine in self.policy.dimensions:
            here = [outcome for outcome in outcomes if outcome.indicator.dimension == name]
            sums = [sum(outcome.points for outcome in here if outcome.person == person) for person in members]
            points = sum(sums) if combine == "sum" else max(sums)
            points += sum(outcome.points for outcome in here if outcome.person is None)
            dimensions[name] = min(max(points, 0), cap)
        scoring = [outcome for outcome in outcomes if outcome.points != 0]
        ranks = {name: rank for rank, (name, _, _) in enumerate(self.policy.levels, start=1)}
        named = [outcome.indicator.floor for outcome in scoring]
        floors = [ranks[name] for name in named if name is not None]
        because = sorted(
            scoring, key=lambda outcome: (-outcome.points, outcome.indicator.name, outcome.person or "")
        )
        return Score(sum(dimensions.values()), dimensions, tuple(because), max(floors, default=0))


def newest_first(facts: tuple[Kept, ...]) -> list[Kept]:
    """At most 20 facts, greatest (time, source, id, subject) first."""
    ordered = sorted(facts, key=lambda kept: (*kept.event.key, kept.event.subject), reverse=True)
    return ordered[:MAX_FACTS]


def _number(value: Value) -> Fraction:
    assert isinstance(value, Fraction)
    return value


@dataclass(frozen=True)
class _FactSubject:
    event: Event

    def get(self, name: str) -> Value | None:
        return self.event.data.get(name)

    def points(self, indicator: str) -> int:
        raise AssertionError("no points in where")


@dataclass(frozen=True)
class _MemberSubject:
    world: World
    person: str

    def get(self, name: str) -> Value | None:
        if name == "age":
            age = self.world.age(self.person)
            return None if age is None else Fraction(age)
        if name == "role":
            return self.world.role(self.person)
        assert name == "sex", name
        return self.world.given(self.person, "sex")

    def points(self, indicator: str) -> int:
        (found,) = [entry for entry in self.world.policy.indicators if entry.name == indicator]
        return self.world.person_outcome(found, self.person).points
