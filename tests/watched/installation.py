"""A whole installation as an operator has it, on ports and data of its own, and events for it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import kafka
import msgspec
import psutil

from casework.alerts.alert import Alert, Resolve
from casework.cases.case_events import AlertRecord
from casework.cases.commands import Actor, Command, Commit, Deliver
from deploy.local import Stack, free_ports
from hearthwatch.desk import Desk
from hearthwatch.run_folder import RunFolder, WorkerState
from hearthwatch.settings import load_settings
from tests.watched.rules import ROOT

DEADLINE_SECONDS = 100
#: Two servers, Prometheus and six workers are started, perhaps on a machine that does much else.
START_SECONDS = 240
STAGES = ("INTAKE", "PERSON", "HOUSEHOLD", "FORWARD", "CASES", "DISPATCH")

#: The desk reads a file; two streets have channels of which one can be told to fail, and one takes little.
ROUTES = """\
routes: watched
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{{case}}
desk: desk
defaults: {{language: en, group_wait: 1s, group_interval: 1s, repeats: 0}}
channels:
  - {{id: out, kind: file, path: {path}}}
  - {{id: slow, kind: file, path: {path}, rate: {{messages: 1, per: 1h, digest: 1h}}}}
  - id: hook
    kind: webhook
    address: "${{HOOK_URL}}"
    secret: "${{HOOK_SECRET}}"
    retry: {{first: 5s, most: 10s, tries: 4}}
teams:
  - {{id: desk, tier: district, for: ["420106"], channels: [out]}}
  - {{id: hooked, tier: street, for: ["420106008"], channels: [hook], next: desk}}
  - {{id: slow, tier: street, for: ["420106009"], channels: [slow], next: desk}}
