"""The supervisor: restarts what dies, stops everything together, leaves nobody behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import psutil
import pytest

from deploy.local import free_ports
from hearthwatch import supervisor as module
from hearthwatch.run_folder import AlreadyRunningError, RunFolder, RunState, WorkerState, ask_ready
from hearthwatch.supervisor import Servers, Supervisor, WorkersFailedError
from streams.errors import LocalStackError

DEADLINE_SECONDS = 90

#: Stands for `hearthwatch worker`: serves /readyz, and does what a file beside it says.
PRETENDER = """
import http.server, json, os, pathlib, signal, sys, threading, time
args = sys.argv[1:]
name, port = args[args.index("--name") + 1], int(args[args.index("--metrics-port") + 1])
folder = pathlib.Path(sys.argv[0]).parent
if (folder / f"{name}.broken").exists():
    print("this worker is broken on purpose")
    sys.exit(7)
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not (folder / f"{name}.unready").exists()
        body = json.dumps({"ready": ready, "pid": os.getpid(), "lag": {"t": 3}}).encode()
        self.send_response(200 if ready else 503); self.end_headers(); self.wfile.write(body)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
def leave(*_):
    if (folder / f"{name}.stubborn").exists(): return
    (folder / f"{name}.left").write_text("properly"); os._exit(0)
signal.signal(signal.SIGTERM, leave)
def parent():
    while os.read(0, 4096): pass
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=parent, daemon=True).start()
while True: time.sleep(60)
"""


class Changes:
    """The supervisor's changes, to be waited for."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, int]] = []
        self.notes: list[str] = []
        self._event = asyncio.Event()

    def __call__(self, worker: WorkerState) -> None:
        self.seen.append((worker.name, worker.state, worker.restarts))
        self._event.set()

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._event.set()

    async def wait(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while not is_so():
                self._event.clear()
                await self._event.wait()


class Running:
    """A supervisor with pretenders, at work in this event loop."""

    def __init__(
        self,
        tmp_path: Path,
        names: tuple[str, ...] = ("intake-1", "person-1"),
        servers: Servers | None = None,
    ) -> None:
        self.script = tmp_path / "pretender.py"
        self.script.write_text(PRETENDER, "utf-8")
        self.folder = RunFolder(tmp_path)
        self.folder.path.mkdir(exist_ok=True)
        self.workers = [
            WorkerState(name, name.partition("-")[0], "127.0.0.1", port, str(tmp_path / f"{name}.log"))
            for name, port in zip(names, free_ports(len(names)), strict=True)
        ]
        self.changes = Changes()
        state = RunState(os.getpid(), time.time(), False, False, "c", "p", "log")
        self.supervisor = Supervisor(
            self.folder,
            state,
            self.workers,
            environment=dict(os.environ),
            servers=servers,
            command=[sys.executable, str(self.script)],
        )
        self.supervisor.watch(self.changes, self.changes.note)
        self.task: asyncio.Task[None] | None = None

    def mark(self, name: str, what: str) -> Path:
        path = self.script.parent / f"{name}.{what}"
        path.touch()
        return path

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self.supervisor.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self.task is not None
        self.supervisor.stop()
        self.supervisor.stop()  # forces, so that a failed test leaves nobody either
        with contextlib.suppress(Exception):
            await asyncio.wait_for(self.task, DEADLINE_SECONDS)

    async def all_ready(self) -> None:
        await self.changes.wait(lambda: all(one.state == "ready" for one in self.workers))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_DELAY_SECONDS", 0.05)
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.2)
    monkeypatch.setattr(module, "SERVERS_SECONDS", 0.05)


