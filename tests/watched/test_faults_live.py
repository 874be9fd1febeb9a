"""Each alert that is not in ``test_live.py``, seen to fire on a real fault and to end when it is mended.

Rules are in a hurry: an hour lasts a minute (``rules.hurried``). Where a threshold itself is a time of
hours or days, it is shortened (``SHORTENED``).
"""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import kafka
import pytest
import redis
from kafka.admin import ConfigResource, ConfigResourceType

from agents.app import Worker, stage_of
from agents.metrics import StageMetrics
from agents.metrics_http import MetricsServer, Outlook
from deploy.local import Stack
from streams import kafka_clients
from streams.kafka_clients import Connection
from streams.records import HOUSEHOLD_FACTS, encode
from streams.snapshots import snapshot_topic
from streams.topics import planned
from tests.agents.desk import small_catalog, small_policy
from tests.agents.rig import Rig
from tests.agents.test_household_stage import ill
from tests.watched.installation import Installation, alert, answered, family, meanwhile
from tests.watched.observer import Observer, values

pytestmark = [pytest.mark.soak, pytest.mark.timeout(500)]

#: Two days of silence become six seconds; an hour that changes wait for a snapshot becomes five seconds (one
#: is due after one); warnings need not be slow for ten minutes, nor digests have a backlog for an hour.
SHORTENED = {
    "DepartmentSilent": (
        "max by (department) (hearthwatch_department_silent_after_seconds)",
        "max by (department) (hearthwatch_department_silent_after_seconds) / 28800",
    ),
    "SnapshotsOld": ("hearthwatch_snapshot_age_seconds) > 3600", "hearthwatch_snapshot_age_seconds) > 5"),
    "WarningsSlow": ("for: 10s", "for: 1s"),
    "DigestBacklog": ("for: 60s", "for: 2s"),
}


class Receiver:
    """Takes what a webhook sends, or does not; ``status`` is its answer."""

    def __init__(self) -> None:
        self.status = 200
        self.count = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                receiver.count += 1
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


@pytest.fixture(scope="module")
def live(
    prometheus: str, receiver: Receiver, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    live = Installation(tmp_path_factory.mktemp("faults"), hook=receiver.url, SNAPSHOT_SECONDS="1")
    try:
        live("up", "--detach")
        yield live
    finally:
        live("down")


@pytest.fixture(scope="module")
def observer(live: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observer]:
    folder = tmp_path_factory.mktemp("observer") / "prometheus"
    with Observer(folder, live.targets, **SHORTENED) as observer:
        observer.until(lambda: values(observer.url, "sum(hearthwatch_ready)") == [6.0], "all are ready")
        live.publish(family("home-0"))
        observer.until(lambda: values(observer.url, "sum(hearthwatch_warnings_total) > 0") != [], "a warning")
        yield observer


@contextmanager
def stopped(process: Any) -> Iterator[None]:
    """A process that stands still for a while, as on a machine that swaps."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextmanager
def flood(live: Installation, topic: str) -> Iterator[None]:
    """More and more records on a topic, some hundreds a second, until the end."""

    def send(over: threading.Event) -> None:
        producer = kafka.KafkaProducer(bootstrap_servers=live.bootstrap)
        while not over.wait(0.1):
            for _ in range(60):
                producer.send(topic, value=b"{")
            producer.flush(30)
        producer.close()

    with meanwhile(send):
        yield


def test_departments_fall_silent_and_send_again(live: Installation, observer: Observer) -> None:
    observer.fires("DepartmentSilent")
    silent = {labels["department"] for labels in observer.pager.seen if "department" in labels}
    assert {"civil-affairs", "human-resources", "health", "medical-insurance"} >= silent
    over = threading.Event()

    def keep_sending() -> None:
        while not over.is_set():
            live.publish(family("home-1"))

    thread = threading.Thread(target=keep_sending)
    thread.start()
    try:
        observer.ends("DepartmentSilent")
    finally:
        over.set()
        thread.join()


def test_a_redis_that_stands_still_lets_lag_grow(live: Installation, observer: Observer) -> None:
    with stopped(live.valkey()), flood(live, "life.housing"):
        observer.fires("LagGrows", "StageStandsStill")
    observer.ends("LagGrows", "StageStandsStill", "StageNotReady", "RejectedShareJumps")


def test_warnings_that_wait_for_a_worker_are_slow(live: Installation, observer: Observer) -> None:
    through = "sum(hearthwatch_records_total{stage='person'})"
    with stopped(live.process("household")):
        (before,) = values(observer.url, through)
        for round in range(2):
            live.publish([one for n in range(5) for one in family(f"slow-{round}-{n}")])
        observer.until(lambda: values(observer.url, f"{through} >= {before + 50}") != [], "person is through")
    observer.fires("WarningsSlow")
    observer.ends("WarningsSlow", "StageNotReady", "WorkerDown")


def test_a_partition_that_redis_has_lost_is_refused_until_it_is_back(
    live: Installation, observer: Observer
) -> None:
    """The partition's head is taken away, as a Redis that lost a key would; and is put back."""
    seen = len(observer.pager.seen)
    with redis.Redis.from_url(live.redis_url) as client:
        (head,) = client.keys("*:household:household.facts:0}:head")
        client.rename(head, head + b".away")
        live.publish([one for n in range(6) for one in family(f"lost-{n}")])
        observer.fires("PartitionStopped", "CommitsRefused", since=seen)
        reasons = {labels.get("reason") for labels in observer.pager.seen[seen:]}
        assert "missing" in reasons
        client.delete(head)
        client.rename(head + b".away", head)
    live.process("household").kill()  # the supervisor starts it again, and it claims anew
    observer.ends("PartitionStopped", "CommitsRefused", "StageNotReady", "WorkerDown")
    through = "sum(hearthwatch_lag_records) == 0"
    observer.until(lambda: values(observer.url, through) != [], "what had waited is through")


def test_snapshots_that_the_broker_does_not_take_grow_old(live: Installation, observer: Observer) -> None:
    """Their topic allows no record that is large enough, until it does."""
    topic = snapshot_topic("household")

    def allow(largest: str) -> None:
        with kafka_clients.admin(Connection(live.bootstrap)) as admin:
            wanted = {"max.message.bytes": largest}
            admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, wanted)])

    allow("10")
    live.publish([one for n in range(6) for one in family(f"kept-{n}")])
    observer.fires("SnapshotsOld")
    allow("1048588")
    observer.ends("SnapshotsOld")


