"""Benchmark (a): the pure steps over a made-up district, as a ratio to ``orjson.loads`` of the same lines.

    .venv/bin/python bench/step.py [--households 5000] [--events 60000] [--json]

Timed are decoding, the person step and the household step of every line, day by day. The ticks between two
days are timed apart: what they cost depends on how many days pass, not on how many events come; and so is the
first day, on which the district is registered.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import sys
import time
from itertools import groupby
from pathlib import Path

import orjson

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.machine import CATALOG, POLICY, cpu_name, today
from rules.backtest import Backtest
from rules.household import catch_up
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.district import District, district_lines


def measure(households: int, events: int) -> dict[str, object]:
    """Run once; times are CPU seconds of this process."""
    catalog = read_catalog(CATALOG)
    policy = read_policy(POLICY, catalog)
    lines = list(district_lines(District(households, events), catalog))
    run = Backtest(catalog, policy)
    gc.collect()
    gc.freeze()

    clock = time.process_time
    start = clock()
    for line in lines:
        orjson.loads(line)
    loads = clock() - start

    start = clock()
    decoded = [run.decoder.line(line) for line in lines]
    decode = clock() - start

    steps = registration = ticks = 0.0
    day_of = run.rules.calendar.day_of
    tick_count = registered = 0
    for day, of_the_day in groupby(decoded, key=lambda event: day_of(event.received)):
        of_the_day = list(of_the_day)
        start = clock()
        for home in run.households.values():
            if home.next_day <= day:
                _, effects = catch_up(home, rules=run.rules, day=day)
                run.warnings.extend(effects)  # type: ignore[arg-type]
                tick_count += 1
        middle = clock()
        for event in of_the_day:
            run.take(event)
        if registered:
            steps += clock() - middle
        else:  # the first day founds the district: two households see each person who joins
            registration = clock() - middle
            registered = len(of_the_day)
        ticks += middle - start

    count = len(lines)
    micro = 1e6 / count
    life = steps * 1e6 / max(1, count - registered)
    return {
        "benchmark": "step",
        "date": today(),
        "cpu": cpu_name(),
        "python": platform.python_version(),
        "orjson": orjson.__version__,
        "households": households,
        "lines": count,
        "bytes_per_line": round(sum(map(len, lines)) / count),
        "warnings": len(run.warnings),
        "orjson_loads_us": round(loads * micro, 3),
        "decode_us": round(decode * micro, 2),
        "steps_us": round(life, 2),
        "registration_lines": registered,
        "registration_steps_us": round(registration * 1e6 / registered, 2),
        "backtest_to_orjson_ratio": round((decode * micro + life) / (loads * micro), 1),
        "with_registration_ratio": round((decode + steps + registration) / loads, 1),
        "household_ticks": tick_count,
        "tick_us": round(ticks * 1e6 / max(1, tick_count), 1),
    }


def main() -> None:
    """Print the figures, as a table or as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--households", type=int, default=5_000)
    parser.add_argument("--events", type=int, default=60_000)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    result = measure(given.households, given.events)
    if given.json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
