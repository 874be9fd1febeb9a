"""Stages in processes of their own, seen from outside; the child runs :mod:`bench.stage_process`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from agents.app import StageName
from bench.machine import POLICY, ROOT, cpu_seconds, places
from bench.servers import NAMESPACE, Round
from bench.stage_process import Sample

READY_SECONDS: Final = 60.0


class Process:
    """A stage in a process of its own."""

    def __init__(
        self, stage: StageName, at: Round, warm_up: int, window: int, cores: Sequence[int],
        profile: str | None = None, policy: Path = POLICY, cache_bytes: int | None = None,
        module: str = "bench.stage_process", follows_policies: bool = False,
    ) -> None:  # fmt: skip
        self.stage = stage
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        order = {
            "stage": stage, "kafka": at.stack.kafka_bootstrap, "redis": at.stack.redis_url,
            "prefix": at.prefix, "namespace": NAMESPACE, "cores": list(cores),
            "warm_up": warm_up, "window": window, "policy": str(policy),
            "profile": f"{profile}.{stage}" if profile else None,
            "cache_bytes": cache_bytes, "follows_policies": follows_policies,
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    async def ready(self) -> None:
        """Wait until it is connected."""
        line = await asyncio.wait_for(asyncio.to_thread(self._line), READY_SECONDS)
        if line != "ready":
            raise RuntimeError(f"the {self.stage} process did not start: {line!r}")

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def mark(self) -> None:
        """Let it take a sample now."""
        self._process.send_signal(signal.SIGUSR1)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def cpu(self) -> float:
        """CPU seconds so far."""
        return cpu_seconds(self._process.pid)

    async def stop(self) -> list[Sample]:
        """End it; its samples."""
        self._process.send_signal(signal.SIGTERM)
        line = await asyncio.wait_for(asyncio.to_thread(self._line), READY_SECONDS)
        self._process.wait(READY_SECONDS)
        return [Sample(**fields) for fields in json.loads(line)]

    def kill(self) -> None:
        """End it without a word, unless it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def started(
    stages: Sequence[StageName], at: Round, *, warm_up: int, window: int, alone: bool,
    profile: str | None = None,
) -> Iterator[dict[StageName, Process]]:  # fmt: skip
    """Processes of some stages; one that runs alone has a core to itself."""
    cores = places()[0] if alone else sorted(os.sched_getaffinity(0))
    with ExitStack() as stack:
        processes = {}
        for stage in stages:
            process = processes[stage] = Process(stage, at, warm_up, window, cores, profile)
            stack.callback(process.kill)
        yield processes
