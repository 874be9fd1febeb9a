"""Detached processes with pid and readiness files: started, found again by another program, stopped.

A pid alone proves nothing, because systems use them again: a process is ours when its pid is the recorded
one, it is no zombie, and its command line has the configuration file of this very folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

LOG_LIMIT_BYTES = 16 * 2**20
"""A log over this size is set aside (one generation) when its server starts."""


@dataclass(frozen=True, slots=True)
class PidRecord:
    """What the pid file holds, as JSON."""

    pid: int
    port: int
    marker: str
    """A part of the command line that no other program has: the path of the configuration file."""
    started: float
    """When it was started, in seconds since 1970."""
    log_start: int = 0
    """Where its own lines begin in the log, in bytes."""


class ManagedProcess:
    """One server process of one folder.

    Files: ``NAME.pid`` while it should run, ``NAME.ready`` once it answered, ``NAME.log``.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.pid_file = folder / f"{name}.pid"
        self.ready_file = folder / f"{name}.ready"
        self.log_file = folder / f"{name}.log"

    def record(self) -> PidRecord | None:
        """What the pid file says; ``None`` without one, or with a damaged one."""
        try:
            return PidRecord(**json.loads(self.pid_file.read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def running(self) -> psutil.Process | None:
        """The live process of this folder, or ``None``; a zombie of ours is reaped."""
        record = self.record()
        if record is None:
            return None
        _reap(record.pid)
        try:
            process = psutil.Process(record.pid)
            if process.status() == psutil.STATUS_ZOMBIE or record.marker not in process.cmdline():
                return None
        except psutil.NoSuchProcess:
            return None
        except psutil.AccessDenied:  # another user's: not ours
            return None
        return process

    def is_stale(self) -> bool:
        """Whether there is a pid file whose process is gone (or is another program by now)."""
        return self.pid_file.exists() and self.running() is None

    def is_ready(self) -> bool:
        """Whether it runs and has answered since it was started."""
        process = self.running()
        return process is not None and self.ready_pid() == process.pid

    def ready_pid(self) -> int | None:
        """The pid that the readiness file is about."""
        try:
            return int(json.loads(self.ready_file.read_text("utf-8"))["pid"])
        except (FileNotFoundError, ValueError, TypeError, KeyError):
            return None

    def spawn(self, command: Sequence[str], *, port: int, marker: str, environment: Mapping[str, str]) -> int:
        """Start the command in a session of its own, its output appended to the log; return the pid."""
        self.forget()
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        with self.log_file.open("ab") as log:
            log_start = log.tell()
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=dict(environment),
                start_new_session=True,
            )
        # It outlives us: nobody is going to wait on this object, and `running` reaps by pid.
        process.returncode = 0
        record = PidRecord(process.pid, port, marker, time.time(), log_start)
        try:
            _write_whole(self.pid_file, json.dumps(asdict(record)))
        except OSError:
            os.kill(process.pid, signal.SIGKILL)
            raise
        self._wait_for_command_line(process.pid)
        return process.pid

    def _wait_for_command_line(self, pid: int) -> None:
        """For an instant after exec the kernel shows an empty command line, as a zombie's is: sit it out."""
        deadline = time.monotonic() + 2.0
        while self.running() is None and time.monotonic() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE and not process.cmdline():
                    time.sleep(0.001)
                    continue
            return

    def mark_ready(self, *, address: str, seconds: float) -> None:
        """Write the readiness file: it answered at this address, so long after its start."""
        record = self.record()
        content = {"pid": record.pid if record else 0, "address": address, "seconds": round(seconds, 3)}
        _write_whole(self.ready_file, json.dumps(content))

    def send(self, signal_number: int) -> bool:
        """Send a signal if it runs; whether it was running."""
        process = self.running()
        if process is None:
            return False
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
        return True

    def stop(self, *, timeout_seconds: float) -> bool | None:
        """Ask it to end (SIGTERM), force it (SIGKILL) after the timeout.

        Returns:
            ``None`` if it was not running, ``True`` if it ended by itself, ``False`` if it was forced.
        """
        process = self.running()
        ended: bool | None = None
        if process is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
                # One that is stopped (SIGSTOP) takes no notice of SIGTERM until it goes on.
                process.send_signal(signal.SIGCONT)
            ended = self.wait_gone(process, timeout_seconds)
            if not ended:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
                self.wait_gone(process, 10.0)
        self.forget()
        return ended

    @staticmethod
    def wait_gone(process: psutil.Process, timeout_seconds: float) -> bool:
        """Wait until the process has ended; ``False`` if it has not in this time."""
        deadline = time.monotonic() + timeout_seconds
        while True:
            try:
                # A zombie with threads is one whose last threads are still ending, with their files open.
                if process.status() == psutil.STATUS_ZOMBIE and (
                    _reap(process.pid) or process.num_threads() <= 1
                ):
                    return True
            except psutil.NoSuchProcess:
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)

    def forget(self) -> None:
        """Remove the pid and readiness files."""
        self.pid_file.unlink(missing_ok=True)
        self.ready_file.unlink(missing_ok=True)

    def last_lines(self, count: int, *, of_this_run: bool = False) -> list[str]:
        """The last lines of the log, without empty ones; of the latest start only, if so asked."""
        record = self.record() if of_this_run else None
        try:
            with self.log_file.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(0, end - 64 * 1024, record.log_start if record else 0))
                text = log.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        return [line for line in text.splitlines() if line.strip()][-count:]


def _reap(pid: int) -> bool:
    """Collect a child of ours that has ended; ``False`` if it is not our child or still runs."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _write_whole(path: Path, text: str) -> None:
    """Write so that a reader sees the old content or the new, never half of it."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, "utf-8")
    beside.replace(path)
