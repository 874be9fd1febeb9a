"""What runs on this machine, as it stands in the ``run`` folder of a data directory.

The supervisor writes ``state.json`` and holds the lock as long as it lives; ``hearthwatch status`` and
``down`` read them.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import psutil

from streams.errors import HearthwatchError

#: A worker may take 30 s to finish what it has begun.
STOP_SECONDS: Final = 40.0
API: Final = "api"
"""What stands for a stage where the HTTP API runs."""

State = Literal["starting", "ready", "waiting", "stopping", "stopped"]


class AlreadyRunningError(HearthwatchError):
    """Another supervisor works in this data directory."""


@dataclass(slots=True)
class WorkerState:
    """One worker as the supervisor knows it.

    Attributes:
        state: ``starting`` until it is first ready, and after each restart; ``waiting`` for its next restart.
        started: seconds since 1970.
        restarts: how often it was started again.
        last_exit: exit status of the last one that died; negative: the signal.
        is_tls: of the API, where it has a certificate.
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
    is_tls: bool = False

    @property
    def url(self) -> str:
        """Where it serves its metrics."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"http{'s' if self.is_tls else ''}://{host}:{self.metrics_port}"


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


def ask_ready(worker: WorkerState, timeout_seconds: float) -> dict[str, Any] | None:
    """What a worker says of itself at ``/readyz`` (``agents.metrics_http``); None if it does not answer."""
    import ssl
    import urllib.error
    import urllib.request

    context = ssl.create_default_context() if worker.is_tls else None
    if (
        context is not None
    ):  # it is asked at this machine's address, which no certificate names; nothing is told
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    try:
        address = f"{worker.url}/readyz"
        with urllib.request.urlopen(address, timeout=timeout_seconds, context=context) as reply:  # noqa: S310
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
