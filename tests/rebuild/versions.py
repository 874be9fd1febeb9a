"""Other versions of the program: copies of this one, changed where versions differ."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from tests.operations.test_up import DEADLINE_SECONDS, ROOT

PACKAGES = ("streams", "rules", "agents", "hearthwatch", "deploy")

#: At the end of modules, where it changes what their names mean to all who import them.
_READS_BOTH = """
_decode_1 = decode


def decode(raw):
    return _decode_1(raw[1:] if raw[:1] == bytes([2]) else raw)
"""
_WRITES_2 = """
_encode_1 = encode


def encode(state):
    return bytes([2]) + _encode_1(state)
"""
_WHERE = """
_whereabouts_1 = whereabouts


def whereabouts(id, raw):
    return _whereabouts_1(id, raw[1:] if raw is not None and raw[:1] == bytes([2]) else raw)
"""


class Version:
    """One version of the program, and the workers that a test has started of it.

    Args:
        reads, writes: formats of states.
        language: of policies.
        lower: by how much every level begins earlier: it scores otherwise.
    """

    def __init__(
        self, folder: Path, *, reads: int = 1, writes: int = 1, language: int = 1, lower: int = 0
    ) -> None:
        self.folder = folder
        self.workers: list[RunningWorker] = []
        for name in PACKAGES:
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        if reads > 1:
            self._change("rules/state_format.py", "FORMAT: Final = 1", f"FORMAT: Final = {reads}")
            self._add("rules/state.py", _READS_BOTH)
            self._add("rules/person.py", _READS_BOTH + _WHERE)
        if writes > 1:
            self._change("rules/state_format.py", "WRITES: Final = 1", f"WRITES: Final = {writes}")
            self._add("rules/state.py", _WRITES_2)
            self._add("rules/person.py", _WRITES_2)
        if language > 1:
            self._change("streams/policies.py", "LANGUAGE: Final = 1", f"LANGUAGE: Final = {language}")
        if lower:
            self._change("rules/levels.py", "candidate.at <= score", f"candidate.at - {lower} <= score")

    def _change(self, path: str, old: str, new: str) -> None:
        text = (self.folder / path).read_text("utf-8")
        assert text.count(old) == 1, (path, old)
        (self.folder / path).write_text(text.replace(old, new), "utf-8")

    def _add(self, path: str, text: str) -> None:
        with (self.folder / path).open("a", encoding="utf-8") as file:
            file.write(text)

    def __call__(self, environment: Mapping[str, str], *args: str, expect: int = 0) -> str:
        """Run a command to its end; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=self.folder, env=self._environment(environment), capture_output=True, text=True, check=False,
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip
        assert done.returncode == expect, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def worker(self, environment: Mapping[str, str], stage: str, name: str) -> RunningWorker:
        """Start a worker."""
        log = self.folder / f"{name}-{len(self.workers)}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "hearthwatch", "worker", stage, "--name", name, "--metrics-port", "0"],
                cwd=self.folder, env=self._environment(environment),
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.workers.append(RunningWorker(name, process, log))
        return self.workers[-1]

    def _environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {**environment, "PYTHONPATH": str(self.folder), "HEARTHWATCH_LOG_FORMAT": "json"}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self.workers:
            worker.process.kill()
            worker.process.wait()


class RunningWorker:
    """A worker process of some version."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def stop(self) -> None:
        """Let it finish, as an upgrade does."""
        self.process.terminate()
        assert self.process.wait(DEADLINE_SECONDS) == 0, self.log.read_text("utf-8")

    def left(self) -> list[dict[str, Any]]:
        """Wait until it has left by itself with status 1; what it said from ``error`` upwards."""
        assert self.process.wait(DEADLINE_SECONDS) == 1, self.log.read_text("utf-8")
        text = self.log.read_text("utf-8")
        assert "Traceback" not in text
        lines = [json.loads(line) for line in text.splitlines()]
        return [line for line in lines if line["level"] in {"error", "critical"}]
