"""One hop beside its peers: the same records, the same work, one core for each program.

    .venv/bin/python -m bench.peers                        # all programs, 2 rounds; some 6 minutes
    .venv/bin/python -m bench.peers --only hearthwatch --only floor --rounds 1
    .venv/bin/python -m bench.peers --list                 # what there is, and what each promises

The topic `household.facts` is filled with 650,000 records: two people move into each of 60,000 households,
then bills come for any of them, evenly. Each program reads it to its end, keeps what a household has paid
(bench/peers/toy.py; ours runs the policy bench/peers/toy.yaml through its rules), and sends a warning where
that comes over a line. Every program must send the same warnings, or the command ends with 1.

CPU is user and system of the whole process, per record, in windows after a warm-up. What the broker and
Valkey use beside it is told apart. The peers are installed into the data directory (HEARTHWATCH_DATA_DIR) on
the first run; Kafka Streams needs Java 17 and Maven on the PATH. A peer that cannot be installed is named
with the reason, and the others run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.machine import CATALOG, ROOT, describe, result_name, today
from bench.peers.installing import install
from bench.peers.load import Load
from bench.peers.picture import draw
from bench.peers.programs import PROGRAMS, Program
from bench.peers.ratios import aims, ratios
from bench.peers.running import PARTITIONS, Comparison, expected, summary
from bench.servers import Round, end_on_sigterm, servers
from streams.catalog_file import read_catalog
from streams.records import HOUSEHOLD_FACTS

PICTURE = ROOT / "docs" / "explanation" / "peers.svg"
RESULTS = ROOT / "bench" / "results"
#: Faust takes a minute for one round; its windows hardly differ.
_ROUNDS_OF_FAUST = 1
#: Characters in a line where nobody's terminal says how many: a program's name on one line.
_PIPE_WIDTH = 120


def run(
    programs: Sequence[Program], load: Load, rounds: int, console: Console, *, folder: Path | None = None
) -> dict[str, Any]:
    """Install, run, compare.

    Args:
        folder: where peers are installed; in the data directory unless given.
    """
    columns = (
        SpinnerColumn(), BarColumn(bar_width=30), TextColumn("{task.description}"), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("peers", total=rounds * (len(programs) + 1) + 2)

        def tell(what: str) -> None:
            shown.update(task, description=what)
            if not console.is_terminal:
                console.print(what, highlight=False)

        def advance(what: str) -> None:
            shown.advance(task)
            tell(what)

        installed = install(tell, [one.name for one in programs if one.kind in ("python", "java")], folder)
        for name, why in installed.missing.items():
            console.print(f"{name} is left out: {why}", style="bold", highlight=False)
        here = [one for one in programs if one.name not in installed.missing]
        about = {"benchmark": "peers", "date": today(), **describe()}
        advance("what a plain loop raises")
        wanted, bytes_by_hand = expected(load)
        catalog = read_catalog(CATALOG)
        done = []
        with servers(tell) as stack:
            for number in range(1, rounds + 1):
                at = Round(stack, catalog, f"p{number}.", household_partitions=PARTITIONS)
                assert at.partitions[HOUSEHOLD_FACTS] == PARTITIONS

                def step(what: str, number: int = number) -> None:
                    advance(f"round {number} of {rounds}: {what}")

                some = [one for one in here if one.kind != "faust" or number <= _ROUNDS_OF_FAUST]
                done.append(Comparison(at, load, installed, wanted, step).play(some))
        shown.update(task, completed=shown.tasks[0].total)
    figures = summary(done, here)
    for program in programs:
        if program.name in installed.missing:
            figures[program.name] = {
                "title": program.title, "set_as": program.set_as, "durable": program.durable,
                "left_out": installed.missing[program.name],
            }  # fmt: skip
    return {
        **about,
        "load": {
            "records": load.records, "households": load.households, "bills": load.bills,
            "warm_up": load.warm_up, "window": load.window, "partitions": PARTITIONS, "rounds": rounds,
            "warnings": wanted.total(), "state_bytes_by_hand": bytes_by_hand,
        },
        "programs": figures,
        "ratios": ratios(figures),
        "aims": aims(figures),
    }  # fmt: skip


def agrees(result: dict[str, Any]) -> bool:
    """Whether every program that is installed ran to its end and sent what it should."""
    return all(
        "left_out" in one
        or ("failed" not in one and not one["failures"] and all(each["agrees"] for each in one["agreement"]))
        for one in result["programs"].values()
    )


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures as a table; in 80 columns names take two lines, and nothing is cut."""
    console.print(
        f"One hop, CPU per record on one core in microseconds - {result['cpu']}, {result['date']}",
        highlight=False,
    )
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("", overflow="fold", min_width=16)
    for name in ("least", "median", "greatest", "records/s", "times\nours", "Valkey", "Kafka", "warnings"):
        table.add_column(name, justify="right", no_wrap=True)
    told = []
    for name, one in result["programs"].items():
        if "cpu_us" not in one:
            table.add_row(one["title"], *["-"] * 7, "left out" if "left_out" in one else "failed")
            continue
        cpu = one["cpu_us"]
        agreement = one["agreement"]
        wrong = next((each for each in agreement if not each["agrees"]), None)
        if wrong is not None:
            told.append(f"{one['title']}: {wrong['warnings']:,} warnings, not {wrong['expected']:,}")
        ratio = result["ratios"].get(name)
        table.add_row(
            one["title"], *(f"{cpu[key]:.1f}" for key in ("min", "median", "max")),
            f"{one['records_per_second']['median']:,.0f}",
            "" if ratio is None else f"{ratio['median']:.1f}",
            *(f"{one['servers_us'][server]['median']:.1f}" for server in ("valkey", "kafka")),
            f"{(wrong or agreement[-1])['warnings']:,}",
        )  # fmt: skip
    console.print(table)
    for one in result["programs"].values():
        about = "; ".join(filter(None, [one.get("set_as"), one["durable"]]))
        why = one.get("left_out") or one.get("failed") or " ".join([about, *one["failures"]])
        told.append(f"{one['title']}: {why}")
    told += [("met: " if line["met"] else "MISSED: ") + line["what"] for line in result["aims"]]
    for line in told:
        console.print(line, highlight=False)


