"""Benchmark (e): whether it stays as quick and as small among two million households as among ten thousand.

    .venv/bin/python -m bench.scale [--only flat memory backtest burst] [--households N] [--out FILE]

    flat      CPU of an event, and of a miss, among 10,000 to 2,000,000 households; memory of the worker
    memory    bytes in Redis of a household of two with 15 facts, everything counted
    backtest  a district's year: 130,000 households, two million events, all ticks
    burst     delay of others' warnings at a month's end, and on a day on which every household is due

Each part can be run alone (two to eight minutes on an idle machine with two cores and 8 GB; ``burst`` takes
the length of its month's end); what the others gave stands in ``bench/results/<date>-<cpu>-scale.json``
already, and stays. At the end ``docs/explanation/scale.svg`` is drawn. ``bench/rebuild.py`` has a district's
rebuild.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import scale_burst, scale_load, scale_memory
from bench.machine import CATALOG, POLICY, ROOT, describe, result_name, today
from bench.scale_chart import draw
from bench.scale_homes import Progress
from bench.servers import end_on_sigterm, servers
from rules.backtest import Backtest, uncollected
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.district import District, district_lines

PARTS: Final = ("flat", "memory", "backtest", "burst")
PICTURE: Final = ROOT / "docs" / "explanation" / "scale.svg"
RESULTS: Final = ROOT / "bench" / "results"
DISTRICT: Final = 130_000
EVENTS: Final = 2_000_000
BACKTEST_AIM_SECONDS: Final = 60.0


def backtest(households: int, events: int, say: Progress) -> dict[str, Any]:
    """CPU of one process for a year of a district, with all ticks; its registrations are among the events.

    The lines are made beforehand, and not counted. Everything else is: decoding, steps, ticks, sorting.
    """
    catalog = read_catalog(CATALOG)
    run = Backtest(catalog, read_policy(POLICY, catalog))
    clock = time.process_time
    told, cpu, lines = 0, 0.0, 0
    # A month of lines in memory at a time.
    some: list[bytes] = []
    made = district_lines(District(households, events, days=365), catalog)
    registered = 0
    first = b'"time":"2024-01-01T'
    while True:
        some.clear()
        for line in made:
            some.append(line)
            if len(some) == 200_000:
                break
        if not some:
            break
        registered += sum(first in line for line in some)
        begin = clock()
        with uncollected():
            for line in some:
                told += 1
                run.feed(told, line)
        cpu += clock() - begin
        lines += len(some)
        say(f"{lines:,} lines, {cpu:.1f} s of CPU")
    begin = clock()
    run.finish()
    cpu += clock() - begin
    return {
        "households": households,
        "lines": lines,
        "registration_lines": registered,
        "warnings": len(run.warnings),
        "cpu_seconds": round(cpu, 1),
        "us_per_line": round(cpu * 1e6 / lines, 1),
        "cpu_seconds_of_2_million_lines": round(cpu / lines * EVENTS, 1),
        "aim_seconds": BACKTEST_AIM_SECONDS,
    }


def measure(given: argparse.Namespace, say: Progress) -> dict[str, Any]:
    """Run the parts that were asked for."""
    out: dict[str, Any] = {}
    if "backtest" in given.only:
        out["backtest"] = backtest(given.households, given.events, say)
    if {"flat", "memory", "burst"} & set(given.only):
        with servers(say) as stack:
            if "flat" in given.only:
                out["flat"] = asyncio.run(scale_load.measure(stack, given.sizes, given.records, say))
            if "burst" in given.only:
                size = scale_burst.Size(given.households, given.seconds)
                out["burst"] = asyncio.run(scale_burst.measure(stack, size, say))
            if "memory" in given.only:  # last: it empties the server
                out["memory"] = asyncio.run(scale_memory.measure(stack, given.in_redis, say))
    return out


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    made.add_argument("--households", type=int, default=DISTRICT, help="of the district")
    made.add_argument("--events", type=int, default=EVENTS, help="of its year, in the backtest")
    made.add_argument("--seconds", type=float, default=240.0, help="length of the month's end")
    made.add_argument("--sizes", type=int, nargs="+", default=list(scale_load.SIZES), help="of `flat`")
    made.add_argument("--records", type=int, default=14_000, help="in one measurement of `flat`")
    made.add_argument("--in-redis", type=int, default=100_000, help="households that `memory` writes")
    made.add_argument("--out", type=Path, help="where the result goes; bench/results/ unless said")
    made.add_argument("--no-picture", action="store_true", help="leave the picture as it is")
    return made


def main() -> None:
    """Measure, write down, show."""
    given = parser().parse_args()
    end_on_sigterm()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that is new has no leader for a moment
    console = Console(stderr=True)
    found = measure(given, lambda what: console.print(what, highlight=False))
    about = {"benchmark": "scale", "date": today(), **describe()}
    out = given.out or RESULTS / result_name(about).replace(".json", "-scale.json")
    before = json.loads(out.read_text("utf-8")) if out.exists() else {}
    result = {**before, **about, **found}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if not given.no_picture:
        PICTURE.write_text(draw(result), "utf-8")
    for part in found:
        brief = {key: value for key, value in found[part].items() if key not in {"series", "sizes"}}
        console.print(f"{part}: {json.dumps(brief)}", highlight=False)
    console.print(f"written: {out}", highlight=False)


if __name__ == "__main__":
    main()
