"""Metrics: bounded labels, the same names in code and documentation, and numbers that are right."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from prometheus_client.parser import text_string_to_metric_families

from agents.backlog import Backlog
from agents.lanes import Failure, Part
from agents.metric_definitions import DEFINITIONS, REJECTIONS
from agents.metrics import TALLIES, StageMetrics
from agents.metrics_http import MetricsServer, Outlook
from agents.metrics_page import page
from rules.calendar import Calendar
from streams.deadletters import INTERNAL_ERROR
from streams.errors import SettingsError

ROOT = Path(__file__).parents[2]


def test_the_reference_and_the_code_name_the_same_metrics() -> None:
    written = (ROOT / "docs" / "reference" / "metrics.md").read_text("utf-8")
    assert written == page(), "write it anew: python -m agents.metrics_page > docs/reference/metrics.md"
    headings = [line[3:] for line in written.splitlines() if line.startswith("## hearthwatch_")]
    assert headings == [one.name for one in DEFINITIONS]


def test_every_metric_that_is_scraped_is_defined_and_back() -> None:
    scraped = {
        family.name for family in _families(StageMetrics("intake")) if family.name.startswith("hearthwatch_")
    }
    defined = {one.name.removesuffix("_total") if one.kind == "counter" else one.name for one in DEFINITIONS}
    assert scraped == defined


def test_no_label_names_a_household_or_a_person() -> None:
    for one in DEFINITIONS:
        assert not {"household", "person", "subject", "id", "key", "member", "address"} & set(one.labels)
        assert one.name.startswith("hearthwatch_")
        assert one.name.endswith("_total") == (one.kind == "counter")
        if one.kind == "histogram":
            assert one.name.endswith("_seconds")


def test_everything_that_a_stage_tallies_has_a_metric() -> None:
    """Found in the stages' code, so that a new tally cannot be forgotten here."""
    found = set()
    for path in (ROOT / "agents").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Subscript) or not isinstance(node.slice, ast.Tuple):
                continue
            of = node.value
            name = of.attr if isinstance(of, ast.Attribute) else of.id if isinstance(of, ast.Name) else ""
            if name == "tallies":
                first = node.slice.elts[0]
                assert isinstance(first, ast.Constant), f"{path}:{node.lineno}: a tally without a plain name"
                found.add(first.value)
    assert "accepted" in found
    assert found == set(TALLIES)


def _families(metrics: StageMetrics) -> list[Any]:
    return list(text_string_to_metric_families(metrics.series.text().decode()))


def _value(metrics: StageMetrics, name: str, **labels: str) -> float | None:
    for family in _families(metrics):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def _part(**fields: Any) -> Part:
    part = Part(10)
    for name, value in fields.items():
        setattr(part, name, value)
    return part


def test_a_commit_is_counted_with_what_it_holds() -> None:
    metrics = StageMetrics("intake")
    tallies = Counter(
        {
            ("accepted", "health"): 7,
            ("rejected", "health", "bad-data"): 2,
            ("rejected", "housing", "not-json"): 1,
            ("ticks", "ignored"): 3,
            ("warnings", "warning.raised", "blue"): 4,
            ("repeats", "household"): 5,
        }
    )
    for _ in range(2):
        metrics.committed(None, _part(count=10, tallies=tallies, states={"a": b"", "b": None}))  # type: ignore[arg-type]
    values = {
        "hearthwatch_commits_total": (2, {"stage": "intake"}),
        "hearthwatch_committed_states_total": (4, {"stage": "intake"}),
        "hearthwatch_records_total": (20, {"stage": "intake"}),
        "hearthwatch_events_total": (14, {"department": "health", "result": "accepted"}),
        "hearthwatch_rejected_total": (4, {"department": "health", "reason": "bad-data"}),
        "hearthwatch_ticks_total": (6, {"result": "ignored"}),
        "hearthwatch_warnings_total": (8, {"type": "warning.raised", "level": "blue"}),
        "hearthwatch_repeats_total": (10, {"stage": "household"}),
        "hearthwatch_processing_seconds_count": (2, {"stage": "intake"}),
    }
    for name, (value, labels) in values.items():
        assert _value(metrics, name, **labels) == value, name
    assert _value(metrics, "hearthwatch_events_total", department="housing", result="rejected") == 2


