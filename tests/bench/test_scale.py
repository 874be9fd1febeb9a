"""The benchmark of scale runs, small, and what it counts agrees. How quick anything is is not asserted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import scale, scale_burst, scale_load, scale_memory
from bench.machine import CATALOG, POLICY
from bench.scale_chart import draw
from bench.scale_homes import copies, district, models, name
from bench.servers import servers
from deploy.local import Stack
from rules import household
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog


def ignore(what: str) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with servers(ignore) as found:
        yield found


def test_a_copy_is_its_model_under_another_name() -> None:
    catalog = read_catalog(CATALOG)
    run = district(30, 200, catalog, read_policy(POLICY, catalog))
    given = models(run, run.today)
    assert len(given) > 20
    for number, (id, model, state) in enumerate(copies(given, 100)):
        home, old = household.decode(state), household.decode(model.state)
        assert home.id == id == name(number)
        assert [one.removeprefix(id) for one in home.residents] == [
            one.removeprefix(model.id) for one in old.residents
        ]
        assert all(one.startswith(id + ".") for one in home.residents)
        assert (home.score, home.next_day, home.own) == (old.score, old.next_day, old.own)


def test_names_are_as_long_as_the_generators_and_all_different() -> None:
    names = [name(number) for number in (0, 1, 35, 36, 1_999_999)]
    assert {len(one) for one in names} == {7}
    assert len(set(names)) == 5


def test_a_years_backtest_counts_its_lines() -> None:
    found = scale.backtest(20, 100, ignore)
    assert found["lines"] == found["registration_lines"] + 100
    assert found["registration_lines"] > 60


@pytest.mark.timeout(300)
def test_every_probe_has_its_warning_and_every_household_its_midnight(stack: Stack) -> None:
    size = scale_burst.Size(households=400, seconds=2.0, quiet_seconds=0.5)
    found = asyncio.run(scale_burst.measure(stack, size, ignore))
    assert sum(row["probes"] for row in found["phases"].values()) == found["probes"] > 60
    assert found["caught_up"] >= 400
    assert list(found["phases"]) == list(scale_burst.PHASES)


@pytest.mark.timeout(300)
def test_the_same_facts_go_to_few_and_to_many_households(stack: Stack, monkeypatch: Any) -> None:
    monkeypatch.setattr(scale_load, "HOT", 100)
    monkeypatch.setattr(scale_load, "ROUNDS", 1)
    monkeypatch.setattr(scale_load, "LARGE_CACHE_BYTES", 1_000_000)
    found = asyncio.run(scale_load.measure(stack, [300, 500], 200, ignore))
    assert [row["households"] for row in found["sizes"]] == [300, 500]
    assert found["sizes"][1]["with_large_cache"]["resident_megabytes"] > 0
    picture = {"flat": found, "cpu": "a < b", "cores": 2, "date": "2026-01-02"}
    assert "500" in [element.text for element in ET.fromstring(draw(picture)).iter() if element.text]


@pytest.mark.timeout(300)
def test_memory_counts_more_before_a_snapshot_than_after(stack: Stack) -> None:
    found = asyncio.run(scale_memory.measure(stack, 2_000, ignore))
    assert 0 < found["bytes"] < found["bytes_before_a_snapshot"]
