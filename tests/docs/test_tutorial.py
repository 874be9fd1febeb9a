"""The tutorial's commands do what it says."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import free_ports
from tests.docs.pages import ROOT, lines


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    kafka, controller, valkey, intake, person, household = map(str, free_ports(6))
    return {
        **os.environ,
        "HEARTHWATCH_DATA_DIR": str(tmp_path / "data"),
        "HEARTHWATCH_KAFKA_PORT": kafka,
        "HEARTHWATCH_KAFKA_CONTROLLER_PORT": controller,
        "HEARTHWATCH_VALKEY_PORT": valkey,
        "HEARTHWATCH_INTAKE_METRICS_PORT": intake,
        "HEARTHWATCH_PERSON_METRICS_PORT": person,
        "HEARTHWATCH_HOUSEHOLD_METRICS_PORT": household,
        "HEARTHWATCH_FORWARD_METRICS_PORT": "0",
        "HEARTHWATCH_CASES_METRICS_PORT": "0",
        "HEARTHWATCH_DISPATCH_METRICS_PORT": "0",
    }


def console() -> list[str]:
    """What is typed step by step; what a sentence names besides is not."""
    page = ROOT / "docs" / "tutorial.md"
    return [
        line.text.strip().removeprefix("$ ")
        for line in lines(page)
        if line.block == "console" and line.text.lstrip().startswith("$ ")
    ]


def shown(first: str) -> list[str]:
    """What the page shows below the command that works a case; the case's number is another where the events
    came in another order."""
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    below = page.partition("work_a_case.py H-lin 2025-06-05\n")[2]
    found = below.partition("\n$ ")[0].splitlines()
    assert found[0].partition(":")[2] == first.partition(":")[2]
    return found


@pytest.mark.timeout(300)
def test_the_tutorial_from_start_to_stop(environment: dict[str, str], tmp_path: Path) -> None:
    said: dict[str, str] = {}
    programs = ("hearthwatch ", "python examples/")
    typed = [text for text in console() if text.startswith(programs)]
    assert typed[-1] == "hearthwatch down"
    exported = [text for text in console() if text.startswith("export HEARTH")]
    environment |= dict(text.removeprefix("export ").split("=", 1) for text in exported)
    # Its alerts go into the folder in which one types; here into the test's.
    alerts = tmp_path / "alerts.jsonl"
    routes = (ROOT / environment["HEARTHWATCH_ROUTES"]).read_text("utf-8")
    assert "path: ./alerts.jsonl" in routes
    (tmp_path / "routes.yaml").write_text(routes.replace("./alerts.jsonl", str(alerts)), "utf-8")
    environment["HEARTHWATCH_ROUTES"] = str(tmp_path / "routes.yaml")
    try:
        for text in typed:
            words = shlex.split(text.replace("lin-warnings.jsonl", str(tmp_path / "lin-warnings.jsonl")))
            program = ["-m", "hearthwatch"] if words[0] == "hearthwatch" else []
            done = subprocess.run(
                [sys.executable, *program, *words[1:]],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=200,
                check=False,
            )
            assert done.returncode == 0, f"{text}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            said[text] = said.get(text, "") + done.stdout + done.stderr
    finally:
        subprocess.run(
            [sys.executable, "-m", "hearthwatch", "down"],
            env=environment, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
    backtest = next(text for command, text in said.items() if "backtest" in command)
    assert "line 11: bad-data" in backtest
    assert "10 events accepted, 1 rejected, 2 warnings" in backtest
    assert "raised" in said["hearthwatch watch --from beginning --until-quiet 3"]
    assert "kidney-failure" in said["hearthwatch household show H-lin"]
    assert "bad-data" in said["hearthwatch deadletters list"]
    assert "Deadlines passed in 1 case." in said["hearthwatch tick --until 2025-06-05"]
    messages = [json.loads(line) for line in alerts.read_text("utf-8").splitlines()]
    titles = [message["text"]["title"] for message in messages]
    assert "New warning" in titles[0]
    assert any("Overdue" in title for title in titles)
    assert {alert["case"] for message in messages for alert in message["alerts"]} == {"H-lin-1"}
    worked = said["python examples/work_a_case.py H-lin 2025-06-05"].splitlines()
    assert worked[1:] == shown(worked[0])[1:]
    assert "Dibao is paid" in said["hearthwatch household show H-lin"]
    assert not (ROOT / "examples" / "tutorial.jsonl.rejects").exists()
