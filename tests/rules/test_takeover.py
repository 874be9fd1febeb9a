"""Households go through activations one after the other, whenever they are visited (policy.md, 5)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.compile import compile_policy
from rules.household import Household, catch_up, decode, encode, new
from rules.policy_file import read_policy
from rules.preview import Preview, conflicts, look
from rules.state import is_under
from rules.takeover import Takeover, take_over
from streams.catalog_file import read_catalog
from tests.rules.a_policy import CATALOG, DAY_ZERO, POLICY, catalog, micros, rules
from tests.rules.test_adopt import DEAF, OLD, ONE_LEVEL, STRICTER, home

RULES = {1: OLD, 2: STRICTER, 3: DEAF, 4: OLD, 5: ONE_LEVEL}


def at(*days: int) -> list[Takeover]:
    return [Takeover(2 + n, DAY_ZERO + day, micros(day + 0.5)) for n, day in enumerate(days)]


def visited(state: Household, takeovers: list[Takeover], number: int, day: int) -> list[bytes]:
    """What a visit on a day leads to."""
    _, effects = take_over(state, rules_of=RULES.__getitem__, takeovers=takeovers, number=number)
    _, more = catch_up(state, rules=RULES[number], day=DAY_ZERO + day)
    return [effect.body for effect in (*effects, *more)]  # type: ignore[union-attr]


def told(bodies: list[bytes]) -> list[tuple[str, str, int, str]]:
    found = [json.loads(body) for body in bodies]
    return [
        (one["type"], one["data"]["reason"], one["data"]["policy"]["version"], one["id"]) for one in found
    ]


def test_a_household_goes_through_every_activation_in_order() -> None:
    state = home(1)
    assert told(visited(state, at(1, 2, 3), 4, 3)) == [
        ("warning.raised", "policy", 2, "A-1"),
        ("warning.cleared", "policy", 4, "A-2"),
    ]
    assert (state.activation, state.digest) == (4, OLD.digest)


def test_one_that_is_under_it_already_is_passed_over() -> None:
    state = home(1)
    visited(state, at(1), 2, 1)
    before = encode(state)
    assert visited(state, at(1), 2, 1) == []
    assert encode(state) == before
    assert is_under(before, 2)
    assert not is_under(before, 3)


def test_an_older_version_again_is_a_take_over_like_any_other() -> None:
    state = home(3)
    bodies = visited(state, at(1, 1, 1), 4, 1)
    assert told(bodies) == [
        ("warning.cleared", "policy", 4, "A-2"),
        ("warning.raised", "policy", 1, "A-3"),
    ]
    assert json.loads(bodies[-1])["data"]["cause"] == {"policy": "test", "version": 1}


def test_levels_keep_their_rank_through_fewer_and_more() -> None:
    state = home(3, 3)
    assert state.level == 2
    assert visited(state, [Takeover(5, DAY_ZERO + 1, micros(1.5))], 5, 1) == []
    assert state.level == 1


@settings(max_examples=60, deadline=None)
@given(
    days=st.lists(st.integers(1, 40), min_size=3, max_size=3).map(sorted),
    visits=st.lists(st.integers(1, 45), max_size=4).map(sorted),
)
def test_when_it_is_visited_makes_no_difference(days: list[int], visits: list[int]) -> None:
    """Midnights before the activation under the policy before, those after it under the new one."""
    takeovers = at(*days)
    at_once, late = home(1, 3), home(1, 3)
    now: list[bytes] = []
    for day in sorted({*days, *visits, 45}):
        number = 1 + sum(one.day <= DAY_ZERO + day for one in takeovers)
        now += visited(at_once, takeovers, number, day)
    assert visited(late, takeovers, 4, 45) == now
    assert (late.level, late.score, late.warned) == (at_once.level, at_once.score, at_once.warned)


def test_another_catalogue_with_the_same_policy_counts_too() -> None:
    shorter = read_catalog("catalog.yaml", CATALOG.replace("keep: 40d", "keep: 30d").encode())
    rules_of = {1: OLD, 2: compile_policy(read_policy("policy.yaml", shorter, POLICY.encode()), shorter)}
    state = home(3)
    take_over(state, rules_of=rules_of.__getitem__, takeovers=at(2), number=2)
    catch_up(state, rules=rules_of[2], day=DAY_ZERO + 31)
    assert not any(resident.known for resident in state.residents.values())


def test_where_an_evaluation_fails_the_next_day_makes_it_up() -> None:
    state = home(1)
    _, effects = take_over(state, rules_of=RULES.__getitem__, takeovers=at(1), number=2, scoring=False)
    assert effects == ()
    state = decode(encode(state))
    _, more = catch_up(state, rules=STRICTER, day=DAY_ZERO + 2)
    assert [effect.type for effect in more] == ["warning.raised"]  # type: ignore[union-attr]


def test_a_household_of_which_nothing_is_known_only_changes_its_number() -> None:
    state = new("B")
    assert take_over(state, rules_of=RULES.__getitem__, takeovers=at(1), number=2)[1] == ()
    assert (state.day, state.activation) == (None, 2)


def test_a_preview_counts_what_would_change() -> None:
    found = Preview()
    for severities in ((1,), (1,), (3,), ()):
        look(
            found, home(*severities), old=OLD, new=STRICTER, day=DAY_ZERO + 1, lost=frozenset({"health.ill"})
        )
    assert dict(found.changes) == {(None, "blue"): 2, ("blue", "blue"): 1, (None, None): 1}
    assert (found.households, found.changed, dict(found.warnings)) == (4, 2, {"warning.raised": 2})
    assert (dict(found.lost), found.communities[None].total()) == ({"health.ill": 3}, 2)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("severity: {kind: integer}", "severity: {kind: text}", "health.ill.severity: the kind was integer"),
        ("[civil], subject: household", "[civil], subject: person", "home.lost: the subject was household"),
    ],
)  # fmt: skip
def test_a_catalogue_may_not_change_what_facts_are(old: str, new: str, said: str) -> None:
    changed = read_catalog("catalog.yaml", CATALOG.replace(old, new).encode())
    (found,) = conflicts(catalog(), changed)
    assert found.startswith(said)
    assert conflicts(catalog(), catalog()) == []


def test_the_rules_of_these_tests_differ() -> None:
    assert len({one.digest for one in RULES.values()}) == 4
    assert rules().digest == OLD.digest
