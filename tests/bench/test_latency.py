"""The latency benchmark measures what it says. How quick anything is is not asserted anywhere."""

from __future__ import annotations

from collections import Counter
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder

from bench import latency
from bench.latency_chart import draw
from bench.latency_figures import LEGS, curve, percentiles
from bench.latency_load import Load, crossing_of
from bench.latency_process import addressed, batches_of
from bench.machine import CATALOG, POLICY
from rules.backtest import Backtest
from rules.compile import compile_policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

SMALL = Load(200, 3.0, every=5, households=50, alone=40)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    """The whole one of Wuchang."""
    return read_catalog(CATALOG)


@pytest.fixture(scope="module")
def figures() -> dict[str, Any]:
    """One scenario, small, on servers of its own."""
    scenario = latency.Scenario(SMALL, 1.0, {50.0: 20.0, 99.0: 50.0}, workers={"household": 2})
    return latency.measure([scenario], lambda what: None)[scenario.name]


def test_every_crossing_warns_once_and_nothing_else_of_its_household_does(catalog: Catalog) -> None:
    run = Backtest(catalog, policy := read_policy(POLICY, catalog), compile_policy(policy, catalog))
    registration, events = SMALL.lines(catalog)
    assert len(events) == SMALL.events
    for number, line in enumerate([*registration, *events], start=1):
        run.feed(number, line)
    bodies = [orjson.loads(warning.body) for warning in run.warnings]
    causes = Counter(
        crossing_of(body["data"]["cause"].get("id", ""))
        for body in bodies
        if body["data"]["household"].startswith("alone")
    )
    assert causes == Counter(n for n in range(SMALL.events) if SMALL.is_crossing(n))
    assert len(causes) == SMALL.crossings


def test_a_line_that_was_crossed_is_crossed_back_by_the_next_turn(catalog: Catalog) -> None:
    _, events = SMALL.lines(catalog)
    crossings = [orjson.loads(line) for line in events if b'"crossing-' in line]
    lost = {one["id"]: one["subject"] for one in crossings if one["type"] == "elderly.contact.lost"}
    taken_back = [one for one in crossings if one["type"] == "fact.retracted"]
    assert len(lost) + len(taken_back) == SMALL.crossings
    assert taken_back
    assert all(lost[one["supersedes"]] == one["subject"] for one in taken_back)


def test_events_go_where_the_publisher_sends_them(catalog: Catalog) -> None:
    _, events = SMALL.lines(catalog)
    records = addressed(events, "p.", 8, list(catalog.departments))
    assert [record[3] for record in records] == events
    assert {record[0] for record in records} <= {f"p.life.{name}" for name in catalog.departments}
    assert {record[1] for record in records} == set(range(8))
    by_subject: dict[bytes | None, set[int]] = {}
    for topic, partition, key, _, _ in records:
        if topic == "p.life.civil-affairs":
            by_subject.setdefault(key, set()).add(partition)
    assert all(len(partitions) == 1 for partitions in by_subject.values())


@pytest.mark.timeout(180)
def test_every_crossing_is_seen_once_and_only_those_after_the_warm_up_count(figures: dict[str, Any]) -> None:
    assert figures["warned_once"] == figures["crossings"] == SMALL.crossings
    assert figures["repeats"] == 0
    assert figures["measured"] == SMALL.crossings - SMALL.rate // SMALL.every


@pytest.mark.timeout(180)
def test_the_legs_add_up_to_the_whole(figures: dict[str, Any]) -> None:
    mean = sum(figures["legs_ms"][leg]["mean"] for leg in LEGS)
    assert mean == pytest.approx(figures["ms"]["mean"], abs=0.1)
    assert set(figures["cores_used"]) >= {"intake-1", "household-1", "household-2", "kafka", "valkey"}


@pytest.mark.timeout(180)
def test_it_is_drawn(figures: dict[str, Any]) -> None:
    about = {"cpu": "some <cpu>", "cores": 2, "python": "3.11", "date": "2026-01-02"}
    root = ET.fromstring(draw(about, {"200 events/s": figures}))
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"200 events/s", "aim 20, 200/s", *LEGS} <= texts


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(n) for n in range(1, 1_001)]
    found = percentiles(values)
    assert found == {
        "mean": 500.5, "p50": 500.0, "p90": 900.0, "p99": 990.0, "p99.9": 999.0, "max": 1_000.0,
    }  # fmt: skip
    assert percentiles([7.0])["p99"] == 7.0
    assert percentiles([]) == {}


def test_a_curve_ends_at_the_slowest() -> None:
    points = curve([1.0, 2.0, 3.0, 50.0])
    assert points[-1] == (50.0, 1.0)
    assert points == sorted(points)


def test_what_no_batch_takes_any_more_goes_into_the_next_one():
    def create():
        batch = BatchBuilder(1_000, 0)
        made.append(batch)
        return batch

    made: list[BatchBuilder] = []
    records = [("life.health", number % 2, b"k", b"%03d" % number + b"x" * 300, []) for number in range(20)]
    sent = batches_of(records, create)
    assert sum(batch.record_count() for _, _, batch in sent) == 20
    assert len(made) == len(sent) > 2
    for partition in (0, 1):
        raw = b"".join(bytes(batch._build()) for _, at, batch in sent if at == partition)
        places = [raw.index(record[3]) for record in records if record[1] == partition]
        assert places == sorted(places)
