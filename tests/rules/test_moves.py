"""Persons move between households (events.md, 4 and 5): any interleaving of the hops ends the same.

A little pipeline without Kafka: one person partition, two household partitions, each channel in its own
order, channels interleaved at random, and everything now and then sent twice.
"""

from __future__ import annotations

import random
from collections import defaultdict, deque

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.backtest import Backtest
from rules.household import catch_up, decode, encode, new, step
from rules.person import Person
from rules.person import step as person_step
from rules.score import add_up
from rules.warnings import Warning
from streams.events import Event
from streams.records import About, Message, Origin, PersonRecord, decode_household_record
from streams.records import encode as encode_record
from tests.rules.a_policy import DAY_ZERO, POLICY, Events, catalog, rules

RULES = rules()
CATALOG = catalog()
NOWHERE = Origin("life.civil", 0, 0)
TODAY = DAY_ZERO + 5


class Pipeline:
    """Person and household stages; states are bytes between records, as they are live."""

    def __init__(self, events: list[Event], chance: random.Random) -> None:
        self.events = events
        self.chance = chance
        self.persons: dict[str, Person] = {}
        self.states: dict[str, bytes] = {}
        self.marks: dict[tuple[int, str], tuple[int, int]] = {}
        self.channels: dict[tuple[str, int], deque[bytes]] = defaultdict(deque)
        self.applied: list[int] = [0, 0]
        self.warnings: dict[str, list[bytes]] = defaultdict(list)

    def send(self, message: Message) -> None:
        self.channels[message.channel, self.partition(message.household)].append(encode_record(message))

    @staticmethod
    def partition(household: str) -> int:
        return sum(household.encode()) % 2

    def run(self) -> None:
        waiting = deque(enumerate(self.events, start=1))
        while waiting or any(self.channels.values()):
            ready = [key for key, queue in self.channels.items() if queue]
            if waiting and (not ready or self.chance.random() < 0.5):
                self.publish(*waiting.popleft())
            else:
                self.deliver(self.chance.choice(ready))

    def publish(self, offset: int, event: Event) -> None:
        if not event.about_person:
            self.send(About(event.subject, "life.civil-0", (offset, 0), NOWHERE, event))
            return
        record = PersonRecord(event, NOWHERE)
        person, messages = person_step(
            self.persons.get(event.subject), record, channel="person.events-0", offset=offset
        )
        if person is not None:
            self.persons[event.subject] = person
        for message in messages:
            self.send(message)

    def deliver(self, key: tuple[str, int]) -> None:
        channel, partition = key
        raw = self.channels[key].popleft()
        repeats = 2 if self.chance.random() < 0.2 else 1
        for _ in range(repeats):
            message = decode_household_record(raw)
            number = message.number  # type: ignore[union-attr]
            if number <= self.marks.get((partition, channel), (-1, -1)):
                continue
            self.marks[partition, channel] = number
            self.apply(message, partition)  # type: ignore[arg-type]

    def apply(self, message: Message, partition: int) -> None:
        self.applied[partition] += 1
        raw = self.states.get(message.household)
        state = decode(raw) if raw is not None else new(message.household)
        channel = f"household.facts-{partition}"
        state, effects = step(
            state, message, rules=RULES, day=TODAY, channel=channel, offset=self.applied[partition]
        )
        self.states[message.household] = encode(state)
        for effect in effects:
            if isinstance(effect, Warning):
                self.warnings[effect.household].append(effect.body)
            else:
                self.send(effect)


PERSONS, HOUSEHOLDS = ("p1", "p2"), ("A", "B", "C")


@st.composite
def histories(draw: st.DrawFn) -> list[Event]:
    made = Events()
    events = []
    for _ in range(draw(st.integers(1, 14))):
        person = draw(st.sampled_from(PERSONS))
        day = draw(st.integers(0, 4)) + draw(st.sampled_from((0.1, 0.5)))
        match draw(
            st.sampled_from(("join", "join", "left", "ill", "lost", "income", "home", "retract", "correct"))
        ):
            case "join":
                birth = draw(st.sampled_from((None, "1950-01-01", "2000-02-29")))
                data = {"birth": birth} if birth else {}
                events.append(made.joined(person, draw(st.sampled_from(HOUSEHOLDS)), day, **data))
            case "left":
                events.append(made.left(person, day, draw(st.sampled_from(("moved", "died")))))
            case "ill":
                events.append(made.fact("health.ill", person, day, severity=draw(st.integers(0, 4))))
            case "lost":
                events.append(made.fact("work.lost", person, day, source="/t/work"))
            case "income":
                yuan = draw(st.sampled_from((0, 50_000, 500_000)))
                events.append(made.fact("income.assessed", person, day, yuan=yuan, source="/t/civil"))
            case "home":
                events.append(
                    made.fact("home.lost", draw(st.sampled_from(HOUSEHOLDS)), day, source="/t/civil")
                )
            case "retract":
                target = f"e{draw(st.integers(1, 14))}"
                if target != f"e{made.count + 1}":
                    events.append(made.retracted(person, day, target))
            case _:
                target = f"e{draw(st.integers(1, 14))}"
                if target != f"e{made.count + 1}":
                    events.append(made.fact("health.ill", person, day, severity=3, supersedes=target))
    return [msgspec.structs.replace(event, received=event.time) for event in events]


