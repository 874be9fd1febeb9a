"""The benchmarks run, and what they count agrees. How quick anything is is not asserted anywhere."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from bench import __main__ as everything
from bench.chart import draw
from bench.machine import result_name, spread
from bench.pipeline import Size
from bench.pipeline_figures import AIMS

SMALL = Size(households=300, warm_up=400, window=400, measured=1_600, together=300, tick_days=20, days=900)


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    """All benchmarks, small."""
    console = Console(file=io.StringIO())
    return everything.run(SMALL, 1, console, faust_window=300, pure_size=(50, 400))


@pytest.mark.timeout(300)
def test_the_pipeline_gives_every_household_the_score_of_a_backtest(result: dict[str, Any]) -> None:
    (agreement,) = result["pipeline"]["summary"]["agreement"]
    assert agreement["households"] == agreement["households_live"] == agreement["same_score"]
    assert agreement["households"] >= SMALL.households


def test_its_warnings_are_those_of_a_replay(result: dict[str, Any]) -> None:
    (agreement,) = result["pipeline"]["summary"]["agreement"]
    assert agreement["warnings_live"] > 0
    assert agreement["same_as_replay"] == agreement["warnings_live"]


def test_every_stage_has_windows_of_the_records_that_it_read(result: dict[str, Any]) -> None:
    (one,) = result["pipeline"]["rounds"]
    for stage in AIMS:
        windows = one["stages"][stage]["windows"]
        assert windows
        assert all(window["records"] >= SMALL.window for window in windows)
        assert sum(window["records"] for window in windows) <= SMALL.measured + SMALL.together
        assert result["pipeline"]["summary"][stage]["cpu_us"]["of"] == len(windows)
    assert one["together"]["events"] == SMALL.together


def test_ticks_are_counted_by_household(result: dict[str, Any]) -> None:
    (one,) = result["pipeline"]["rounds"]
    assert one["ticks"]["households"] > 0
    assert one["ticks"]["records"] >= SMALL.tick_days


def test_faust_does_the_same_work(result: dict[str, Any]) -> None:
    faust = result["faust"]
    assert faust["agreement"]["same_as_pipeline"] == faust["agreement"]["warnings"]
    assert faust["cpu_us"]["of"] >= 1
    assert set(result["ratios"]["faust_to_household"]) == {"least", "median", "greatest"}


def test_a_result_is_json_that_says_where_it_was_made(result: dict[str, Any]) -> None:
    again = json.loads(json.dumps(result))
    assert {"cpu", "cores", "date", "python", "packages", "yardsticks", "ratios"} <= again.keys()
    assert (
        result_name({"date": "2026-01-02", "cpu": "AMD EPYC(TM) 7B13"}) == "2026-01-02-amd-epyc-tm-7b13.json"
    )
    assert Path(result_name(again)).name == result_name(again)


def test_it_is_shown_and_drawn(result: dict[str, Any]) -> None:
    out = io.StringIO()
    everything.show(result, Console(file=out, width=160))
    assert "Faust as documented" in out.getvalue()
    root = ET.fromstring(draw(result))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"intake", "person", "household", "Faust as documented"} <= set(texts)


def test_a_spread_is_least_median_and_greatest() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"min": 1.0, "median": 2.0, "max": 3.0, "of": 3}
