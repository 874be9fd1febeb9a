"""``hearthwatch up`` for real: Kafka, Valkey and three workers, killed, stopped and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local import free_ports
from hearthwatch.connections import local_stack
from hearthwatch.run_folder import RunFolder
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
DEADLINE_SECONDS = 150

EVENTS = [
    {
        "type": "registry.household.registered", "subject": "household/H1",
        "source": "/wuchang/civil-affairs",
        "data": {"community": "420106001001"},
    },
    {
        "type": "registry.member.joined", "subject": "person/P1", "source": "/wuchang/civil-affairs",
        "data": {"household": "H1", "role": "head", "birth": "1950-01-01", "sex": "female"},
    },
    {"type": "no.such.type", "subject": "person/P1", "source": "/wuchang/civil-affairs", "data": {}},
]  # fmt: skip


class Program:
    """The command line, with an environment of its own."""

    def __init__(self, folder: Path) -> None:
        kafka, controller, valkey, *metrics = free_ports(8)
        self.folder = folder
        self.environment = {
            **os.environ,
            "HEARTHWATCH_DATA_DIR": str(folder / "data"),
            "HEARTHWATCH_KAFKA_PORT": str(kafka),
            "HEARTHWATCH_KAFKA_CONTROLLER_PORT": str(controller),
            "HEARTHWATCH_VALKEY_PORT": str(valkey),
            "HEARTHWATCH_INTAKE_METRICS_PORT": str(metrics[0]),
            "HEARTHWATCH_PERSON_METRICS_PORT": str(metrics[1]),
            "HEARTHWATCH_HOUSEHOLD_METRICS_PORT": str(metrics[2]),
            "HEARTHWATCH_FORWARD_METRICS_PORT": str(metrics[3]),
            "HEARTHWATCH_CASES_METRICS_PORT": str(metrics[4]),
            "HEARTHWATCH_LIFE_PARTITIONS": "1",
            "HEARTHWATCH_PERSON_PARTITIONS": "2",
            "HEARTHWATCH_HOUSEHOLD_PARTITIONS": "2",
            "HEARTHWATCH_CASE_PARTITIONS": "2",
        }
        self.run_folder = RunFolder(folder / "data")

    def settings(self) -> Settings:
        names = ("data_dir", "kafka_port", "kafka_controller_port", "valkey_port")
        return load_settings(**{name: self.environment[variable_of(name)] for name in names})

    def __call__(self, *args: str, expect: int = 0) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip
        assert done.returncode == expect, f"{args}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout if expect == 0 else done.stdout + done.stderr

    def start(self, *args: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "hearthwatch", *args],
            cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def status(self) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-m", "hearthwatch", "status", "--json"],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False,
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        assert done.returncode == (0 if found["ready"] else 1)
        return found

    def until_ready(self) -> dict[str, Any]:
        until = time.monotonic() + DEADLINE_SECONDS
        while not (found := self.status())["ready"]:
            assert time.monotonic() < until, found
        return found

    def publish(self, day: str) -> None:
        path = self.folder / f"{day}.jsonl"
        lines = [
            {"specversion": "1.0", "id": f"{day}-{at}", "time": f"{day}T08:00:00+08:00", **event}
            for at, event in enumerate(EVENTS)
        ]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        self("publish", str(path), "--clock", "log")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("up"))
    yield program
    program("down")


def test_nothing_runs_before_up(program: Program) -> None:
    found = program.status()
    assert (found["ready"], found["supervisor"], found["workers"]) == (False, None, [])
    assert found["kafka"]["answers"] is found["redis"]["answers"] is False
    assert "Nothing was running" in program("down")


def test_up_runs_everything_and_events_come_through(program: Program) -> None:
    program("up", "--detach", "--clock", "log")
    found = program.status()
    assert found["ready"], found
    assert [one["name"] for one in found["workers"]] == [
        "intake-1", "person-1", "household-1", "forward-1", "cases-1",
    ]  # fmt: skip
    assert found["notes"] == [
        "Nobody is alerted: no worker of the stage dispatch runs here (HEARTHWATCH_ROUTES)."
    ]
    for worker in found["workers"]:
        assert worker["ready"], worker
        assert psutil.pid_exists(worker["pid"])
        assert (worker["restarts"], worker["lag"]) == (0, 0)
    assert found["metrics"] == [
        f"http://127.0.0.1:{program.environment[f'HEARTHWATCH_{stage}_METRICS_PORT']}/metrics"
        for stage in ("INTAKE", "PERSON", "HOUSEHOLD", "FORWARD", "CASES")
    ]
    program.publish("2026-01-05")
    program("tick", "--until", "2026-01-09")
    shown = json.loads(program("household", "show", "H1", "--json"))
    assert (shown["day"], [one["id"] for one in shown["members"]]) == ("2026-01-09", ["P1"])
    assert "No household `H9`" in program("household", "show", "H9", expect=1)
    chinese = program("household", "show", "H1", "--lang", "zh")
    assert "成员1人" in chinese


def test_a_killed_worker_comes_back_and_goes_on(program: Program) -> None:
    before = {one["name"]: one for one in program.until_ready()["workers"]}
    os.kill(before["household-1"]["pid"], signal.SIGKILL)
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        found = program.status()
        after = {one["name"]: one for one in found["workers"]}
        if found["ready"] and after["household-1"]["restarts"] == 1:
            break
        assert time.monotonic() < until, found
    assert after["household-1"]["pid"] != before["household-1"]["pid"]
    assert after["intake-1"]["pid"] == before["intake-1"]["pid"]
    program.publish("2026-01-12")
    program("tick", "--until", "2026-01-13")
    assert json.loads(program("household", "show", "H1", "--json"))["day"] == "2026-01-13"


@pytest.mark.parametrize("server", ["valkey", "kafka"])
def test_a_killed_embedded_server_comes_back_and_events_come_through(program: Program, server: str) -> None:
    stack = local_stack(program.settings())
    killed = next(one.pid for one in stack.status() if one.name == server)
    stack.kill(server)
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        (found,) = [one for one in stack.status() if one.name == server]
        if found.state == "running":
            break
        assert time.monotonic() < until, found
    assert found.pid != killed
    program.until_ready()
    day = {"valkey": "2026-01-14", "kafka": "2026-01-15"}[server]
    program.publish(day)
    program("tick", "--until", day)
    assert json.loads(program("household", "show", "H1", "--json"))["day"] == day
    assert f"{server.capitalize()} died and is started again" in program.run_folder.supervisor_log.read_text()


def test_a_second_up_is_refused_while_one_runs(program: Program) -> None:
    assert "run already" in program("up", "--clock", "log", expect=1)
    assert "stop them first" in program("ledger", "adopt", expect=2)


def test_another_clock_is_refused_and_says_what_to_do(program: Program) -> None:
    program("down", "--keep-servers")
    assert "household: 2 partitions" in program("ledger", "adopt")
    assert "the clock `log`, not `wall`" in program("up", "--detach", "--clock", "wall", expect=1)
    assert program.status()["kafka"]["answers"], "servers that ran before stay up after a refusal"


def test_a_faulty_policy_is_named_with_its_place(program: Program) -> None:
    faulty = program.folder / "faulty.yaml"
    faulty.write_text("policy: x\n", "utf-8")
    said = program("up", "--policy", str(faulty), expect=2)
    assert f"{faulty}:1:1:" in said
    said = program("up", "--policy", str(program.folder), expect=2)
    assert f"{program.folder}: cannot be read" in said


def test_the_data_goes_by_what_is_activated_and_another_file_is_only_named(program: Program) -> None:
    policy = program.folder / "policy.yaml"
    original = (ROOT / "rules" / "policies" / "wuchang.yaml").read_bytes()
    policy.write_bytes(original.replace(b"\nversion: ", b"\nversion: 9", 1))
    said, _ = program.start("up", "--detach", "--clock", "log", "--policy", str(policy)).communicate(
        timeout=DEADLINE_SECONDS
    )
    assert "activation 1" in said
    assert "hearthwatch policy activate FILE" in said
    (row,) = json.loads(program("policy", "status", "--json"))["activations"]
    assert row["file"] == "wuchang.yaml"
    program("down", "--keep-servers")


def test_a_policy_is_activated_while_everything_runs_and_an_older_one_again(program: Program) -> None:
    program("up", "--detach", "--clock", "log")
    policy = program.folder / "policy.yaml"
    foreseen = json.loads(program("policy", "activate", str(policy), "--dry-run", "--json"))
    assert (foreseen["households"], foreseen["changed"]) == (1, 0)
    done = json.loads(program("policy", "activate", str(policy), "--json"))
    assert (done["activation"], done["is_new"], done["is_taken"]) == (2, True, True)
    again = json.loads(program("policy", "activate", str(policy), "--json"))
    assert (again["activation"], again["is_new"]) == (2, False)
    policy.write_bytes(policy.read_bytes() + b"# other content\n")
    assert "raise `version`" in program("policy", "activate", str(policy), expect=2)
    older = ROOT / "rules" / "policies" / "wuchang.yaml"
    assert "(activation 3)" in program("policy", "activate", str(older))
    found = json.loads(program("policy", "status", "--json"))
    assert found["is_done"]
    taken = [one for one in found["partitions"] if one["stage"] == "household"]
    assert {(one["activation"], one["evaluated_by"]) for one in taken} == {(3, 3)}
    assert "Household H1 (community 420106001001)" in program("household", "show", "H1")
    program("down", "--keep-servers")


def test_in_the_foreground_sigterm_and_ctrl_c_stop_cleanly(program: Program) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        process = program.start("up", "--clock", "log")
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "all 5 workers are ready" in line:
                    break
            assert "all 5 workers are ready" in "".join(said[-1:]), "".join(said)
            workers = [psutil.Process(one["pid"]) for one in program.status()["workers"]]
            process.send_signal(number)
            rest = process.stdout.read()
            assert process.wait(DEADLINE_SECONDS) == 0, rest
            assert "household-1 stopped" in rest
            assert not any(one.is_running() for one in workers)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()  # type: ignore[union-attr]
    assert program.status()["kafka"]["answers"], "servers that up did not start are left running"


def test_down_cleans_up_after_a_killed_supervisor(program: Program) -> None:
    scale = [word for one in ("household=2", "cases=0") for word in ("--scale", one)]
    program("up", "--detach", "--clock", "log", *scale)
    found = program.status()
    assert [one["name"] for one in found["workers"]][2:] == ["household-1", "household-2"]
    assert found["notes"] == ["Warnings become no cases: no worker of the stage cases runs here."]
    assert [one["partitions"] for one in found["workers"]][2:] == [1, 1]
    workers = [psutil.Process(one["pid"]) for one in found["workers"]]
    os.kill(found["supervisor"]["pid"], signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=DEADLINE_SECONDS)
    assert alive == []
    assert program.status()["supervisor"] is None
    assert "stopped" in program("down")
    found = program.status()
    assert found["kafka"]["answers"] is found["redis"]["answers"] is False


def test_data_outlives_down_and_a_bad_scale_is_bad_input(program: Program) -> None:
    assert "expected STAGE=N" in program("up", "--scale", "household=none", expect=2)
    program("up", "--detach", "--clock", "log")
    program("tick", "--until", "2026-01-20")
    assert json.loads(program("household", "show", "H1", "--json"))["day"] == "2026-01-20"
    stands = json.loads(program("ledger", "show", "--json"))
    assert {one["stage"] for one in stands} == {
        "intake", "person", "household", "forward", "cases", "dispatch",
    }  # fmt: skip
    assert sum(one["states"] for one in stands if one["stage"] == "household") >= 1
