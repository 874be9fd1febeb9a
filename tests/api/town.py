"""The whole behind the API: servers, topics, the cases worker, and the API itself, each a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local import free_ports
from hearthwatch.connections import kafka_connection, local_stack
from hearthwatch.running import prepare
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings, load_settings
from hearthwatch.tokens import add_token
from rules.policy_file import read_policy
from streams import kafka_clients
from streams.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 60.0
DISTRICT = "420106"
STREET = "420106003"
HERE, NEXT_DOOR, ELSEWHERE = "420106003005", "420106003006", "420106004001"


class Process:
    """One program; its output is kept."""

    def __init__(self, environment: dict[str, str], *args: str) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.lines.append(line)
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def said(self, text: str) -> str:
        """Wait until a line has a text; the line."""
        until = time.monotonic() + DEADLINE_SECONDS
        with self._changed:
            while True:
                found = [line for line in self.lines if text in line]
                if found:
                    return found[0]
                gone = self.process.poll()
                assert gone is None, f"ended with {gone}:\n{''.join(self.lines)}"
                assert self._changed.wait(until - time.monotonic()), (
                    f"never said {text!r}:\n{''.join(self.lines)}"
                )

    def stop(self) -> int:
        """SIGTERM, and its exit status."""
        self.process.terminate()
        return self.process.wait(DEADLINE_SECONDS)


class Town:
    """Servers, workers and tokens."""

    def __init__(self, folder: Path) -> None:
        kafka, controller, valkey, *others = free_ports(5)
        self.folder = folder
        self.tokens = folder / "tokens.json"
        given: dict[str, Any] = {
            "data_dir": folder / "data",
            "kafka_port": kafka,
            "kafka_controller_port": controller,
            "valkey_port": valkey,
            "tokens": self.tokens,
            "api_port": 0,
            "forward_metrics_port": others[0],
            "cases_metrics_port": others[1],
        }
        self.settings: Settings = load_settings(**given)
        self.environment = {**os.environ, **{variable_of(name): str(value) for name, value in given.items()}}
        self.processes: list[Process] = []
        self.url = ""
        self.texts: dict[str, str] = {}

    def up(self) -> None:
        catalog = read_catalog(self.settings.catalog)
        prepare(self.settings, catalog, read_policy(self.settings.policy, catalog))

    def down(self) -> None:
        for one in reversed(self.processes):
            if one.process.poll() is None:
                one.stop()
        local_stack(self.settings).down()

    def start(self, *args: str) -> Process:
        found = Process(self.environment, *args)
        self.processes.append(found)
        return found

    def run(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A command, to its end."""
        return subprocess.run(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip

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
