"""Keeps the workers of one machine running: starts them, restarts one that dies, stops them together.

Embedded servers that die are started again too; those that somebody stopped stay stopped.

Each worker is a process in a session of its own, so that Ctrl-C reaches the supervisor alone, which then
asks all of them to finish. A worker holds the reading end of a pipe whose other end is the supervisor's:
when that is killed, the workers see it and stop by themselves. What runs stands in ``run/state.json`` of
the data directory, for ``hearthwatch status`` and ``down``.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from deploy.local.process import LOG_LIMIT_BYTES
from hearthwatch.run_folder import (
    API,
    STOP_SECONDS,
    RunFolder,
    RunState,
    State,
    WorkerState,
    ask_ready,
    last_lines,
)
from streams.errors import HearthwatchError

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 30.0
#: A worker that ran this long has proved itself: its next restart is quick again.
PROVEN_SECONDS: Final = 60.0
#: A worker that never was ready and has died so often will not come up by itself.
HOPELESS_DEATHS: Final = 4
#: How soon a change in readiness is seen.
PROBE_SECONDS: Final = 1.0
#: How often embedded servers are looked at.
SERVERS_SECONDS: Final = 2.0


class WorkersFailedError(HearthwatchError):
    """A worker does not come up; the text has the last lines of its log."""


class Servers(Protocol):
    """The embedded servers, as a supervisor needs them; blocking."""

    def dead(self) -> list[str]:
        """The names of those that ended without having been stopped."""

    def up(self) -> object:
        """Start what does not run; raises :class:`streams.errors.HearthwatchError` where that fails."""


class Supervisor:
    """Runs workers until it is told to stop.

    Args:
        workers: names, stages and ports; each is started with ``hearthwatch worker``, the API with
            ``hearthwatch api``.
        environment: of the workers.
        servers: embedded servers to start again if they die.
        command: how this program is started; tests give their own.
    """

    def __init__(
        self,
        folder: RunFolder,
        state: RunState,
        workers: Sequence[WorkerState],
        *,
        environment: Mapping[str, str],
        servers: Servers | None = None,
        command: Sequence[str] = (sys.executable, "-m", "hearthwatch"),
    ) -> None:
        self.folder = folder
        self.state = state
        self.state.workers = list(workers)
        self._environment = dict(environment)
        self._servers = servers
        self._on_change: Callable[[WorkerState], None] = lambda worker: None
        self._note: Callable[[str], None] = lambda text: None
        self._command = list(command)
        self._stopping = asyncio.Event()
        self._force = asyncio.Event()
        self._failed: WorkersFailedError | None = None
        self.ready = asyncio.Event()
        """Set when all workers are ready for the first time."""

    def watch(
        self, on_change: Callable[[WorkerState], None], note: Callable[[str], None] = lambda text: None
    ) -> None:
        """Say who is told of changes, and in a line of what befalls the servers, from now on."""
        self._on_change = on_change
        self._note = note

    async def run(self) -> None:
        """Keep the workers running until SIGTERM, SIGINT or :meth:`stop`; a second signal forces them.

        Raises:
            WorkersFailedError: one died again and again before it was ever ready; all were stopped.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
        self._save()
        tasks = [asyncio.ensure_future(self._keep(worker)) for worker in self.state.workers]
        tasks.append(asyncio.ensure_future(self._probe()))
        if self._servers is not None:
            tasks.append(asyncio.ensure_future(self._keep_servers(self._servers)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
            self.folder.forget()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """Stop all workers; called again, at once."""
        if self._stopping.is_set():
            self._force.set()
        self._stopping.set()

    async def _keep(self, worker: WorkerState) -> None:
        delay = FIRST_DELAY_SECONDS
        deaths = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            worker.last_exit = await self._live(worker)
            if self._stopping.is_set():
                break
            deaths = 0 if worker.was_ready else deaths + 1
            if deaths >= HOPELESS_DEATHS:
                lines = "\n".join(f"  | {line[:300]}" for line in last_lines(Path(worker.log), 6))
                self._failed = WorkersFailedError(
                    f"the worker {worker.name} died {deaths} times (exit status {worker.last_exit}) and never"
                    f" came up (log: {worker.log}):\n{lines}"
                )
                self._stopping.set()
                break
            if time.monotonic() - began > PROVEN_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self._change(worker, "waiting")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            worker.restarts += 1
        self._change(worker, "stopped")

    async def _keep_servers(self, servers: Servers) -> None:
        """Start embedded servers again that have died."""
        delay = SERVERS_SECONDS
        suspected: list[str] = []
        while not self._stopping.is_set():
            dead = await asyncio.to_thread(servers.dead)
            # One that is being stopped looks so too, for a moment: only who is dead twice is.
            if dead and dead == suspected:
                self._tell(f"{' and '.join(dead)} died and {'is' if len(dead) == 1 else 'are'} started again")
                try:
                    await asyncio.to_thread(servers.up)
                    delay = SERVERS_SECONDS
                except HearthwatchError as error:
                    self._tell(str(error))
                    delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            suspected = dead
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _live(self, worker: WorkerState) -> int:
        """One life of a worker, from its start to its exit status."""
        with _opened(Path(worker.log)) as out:
            process = await asyncio.create_subprocess_exec(
                *self._command, *_arguments(worker), "--supervised",
                stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT,
                env=self._environment, start_new_session=True,
            )  # fmt: skip
        worker.pid = process.pid
        worker.started = time.time()
        self._change(worker, "starting")
        exited = asyncio.ensure_future(process.wait())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([exited, stopping], return_when=asyncio.FIRST_COMPLETED)
            if not exited.done():
                self._change(worker, "stopping")
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()
                    process.send_signal(signal.SIGCONT)  # one that is stopped takes no notice otherwise
                force = asyncio.ensure_future(self._force.wait())
                await asyncio.wait([exited, force], timeout=STOP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                force.cancel()
                if not exited.done():
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
            return await exited
        finally:
            stopping.cancel()
            if not exited.done():  # we are being cancelled: leave nobody behind
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            worker.pid = None

    async def _probe(self) -> None:
        """See which workers are ready."""
        while not self._stopping.is_set():
            for worker in self.state.workers:
                if worker.state not in ("starting", "ready") or worker.pid is None:
                    continue
                pid = worker.pid
                answer = await asyncio.to_thread(ask_ready, worker, 1.0)
                if worker.pid != pid or worker.state not in ("starting", "ready"):
                    continue  # it died meanwhile
                is_ready = answer is not None and answer.get("pid") == pid and bool(answer["ready"])
                worker.was_ready = worker.was_ready or is_ready
                if is_ready != (worker.state == "ready"):
                    self._change(worker, "ready" if is_ready else "starting")
            if all(worker.state == "ready" for worker in self.state.workers):
                self.ready.set()
            with contextlib.suppress(TimeoutError):
                pause = PROBE_SECONDS if self.ready.is_set() else PROBE_SECONDS / 5
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _change(self, worker: WorkerState, state: State) -> None:
        worker.state = state
        self._save()
        with contextlib.suppress(OSError):  # whoever watched has closed the other end of a pipe
            self._on_change(worker)

    def _tell(self, text: str) -> None:
        with contextlib.suppress(OSError):
            self._note(text)

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not stop the workers
            self.folder.write(self.state)


def _arguments(worker: WorkerState) -> tuple[str, ...]:
    """What it is started with; the API is none of the stages, and its metrics are where it serves."""
    port = str(worker.metrics_port)
    if worker.stage == API:
        return "api", "--name", worker.name, "--port", port
    return "worker", worker.stage, "--name", worker.name, "--metrics-port", port


def _opened(log: Path) -> BinaryIO:
    """A log to write on; one that has grown large is set aside first."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log.open("ab")
