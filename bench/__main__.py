"""All benchmarks in one go.

    just bench
    .venv/bin/python -m bench [--rounds 3] [--households 6000] [--out FILE] [--no-picture]
    .venv/bin/python -m bench scale|rebuild|latency|pipeline|step [--help]    # one, with its own options

Writes ``bench/results/<date>-<cpu>.json``, prints a table, and draws ``docs/explanation/benchmark.svg`` and
``docs/explanation/latency.svg``. It starts brokers and Valkey servers of its own, and takes some eight
minutes on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench import faust_documented, latency, latency_chart, latency_figures, pipeline, step
from bench.chart import draw
from bench.machine import ROOT, describe, result_name, today
from bench.pipeline_figures import AIMS
from bench.servers import end_on_sigterm
from streams.records import HOUSEHOLD_FACTS

PICTURE = ROOT / "docs" / "explanation" / "benchmark.svg"
LATENCY_PICTURE = ROOT / "docs" / "explanation" / "latency.svg"
RESULTS = ROOT / "bench" / "results"
#: Benchmarks that can be run by name; `scale` and `rebuild` only so.
ALONE = ("latency", "pipeline", "rebuild", "scale", "step")

#: Messages of a progress display in one round of the pipeline; a message more or less does no harm.
_STEPS_A_ROUND = 9


def run(
    size: pipeline.Size,
    rounds: int,
    console: Console,
    *,
    faust_window: int = 5_000,
    pure_size: tuple[int, int] = (5_000, 60_000),
    latencies: Sequence[latency.Scenario] = (),
) -> dict[str, Any]:
    """Run (a) to (d); their figures."""
    about = {"date": today(), **describe()}
    columns = (
        SpinnerColumn(),
        BarColumn(bar_width=30),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    console.print("the pure steps", highlight=False)
    # Before there is a display: drawing it takes time of this very process.
    pure = step.measure(*pure_size)
    with Progress(*columns, console=console) as shown:
        task = shown.add_task("the stages", total=rounds * _STEPS_A_ROUND + 4)

        def tell(what: str) -> None:
            shown.update(task, advance=1, description=what)
            if not console.is_terminal:
                console.print(what, highlight=False)

        del pure["date"], pure["cpu"], pure["python"], pure["orjson"]

        def then(at: Any, figures: dict[str, Any]) -> dict[str, Any]:
            return faust_documented.measure(
                at,
                skip=figures["registration"][HOUSEHOLD_FACTS] + faust_window,
                window=faust_window,
                windows=4,
                progress=tell,
            )

        measured = pipeline.measure(size, rounds, tell, then=then)
        faust = measured.pop("then")
        shown.update(task, completed=shown.tasks[0].total)
    summary = measured["summary"]
    yardsticks = measured.pop("yardsticks")
    json_us = yardsticks["json_loads_us"]["median"]
    orjson_us = yardsticks["orjson_loads_us"]["median"]
    medians = {stage: summary[stage]["cpu_us"]["median"] for stage in AIMS}
    return {
        **about,
        "yardsticks": yardsticks,
        "step": pure,
        "pipeline": measured,
        "faust": faust,
        "latency": latency.measure(latencies, lambda what: console.print(what, highlight=False)),
        "ratios": {
            "faust_to_household": faust_documented.ratio(faust["cpu_us"], summary["household"]["cpu_us"]),
            "to_json_loads": {stage: round(us / json_us, 1) for stage, us in medians.items()},
            "to_orjson_loads": {stage: round(us / orjson_us, 1) for stage, us in medians.items()},
            "backtest_to_orjson_loads": pure["backtest_to_orjson_ratio"],
        },
    }


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures as tables."""
    summary = result["pipeline"]["summary"]
    table = Table(title=f"CPU per record, one core - {result['cpu']}, {result['date']}")
    for name in ("", "least", "median", "greatest", "aim", "records/s", "records a part", "Kafka", "Valkey"):
        table.add_column(name, justify="left" if not name else "right")
    for stage, aim in AIMS.items():
        one = summary[stage]
        cpu, servers = one["cpu_us"], one["servers_us"]
        table.add_row(
            stage, *(f"{cpu[key]:.1f} us" for key in ("min", "median", "max")), f"{aim:.0f} us",
            f"{one['records_per_second']['median']:,.0f}", f"{one['records_per_part']['median']:,.0f}",
            *(f"{servers[name]['median']:.1f} us" for name in ("kafka", "valkey")),
        )  # fmt: skip
    faust = result["faust"]
    table.add_row(
        "Faust as documented", *(f"{faust['cpu_us'][key]:.0f} us" for key in ("min", "median", "max")), "",
        f"{faust['records_per_second']['median']:,.0f}",
    )  # fmt: skip
    console.print(table)
    ratios = result["ratios"]
    times = ratios["faust_to_household"]
    agreement = list(summary["agreement"])
    for line in (
        (
            f"Faust as documented to the household stage: {times['median']} times"
            f" ({times['least']} to {times['greatest']}; aim 15)"
        ),
        f"Backtest to orjson.loads of the same lines: {ratios['backtest_to_orjson_loads']} times (aim 40)",
        (
            f"All stages at once on {result['cores']} cores, broker and server among them: "
            f"{summary['together']['events_per_second']['median']:,.0f} events/s"
        ),
        f"A midnight of a household without a record: {summary['tick_us']['median']} us",
        f"json.loads of one line: {result['yardsticks']['json_loads_us']}",
        "Same scores as a backtest: "
        + ", ".join(f"{one['same_score']:,} of {one['households']:,}" for one in agreement)
        + "; warnings the same as a replay's: "
        + ", ".join(f"{one['same_as_replay']} of {one['warnings_live']}" for one in agreement),
    ):
        console.print(line, highlight=False)
    for line in latency_figures.lines(result["latency"]):
        console.print(line, highlight=False)


def main() -> None:
    """Measure, write down, show; or leave it to the one that is named."""
    if sys.argv[1:2] and sys.argv[1] in ALONE:
        name = sys.argv.pop(1)
        import_module(f"bench.{name}").main()
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--households", type=int, default=pipeline.Size().households)
    parser.add_argument("--out", type=Path, help="where the result goes; bench/results/ unless said")
    parser.add_argument("--no-picture", action="store_true", help="leave the picture as it is")
    given = parser.parse_args()
    end_on_sigterm()
    console = Console()
    result = run(pipeline.Size(given.households), given.rounds, console, latencies=latency.scenarios())
    out = given.out or RESULTS / result_name(result)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    if not given.no_picture:
        PICTURE.write_text(draw(result), "utf-8")
        LATENCY_PICTURE.write_text(latency_chart.draw(result, result["latency"]), "utf-8")
    show(result, console)
    console.print(f"written: {out}", highlight=False)


if __name__ == "__main__":
    main()