def main() -> None:
    """Measure, write down, show; 1 where the programs do not agree."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.peers", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    names = [one.name for one in PROGRAMS]
    parser.add_argument("--only", action="append", choices=names, help="a program to run; may be repeated")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--households",
        type=int,
        default=Load().households,
        help="below 10,000 only the agreement means anything",
    )
    parser.add_argument("--out", type=Path, help="where the result goes; bench/results/ unless said")
    parser.add_argument("--no-picture", action="store_true", help="leave the picture as it is")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.add_argument("--list", action="store_true", help="name the programs and what they promise")
    given = parser.parse_args()
    if given.list:
        for one in PROGRAMS:
            print(f"{one.name:26}{one.title}\n{'':26}{one.about}")
        return
    if given.rounds < 1 or given.households < 100:
        parser.error("at least one round, and 100 households")
    end_on_sigterm()
    console = Console(stderr=given.json)
    if not console.is_terminal:
        console.width = max(console.width, _PIPE_WIDTH)
    programs = [one for one in PROGRAMS if not given.only or one.name in given.only]
    load = Load.of(given.households)
    result = run(programs, load, given.rounds, console)
    is_whole = len(programs) == len(PROGRAMS)
    out = given.out or (RESULTS / result_name(result).replace(".json", "-peers.json") if is_whole else None)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if is_whole and not given.no_picture:
        PICTURE.write_text(draw(result), "utf-8")
    if given.json:
        print(json.dumps(result))
    show(result, console)
    if out is not None:
        console.print(f"written: {out}", highlight=False)
    if not agrees(result):
        console.print("the programs do not agree, or one failed", style="bold red", highlight=False)
        sys.exit(1)


if __name__ == "__main__":
    main()