def test_a_field_that_a_sender_made_up_is_counted_without_its_name() -> None:
    metrics = StageMetrics("intake")
    tallies = Counter({("dropped-field", "health.hospital.admitted", "zhang-san-110101199001011234"): 3})
    metrics.committed(None, _part(count=1, tallies=tallies))  # type: ignore[arg-type]
    assert _value(metrics, "hearthwatch_dropped_fields_total", type="health.hospital.admitted") == 3
    assert b"zhang" not in metrics.series.text()


def test_records_that_the_program_failed_on_are_counted() -> None:
    metrics = StageMetrics("household")
    failure = Failure(None, "t", 0, 1, None, None, (), ValueError())
    metrics.committed(None, _part(count=1, failures=[failure, failure]))  # type: ignore[arg-type]
    assert _value(metrics, "hearthwatch_internal_errors_total", stage="household") == 2


def test_end_to_end_latency_is_from_receipt_to_warning_and_only_by_the_wall_clock() -> None:
    received = [1_000_000_000_000, 999_995_000_000]
    for clock, seen in (("wall", 2.0), ("log", 0.0)):
        metrics = StageMetrics("household", clock=clock, now=lambda: 1_000_000.02)
        metrics.committed(None, _part(received=received))  # type: ignore[arg-type]
        assert _value(metrics, "hearthwatch_warning_latency_seconds_count") == seen
        if clock == "wall":
            bucket = "hearthwatch_warning_latency_seconds_bucket"
            assert _value(metrics, bucket, le="0.01") == 0
            assert _value(metrics, bucket, le="0.025") == 1
            assert _value(metrics, bucket, le="10.0") == 2
            total = _value(metrics, "hearthwatch_warning_latency_seconds_sum")
            assert total == pytest.approx(5.04)


# -- over HTTP ------------------------------------------------------------------------------------------


def _worker() -> Any:
    """As much of a worker (``agents.app.Worker``) as its outlook looks at."""
    one, two = TP("household.facts", 0), TP("household.facts", 1)
    lanes = {
        one: SimpleNamespace(claim=SimpleNamespace(next_offset=5, counts={"blue": 2, "red": 1}, day=20_000)),
        two: SimpleNamespace(claim=SimpleNamespace(next_offset=9, counts={"blue": 1}, day=None)),
    }
    ends = {one: 12, two: 9}
    consumer = SimpleNamespace(assignment=lambda: {one, two}, highwater=ends.__getitem__)
    engine = SimpleNamespace(lanes=lanes, stopped={}, on_commit=[])
    app = SimpleNamespace(consumer_generation_id=3, consumer=consumer)
    return SimpleNamespace(
        failure=None,
        midnights=None,
        config=SimpleNamespace(worker="household-1"),
        engine=engine,
        producer=SimpleNamespace(waiting=4),
        ledger=SimpleNamespace(link=SimpleNamespace(is_connected=True)),
        app=app,
        backlog=Backlog(engine, app),
    )


@pytest.fixture
async def served() -> AsyncIterator[tuple[Any, StageMetrics, str]]:
    worker, metrics = _worker(), StageMetrics("household")
    server = MetricsServer(Outlook(worker, metrics), metrics, host="127.0.0.1", port=0)
    port = await server.start()
    yield worker, metrics, f"http://127.0.0.1:{port}"
    await server.close()


async def _get(url: str) -> tuple[int, bytes]:
    def ask() -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return reply.status, reply.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    return await asyncio.to_thread(ask)


async def test_a_scrape_shows_lag_levels_days_and_waiting_effects(
    served: tuple[Any, StageMetrics, str],
) -> None:
    _, metrics, url = served
    metrics.partitions(2, 0)
    status, body = await _get(f"{url}/metrics")
    assert status == 200
    text = body.decode()
    for line in (
        'hearthwatch_lag_records{stage="household",topic="household.facts"} 7.0',
        'hearthwatch_households{level="blue"} 3.0',
        'hearthwatch_households{level="red"} 1.0',
        'hearthwatch_partition_day{partition="0",topic="household.facts"} 20000.0',
        'hearthwatch_effects_waiting{stage="household"} 4.0',
        'hearthwatch_partitions{stage="household",state="owned"} 2.0',
        'hearthwatch_ready{stage="household"} 1.0',
    ):
        assert line in text


