"""``hearthwatch generate``: made-up events for demos and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from hearthwatch.cli.groups import Group
from hearthwatch.cli.output import Lines
from hearthwatch.counted import counted
from hearthwatch.settings import load_settings
from streams.catalog_file import read_catalog
from streams.district import FIRST_DAY, District, district_lines
from streams.errors import InputError

LINES_SHOWN_EVERY = 2_000


@click.group(cls=Group)
def generate() -> None:
    """Make up events; nothing in them is about anybody."""


@generate.command(
    epilog="Example: hearthwatch generate district --households 3000 --events 12000 --out district.jsonl"
)
@click.option("--households", type=int, default=1_000, show_default=True, help="Households at the start.")
@click.option("--events", type=int, default=4_000, show_default=True, help="Life events after the first day.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option(
    "--days", type=int, help="Days of life. If not given: so many that a household has 4 events a year."
)
@click.option(
    "--begins", metavar="YYYY-MM-DD", default=str(FIRST_DAY), show_default=True, help="The first day."
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the events go; - for standard output.",
)
@click.option(
    "--catalog", type=click.Path(path_type=Path), help="The catalogue (YAML); default: the setting."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as one line of JSON on standard output."
)
def district(
    households: int,
    events: int,
    seed: int,
    days: int | None,
    begins: str,
    out: Path,
    catalog: Path | None,
    as_json: bool,
) -> None:
    """Make a district: households are registered on the first day, then life goes on.

    Registrations, incomes and other facts of the first day (some 6 lines a household) come on top of
    --events. Codes of communities, rates and incomes are made up (streams/district_courses.py).
    """
    try:
        first = date.fromisoformat(begins)
    except ValueError:
        raise InputError(f"--begins: `{begins}` is no date: expected YYYY-MM-DD") from None
    made = District(households, events, seed, first, days)
    lines = _with_progress(district_lines(made, read_catalog(catalog or load_settings().catalog)), made)
    if as_json and str(out) == "-":
        raise InputError("--json: standard output holds the events already; give --out a file")
    with Lines(out) as file:
        count = file.write_all(lines)
    summary = {
        "lines": count,
        "households": households,
        "events": events,
        "days": made.length_days,
        "seed": seed,
    }
    if as_json:
        click.echo(orjson.dumps(summary).decode())
    else:
        told = (counted(count, "line"), counted(households, "household"), counted(made.length_days, "day"))
        click.echo(f"{', '.join(told)} in {out}", err=True)


def _with_progress(lines: Iterator[bytes], made: District) -> Iterator[bytes]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from lines
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("events", total=made.households * 6 + made.events)
        for count, line in enumerate(lines):
            if count % LINES_SHOWN_EVERY == 0:
                progress.update(task, completed=count)
            yield line
