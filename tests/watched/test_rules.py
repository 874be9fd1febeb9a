"""The alert rules: right by promtool's unit tests, each with a runbook, and about metrics that exist."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.metric_definitions import DEFINITIONS
from tests.watched.rules import FOLDER, ROOT, alerts, hurried, metrics_in, recorded

RUNBOOKS = ROOT / "docs" / "how-to" / "runbooks"
UNIT_TESTS = sorted((FOLDER / "tests").glob("*.yaml"))
NAMES = sorted({rule["alert"] for rule in alerts()})

WOKEN_FOR = {
    "a stage not ready": "StageNotReady",
    "lag that grows": "LagGrows",
    "publish to warning slower than promised": "WarningsSlow",
    "commits refused": "CommitsRefused",
    "internal-error": "InternalError",
    "a rejected share that jumps": "RejectedShareJumps",
    "a partition whose day stands still": "DayStandsStill",
    "Redis near its memory bound": "RedisAlmostFull",
    "snapshots too old to rebuild in time": "SnapshotsOld",
    "clocks apart": "ClocksApart",
    "a department silent longer than its silent_after": "DepartmentSilent",
    "an alert that nobody of a team got": "AlertsGaveUp",
    "messages that nobody has got": "MessagesUnsent",
    "a channel that does not take messages": "ChannelFails",
    "digests without end": "DigestBacklog",
}


def run(*command: str | Path) -> None:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_the_configuration_and_the_rules(promtool: str, tmp_path: Path) -> None:
    run(promtool, "check", "config", FOLDER / "prometheus.yaml")
    run(promtool, "check", "rules", *hurried(tmp_path, 60))


def test_unit_tests_of_the_rules(promtool: str) -> None:
    run(promtool, "test", "rules", *UNIT_TESTS)


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_unit_tests_name_the_order_of_the_groups(path: Path) -> None:
    """Without it promtool takes them as they come, and an alert sees what was recorded now or before."""
    made = [
        group["name"]
        for rules in ("recording.yaml", "alerts.yaml")
        for group in yaml.safe_load((FOLDER / rules).read_text("utf-8"))["groups"]
    ]
    assert yaml.safe_load(path.read_text("utf-8"))["group_eval_order"] == made


def test_everything_that_operators_must_wake_for_has_an_alert() -> None:
    assert {f"Hearthwatch{name}" for name in WOKEN_FOR.values()} <= set(NAMES)


def _asked() -> dict[str, list[list[bool]]]:
    """Alert -> in each unit test, whether it is expected to fire, for each time that it is asked."""
    found: dict[str, list[list[bool]]] = {}
    for path in UNIT_TESTS:
        tests: list[dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))["tests"]
        for test in tests:
            of_test: dict[str, list[bool]] = {}
            for asked in test.get("alert_rule_test", ()):
                of_test.setdefault(asked["alertname"], []).append(bool(asked.get("exp_alerts")))
            for name, fires in of_test.items():
                found.setdefault(name, []).append(fires)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_unit_tested_before_it_fires_while_it_does_and_after(name: str) -> None:
    assert any(not fires[0] and any(fires) and not fires[-1] and len(fires) >= 3 for fires in _asked()[name])


@pytest.mark.parametrize("name", NAMES)
def test_each_alert_is_seen_to_fire_and_to_end_on_a_real_prometheus(name: str) -> None:
    """Some test in this folder waits for both (``Observer.fires`` and ``ends``)."""
    seen: dict[str, set[str]] = {"fires": set(), "ends": set()}
    for path in Path(__file__).parent.glob("test_*.py"):
        for call in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in seen:
                seen[call.func.attr] |= {str(one.value) for one in call.args if isinstance(one, ast.Constant)}
    short = name.removeprefix("Hearthwatch")
    assert short in seen["fires"]
    assert short in seen["ends"]


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: rule["alert"])
def test_each_alert_says_how_urgent_it_is_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    page = ROOT / rule["annotations"]["runbook"]
    text = page.read_text("utf-8")
    assert page.parent == RUNBOOKS
    assert f"Alert `{rule['alert']}`, " in text
    assert rule["labels"]["severity"] in text.split("\n## ")[0]
    for heading in ("What it means", "What to look at", "What to type"):
        assert f"\n## {heading}\n" in text
    assert f"({page.name})" in (RUNBOOKS / "README.md").read_text("utf-8")
    assert {"summary", "description", "runbook"} == set(rule["annotations"])


def test_each_runbook_belongs_to_an_alert() -> None:
    pages = {Path(rule["annotations"]["runbook"]).name for rule in alerts()}
    assert {page.name for page in RUNBOOKS.glob("*.md")} == {*pages, "README.md"}


def test_rules_ask_for_metrics_that_workers_have() -> None:
    known = {one.name for one in DEFINITIONS}
    for name in ("alerts.yaml", "recording.yaml"):
        asked = metrics_in((FOLDER / name).read_text("utf-8"))
        assert asked <= known, asked - known
    text = (FOLDER / "alerts.yaml").read_text("utf-8")
    for record in recorded():
        assert record in text or "p50" in record


def test_no_alert_names_a_household_or_a_person() -> None:
    for rule in alerts():
        text = rule["expr"] + str(rule["annotations"])
        assert "$labels.household" not in text
        assert "$labels.person" not in text
