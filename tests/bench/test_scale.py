"""The benchmark of scale runs, small, and what it counts agrees. How quick anything is is not asserted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bench import scale, scale_activation, scale_backtest, scale_burst, scale_load, scale_memory, scale_probes
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


def test_parts_of_earlier_runs_are_taken_over_with_their_date(tmp_path: Path) -> None:
    out = tmp_path / "2026-01-03-cpu-scale.json"
    assert scale.earlier(out, tmp_path) == {}
    for day in (1, 2):
        about = {
            "date": f"2026-01-0{day}",
            "cores": day,
            "flat": {"aim": day},
            "burst": {"date": "2025-12-31"},
        }
        (tmp_path / f"2026-01-0{day}-cpu-scale.json").write_text(json.dumps(about), "utf-8")
    assert scale.earlier(out, None) == {}
    found = scale.earlier(out, tmp_path)
    assert found["flat"] == {"aim": 2, "date": "2026-01-02"}
    assert found["burst"] == {"date": "2025-12-31"}
    out.write_text('{"date": "2026-01-03", "flat": {}}', "utf-8")
    assert scale.earlier(out, tmp_path)["flat"] == {"date": "2026-01-03"}


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
    found = scale_backtest.measure(20, 100, 1, ignore)
    assert found["lines"] == found["registration_lines"] + 100
    assert found["registration_lines"] > 60


def test_two_jobs_raise_the_same_warnings_and_their_cpu_is_counted() -> None:
    one, two = (scale_backtest.measure(800, 12_000, jobs, ignore) for jobs in (1, 2))
    assert two["jobs"] == 2
    assert one["warnings"] == two["warnings"] > 0
    # Reading leaves the steps to the children: without their CPU it would be as much.
    assert two["cpu_seconds"] > 0
    assert two["wall_seconds"] >= two["wall_seconds_of_reading"] > 0


@pytest.mark.timeout(300)
def test_every_probe_has_its_warning_and_every_household_its_midnight(stack: Stack) -> None:
    size = scale_burst.Size(households=400, seconds=2.0, quiet_seconds=0.5)
    found = asyncio.run(scale_burst.measure(stack, size, ignore))
    assert sum(row["probes"] for row in found["phases"].values()) == found["probes"] > 60
    assert found["caught_up"] >= 400
    assert list(found["phases"]) == list(scale_burst.PHASES)


@pytest.mark.timeout(300)
def test_every_household_is_evaluated_by_the_new_policy(stack: Stack) -> None:
    size = scale_activation.Size(households=600, quiet_seconds=0.5)
    found = asyncio.run(scale_activation.measure(stack, size, ignore))
    assert found["under_it"] == 600 + scale_probes.PROBED
    # One with a probe is taken over before its own record, if the sweep has not come to it.
    assert found["under_it"] - found["probes"] <= found["visited"] <= found["under_it"]
    assert found["warnings_by_policy"] > 0
    assert sum(row["probes"] for row in found["phases"].values()) == found["probes"] > 15
    assert list(found["phases"]) == list(scale_activation.PHASES)
    picture = {"activation": found, "cpu": "a < b", "cores": 2, "date": "2026-01-02"}
    texts = [element.text for element in ET.fromstring(draw(picture)).iter() if element.text]
    assert "another policy" in texts
    assert "a < b, 2 cores, 2026-01-02" in texts


def test_the_changed_policy_is_another_version_with_a_lower_line() -> None:
    catalog = read_catalog(CATALOG)
    old = read_policy(POLICY, catalog)
    new = read_policy("new.yaml", catalog, scale_activation.changed(POLICY.read_bytes()))
    assert (new.id, new.version) == (old.id, old.version + 1)
    assert new.levels[0].at < old.levels[0].at
    assert new.levels[1:] == old.levels[1:]
    with pytest.raises(ValueError, match="any more"):
        scale_activation.changed(scale_activation.changed(POLICY.read_bytes()))


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