def test_a_channel_that_takes_nothing_and_a_team_that_cannot_be_told(
    live: Installation, observer: Observer, receiver: Receiver
) -> None:
    """Four messages to a street's program, which is away: then the desk is told instead."""
    receiver.status = 503
    alerts = [alert(f"gave-up-{n}", f"42010600800{n}", "orange") for n in range(1, 5)]
    live.produce("alerts", alerts, key=b"420106")
    observer.fires("MessagesUnsent", "ChannelFails", "AlertsGaveUp", seconds=90)
    (labels,) = [one for one in observer.pager.seen if one["alertname"] == "HearthwatchChannelFails"]
    assert labels["channel"] == "hook"
    observer.ends("MessagesUnsent", "ChannelFails", "AlertsGaveUp")
    told = live.told.read_text("utf-8")
    assert all(f"gave-up-{n}-1-1" in told for n in range(1, 5)), "the desk was told"
    receiver.status = 200
    before = receiver.count
    live.produce("alerts", [alert("mended-1", "420106008001", "orange")], key=b"420106")
    observer.until(lambda: receiver.count > before, "the street is told again")


def test_alerts_beyond_a_rate_wait_until_somebody_has_answered(
    live: Installation, observer: Observer
) -> None:
    names = [f"many-{n}" for n in range(1, 4)]
    alerts = [alert(name, f"42010600900{n}", "blue") for n, name in enumerate(names)]
    live.produce("alerts", alerts, key=b"420106")
    observer.fires("DigestBacklog")
    live.produce("alerts", [answered(name) for name in names], key=b"420106")
    observer.ends("DigestBacklog")


# -- clocks: a worker in this process, whose clock can be turned ------------------------------------------


class Turned:
    """A household worker by the wall clock, watched by a Prometheus."""

    def __init__(self, worker: Worker, observer: Observer) -> None:
        self.worker = worker
        self.observer = observer

    async def until(self, what: Callable[[], None]) -> None:
        """Wait for the observer, while the worker goes on."""
        await asyncio.to_thread(what)


@pytest.fixture
async def turned(stack: Stack, prometheus: str, tmp_path: Path) -> AsyncIterator[Turned]:
    catalog = small_catalog()
    policy = small_policy(catalog)
    rig = Rig(stack)
    plan = planned(catalog, clock="wall", life_partitions=1, person_partitions=1, household_partitions=1)
    rig.topics({one.name: one.partitions for one in plan}, {one.name: one.settings for one in plan})
    config = rig.config(catalog=catalog, policy=policy, clock="wall")
    metrics = StageMetrics("household")
    worker = Worker(stage_of("household", config), config, metrics=metrics, charter=rig.charter)
    rig.workers.append(worker)
    assert worker.surroundings is not None
    assert worker.midnights is not None
    worker.surroundings._look_seconds = 0.5
    outlook = Outlook(worker, metrics)
    server = MetricsServer(outlook, metrics, host="127.0.0.1", port=0)
    port = await server.start()
    observer = Observer(tmp_path / "prometheus", [f"127.0.0.1:{port}"])
    try:
        await asyncio.to_thread(observer.__enter__)
        # They think that it is 1970, and append nothing.
        worker.midnights._now = lambda: 0.0
        await worker.start()
        await rig.send(HOUSEHOLD_FACTS, [(b"~p1", encode(ill(1)))])
        yield Turned(worker, observer)
    finally:
        await asyncio.to_thread(observer.__exit__, None, None, None)
        await server.close()
        await rig.close()


async def test_a_day_stands_still_while_nobody_appends_midnights(turned: Turned) -> None:
    """The latest record is years old; then the worker learns what time it is."""
    observer = turned.observer
    await turned.until(lambda: observer.fires("DayStandsStill"))
    assert turned.worker.midnights is not None
    turned.worker.midnights._now = time.time
    await turned.until(lambda: observer.ends("DayStandsStill"))


async def test_a_clock_that_is_ahead_is_seen_by_redis(turned: Turned) -> None:
    observer = turned.observer
    around = turned.worker.surroundings
    assert around is not None
    around._now = lambda: time.time() + 30
    await turned.until(lambda: observer.fires("ClocksApart"))
    (labels,) = [one for one in observer.pager.seen if one["alertname"] == "HearthwatchClocksApart"]
    assert labels["server"] == "redis"
    around._now = time.time
    await turned.until(lambda: observer.ends("ClocksApart"))
