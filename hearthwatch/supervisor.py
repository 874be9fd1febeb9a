"""Keeps the workers of one machine running: starts them, restarts one that dies, stops them together.

Each worker is a process in a session of its own, so that Ctrl-C reaches the supervisor alone, which then
asks all of them to finish. A worker holds the reading end of a pipe whose other end is the supervisor's:
when that is killed, the workers see it and stop by themselves. What runs stands in ``run/state.json`` of
the data directory, for ``hearthwatch status`` and ``down``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

import psutil

from deploy.local.process import LOG_LIMIT_BYTES
from streams.errors import HearthwatchError

FIRST_DELAY_SECONDS: Final = 0.5
LONGEST_DELAY_SECONDS: Final = 30.0
#: A worker that ran this long has proved itself: its next restart is quick again.
PROVEN_SECONDS: Final = 60.0
#: A worker that never was ready and has died so often will not come up by itself.
HOPELESS_DEATHS: Final = 4
#: A worker may take 30 s to finish what it has begun.
STOP_SECONDS: Final = 40.0
#: How soon a change in readiness is seen.
PROBE_SECONDS: Final = 1.0

State = Literal["starting", "ready", "waiting", "stopping", "stopped"]


class AlreadyRunningError(HearthwatchError):
    """Another supervisor works in this data directory."""


class WorkersFailedError(HearthwatchError):
    """A worker does not come up; the text has the last lines of its log."""


@dataclass(slots=True)
class WorkerState:
    """One worker as the supervisor knows it.

    Attributes:
        state: ``starting`` until it is first ready, and after each restart; ``waiting`` for its next restart.
        started: seconds since 1970.
        restarts: how often it was started again.
        last_exit: exit status of the last one that died; negative: the signal.
    """

    name: str
    stage: str
    host: str
    metrics_port: int
    log: str
    state: State = "starting"
    pid: int | None = None
    started: float | None = None
    restarts: int = 0
    last_exit: int | None = None
    was_ready: bool = False

    @property
    def url(self) -> str:
        """Where it serves its metrics."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http://{host}:{self.metrics_port}"


@dataclass(slots=True)
class RunState:
    """What ``run/state.json`` holds."""

    pid: int
    started: float
    detached: bool
    stops_servers: bool
    catalog: str
    policy: str
    clock: str
    workers: list[WorkerState] = field(default_factory=list)


class RunFolder:
    """The ``run`` folder of a data directory: state, lock and logs of the workers."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "run"
        self.state_file = self.path / "state.json"
        self.supervisor_log = self.path / "supervisor.log"
        self.keep_servers_file = self.path / "keep-servers"

    def read(self) -> RunState | None:
        """What the latest supervisor wrote, running or not."""
        try:
            raw = json.loads(self.state_file.read_text("utf-8"))
            workers = [WorkerState(**one) for one in raw.pop("workers")]
            return RunState(**raw, workers=workers)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return None

    def write(self, state: RunState) -> None:
        """Write so that a reader sees the old content or the new, never half of it."""
        beside = self.state_file.with_suffix(".new")
        beside.write_text(json.dumps(asdict(state), indent=1) + "\n", "utf-8")
        beside.replace(self.state_file)

    def forget(self) -> None:
        """Remove the state."""
        self.state_file.unlink(missing_ok=True)

    def running(self) -> RunState | None:
        """The state of a supervisor that runs, or None."""
        return self.read() if self._is_locked() else None

    def lock(self) -> int:
        """Take the lock that a supervisor holds as long as it lives; the kernel lets go of it when it dies.

        Raises:
            AlreadyRunningError: another one holds it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            state = self.read()
            pid = f" (pid {state.pid})" if state is not None else ""
            raise AlreadyRunningError(
                f"the workers of {self.path.parent} run already{pid}: see `hearthwatch status`, stop them"
                " with `hearthwatch down`"
            ) from None
        return lock

    def _is_locked(self) -> bool:
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        else:
            return False
        finally:
            os.close(lock)

    def leftovers(self) -> list[psutil.Process]:
        """Workers whose supervisor was killed and that still run."""
        state = self.read()
        found = []
        for worker in state.workers if state is not None else ():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                if worker.pid is None:
                    continue
                process = psutil.Process(worker.pid)
                line = process.cmdline()
                if (
                    process.status() != psutil.STATUS_ZOMBIE
                    and "--supervised" in line
                    and worker.name in line
                ):
                    found.append(process)
        return found

    def end_leftovers(self) -> int:
        """Stop them: ask, and after :data:`STOP_SECONDS` force. Returns how many there were."""
        found = self.leftovers()
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                process.send_signal(signal.SIGCONT)
        _, alive = psutil.wait_procs(found, timeout=STOP_SECONDS)
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return len(found)


class Supervisor:
    """Runs workers until it is told to stop.

    Args:
        workers: names, stages and ports; each is started with ``hearthwatch worker``.
        environment: of the workers.
        command: how this program is started; tests give their own.
    """

    def __init__(
        self,
        folder: RunFolder,
        state: RunState,
        workers: Sequence[WorkerState],
        *,
        environment: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-m", "hearthwatch"),
    ) -> None:
        self.folder = folder
        self.state = state
        self.state.workers = list(workers)
        self._environment = dict(environment)
        self._on_change: Callable[[WorkerState], None] = lambda worker: None
        self._command = list(command)
        self._stopping = asyncio.Event()
        self._force = asyncio.Event()
        self._failed: WorkersFailedError | None = None
        self.ready = asyncio.Event()
        """Set when all workers are ready for the first time."""

    def watch(self, on_change: Callable[[WorkerState], None]) -> None:
        """Say who is told of changes from now on."""
        self._on_change = on_change

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

    async def _live(self, worker: WorkerState) -> int:
        """One life of a worker, from its start to its exit status."""
        with _opened(Path(worker.log)) as out:
            process = await asyncio.create_subprocess_exec(
                *self._command, "worker", worker.stage,
                "--name", worker.name, "--metrics-port", str(worker.metrics_port), "--supervised",
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

    def _save(self) -> None:
        with contextlib.suppress(OSError):  # a full disk must not stop the workers
            self.folder.write(self.state)


def _opened(log: Path) -> BinaryIO:
    """A log to write on; one that has grown large is set aside first."""
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    return log.open("ab")


def ask_ready(worker: WorkerState, timeout_seconds: float) -> dict[str, Any] | None:
    """What a worker says of itself at ``/readyz`` (``agents.metrics_http``); None if it does not answer."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"{worker.url}/readyz", timeout=timeout_seconds) as reply:  # noqa: S310
            body = reply.read()
    except urllib.error.HTTPError as error:  # 503: not ready, and why
        with error:
            body = error.read()
    except (OSError, ValueError):
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) and "ready" in answer else None


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a log, without empty ones."""
    try:
        with path.open("rb") as log:
            log.seek(0, os.SEEK_END)
            log.seek(max(0, log.tell() - 65_536))
            text = log.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]