async def test_workers_come_up_and_stand_in_the_state_file(tmp_path: Path) -> None:
    async with Running(tmp_path) as running:
        await running.all_ready()
        state = running.folder.read()
        assert state is not None
        assert [(one.name, one.state, one.restarts) for one in state.workers] == [
            ("intake-1", "ready", 0),
            ("person-1", "ready", 0),
        ]
        assert all(one.pid is not None and psutil.pid_exists(one.pid) for one in state.workers)
        answer = await asyncio.to_thread(ask_ready, state.workers[0], 5.0)
        assert answer is not None
        assert answer["lag"] == {"t": 3}


async def test_a_worker_that_dies_is_started_again_and_counted(tmp_path: Path) -> None:
    async with Running(tmp_path) as running:
        await running.all_ready()
        intake, person = running.workers
        before = person.pid
        for restarts in (1, 2):
            assert intake.pid is not None
            os.kill(intake.pid, signal.SIGKILL)
            await running.changes.wait(lambda n=restarts: intake.restarts == n and intake.state == "ready")  # type: ignore[misc]
        assert ("intake-1", "waiting", 0) in running.changes.seen
        assert (person.pid, person.restarts) == (before, 0)
        assert intake.last_exit == -signal.SIGKILL


async def test_a_worker_that_is_not_ready_any_more_is_shown_so(tmp_path: Path) -> None:
    async with Running(tmp_path) as running:
        await running.all_ready()
        mark = running.mark("intake-1", "unready")
        await running.changes.wait(lambda: running.workers[0].state == "starting")
        mark.unlink()
        await running.all_ready()
        assert running.workers[0].restarts == 0


async def test_stopping_lets_every_worker_leave_properly(tmp_path: Path) -> None:
    async with Running(tmp_path) as running:
        await running.all_ready()
        assert running.task is not None
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running.task, DEADLINE_SECONDS)
        for worker in running.workers:
            assert (tmp_path / f"{worker.name}.left").read_text() == "properly"
            assert (worker.state, worker.pid, worker.last_exit) == ("stopped", None, 0)
        assert running.folder.read() is None


async def test_a_second_signal_forces_a_worker_that_does_not_leave(tmp_path: Path) -> None:
    async with Running(tmp_path) as running:
        await running.all_ready()
        running.mark("person-1", "stubborn")
        assert running.task is not None
        running.supervisor.stop()
        await running.changes.wait(lambda: running.workers[0].state == "stopped")
        assert running.workers[1].state == "stopping"
        running.supervisor.stop()
        await asyncio.wait_for(running.task, DEADLINE_SECONDS)
        assert running.workers[1].last_exit == -signal.SIGKILL


async def test_a_worker_that_never_comes_up_stops_everything_and_shows_its_log(tmp_path: Path) -> None:
    running = Running(tmp_path)
    running.mark("person-1", "broken")
    async with running:
        assert running.task is not None
        with pytest.raises(WorkersFailedError, match=r"person-1 died 4 times \(exit status 7\)") as caught:
            await asyncio.wait_for(running.task, DEADLINE_SECONDS)
    assert "this worker is broken on purpose" in str(caught.value)
    assert all(one.pid is None for one in running.workers)


def test_workers_leave_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    """No orphans: they see the end of a pipe that only the supervisor held."""
    program = tmp_path / "supervise.py"
    program.write_text(
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from tests.operations.test_supervisor import Running\n"
        "async def main():\n"
        f"    running = Running(Path({str(tmp_path)!r}))\n"
        "    async with running:\n"
        "        await running.all_ready()\n"
        "        print('ready', flush=True)\n"
        "        await running.task\n"
        "asyncio.run(main())\n",
        "utf-8",
    )
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, str(program)], stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        state = RunFolder(tmp_path).read()
        assert state is not None
        pids = [one.pid for one in state.workers]
        workers = [psutil.Process(pid) for pid in pids if pid is not None]
        assert len(workers) == 2
    finally:
        process.kill()
        process.wait()
        process.stdout.close()  # type: ignore[union-attr]
    gone, alive = psutil.wait_procs(workers, timeout=DEADLINE_SECONDS)
    assert (len(gone), alive) == (2, [])
    assert (tmp_path / "intake-1.left").read_text() == "properly"