async def test_by_the_wall_clock_a_scrape_shows_for_how_long_a_day_has_been_over() -> None:
    worker, metrics = _worker(), StageMetrics("household")
    # Day 20,000 ends at midnight in Shanghai, 16:00 in UTC.
    now = 20_001 * 86_400.0 - 8 * 3_600 + 90
    Outlook(worker, metrics, now=lambda: now)
    labels = {"topic": "household.facts", "partition": "0"}
    assert _value(metrics, "hearthwatch_partition_day_age_seconds", **labels) is None, "clock: log"
    worker.midnights = object()
    worker.stage = SimpleNamespace(rules=SimpleNamespace(calendar=Calendar("Asia/Shanghai")))
    assert _value(metrics, "hearthwatch_partition_day_age_seconds", **labels) == 90
    now -= 100
    assert _value(metrics, "hearthwatch_partition_day_age_seconds", **labels) == 0


def test_what_may_be_counted_begins_at_nought() -> None:
    """Prometheus sees no rise in a counter whose first value is 1."""
    for stage, name, labels in (
        ("intake", "hearthwatch_rejected_total", {"department": "health", "reason": "bad-data"}),
        ("intake", "hearthwatch_events_total", {"department": "health", "result": "accepted"}),
        ("person", "hearthwatch_internal_errors_total", {"stage": "person"}),
        ("person", "hearthwatch_refusals_total", {"stage": "person", "reason": "fenced"}),
        ("household", "hearthwatch_warnings_total", {"type": "warning.raised", "level": "blue"}),
        ("household", "hearthwatch_warnings_total", {"type": "warning.cleared", "level": "none"}),
    ):
        metrics = StageMetrics(stage)
        metrics.expect(["health"], ["blue", "red"])
        assert _value(metrics, name, **labels) == 0, name
    assert _value(metrics, "hearthwatch_warnings_total", type="warning.raised", level="none") is None
    reference = (ROOT / "docs" / "reference" / "events.md").read_text("utf-8")
    for reason in REJECTIONS:
        assert f"\n### {reason}\n" in reference or reason == INTERNAL_ERROR


async def test_ready_means_assigned_claimed_and_connected(served: tuple[Any, StageMetrics, str]) -> None:
    worker, _, url = served
    status, body = await _get(f"{url}/readyz")
    answer = json.loads(body)
    assert (status, answer["ready"], answer["why"]) == (200, True, "")
    assert (answer["assigned"], answer["owned"], answer["lag"]) == (2, 2, {"household.facts": 7})

    async def why() -> str:
        status, body = await _get(f"{url}/readyz")
        assert status == 503
        answer = json.loads(body)
        assert answer["ready"] is False
        return str(answer["why"])

    ends = worker.app.consumer.highwater
    worker.app.consumer.highwater = lambda tp: None
    assert "lag is not known" in await why()
    worker.app.consumer.highwater = ends
    worker.ledger.link.is_connected = False
    assert await why() == "Redis does not answer"
    lane = worker.engine.lanes.pop(TP("household.facts", 1))
    assert await why() == "1 of 2 partitions are not claimed yet"
    worker.app.consumer_generation_id = 0
    assert await why() == "it is joining its consumer group"
    worker.engine.stopped[TP("household.facts", 1)] = "run `hearthwatch rebuild`"
    assert "household.facts-1 is stopped: run `hearthwatch rebuild`" in await why()
    assert lane.claim.next_offset == 9
    assert (await _get(f"{url}/healthz"))[0] == 200


async def test_what_is_no_page_and_what_is_no_request(served: tuple[Any, StageMetrics, str]) -> None:
    _, _, url = served
    assert (await _get(f"{url}/"))[0] == 404
    port = int(url.rpartition(":")[2])
    for request, answer in (
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405"),
        (b"x" * 40_000, b""),
        (b"GET /healthz HTTP/1.1\r\n\r\n", b"HTTP/1.1 200"),
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        reply = b""
        with contextlib.suppress(ConnectionResetError):
            reply = await asyncio.wait_for(reader.read(), 10)
        assert reply.startswith(answer)
        writer.close()


async def test_a_port_that_is_taken_names_the_setting(served: tuple[Any, StageMetrics, str]) -> None:
    worker, metrics, url = served
    second = MetricsServer(
        Outlook(worker, metrics), metrics, host="127.0.0.1", port=int(url.rpartition(":")[2])
    )
    with pytest.raises(SettingsError, match="HEARTHWATCH_HOUSEHOLD_METRICS_PORT"):
        await second.start()
