"""A live pipeline by the wall clock: panels have data, alerts fire and end, logs say nothing of people."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import redis

from streams.origins import read_origin
from tests.watched.boards import queries
from tests.watched.installation import (
    ADDRESS,
    ID_NUMBER,
    NAME,
    PERSONAL,
    STAGES,
    Installation,
    careless,
    family,
    going_on,
    work,
)
from tests.watched.observer import Observer, ask, values
from tests.watched.rules import alerts

#: The first test's time has the start of the installation in it.
pytestmark = pytest.mark.timeout(500)

#: An hour lasts 24 seconds: a range of five minutes still has four scrapes.
HURRY = 150
GARBAGE = f"{NAME} {ID_NUMBER}".encode()


@pytest.fixture(scope="module")
def live(prometheus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation that is observed, before anything happens on it."""
    live = Installation(tmp_path_factory.mktemp("live"))
    try:
        said = live("up", "--detach", "--observe")
        assert f"http://127.0.0.1:{live.ports['PROMETHEUS_PORT']}" in said
        assert "deploy/grafana/dashboards" in said
        yield live
    finally:
        live("down")


@pytest.fixture(scope="module")
def observer(live: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observer]:
    folder = tmp_path_factory.mktemp("observer") / "prometheus"
    with Observer(folder, live.targets, divisor=HURRY) as observer:
        observer.until(lambda: values(observer.url, "sum(hearthwatch_ready)") == [6.0], "all are ready")
        live.publish([*(one for n in range(4) for one in family(f"home-{n}")), *careless()])
        live.produce("life.health", [GARBAGE, f'{{"specversion": "{ADDRESS}"}}'.encode()], key=NAME.encode())
        live.produce("household.facts", [GARBAGE], key=b"careless-9", headers=[("who", NAME.encode())])
        yield observer


def test_up_observe_runs_prometheus_with_the_rules(live: Installation, observer: Observer) -> None:
    url = f"http://127.0.0.1:{live.ports['PROMETHEUS_PORT']}"
    observer.until(
        lambda: {one["health"] for one in ask(url, "targets")["activeTargets"]} == {"up"},
        "all targets are up",
    )
    assert {one["labels"]["instance"] for one in ask(url, "targets")["activeTargets"]} == set(live.targets)
    loaded = {rule["name"] for group in ask(url, "rules")["groups"] for rule in group["rules"]}
    assert {rule["alert"] for rule in alerts()} <= loaded


def test_every_panel_has_data(live: Installation, observer: Observer) -> None:
    """Each query of each dashboard, on a Prometheus that has watched a pipeline at work.

    Minutes are a few seconds here, so what is recorded over them is soon over, and on a busy machine no
    scrape may fall into them: it counts what has been, and more families come until all panels have had data.
    """
    asked = {one: one.query.replace("$__rate_interval", "10s") for one in queries()}
    had: set[str] = set()

    def empty() -> list[str]:
        """What has had no data yet."""
        left = [(one, query) for one, query in asked.items() if query not in had]
        had.update(query for _, query in left if values(observer.url, f"max_over_time(({query})[3m:1s])"))
        return [f"{one.board}: {one.panel}: {query}" for one, query in left if query not in had]

    observer.until(lambda: values(observer.url, "sum(hearthwatch_cases) >= 4") != [], "cases are open")
    asyncio.run(work(live, [f"home-{number}" for number in range(4)]))
    with going_on(live):
        observer.until(lambda: not empty(), lambda: f"every panel has data, but {empty()}", seconds=120)
    assert len(asked) > 40


def test_a_warning_leads_back_to_the_record_that_a_department_sent(
    live: Installation, observer: Observer
) -> None:
    observer.until(lambda: values(observer.url, "sum(hearthwatch_warnings_total) >= 4") != [], "warnings")
    seen = 0
    records = cache(live.records)
    for record in live.records("warnings"):
        message = json.loads(record.value)
        origin = read_origin(record.headers)
        if message["data"]["reason"] == "day":
            assert origin is None
            continue
        assert origin is not None
        sent = next(one for one in records(origin.topic) if one.offset == origin.offset)
        cause = message["data"]["cause"]
        ids = {name: (value or b"").decode() for name, value in sent.headers}
        sent_id = ids.get("ce_id") or json.loads(sent.value)["id"]
        assert sent_id == cause["id"]
        seen += 1
    assert seen >= 4


def test_the_alerts_of_a_bad_hour_fire_and_end(live: Installation, observer: Observer) -> None:
    """Rejected events, a record that the program fails on, a worker that hangs, a Redis nearly full."""
    observer.fires("InternalError")  # the garbage that was on household.facts before
    with redis.Redis.from_url(live.redis_url) as client:
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", int(used * 1.1))
        household = live.process("household")
        household.send_signal(signal.SIGSTOP)
        try:
            live.produce("life.housing", [b"{" for _ in range(50)])
            observer.fires("RejectedShareJumps", "StageNotReady", "WorkerDown", "RedisAlmostFull")
        finally:
            household.send_signal(signal.SIGCONT)
            client.config_set("maxmemory", 0)
    observer.ends("InternalError", "RejectedShareJumps", "StageNotReady", "WorkerDown", "RedisAlmostFull")


def test_no_log_line_says_anything_about_a_person(live: Installation, observer: Observer) -> None:
    """All logs of the run, at `debug`: JSON, with the place of what was rejected, and none of its values."""
    observer.until(
        lambda: values(observer.url, "sum(hearthwatch_rejected_total) >= 6") != [], "events are rejected"
    )
    lines = live.log_lines()
    workers = [(path, line) for path, line in lines if path.name.endswith("-1.log")]
    assert {path.name for path, _ in workers} == {f"{stage.lower()}-1.log" for stage in STAGES}
    for path, line in lines:
        for value in PERSONAL:
            assert value not in line, f"{path.name}: {line}"
            assert json.dumps(value)[1:-1] not in line, f"{path.name}: {line}"
    parsed = [json.loads(line) for _, line in workers]
    assert {one["worker"] for one in parsed} == {f"{stage.lower()}-1" for stage in STAGES}
    rejected = [one for one in parsed if one["message"].startswith("rejected: ")]
    dead = {
        (
            str(dict(one.headers)["__streams.errors.topic"], "utf-8"),
            int(dict(one.headers)["__streams.errors.offset"]),
        )
        for one in live.records("deadletters")
        if dict(one.headers)["__streams.errors.exception"] != b"internal-error"
    }
    assert {(one["topic"], one["offset"]) for one in rejected} == dead
    (failed,) = (one for one in parsed if one["message"].startswith("internal-error at"))
    assert (failed["topic"], failed["level"]) == ("household.facts", "error")
    told = [one for one in parsed if "warning" in one]
    assert all(one["origin_topic"].startswith("life.") for one in told)
    assert len(told) >= 4


def test_down_stops_prometheus_too(live: Installation) -> None:
    live("down")
    with pytest.raises(OSError, match="refused"):
        ask(f"http://127.0.0.1:{live.ports['PROMETHEUS_PORT']}", "targets")
    supervisor = Path(live.run_folder.supervisor_log).read_text("utf-8").splitlines()
    assert any(
        json.loads(line)["message"] == "all 6 workers are ready" for line in supervisor if line[:1] == "{"
    )
