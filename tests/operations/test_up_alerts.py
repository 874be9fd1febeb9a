"""`up` with routes: dispatch runs like every stage, and what keeps people from being told is said at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import free_ports
from tests.operations.test_up import DEADLINE_SECONDS, ROOT, Program

pytestmark = pytest.mark.timeout(300)

ROUTES = """\
routes: up
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{case}
desk: district
channels:
  - {id: hook, kind: webhook, address: "${UP_HOOK}", secret: "${UP_KEY}"}
teams:
  - {id: district, tier: district, for: ["420106"], channels: [hook]}
"""
QUIET = ROUTES.replace(
    "channels: [hook]}", "channels: [hook], quiet: {from: '22:00', to: '07:00', levels: [%s]}}"
)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("alerts"))
    (metrics,) = free_ports(1)
    program.environment["HEARTHWATCH_DISPATCH_METRICS_PORT"] = str(metrics)
    program.environment["HEARTHWATCH_ROUTES"] = str(program.folder / "routes.yaml")
    program.environment["UP_KEY"] = "a key"
    yield program
    program("down")


def up(program: Program) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hearthwatch", "up", "--detach", "--clock", "log"],
        cwd=ROOT, env=program.environment, capture_output=True, text=True, check=False,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip


def routes_of(program: Program, text: str) -> Path:
    path = program.folder / "routes.yaml"
    path.write_text(text, "utf-8")
    return path


def test_faulty_routes_are_bad_input_and_leave_nothing_running(program: Program) -> None:
    path = routes_of(program, ROUTES.replace("channels: [hook]", "channels: [hok]"))
    done = up(program)
    assert done.returncode == 2
    assert f"{path}:9:" in done.stderr
    assert "did you mean `hook`?" in done.stderr
    assert program.status()["kafka"]["answers"] is False


def test_addresses_that_are_missing_are_named_and_everything_runs(program: Program) -> None:
    routes_of(program, ROUTES)
    done = up(program)
    assert done.returncode == 0, done.stderr
    told = done.stderr.partition("Some channels cannot be used")[2].splitlines()
    assert told[1].startswith("  UP_HOOK is not set: set it, or UP_HOOK_FILE")
    assert not told[2].startswith("  ")
    found = program.status()
    assert found["ready"], found
    (worker,) = [one for one in found["workers"] if one["stage"] == "dispatch"]
    assert (worker["name"], worker["lag"], worker["restarts"]) == ("dispatch-1", 0, 0)
    assert worker["partitions"] >= 1
    assert found["notes"] == []
    assert "checks: 0 failed" in program("doctor"), (
        "it goes by the clock of what runs, not by that of the settings"
    )


def test_without_dispatch_status_says_that_nobody_is_alerted(program: Program) -> None:
    program("down")
    program("up", "--detach", "--clock", "log", "--scale", "dispatch=0")
    assert program.status()["notes"] == [
        "Nobody is alerted: no worker of the stage dispatch runs here (HEARTHWATCH_ROUTES)."
    ]
    assert "Nobody is alerted" in program("status")


def test_what_is_activated_decides_which_routes_fit_also_before_the_servers_run(program: Program) -> None:
    """The settings' policy has a level blue, and the one that was activated calls it azure."""
    shipped = ROOT / "rules" / "policies" / "wuchang.yaml"
    azure = program.folder / "azure.yaml"
    text = shipped.read_text("utf-8").replace("\nversion: 1\n", "\nversion: 2\n")
    azure.write_text(text.replace("id: blue", "id: azure").replace("floor: blue", "floor: azure"), "utf-8")
    program("policy", "activate", str(azure))
    program("down")
    path = routes_of(program, QUIET % "blue")
    done = up(program)
    assert done.returncode == 2, done.stderr
    assert f"{path}:9:" in done.stderr
    assert "unknown level `blue`" in done.stderr
    assert done.stderr.index("goes by policy wuchang version 2") < done.stderr.index(str(path))
    assert program.status()["kafka"]["answers"] is False, "what was started is stopped again"
    routes_of(program, QUIET % "azure")
    done = up(program)
    assert done.returncode == 0, done.stderr
    assert program.status()["ready"]
