"""An installed Prometheus beside the embedded stack, with our alert rules, looking at this machine's workers.

Unlike Kafka and Valkey it comes in no Python package: where the system has none, there is none.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import yaml

import deploy.prometheus
from deploy.local.ports import HOST, require_free
from deploy.local.process import ManagedProcess
from deploy.local.stack import Progress
from streams.errors import LocalStackError, StartError

PROMETHEUS_PORT: Final = 19090
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 20.0
SCRAPE_SECONDS: Final = 5.0
RETENTION: Final = "30d"
RULES: Final = tuple(
    Path(deploy.prometheus.__path__[0]).absolute() / name for name in ("recording.yaml", "alerts.yaml")
)
JOB: Final = "hearthwatch"
NOT_INSTALLED: Final = "Prometheus is not installed (Debian: apt install prometheus)"


def binary() -> str | None:
    """The path of an installed Prometheus."""
    return shutil.which("prometheus")


class Prometheus:
    """Prometheus of one data directory.

    Args:
        folder: for its configuration, its data, pid file and log.
        rules: files of rules, which must be there as long as it runs.
        alertmanager: ``host:port`` of who is told of alerts.
    """

    def __init__(
        self,
        folder: Path,
        port: int = PROMETHEUS_PORT,
        *,
        rules: Sequence[Path] = RULES,
        scrape_seconds: float = SCRAPE_SECONDS,
        alertmanager: str | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.port = port
        self._rules = rules
        self._scrape_seconds = scrape_seconds
        self._alertmanager = alertmanager
        self._process = ManagedProcess("prometheus", self.folder)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def log_file(self) -> Path:
        """What it writes."""
        return self._process.log_file

    def up(self, targets: Sequence[str], progress: Progress = lambda what, done, total: None) -> None:
        """Start it, or start it anew, and return when it answers.

        Args:
            targets: ``host:port`` of each worker's metrics.

        Raises:
            LocalStackError: it is not installed, or its port is in use.
            StartError: it died or stayed silent.
        """
        program = binary()
        if program is None:
            raise LocalStackError(NOT_INSTALLED)
        self.down()
        require_free(self.port, server="Prometheus", variable="HEARTHWATCH_PROMETHEUS_PORT")
        progress("Starting Prometheus", 0, 0)
        config = self._write(targets)
        self._process.spawn(
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--storage.tsdb.retention.time={RETENTION}",
                f"--web.listen-address={HOST}:{self.port}",
                "--log.level=warn",
            ],
            port=self.port,
            marker=f"--config.file={config}",
            environment={"PATH": os.defpath, "LC_ALL": "C"},
        )
        began = time.monotonic()
        while not self._answers():
            if self._process.running() is None:
                lines = "".join(f"\n  | {line}" for line in self._process.last_lines(6, of_this_run=True))
                raise StartError(f"Prometheus stopped while it started (log: {self.log_file}){lines}")
            if time.monotonic() - began > START_SECONDS:
                self.down()
                raise StartError(f"Prometheus did not answer in {START_SECONDS:.0f} s: see {self.log_file}")
            time.sleep(0.05)
        self._process.mark_ready(address=self.url, seconds=time.monotonic() - began)
        progress(f"Prometheus answers at {self.url}", 0, 0)

    def down(self) -> bool:
        """Stop it; whether it was running. Its data stays."""
        return self._process.stop(timeout_seconds=STOP_SECONDS) is not None

    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process.running() is not None

    def _write(self, targets: Sequence[str]) -> Path:
        """Write the configuration; returns its path."""
        # The log of queries would otherwise be looked for in the folder that it is started from.
        (self.folder / "data").mkdir(parents=True, exist_ok=True)
        (self.folder / "targets.json").write_text(json.dumps([{"targets": list(targets)}]), "utf-8")
        every = f"{round(self._scrape_seconds * 1000)}ms"
        config = self.folder / "prometheus.yaml"
        content: dict[str, object] = {
            "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
            "rule_files": [str(rule) for rule in self._rules],
            "scrape_configs": [{"job_name": JOB, "file_sd_configs": [{"files": ["targets.json"]}]}],
        }
        if self._alertmanager is not None:
            whom = [{"static_configs": [{"targets": [self._alertmanager]}]}]
            content["alerting"] = {"alertmanagers": whom}
        config.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
        return config

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=1.0) as reply:  # noqa: S310
                return bool(reply.status == 200)
        except (OSError, ValueError):
            return False
