"""The whole behind the API: servers, topics, the cases worker, and the API itself, each a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from deploy.local import free_ports
from hearthwatch.cli.worker import CASE_STAGES, STAGES
from hearthwatch.connections import kafka_connection, local_stack
from hearthwatch.running import prepare
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings, load_settings
from hearthwatch.tokens import add_token
from rules.policy_file import read_policy
from streams import kafka_clients
from streams.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 120.0
DISTRICT = "420106"
STREET = "420106003"
HERE, NEXT_DOOR, ELSEWHERE = "420106003005", "420106003006", "420106004001"


class Town:
    """Servers, workers and tokens."""

    program = (sys.executable, "-m", "hearthwatch")

    def __init__(self, folder: Path) -> None:
        kafka, controller, valkey = free_ports(3)
        self.folder = folder
        self.tokens = folder / "tokens.json"
        given: dict[str, Any] = {
            "data_dir": folder / "data",
            "kafka_port": kafka,
            "kafka_controller_port": controller,
            "valkey_port": valkey,
            "tokens": self.tokens,
            "api_port": 0,
            **{f"{stage}_metrics_port": 0 for stage in (*STAGES, *CASE_STAGES)},
            "life_partitions": 1,
            "person_partitions": 1,
            "household_partitions": 1,
        }
        self.settings: Settings = load_settings(**given)
        self.environment = {**os.environ, **{variable_of(name): str(value) for name, value in given.items()}}
        self.url = ""
        self.texts: dict[str, str] = {}
        self.clients: list[httpx.Client] = []

    def servers(self) -> None:
        """Only the servers and the topics."""
        catalog = read_catalog(self.settings.catalog)
        prepare(self.settings, catalog, read_policy(self.settings.policy, catalog))

    def up(self) -> None:
        """Everything, as `hearthwatch up` starts it."""
        done = self.run("up", "--detach", timeout_seconds=240)
        assert done.returncode == 0, done.stdout + done.stderr
        status = json.loads(self.run("status", "--json").stdout)
        (api,) = [worker for worker in status["workers"] if worker["stage"] == "api"]
        self.url = api["metrics"].removesuffix("/metrics")

    def down(self) -> None:
        for client in self.clients:
            client.close()
        self.run("down", timeout_seconds=120)
        local_stack(self.settings).down()

    def run(self, *args: str, timeout_seconds: float = DEADLINE_SECONDS) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [*self.program, *args],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            timeout=timeout_seconds,
        )  # fmt: skip

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """The broker does not answer, as if its machine hung."""
        pid = local_stack(self.settings).status()[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def token(self, name: str, role: Any, *communities: str) -> str:
        """The text of a token of this name; made where it is not there."""
        if name not in self.texts:
            self.texts[name], _ = add_token(self.tokens, name, role, communities, days=1)
        return self.texts[name]

    def send(
        self,
        topic: str,
        *records: tuple[str | None, bytes],
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Records, acknowledged."""
        producer = kafka_clients.producer(kafka_connection(self.settings))
        for key, value in records:
            producer.send(
                topic, key=None if key is None else key.encode(), value=value, headers=list(headers)
            ).get(30)
        producer.close()


def warning(household: str, number: int, community: str | None, level: str = "orange") -> bytes:
    """A raised warning as it stands on its topic."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": f"{household}-{number}",
            "type": "warning.raised",
            "source": "hearthwatch/wuchang",
            "subject": f"household/{household}",
            "time": "2026-11-25T09:00:00Z",
            "data": {
                "household": household,
                "community": community,
                "level": level,
                "previous_level": None,
                "score": 70,
                "previous_score": 0,
                "day": "2026-11-25",
                "because": [],
                "cause": {},
                "reason": "event",
                "dimensions": {"economy": 70},
            },
        }
    ).encode()


class Client:
    """Somebody with a token, at the API."""

    def __init__(self, town: Town, text: str) -> None:
        self._http = httpx.Client(
            base_url=town.url, headers={"Authorization": f"Bearer {text}"}, timeout=DEADLINE_SECONDS
        )
        town.clients.append(self._http)

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self._http.get(path, params=query)

    def command(self, case: str, command: str, seen: int, key: str, **data: Any) -> httpx.Response:
        body = {"command": command, "seen_version": seen, "data": data}
        return self._http.post(f"/v1/cases/{case}/commands", json=body, headers={"Idempotency-Key": key})

    def stream(self, path: str, **headers: str) -> Any:
        return self._http.stream("GET", path, headers=headers)

    @property
    def http(self) -> httpx.Client:
        return self._http


def passed(household: str, number: int, community: str | None, level: str = "orange") -> bytes:
    """The same as it stands on ``case.commands``, where it opens a case."""
    return json.dumps(
        {"kind": "warning", "body": json.loads(warning(household, number, community, level))}
    ).encode()


def opened(town: Town, household: str, community: str | None, level: str = "orange") -> str:
    """Open a case, and wait until the desk sees it; its id."""
    town.send("warnings", (household, warning(household, 1, community, level)))
    desk = Client(town, town.token("desk", "district", DISTRICT))
    until = time.monotonic() + DEADLINE_SECONDS
    while (found := desk.get(f"/v1/cases/{household}-1")).status_code == 404:
        assert time.monotonic() < until, found.text
    assert found.status_code == 200, found.text
    return f"{household}-1"


def read_events(lines: Iterator[str], count: int) -> list[dict[str, str]]:
    """So many server-sent events, each by its fields; comments are passed over, but not for ever."""
    until = time.monotonic() + DEADLINE_SECONDS
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    for line in lines:
        assert time.monotonic() < until, f"only {found} came"
        name, _, value = line.partition(": ")
        if name:
            event[name] = value
        elif event:
            if "data" in event:
                found.append(event)
            event = {}
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")
