"""What :mod:`bench.pipeline` makes of the samples of its stages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final

from agents.app import STAGES
from bench.machine import spread
from bench.stage_process import Sample

#: CPU per record in microseconds that each stage is meant to stay within.
AIMS: Final = {"intake": 10.0, "person": 6.0, "household": 18.0}


def cpu_between(first: Sample, last: Sample) -> float:
    """CPU seconds, user and system."""
    return last.user + last.system - first.user - first.system


def windows_of(samples: Sequence[Sample]) -> Iterator[dict[str, float]]:
    """Figures between each two samples that are named ``window``."""
    windows = [sample for sample in samples if sample.name == "window"]
    for first, last in pairwise(windows):
        records = last.records - first.records
        yield {
            "records": records,
            "cpu_us": round(cpu_between(first, last) * 1e6 / records, 3),
            "loop_us": round((last.loop - first.loop) * 1e6 / records, 3),
            "system_us": round((last.system - first.system) * 1e6 / records, 3),
            "records_per_second": round(records / (last.wall - first.wall)),
            "records_per_part": round(records / max(1, last.parts - first.parts)),
            "states_per_record": round((last.states - first.states) / records, 3),
            "caught_up": last.caught_up - first.caught_up,
        }


def summary(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Least, median and greatest over the windows of all rounds."""
    out: dict[str, Any] = {}
    for stage in STAGES:
        windows = [window for one in rounds for window in one["stages"][stage]["windows"]]
        out[stage] = {
            "aim_us": AIMS[stage],
            "cpu_us": spread([window["cpu_us"] for window in windows]),
            "loop_us": spread([window["loop_us"] for window in windows]),
            "system_us": spread([window["system_us"] for window in windows]),
            "records_per_second": spread([window["records_per_second"] for window in windows], 0),
            "records_per_part": spread([window["records_per_part"] for window in windows], 0),
            "servers_us": {
                name: spread([one["stages"][stage]["servers_us"][name] for one in rounds])
                for name in rounds[0]["stages"][stage]["servers_us"]
            },
        }
    out["together"] = {
        "events_per_second": spread([one["together"]["events_per_second"] for one in rounds], 0),
    }
    out["tick_us"] = spread([one["ticks"]["us"] for one in rounds], 1)
    out["agreement"] = [one["agreement"] for one in rounds]
    return out
