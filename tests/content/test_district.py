"""The generator of made-up districts."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.backtest import Backtest
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.district import District, district_lines
from streams.district_courses import TYPES
from streams.district_homes import COMMUNITIES, STREETS
from streams.envelope import Decoder
from streams.errors import InputError

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
SMALL = District(300, 1_200, seed=7)
"""About a year of 300 households."""


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(district_lines(SMALL, CATALOG))


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(lines: list[bytes]) -> None:
    assert list(district_lines(SMALL, CATALOG)) == lines
    assert list(islice(district_lines(District(300, 1_200, seed=8), CATALOG), 50)) != lines[:50]


def test_every_line_is_accepted(lines: list[bytes]) -> None:
    decoder = Decoder(CATALOG)
    assert all(decoder.line(line) for line in lines)


def test_lines_stand_in_order_of_time(lines: list[bytes]) -> None:
    times = [json.loads(line)["time"] for line in lines]
    assert all(before <= after for before, after in pairwise(times))
    assert all(time.endswith("+08:00") for time in times)


def test_only_repeated_lines_share_an_id(lines: list[bytes]) -> None:
    by_id: dict[str, set[bytes]] = {}
    for line in lines:
        by_id.setdefault(json.loads(line)["id"], set()).add(line)
    assert all(len(same) == 1 for same in by_id.values())
    assert len(by_id) < len(lines), "some records are repeated on purpose"


@settings(max_examples=15, deadline=None)
@given(
    households=st.integers(1, 60),
    events=st.integers(0, 300),
    seed=st.integers(0, 10**6),
    days=st.none() | st.integers(1, 400),
)
def test_so_many_life_events_as_asked_for_after_the_first_day(
    households: int, events: int, seed: int, days: int | None
) -> None:
    district = District(households, events, seed, date(2023, 5, 5), days)
    decoder = Decoder(CATALOG)
    first = later = registered = 0
    for line in district_lines(district, CATALOG):
        event = decoder.line(line)
        on_first_day = json.loads(line)["time"].startswith("2023-05-05")
        first += on_first_day
        later += not on_first_day
        registered += on_first_day and event.type == "registry.household.registered"
    assert (registered, later) == (households, events)
    assert 3 * households <= first <= 14 * households


def test_the_days_follow_from_four_events_a_household_and_year() -> None:
    assert District(1_000, 4_000).length_days == 365
    assert District(1_000, 10).length_days == 30
    assert District(10, 100_000).length_days == 1_095
    assert District(10, 100_000, days=7).length_days == 7


def test_fourteen_streets_and_142_communities() -> None:
    assert len(STREETS) == 14
    assert len(set(COMMUNITIES)) == 142
    assert all(len(code) == 12 and code[:9] in STREETS for code in COMMUNITIES)


def test_the_mix_has_all_that_the_engine_has_to_bear(lines: list[bytes]) -> None:
    """Moves, deaths, births, corrections, retractions, repeats and a wide mix of types."""
    events = [json.loads(line) for line in lines]
    types = Counter(event["type"] for event in events)
    assert types["registry.member.left"] > 0
    assert types["fact.retracted"] > 0
    assert any("supersedes" in event and event["type"] != "fact.retracted" for event in events)
    joins: dict[str, set[str]] = {}
    for event in events:
        if event["type"] == "registry.member.joined":
            joins.setdefault(event["subject"], set()).add(event["data"]["household"])
    assert any(len(homes) > 1 for homes in joins.values()), "somebody moves"
    assert len(types) > 35


def test_most_types_of_the_generator_are_of_the_catalogue_of_wuchang() -> None:
    assert set(TYPES) <= set(CATALOG.events)


def test_a_normal_district_warns_of_a_few_in_a_hundred_households() -> None:
    """The policy's calibration: staff are not flooded, and not told nothing."""
    catalog = CATALOG
    policy = read_policy(ROOT / "rules/policies/wuchang.yaml", catalog)
    district = District(1_500, 6_000, seed=3)
    backtest = Backtest(catalog, policy)
    for number, line in enumerate(district_lines(district, catalog), start=1):
        assert backtest.feed(number, line) is None
    backtest.finish()
    ever = {warning.household for warning in backtest.warnings}
    assert 0.004 < len(ever) / district.households < 0.04
    scores = sorted(score["score"] for score in backtest.scores())
    assert scores[len(scores) // 2] <= 10, "half of all households have hardly any points"
    assert all(warning.level != "red" for warning in backtest.warnings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"households": 0, "events": 1}, "--households: expected at least 1, not 0"),
        ({"households": 1, "events": -1}, "--events: expected 0 or more, not -1"),
        ({"households": 1, "events": 1, "days": 0}, "--days: expected at least 1, not 0"),
    ],
)
def test_what_cannot_be_made_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        District(**arguments)  # type: ignore[arg-type]


def test_a_catalogue_without_the_types_is_refused() -> None:
    events = {kind: event for kind, event in CATALOG.events.items() if kind != "work.job.lost"}
    poorer = Catalog("poor", 1, "/wuchang", CATALOG.departments, CATALOG.registry, 1100, events)
    with pytest.raises(
        InputError, match=r"the catalogue `poor` lacks types of the generator: work\.job\.lost"
    ):
        next(district_lines(SMALL, poorer))


def test_the_example_district_is_what_the_generator_makes() -> None:
    made = b"".join(line + b"\n" for line in district_lines(District(60, 240, days=60), CATALOG))
    assert (ROOT / "examples/district.jsonl").read_bytes() == made
