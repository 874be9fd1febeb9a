"""Benchmark (e): whether it stays as quick and as small among two million households as among ten thousand.

    .venv/bin/python -m bench.scale [--only PART ...] [--households N] [--out FILE]

    flat      CPU of an event, and of a miss, among 10,000 to 2,000,000 households; memory of the worker
    memory    bytes in Redis of a household of two with 15 facts, everything counted
    backtest  a district's year: 130,000 households, two million events, all ticks; with one job, and with two
    burst     delay of others' warnings at a month's end, and on a day on which every household is due
    activation  seconds until every household is evaluated by another policy, and delay of others meanwhile

Each part can be run alone (two to eight minutes on an idle machine with two cores and 8 GB; ``burst`` takes
the length of its month's end); what the others gave is taken over, with its date, from the newest
``bench/results/<date>-<cpu>-scale.json``. At the end ``docs/explanation/scale.svg`` is drawn.
``bench/rebuild.py`` has a district's rebuild.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from bench import scale_activation, scale_backtest, scale_burst, scale_load, scale_memory
from bench.machine import ROOT, describe, result_name, today
from bench.scale_chart import draw
from bench.scale_homes import Progress
from bench.servers import end_on_sigterm, servers

PARTS: Final = ("flat", "memory", "backtest", "burst", "activation")
PICTURE: Final = ROOT / "docs" / "explanation" / "scale.svg"
RESULTS: Final = ROOT / "bench" / "results"
DISTRICT: Final = 130_000


def measure(given: argparse.Namespace, say: Progress) -> dict[str, Any]:
    """Run the parts that were asked for."""
    out: dict[str, Any] = {}
    if "backtest" in given.only:
        for jobs in given.jobs:
            name = "backtest" if jobs == 1 else f"backtest_{jobs}_jobs"
            out[name] = scale_backtest.measure(given.households, given.events, jobs, say)
    if set(given.only) - {"backtest"}:
        with servers(say) as stack:
            if "flat" in given.only:
                out["flat"] = asyncio.run(scale_load.measure(stack, given.sizes, given.records, say))
            if "burst" in given.only:
                size = scale_burst.Size(given.households, given.seconds)
                out["burst"] = asyncio.run(scale_burst.measure(stack, size, say))
            if "activation" in given.only:
                new = scale_activation.Size(given.households)
                out["activation"] = asyncio.run(scale_activation.measure(stack, new, say))
            if "memory" in given.only:  # last: it empties the server
                out["memory"] = asyncio.run(scale_memory.measure(stack, given.in_redis, say))
    return out


def earlier(out: Path, folder: Path | None) -> dict[str, Any]:
    """What other runs gave, each part with the date on which it was measured.

    Args:
        folder: where the newest result is looked for if ``out`` is not there yet.
    """
    names = [out] if out.exists() else sorted(folder.glob("*-scale.json")) if folder else []
    if not names:
        return {}
    found: dict[str, Any] = json.loads(names[-1].read_text("utf-8"))
    for name, part in found.items():
        if name.startswith(PARTS) and isinstance(part, dict):
            part.setdefault("date", found["date"])
    return found


def parser() -> argparse.ArgumentParser:
    """What the command line takes."""
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    made.add_argument("--households", type=int, default=DISTRICT, help="of the district")
    made.add_argument("--events", type=int, default=scale_backtest.EVENTS, help="of its year (backtest)")
    made.add_argument("--jobs", type=int, nargs="+", default=[1, 2], help="of the backtest; one run for each")
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
    about = {"benchmark": "scale", "date": today(), **describe()}
    found = measure(given, lambda what: console.print(what, highlight=False))
    for part in found.values():
        part["date"] = about["date"]
    out = given.out or RESULTS / result_name(about).replace(".json", "-scale.json")
    result = {**earlier(out, RESULTS if given.out is None else None), **about, **found}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if not given.no_picture:
        PICTURE.write_text(draw(result), "utf-8")
    for part in found:
        brief = {key: value for key, value in found[part].items() if key not in {"series", "sizes"}}
        console.print(f"{part}: {json.dumps(brief)}", highlight=False, soft_wrap=True)
    console.print(f"written: {out}", highlight=False)


if __name__ == "__main__":
    main()
