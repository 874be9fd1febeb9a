"""Where a person belongs (events.md, 4)."""

from __future__ import annotations

import msgspec

from rules.person import Person, decode, encode, step
from streams.events import Event
from streams.records import Fact, Member, Message, Origin, PersonRecord, Release, Update
from tests.rules.a_policy import Events

ORIGIN = Origin("life.civil", 1, 7)


class Registry:
    """One person and what households are told of it."""

    def __init__(self) -> None:
        self.person: Person | None = None
        self.told: list[Message] = []

    def take(self, event: Event) -> None:
        person, messages = step(
            self.person, PersonRecord(event, ORIGIN), channel="person.events-3", offset=len(self.told) + 40
        )
        if person is not None:
            self.person = decode(encode(person))
        self.told += messages

    @property
    def held(self) -> Person:
        assert self.person is not None
        return self.person


def same_name(first: Event, other: Event) -> Event:
    """The other event under the first one's time, source and id."""
    return msgspec.structs.replace(other, time=first.time, source=first.source, id=first.id)


def test_an_unknown_person_is_at_home_with_itself() -> None:
    registry, made = Registry(), Events()
    registry.take(made.fact("work.lost", "p1", 1))
    (fact,) = registry.told
    assert isinstance(fact, Fact)
    assert (fact.household, fact.n, fact.number, fact.channel) == ("~p1", 0, (40, 0), "person.events-3")
    assert registry.person is None, "facts leave no trace here"


def test_a_move_is_a_release_to_the_old_household() -> None:
    registry, made = Registry(), Events()
    registry.take(made.joined("p1", "A", 1, "head", birth="1980-01-01"))
    registry.take(made.joined("p1", "B", 2, "child"))
    first, second = registry.told
    assert isinstance(first, Release)
    assert isinstance(second, Release)
    assert (first.household, first.to, first.n) == ("~p1", "A", 1)
    assert (second.household, second.to, second.n) == ("A", "B", 2)
    assert second.member == Member("child", "1980-01-01", None), (
        "birth is that of the greatest event that gives it"
    )


def test_the_greatest_event_holds_whatever_order_they_arrive_in() -> None:
    registry, made = Registry(), Events()
    newer, older = made.joined("p1", "B", 5), made.joined("p1", "A", 1, birth="1980-01-01")
    registry.take(newer)
    registry.take(older)
    assert registry.held.where == "B"
    assert registry.held.birth == "1980-01-01"
    assert isinstance(registry.told[-1], Update), "the household learns the birth"


def test_a_change_inside_one_household_is_an_update() -> None:
    registry, made = Registry(), Events()
    registry.take(made.joined("p1", "A", 1, "child"))
    registry.take(made.joined("p1", "A", 2, "head"))
    assert isinstance(registry.told[-1], Update)
    assert registry.held.n == 1


def test_what_changes_nothing_that_can_be_seen_is_kept_but_not_told() -> None:
    registry, made = Registry(), Events()
    registry.take(made.joined("p1", "A", 1, "child"))
    registry.take(made.joined("p1", "A", 2, "child"))
    assert len(registry.told) == 1
    assert registry.held.key[2] == "e2"


def test_a_death_moves_to_where_nothing_counts_and_a_newer_join_brings_back() -> None:
    registry, made = Registry(), Events()
    registry.take(made.joined("p1", "A", 1))
    registry.take(made.left("p1", 2, "died"))
    assert (registry.held.where, registry.held.role) == ("~p1", "dead")
    registry.take(made.joined("p1", "B", 3, "head"))
    assert (registry.held.where, registry.held.role, registry.held.n) == ("B", "head", 3)


def test_of_registry_events_with_the_same_name_the_first_holds() -> None:
    registry, made = Registry(), Events()
    first = made.left("p1", 3)
    registry.take(first)
    registry.take(same_name(first, made.joined("p1", "A", 3, birth="1990-01-01")))
    assert registry.held.where == "~p1"
    assert registry.held.birth is None, "not even what the first did not say"


def test_an_older_name_is_remembered_as_long_as_its_repeat_could_tell_something() -> None:
    registry, made = Registry(), Events()
    old, new = made.joined("p1", "A", 1), made.joined("p1", "B", 2)
    registry.take(old)
    registry.take(new)
    registry.take(same_name(old, made.joined("p1", "A", 1, sex="female")))
    assert registry.held.sex is None
    registry.take(made.joined("p1", "B", 3, birth="1990-01-01", sex="male"))
    assert registry.held.seen == (), "now no repeat of an older one can change anything"
    registry.take(same_name(new, made.joined("p1", "C", 2, birth="1991-01-01", sex="female")))
    assert (registry.held.where, registry.held.birth, registry.held.sex) == ("B", "1990-01-01", "male")