def summary(home_bytes: dict[str, bytes]) -> dict[str, tuple[object, ...]]:
    found = {}
    for id, raw in home_bytes.items():
        home = decode(raw)
        if home.members:
            score = add_up(home, RULES)
            facts = sorted(
                (type, fact.id)
                for r in home.members
                for type, facts in r.known.facts.items()
                for fact in facts
            )
            found[id] = (sorted(r.id for r in home.members), score.total, score.dimensions, tuple(facts))
    return found


@given(histories(), st.integers(0, 2**32))
@settings(max_examples=300, deadline=None)
def test_any_interleaving_ends_the_same(events: list[Event], seed: int) -> None:
    pipeline = Pipeline(events, random.Random(seed))
    pipeline.run()
    backtest = Backtest(CATALOG, RULES.policy, RULES)
    backtest.today = TODAY
    for event in events:
        backtest.take(event)
    expected = {id: encode(home) for id, home in backtest.households.items()}
    assert summary(pipeline.states) == summary(expected)
    for raw in pipeline.states.values():
        assert not decode(raw).waiting, "nobody is left on the way"


@given(histories(), st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_a_replay_of_the_same_log_gives_the_same_bytes(events: list[Event], seed: int) -> None:
    first, second = Pipeline(events, random.Random(seed)), Pipeline(events, random.Random(seed))
    first.run()
    second.run()
    assert first.states == second.states
    assert first.warnings == second.warnings


@given(histories())
@settings(max_examples=60, deadline=None)
def test_encode_then_decode_is_the_identity(events: list[Event]) -> None:
    backtest = Backtest(CATALOG, RULES.policy, RULES)
    for event in events:
        backtest.take(event)
    for home in backtest.households.values():
        assert encode(decode(encode(home))) == encode(home)
        assert decode(encode(home)) == home


@given(histories(), st.permutations(range(14)))
@settings(max_examples=200, deadline=None)
def test_the_order_of_arrival_does_not_matter(events: list[Event], order: list[int]) -> None:
    """Duplicates and keeping apart, the set of events decides (events.md, 5)."""
    shuffled = [events[at] for at in order if at < len(events)]
    results = []
    for given_order in (events, shuffled):
        backtest = Backtest(CATALOG, RULES.policy, RULES)
        backtest.today = TODAY
        for event in given_order:
            backtest.take(event)
        results.append(summary({id: encode(home) for id, home in backtest.households.items()}))
    assert results[0] == results[1]


@given(histories(), st.lists(st.integers(0, 60), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_lazy_ticks_are_never_too_late(events: list[Event], gaps: list[int]) -> None:
    """Passing over days gives the warnings of ticking every household on every day (policy.md, 2)."""
    lazy, eager = (Backtest(CATALOG, rules(POLICY).policy, RULES) for _ in range(2))
    day = TODAY  # no event is of a later day
    for backtest in (lazy, eager):
        backtest.today = day
    for at, event in enumerate(events):
        lazy.take(event)
        eager.take(event)
        last = day + gaps[at % len(gaps)]
        while day < last:
            day += 1
            eager.today = day
            for home in eager.households.values():
                home.next_day = min(home.next_day, day)
                _, effects = catch_up(home, rules=RULES, day=day)
                eager.warnings.extend(effect for effect in effects if isinstance(effect, Warning))
        lazy.today = day
    lazy.finish(day + 50)
    for later in range(day + 1, day + 51):
        for home in eager.households.values():
            home.next_day = min(home.next_day, later)
            _, effects = catch_up(home, rules=RULES, day=later)
            eager.warnings.extend(effect for effect in effects if isinstance(effect, Warning))
    assert _bodies(lazy) == _bodies(eager)


def _bodies(backtest: Backtest) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for warning in backtest.warnings:
        found[warning.household].append(warning.body)
    return found
