"""The dashboards are what the metrics in code make of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from agents.metric_definitions import DEFINITIONS
from tests.watched.boards import FOLDER, queries
from tests.watched.rules import ROOT, metrics_in


def test_the_files_are_as_the_script_writes_them(tmp_path: Path) -> None:
    script = ROOT / "scripts" / "dashboards" / "write.py"
    code = f"""
import pathlib, runpy, sys
made = runpy.run_path({str(script)!r})
made["main"](pathlib.Path({str(tmp_path)!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    written = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.json")}
    kept = {path.name: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    assert written == kept, "write them anew: .venv/bin/python scripts/dashboards/write.py"
    assert set(kept) == {
        "pipeline.json", "departments.json", "warnings.json", "cases.json", "alerts.json", "ledger.json",
    }  # fmt: skip


def test_a_query_about_a_metric_that_is_not_there_cannot_be_written() -> None:
    script = ROOT / "scripts" / "dashboards" / "write.py"
    code = f"""
import runpy
made = runpy.run_path({str(script)!r})
import queries
for bad in (lambda: queries.series("no_such_metric"), lambda: queries.series("ready", household="H1"),
            lambda: queries.series("processing_seconds"), lambda: queries.recorded("no:such:record")):
    try:
        bad()
    except KeyError:
        continue
    raise SystemExit("it can")
"""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_is_on_a_dashboard() -> None:
    asked = set().union(*(metrics_in(one.query) for one in queries()))
    named = {one.name for one in DEFINITIONS}
    assert asked <= named
    # These two stand on the dashboards as what recording rules make of them.
    indirect = {"hearthwatch_warning_latency_seconds", "hearthwatch_lag_records"}
    assert named - asked <= indirect


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_dashboard_can_be_imported_anywhere(path: Path) -> None:
    """It asks for a data source, overlaps no panels, and names no installation."""
    board = json.loads(path.read_text("utf-8"))
    assert board["uid"] == f"hearthwatch-{path.stem}"
    (variable,) = board["templating"]["list"]
    assert (variable["type"], variable["query"]) == ("datasource", "prometheus")
    taken = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        for x in range(at["x"], at["x"] + at["w"]):
            for y in range(at["y"], at["y"] + at["h"]):
                assert (x, y) not in taken, panel["title"]
                assert x < 24
                taken.add((x, y))
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}"
            assert panel["targets"]
            assert panel["fieldConfig"]["defaults"]["unit"]