"""

#: What a careless department might send along; none of it may be in a log.
NAME, ID_NUMBER, PHONE, ADDRESS = "张三丰", "420106199001011234", "13807112345", "中北路128号"
PERSONAL = (NAME, ID_NUMBER, PHONE, ADDRESS, "Zhang Sanfeng", "28471")


class Installation:
    """Kafka, Valkey and a worker of each stage, by the wall clock, logging in JSON.

    Args:
        hook: the address of one of the channels.
    """

    def __init__(self, folder: Path, *, hook: str = "http://127.0.0.1:9/", **settings: str) -> None:
        names = (
            "KAFKA_PORT", "KAFKA_CONTROLLER_PORT", "VALKEY_PORT", "PROMETHEUS_PORT",
            *(f"{stage}_METRICS_PORT" for stage in STAGES),
        )  # fmt: skip
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        self.ports = ports
        self.folder = folder
        self.data = folder / "data"
        self.told = folder / "told.jsonl"
        routes = folder / "routes.yaml"
        routes.write_text(ROUTES.format(path=self.told), "utf-8")
        chosen = {
            **{name: str(port) for name, port in ports.items()},
            "DATA_DIR": str(self.data),
            "LIFE_PARTITIONS": "1",
            "PERSON_PARTITIONS": "2",
            "HOUSEHOLD_PARTITIONS": "2",
            "CASE_PARTITIONS": "1",
            "ALERTS_PARTITIONS": "1",
            "ROUTES": str(routes),
            "LOG_FORMAT": "json",
            "LOG_LEVEL": "debug",
            **settings,
        }
        self.given = {name.lower(): value for name, value in chosen.items()}
        """The settings, as arguments of :func:`hearthwatch.settings.load_settings`."""
        self.environment = {
            **os.environ,
            **{f"HEARTHWATCH_{name}": value for name, value in chosen.items()},
            "HOOK_URL": hook,
            "HOOK_SECRET": "a secret",
        }
        self.bootstrap = f"127.0.0.1:{ports['KAFKA_PORT']}"
        self.redis_url = f"redis://127.0.0.1:{ports['VALKEY_PORT']}/0"
        self.targets = [f"127.0.0.1:{ports[f'{stage}_METRICS_PORT']}" for stage in STAGES]
        self._published = 0

    def __call__(self, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            timeout=START_SECONDS if "up" in args else DEADLINE_SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    @property
    def run_folder(self) -> RunFolder:
        return RunFolder(self.data)

    def worker(self, stage: str) -> WorkerState:
        state = self.run_folder.running()
        assert state is not None
        return next(one for one in state.workers if one.stage == stage)

    def process(self, stage: str) -> psutil.Process:
        return psutil.Process(self.worker(stage).pid)

    def valkey(self) -> psutil.Process:
        running = Stack(self.data).process("valkey").running()
        assert running is not None
        return running

    def publish(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Publish events as a department does, with the command."""
        self._published += 1
        path = self.folder / f"events-{self._published}.jsonl"
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in events), "utf-8")
        self("publish", str(path))

    def produce(self, topic: str, values: Iterable[bytes], **more: Any) -> None:
        """Put values on a topic, as whoever has the password can."""
        producer = kafka.KafkaProducer(bootstrap_servers=self.bootstrap)
        try:
            for value in values:
                producer.send(topic, value=value, **more)
            producer.flush(30)
        finally:
            producer.close()

    def records(self, topic: str) -> list[Any]:
        """All records of a topic."""
        consumer = kafka.KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False)
        try:
            parts = [kafka.TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends = consumer.end_offsets(parts)
            found: list[Any] = []
            until = time.monotonic() + DEADLINE_SECONDS
            while any(consumer.position(part) < ends[part] for part in parts):
                assert time.monotonic() < until
                for several in consumer.poll(timeout_ms=500).values():
                    found += several
            return found
        finally:
            consumer.close()

    def log_lines(self) -> list[tuple[Path, str]]:
        return [
            (path, line)
            for path in sorted(self.run_folder.path.glob("*.log*"))
            for line in path.read_text("utf-8").splitlines()
        ]


def event(kind: str, subject: str, department: str, **data: Any) -> dict[str, Any]:
    """An event of a minute ago."""
    when = datetime.now(UTC) - timedelta(minutes=1)
    return {
        "specversion": "1.0", "type": kind, "subject": subject, "source": f"/wuchang/{department}",
        "id": f"{kind}-{subject}-{when.timestamp()}", "time": when.isoformat(), "data": data,
    }  # fmt: skip


async def work(live: Installation, households: Iterable[str]) -> None:
    """Bring the first case of each household from the answer to help at once, as staff do.

    A command names the version that was seen. Where the case has gone on meanwhile, it is looked at again.
    """
    actor = Actor("wu", "district", ("420106",))
    told = Commit("sign", ("income",), allows_checks=True)
    help_at_once = Deliver("temporary-aid", 1000, under_commitment=True)
    steps = [
        ("acknowledge", {}),
        ("visit", {"outcome": "met"}),
        ("commit", _plain(told)),
        ("deliver", _plain(help_at_once)),
    ]
    async with asyncio.timeout(DEADLINE_SECONDS), Desk.open(load_settings(**live.given)) as desk:
        for household in households:
            for name, data in steps:
                reason: str | None = "stale"
                while reason == "stale":
                    case = await desk.case(f"{household}-1")
                    assert case is not None
                    id = f"{household}-{name}-{case.version}"
                    answer = await desk.send(
                        Command(id, household, case.id, name, case.version, actor, "", data)
                    )
                    reason = answer.reason
                assert reason is None, answer.message


def alert(household: str, community: str, level: str) -> bytes:
    """What cases let dispatch tell, on ``alerts``."""
    return AlertRecord(
        community[:6], Alert(f"{household}-1-1", f"{household}-1", household, "raised", level, community)
    ).body()


def answered(household: str) -> bytes:
    """What cases say on ``alerts`` when somebody has answered."""
    return AlertRecord("420106", Resolve(f"{household}-1")).body()


def _plain(data: Any) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(data)
    return {name: value for name, value in found.items() if value is not None}


def family(name: str) -> list[dict[str, Any]]:
    """A household that falls into difficulty at once: no work, a severe illness, a large bill."""
    home, person = f"household/{name}", f"person/{name}-1"
    return [
        event("registry.household.registered", home, "civil-affairs", community="420106003004"),
        event("registry.member.joined", person, "civil-affairs", household=name, role="head",
              birth="1984-06-12", sex="male"),
        event("income.earnings.assessed", person, "human-resources", monthly_yuan=0),
        event("work.job.lost", person, "human-resources"),
        event("health.illness.diagnosed", person, "health", illness="kidney-failure", severity=4),
        event("insurance.bill.settled", person, "medical-insurance", self_paid_yuan=28471, total_yuan=70100,
              inpatient=True, scheme="resident"),
    ]  # fmt: skip


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Something is done in a thread until the end, of which the event tells it."""
    over = threading.Event()
    thread = threading.Thread(target=work, args=(over,))
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def going_on(live: Installation) -> Iterator[None]:
    """Family after family falls into difficulty, until the end."""

    def send(over: threading.Event) -> None:
        for number in itertools.count():
            if over.is_set():
                return
            live.publish(family(f"more-{number}"))

    with meanwhile(send):
        yield


def careless() -> list[dict[str, Any]]:
    """Events with what should not be there: some accepted, some not."""
    lost = event("work.job.lost", "person/careless-1", "human-resources")
    return [
        {**lost, "data": {"name": NAME, "phone": PHONE, "note": "Zhang Sanfeng", "id_number": ID_NUMBER}},
        {**lost, "id": "careless-2", "subject": f"person/{NAME}"},
        event("health.illness.diagnosed", "person/careless-3", "health", illness=NAME, severity=ADDRESS),
        {**lost, "id": ADDRESS, "type": f"work.{PHONE}.lost"},
        {**lost, "id": "careless-5", "time": NAME},
    ]
