"""One household, record by record (events.md, 5; policy.md, 5)."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from rules.backtest import Backtest
from rules.household import Effect, catch_up, decode, encode, new, step
from rules.state import Household
from streams.errors import LedgerError
from streams.events import Event
from streams.records import Cause, Fact, Member, Origin, Release, Transfer
from tests.rules.a_policy import DAY_ZERO, Events, catalog, rules

RULES = rules()
NOWHERE = Origin("life.health", 0, 0)


class District:
    """A backtest that tells what it warned of since last asked."""

    def __init__(self) -> None:
        self.made = Events()
        self.backtest = Backtest(catalog(), RULES.policy, RULES)

    def take(self, *events: Event) -> list[dict[str, Any]]:
        before = len(self.backtest.warnings)
        for event in events:
            self.backtest.take(event)
        return [json.loads(warning.body) for warning in self.backtest.warnings[before:]]

    def until(self, day: int) -> list[dict[str, Any]]:
        before = len(self.backtest.warnings)
        self.backtest.finish(DAY_ZERO + day)
        return [json.loads(warning.body) for warning in self.backtest.warnings[before:]]

    def home(self, id: str = "A") -> Household:
        return self.backtest.households[id]


@pytest.fixture
def district() -> District:
    district = District()
    district.take(district.made.joined("p1", "A", 0, "head", birth="1980-01-01"))
    return district


def test_a_crossing_warns_once_and_says_why(district: District) -> None:
    (raised,) = district.take(district.made.fact("health.ill", "p1", 1, severity=3))
    assert raised["type"] == "warning.raised"
    assert raised["id"] == "A-1"
    data = raised["data"]
    assert (data["level"], data["score"], data["previous_score"]) == ("blue", 25, 0)
    assert data["reason"] == "fact"
    assert data["because"][0]["indicator"] == "ill"
    assert data["because"][0]["measure"] == 3
    assert district.take(district.made.fact("health.ill", "p1", 1.5, severity=4)) == [], "still above: silent"


def test_a_duplicate_changes_nothing_whatever_its_type(district: District) -> None:
    district.take(district.made.fact("health.ill", "p1", 1, severity=1, id="same"))
    before = encode(district.home())
    assert district.take(district.made.fact("work.lost", "p1", 1, id="same")) == []
    assert encode(district.home()) == before


def test_an_undone_fact_withdraws_and_a_passing_one_clears(district: District) -> None:
    district.take(district.made.fact("health.ill", "p1", 1, severity=3, id="x"))
    (withdrawn,) = district.take(district.made.retracted("p1", 2, "x"))
    assert (withdrawn["type"], withdrawn["data"]["reason"]) == ("warning.withdrawn", "retraction")
    district.take(district.made.fact("health.ill", "p1", 3, severity=3))
    (cleared,) = district.until(30)
    assert (cleared["type"], cleared["data"]["reason"]) == ("warning.cleared", "day")
    assert cleared["time"].endswith("16:00:00Z"), "the local midnight in Shanghai"


def test_a_floor_alone_warns_and_holds(district: District) -> None:
    (raised,) = district.take(district.made.fact("home.lost", "A", 1, source="/t/civil", id="h"))
    assert (raised["data"]["level"], raised["data"]["score"]) == ("red", 10)
    undone = district.made.fact("fact.retracted", "A", 2, source="/t/civil", supersedes="h", reason="wrong")
    (withdrawn,) = district.take(msgspec.structs.replace(undone, about_person=False))
    assert (withdrawn["type"], withdrawn["data"]["previous_level"]) == ("warning.withdrawn", "red")


def test_a_household_that_everyone_left_is_cleared(district: District) -> None:
    district.take(district.made.fact("health.ill", "p1", 1, severity=3))
    first, second = district.take(district.made.joined("p1", "B", 2))
    assert (first["subject"], first["type"], first["data"]["members"]) == (
        "household/A",
        "warning.cleared",
        0,
    )
    assert (second["subject"], second["type"]) == ("household/B", "warning.raised")
    assert second["data"]["reason"] == "membership"


def test_a_warned_household_that_moves_says_from_where(district: District) -> None:
    district.take(district.made.fact("health.ill", "p1", 1, severity=3))
    register = district.made.fact
    (moved,) = district.take(
        register("registry.household.registered", "A", 2, source="/t/civil", community="420106001001")
    )
    assert moved["type"] == "warning.moved"
    assert (moved["data"]["previous_community"], moved["data"]["community"]) == (None, "420106001001")
    older = register("registry.household.registered", "A", 1, source="/t/civil", community="420106009009")
    assert district.take(older) == []
    assert district.home().community == "420106001001"


def test_a_provisional_household_is_gone_with_its_last_fact() -> None:
    district = District()
    (raised,) = district.take(district.made.fact("health.ill", "p9", 0, severity=3))
    assert (raised["subject"], raised["data"]["members"]) == ("household/~p9", 1)
    district.until(39)
    assert district.home("~p9").members
    district.until(40)
    assert not district.home("~p9").members


def test_an_event_too_old_to_count_does_not_make_a_person_exist() -> None:
    district = District()
    district.take(district.made.joined("p1", "A", 41))
    district.take(district.made.fact("health.ill", "p9", 0, severity=3, received=41))
    assert not district.home("~p9").residents


def test_the_next_day_is_never_in_the_past(district: District) -> None:
    for day in range(1, 60):
        district.take(district.made.fact("health.ill", "p1", day, severity=day % 4))
        home = district.home()
        assert home.day is not None
        assert home.next_day > home.day


def test_a_record_of_a_move_that_never_was_stops_the_partition() -> None:
    home = new("~p1")
    event = Events().fact("health.ill", "p1", 0, severity=1)
    home, _ = step(home, Fact("~p1", "c", (1, 0), NOWHERE, 0, event), rules=RULES, day=DAY_ZERO)
    with pytest.raises(LedgerError, match="rebuild"):
        step(home, Fact("~p1", "c", (2, 0), NOWHERE, 7, event), rules=RULES, day=DAY_ZERO)


def test_a_large_person_moves_in_parts() -> None:
    made = Events()
    home = new("~p1")
    for number in range(700):
        event = made.fact("health.ill", "p1", 0.5, severity=1)
        home, _ = step(home, Fact("~p1", "c", (number, 0), NOWHERE, 0, event), rules=RULES, day=DAY_ZERO)
    cause = Cause("/t/civil", "j", "person/p1", 0)
    release = Release("~p1", "c", (999, 0), NOWHERE, "p1", 1, cause, "A", Member("head"))
    home, effects = step(home, release, rules=RULES, day=DAY_ZERO, channel="household.facts-1", offset=77)
    transfers = [effect for effect in effects if isinstance(effect, Transfer)]
    assert [(t.number, t.part, t.parts) for t in transfers] == [((77, at), at, 3) for at in range(3)]
    other = new("A")
    for transfer in reversed(transfers):
        assert not other.residents
        other, _ = step(other, transfer, rules=RULES, day=DAY_ZERO)
    assert len(other.residents["p1"].known.facts["health.ill"]) == 700
    assert not other.waiting
    assert home.is_empty


def test_a_move_is_applied_even_where_its_scoring_fails(district: District) -> None:
    """The program may fail on a score; a person must not be lost by it."""
    district.take(district.made.fact("health.ill", "p1", 1, severity=3))
    home = decode(encode(district.home()))
    cause = Cause("/t/civil", "j", "person/p1", 0)
    release = Release("A", "c", (9, 0), NOWHERE, "p1", 2, cause, "B", Member("head"))
    home, effects = step(home, release, rules=RULES, day=DAY_ZERO + 1, scoring=False)
    assert [type(effect) for effect in effects] == [Transfer]
    assert home.next_day == DAY_ZERO + 2, "tomorrow evaluates anew"
    home, effects = catch_up(home, rules=RULES, day=DAY_ZERO + 2)
    assert [getattr(effect, "type", None) for effect in effects] == ["warning.cleared"]


@pytest.mark.parametrize("later", range(1, 14))
def test_a_fact_after_some_days_is_as_after_each_of_them(district: District, later: int) -> None:
    """The short way passes over midnights that change nothing, and only over those."""
    district.take(
        district.made.fact("health.ill", "p1", 1, severity=3), district.made.fact("work.lost", "p1", 2)
    )
    raw = encode(district.home())
    bill = Fact(
        "A", "c", (9, 0), NOWHERE, 1, district.made.fact("bill.settled", "p1", 2 + later, paid_yuan=7)
    )
    day = DAY_ZERO + 2 + later
    through = decode(raw)
    ticked: list[Effect] = []
    for each in range(DAY_ZERO + 2, day + 1):
        through, effects = catch_up(through, rules=RULES, day=each)
        ticked += effects
    through, effects = step(through, bill, rules=RULES, day=day)
    at_once, told = step(decode(raw), bill, rules=RULES, day=day)
    assert encode(at_once) == encode(through)
    assert list(told) == [*ticked, *effects]
    assert at_once.day == day
