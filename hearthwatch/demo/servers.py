"""The demo's own stack and workers, in a data folder of its own, on free ports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from deploy.local import free_ports
from hearthwatch.connections import local_stack
from hearthwatch.run_folder import RunFolder
from hearthwatch.setting_sources import CONFIG_VARIABLE, PREFIX
from hearthwatch.settings import Settings, load_settings
from streams.errors import StartError

#: Variables that the demo leaves in force; everything else of the user's settings is not its business.
_KEPT: Final = {"HEARTHWATCH_JARS_DIR", "HEARTHWATCH_MAVEN_REPOSITORY", "HEARTHWATCH_LOG_LEVEL"}
#: Few partitions: a small district on a small machine. One of persons, so that their events keep an order.
_SIZES: Final = {"life": 1, "person": 1, "household": 4, "warnings": 2, "case": 2, "alerts": 1}
ROUTES: Final = Path(__file__).resolve().parents[2] / "examples/routes/demo.yaml"
#: The channels of these routes.
CHANNELS: Final = ("mail", "hook", "desk")
_START_SECONDS: Final = 180.0
_STOP_SECONDS: Final = 120.0


class DemoServers:
    """Kafka, Valkey and the workers of one demo.

    Args:
        folder: the demo's own; what an earlier demo left there is erased.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "demo.toml"
        self.routes = folder / "routes.yaml"
        self._environment = {
            name: value for name, value in os.environ.items() if not name.startswith(PREFIX) or name in _KEPT
        }
        self._environment[CONFIG_VARIABLE] = str(self.config)

    def clear(self) -> None:
        """Stop what an earlier demo left running, erase its data, and choose ports."""
        if self.config.exists():
            if RunFolder(self.folder).running() is not None:
                self._run("down", seconds=_STOP_SECONDS)
            local_stack(self.settings()).reset()
            shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        kafka, controller, valkey, intake, person, household = free_ports(6)
        rows: dict[str, str | int] = {
            "data_dir": str(self.folder),
            "clock": "log",
            "routes": str(self.routes),
            "kafka_port": kafka,
            "kafka_controller_port": controller,
            "valkey_port": valkey,
            "intake_metrics_port": intake,
            "person_metrics_port": person,
            "household_metrics_port": household,
            **{f"{stage}_metrics_port": 0 for stage in ("forward", "cases", "dispatch")},
            **{f"{name}_partitions": count for name, count in _SIZES.items()},
        }
        # Channels that are files: into our own folder.
        routes = ROUTES.read_text(encoding="utf-8").replace("path: ./", f"path: {self.folder}/")
        self.routes.write_text(routes, encoding="utf-8")
        # A JSON text or number is a TOML one.
        text = "".join(f"{name} = {json.dumps(value)}\n" for name, value in rows.items())
        self.config.write_text(
            f"# Settings of the demo; use them with: hearthwatch --config {self.config}\n{text}"
        )

    def settings(self) -> Settings:
        """The settings of the demo, whatever the user's own are."""
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self._environment)
            return load_settings()
        finally:
            os.environ.clear()
            os.environ.update(before)

    def up(self) -> None:
        """Start everything; return when all workers are ready.

        Raises:
            StartError: something did not start; the text is what it said.
        """
        self._run("up", "--detach", seconds=_START_SECONDS)

    def down(self) -> None:
        """Stop everything; the data stays until the next demo."""
        self._run("down", seconds=_STOP_SECONDS)

    def _run(self, *command: str, seconds: float) -> None:
        # In a session of its own: Ctrl-C reaches the demo alone, which then stops everything in order.
        process = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *command],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            start_new_session=True,
        )
        if process.returncode:
            told = (process.stderr.strip() or process.stdout.strip()).splitlines()
            raise StartError("\n".join([f"`hearthwatch {' '.join(command)}` failed:", *told[-12:]]))