def test_only_one_supervisor_works_in_a_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.running() is None
    lock = folder.lock()
    state = RunState(os.getpid(), 0.0, False, False, "c", "p", "log")
    folder.write(state)
    assert folder.running() == state
    with pytest.raises(AlreadyRunningError, match=rf"pid {os.getpid()}.*hearthwatch down"):
        RunFolder(tmp_path).lock()
    os.close(lock)
    assert folder.running() is None, "the lock ends with its holder, whatever the file says"


def test_workers_that_a_killed_supervisor_left_are_found_and_ended(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.path.mkdir()
    sleeper = "import time; time.sleep(600)"
    left = subprocess.Popen([sys.executable, "-c", sleeper, "--name", "intake-1", "--supervised"])
    other = subprocess.Popen([sys.executable, "-c", sleeper])
    try:
        state = RunState(1, 0.0, True, False, "c", "p", "log")
        state.workers = [
            WorkerState("intake-1", "intake", "127.0.0.1", 1, "x", pid=left.pid),
            WorkerState("person-1", "person", "127.0.0.1", 2, "x", pid=other.pid),  # a pid used again
        ]
        folder.write(state)
        # Seen by its command line, which the kernel shows an instant after the start.
        until = time.monotonic() + 10
        while "--supervised" not in psutil.Process(left.pid).cmdline():
            assert time.monotonic() < until
        assert [one.pid for one in folder.leftovers()] == [left.pid]
        assert folder.end_leftovers() == 1
        left.wait(10)
        assert not psutil.pid_exists(left.pid)
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"workers": 3}'])
def test_a_damaged_state_file_counts_as_none(tmp_path: Path, content: str) -> None:
    folder = RunFolder(tmp_path)
    folder.path.mkdir()
    folder.state_file.write_text(content, "utf-8")
    assert folder.read() is None
    assert folder.end_leftovers() == 0


def test_the_state_file_is_json_that_other_tools_can_read(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.path.mkdir()
    folder.write(RunState(5, 1.5, True, True, "c.yaml", "p.yaml", "wall"))
    assert json.loads(folder.state_file.read_text("utf-8"))["clock"] == "wall"


class Pretended:
    """Embedded servers: who is dead at each look, and what comes of starting them again."""

    def __init__(self, looks: list[list[str]], failures: int = 0) -> None:
        self.looks = looks
        self.failures = failures
        self.looked = 0
        self.revived = 0
        self.seen_all = threading.Event()

    def dead(self) -> list[str]:
        self.looked += 1
        if self.looked > len(self.looks):
            self.seen_all.set()
        return self.looks[min(self.looked, len(self.looks)) - 1]

    def up(self) -> None:
        if self.failures:
            self.failures -= 1
            raise LocalStackError("port 16379 for Valkey is in use")
        self.revived += 1
        self.looks = [[]]


async def test_servers_that_died_are_started_again_until_that_succeeds(tmp_path: Path) -> None:
    servers = Pretended([[], ["Kafka", "Valkey"]], failures=1)
    async with Running(tmp_path, ("intake-1",), servers) as running:
        await running.changes.wait(lambda: len(running.changes.notes) == 3)
        again = "Kafka and Valkey died and are started again"
        assert running.changes.notes == [again, "port 16379 for Valkey is in use", again]
    assert servers.revived == 1


async def test_a_server_that_is_being_stopped_is_left_alone(tmp_path: Path) -> None:
    """Between its end and the removal of its pid file it looks dead."""
    servers = Pretended([[], ["Valkey"], [], ["Kafka"], []])
    async with Running(tmp_path, ("intake-1",), servers) as running:
        assert await asyncio.to_thread(servers.seen_all.wait, 30)
    assert (servers.revived, running.changes.notes) == (0, [])
