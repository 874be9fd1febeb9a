"""``hearthwatch local`` as a person types it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import Stack, free_ports
from deploy.local.data_folder import default_jars_dir
from deploy.local.kafka import Kafka
from hearthwatch import cli


class Shell:
    """Runs the command in an environment that has nothing: no Java, no PATH, no home."""

    def __init__(self, folder: Path) -> None:
        kafka, controller, valkey = free_ports(3)
        self.folder = folder
        self.environment = {
            "HOME": str(folder),
            "PATH": "/nonexistent",
            "HEARTHWATCH_DATA_DIR": str(folder / "data"),
            "HEARTHWATCH_JARS_DIR": str(default_jars_dir()),
            "HEARTHWATCH_KAFKA_PORT": str(kafka),
            "HEARTHWATCH_KAFKA_CONTROLLER_PORT": str(controller),
            "HEARTHWATCH_VALKEY_PORT": str(valkey),
        }

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hearthwatch", "local", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )

    def follow(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "hearthwatch", "local", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("home"))
    yield shell
    shell("reset", "--yes")


def test_before_the_first_start_everything_says_so(shell: Shell) -> None:
    status = shell("status")
    assert status.returncode == 1
    assert status.stdout.count("stopped") == 2
    logs = shell("logs")
    assert logs.returncode == 1
    assert logs.stderr == "There are no logs yet: `hearthwatch local up` starts the servers.\n"
    assert shell("down").stdout == "Kafka was not running, Valkey was not running\n"
    assert shell("reset", "--yes").stdout.startswith("There is no data in ")


def test_up_without_java_or_anything_else_on_the_path(shell: Shell) -> None:
    done = shell("up")
    assert done.returncode == 0, done.stderr
    kafka, valkey = shell.environment["HEARTHWATCH_KAFKA_PORT"], shell.environment["HEARTHWATCH_VALKEY_PORT"]
    assert done.stdout.startswith(f"Kafka at 127.0.0.1:{kafka}, Valkey at redis://127.0.0.1:{valkey}/0 (")
    assert done.stderr.splitlines()[:2] == ["Starting Kafka", "Starting Valkey"]


def test_status_in_words_and_as_json(shell: Shell) -> None:
    told = shell("status")
    assert told.returncode == 0
    assert told.stdout.count("running") == 2
    done = shell("status", "--json")
    servers = json.loads(done.stdout)["servers"]
    assert set(servers) == {"kafka", "valkey"}
    for server in servers.values():
        assert server["state"] == "running"
        assert Path(server["log"]).is_file()
        assert Path(server["data"]).is_dir()
        os.kill(server["pid"], 0)
    assert json.loads(shell("up", "--json").stdout)["servers"] == servers, "a second up changes nothing"


def test_logs_of_one_or_both(shell: Shell) -> None:
    both = shell("logs", "-n", "3").stdout.splitlines()
    assert [line.partition(" | ")[0].strip() for line in both] == ["kafka"] * 3 + ["valkey"] * 3
    assert "Ready to accept connections" in shell("logs", "valkey").stdout
    assert "Kafka Server started" in shell("logs", "kafka", "-n", "1000").stdout


def test_logs_can_be_followed(shell: Shell) -> None:
    log = shell.folder / "data" / "local" / "valkey" / "valkey.log"
    follower = shell.follow("logs", "valkey", "-n", "1", "-f")
    assert follower.stdout is not None
    with follower, log.open("a") as file:
        follower.stdout.readline()
        file.write("a new line\nand half")
        file.flush()
        assert follower.stdout.readline() == "a new line\n"
        file.write(" a line\n")
        file.flush()
        assert follower.stdout.readline() == "and half a line\n"
        follower.terminate()


def test_reset_asks_first(shell: Shell) -> None:
    done = shell("reset")
    assert done.returncode == 2
    assert "say so with --yes" in done.stderr
    assert shell("status").returncode == 0, "nothing was touched"


def test_down_and_reset(shell: Shell) -> None:
    assert shell("down").stdout == "Kafka stopped, Valkey stopped\n"
    assert shell("status").returncode == 1
    assert shell("reset", "--yes").stdout == f"Erased the data in {shell.folder}/data/local.\n"
    assert [path.name for path in (shell.folder / "data" / "local").iterdir()] == ["lock"]


def test_fetch_finds_the_jars_that_are_there(shell: Shell) -> None:
    done = shell("fetch")
    assert done.returncode == 0
    assert done.stderr == f"Kafka 4.1.1: 46 jars in {default_jars_dir()}, as pinned\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    kafka, controller, valkey = free_ports(3)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PORT", str(kafka))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_CONTROLLER_PORT", str(controller))
    monkeypatch.setenv("HEARTHWATCH_VALKEY_PORT", str(valkey))
    return tmp_path


def test_a_port_in_use_is_bad_input(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setenv("HEARTHWATCH_VALKEY_PORT", str(other.getsockname()[1]))
        assert cli.run(["local", "up"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_server_that_does_not_start_is_a_fault_of_transport(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dies = [sys.executable, "-c", "print('gone')"]
    monkeypatch.setattr(Kafka, "command", lambda self: [*dies, str(self.config_file)])
    assert cli.run(["local", "up"]) == 3
    assert "Kafka stopped while it started: " in capsys.readouterr().err
    assert all(one.pid is None for one in Stack(here).status())
