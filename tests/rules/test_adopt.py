"""Another policy takes over (policy.md, 5)."""

from __future__ import annotations

import json
from typing import Any

from rules.backtest import Backtest
from rules.household import Household, adopt, catch_up
from rules.warnings import Warning, because
from tests.rules.a_policy import DAY_ZERO, POLICY, Events, catalog, micros, rules

OLD = rules()
STRICTER = rules(POLICY.replace("at: 20, clear: 15", "at: 12, clear: 10").replace("version: 1", "version: 2"))
ONE_LEVEL = rules(
    POLICY.replace("  - {id: red, at: 50, clear: 40}\n", "")
    .replace(", floor: red", "")
    .replace("version: 1", "version: 3")
)
DEAF = rules(
    POLICY.replace("at_least: {1: 12, 3: 25}", "at_least: {1: 0}").replace("version: 1", "version: 4")
)


def home(*severities: int) -> Household:
    made = Events()
    run = Backtest(catalog(), OLD.policy, OLD)
    run.take(made.joined("p1", "A", 0))
    for number, severity in enumerate(severities):
        run.take(made.joined(f"q{number}", "A", 0))
        run.take(made.fact("health.ill", f"q{number}", 1, severity=severity))
    return run.households["A"]


def adopted(state: Household, policy: Any, day: int = 1) -> list[dict[str, Any]]:
    _, effects = adopt(state, rules=policy, day=DAY_ZERO + day, received=micros(day + 0.5))
    return [json.loads(effect.body) for effect in effects if isinstance(effect, Warning)]


def test_a_household_is_evaluated_anew_with_the_reason_policy() -> None:
    (raised,) = adopted(home(1), STRICTER)
    assert (raised["type"], raised["id"], raised["data"]["reason"]) == ("warning.raised", "A-1", "policy")
    assert raised["data"]["cause"] == {"policy": "test", "version": 2}
    assert raised["data"]["policy"]["digest"] == STRICTER.digest
    assert raised["time"] == "2024-02-02T04:00:00Z"


def test_the_level_keeps_its_rank_or_the_highest_there_is() -> None:
    state = home(3, 3)
    assert state.level == 2
    assert adopted(state, ONE_LEVEL) == []
    assert state.level == 1


def test_a_level_that_nothing_holds_any_more_is_cleared() -> None:
    (cleared,) = adopted(home(3), DEAF)
    assert (cleared["type"], cleared["data"]["previous_level"]) == ("warning.cleared", "blue")


def test_the_same_policy_again_changes_nothing() -> None:
    state = home(3)
    assert adopted(state, OLD) == []
    adopted(state, STRICTER)
    assert adopted(state, STRICTER) == []


def test_it_ticks_on_by_the_new_policy() -> None:
    state = home(1)
    adopted(state, STRICTER)
    _, effects = catch_up(state, rules=STRICTER, day=DAY_ZERO + 35)
    assert [effect.type for effect in effects if isinstance(effect, Warning)] == ["warning.cleared"]


def test_points_of_the_policy_before_do_not_stay_where_indicators_have_other_numbers() -> None:
    """The household's indicators moved down by one, so their old numbers are persons' or nobody's."""
    last = "  - {id: poor,"
    put_before = "  - {id: sick, dimension: health, tier: person, from: health.ill, points: 1}\n"
    moved = rules(POLICY.replace(last, put_before + last).replace("version: 1", "version: 5"))
    shorter = rules(POLICY[: POLICY.index("  - {id: homeless,")].replace("version: 1", "version: 6"))
    for policy, score in ((moved, 10 + 15), (shorter, 15)):
        made = Events()
        run = Backtest(catalog(), OLD.policy, OLD)
        run.take(made.joined("p1", "A", 0))
        run.take(made.fact("income.assessed", "p1", 0, source="/t/civil", yuan=10_000))
        run.take(made.fact("home.lost", "A", 0, source="/t/civil"))
        state = run.households["A"]
        assert len(state.points) == 2
        adopted(state, policy)
        assert (state.score, sum(state.points.values())) == (score, score)
        assert sum(one["points"] for one in because(state, policy, DAY_ZERO + 1)) == score
