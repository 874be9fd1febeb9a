"""Starting, telling and ending the processes of :mod:`bench.latency_process`."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from typing import Any

from bench.machine import ROOT


class Child:
    """A process of :mod:`bench.latency_process`."""

    def __init__(self, what: str, order: dict[str, Any], profile: str | None = None) -> None:
        command = [sys.executable, "-m", "bench.latency_process", what]
        if profile is not None:
            command[1:1] = ["-m", "cProfile", "-o", profile]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        self.tell(json.dumps(order))

    def tell(self, line: str) -> None:
        """Write it a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    async def line(self, timeout_seconds: float) -> str:
        """Its next line."""
        assert self._process.stdout is not None
        return await asyncio.wait_for(asyncio.to_thread(self._process.stdout.readline), timeout_seconds)

    def stop(self) -> None:
        """End it."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
