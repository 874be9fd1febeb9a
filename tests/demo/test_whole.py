"""The whole demo, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

#: The same in every run, because the demo lets nothing overtake that would change them. Another policy,
#: another story or another made-up district has others.
WARNINGS = {"raised": 61, "cleared": 58, "lowered": 7, "upgraded": 6, "withdrawn": 1}


@pytest.mark.timeout(660)
def test_the_demo_comes_out_as_told_and_stops_everything(tmp_path: Path) -> None:
    environment = {**os.environ, "HEARTHWATCH_DATA_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "demo", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told = json.loads(run.stdout)
    assert told["good"] is True
    assert [story["story"] for story in told["stories"] if not story["as_told"]] == []
    assert told["rejected"] == sum(told["rejected_by_reason"].values()) == 9
    assert told["warnings_by_type"] == WARNINGS
    assert told["warnings"] == sum(WARNINGS.values())
    assert {one["story"]: (one["closed"], one["commitment"], one["problems"]) for one in told["help"]} == {
        "zhou": ("helped", None, []),
        "wang-fuhong": ("helped", "fulfilled", []),
    }
    assert told["alerts"] >= sum(told["alert_messages"].values()) >= 6
    assert {"mail", "hook", "desk"} == set(told["alert_messages"])
    assert told["latency_ms"]["warnings"] > 10
    status = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "--config", told["config"], "status", "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert status.returncode == 1
    assert json.loads(status.stdout)["kafka"]["answers"] is False
