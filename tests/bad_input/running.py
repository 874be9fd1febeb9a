"""The whole program, started as a person starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Program:
    """`hearthwatch` with settings of its own, in a folder of its own."""

    folder: Path
    config: Path

    def run(self, *command: str, seconds: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "hearthwatch", "--config", str(self.config), *command],
            cwd=self.folder,
            env=dict(os.environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def good(self, *command: str) -> str:
        """Run a command that has to succeed; return what it printed."""
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def rows(self, *command: str) -> list[Any]:
        """The JSON lines that a command prints."""
        return [json.loads(line) for line in self.good(*command).splitlines()]


def settings_file(folder: Path, **settings: str | int) -> Path:
    """A file of settings."""
    path = folder / "settings.toml"
    # A JSON text or number is a TOML one.
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return path
