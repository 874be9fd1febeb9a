"""``hearthwatch import``: third-party data as events of the catalogue."""

from __future__ import annotations

from pathlib import Path

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from hearthwatch.cli.groups import Group
from hearthwatch.cli.output import Lines
from hearthwatch.counted import counted
from hearthwatch.settings import load_settings
from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.errors import DecodeError, InputError
from streams.synthea import Imported, import_synthea

ROWS_SHOWN_EVERY = 200


@click.group("import", cls=Group)
def import_group() -> None:
    """Turn third-party data into events of the catalogue, one per line, in order of time."""


@import_group.command(
    "synthea",
    epilog="Example: hearthwatch import synthea examples/synthea --out synthea.jsonl",
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the events go; - for standard output.",
)
@click.option(
    "--catalog", type=click.Path(path_type=Path), help="Who may send what (YAML); default: the setting."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as one line of JSON on standard output."
)
def synthea(folder: Path, out: Path, catalog: Path | None, as_json: bool) -> None:
    """Read a FOLDER of Synthea's patients.csv, encounters.csv and conditions.csv.

    Persons are put into households and dollars scaled to yuan as examples/README.md says; ids are
    pseudonyms that are the same every time.
    """
    if as_json and str(out) == "-":
        raise InputError("--json: standard output holds the events already; give --out a file")
    read = read_catalog(catalog or load_settings().catalog)
    console = Console(stderr=True)
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rows", total=None)

        def on_row(count: int) -> None:
            if count % ROWS_SHOWN_EVERY == 0:
                progress.update(task, completed=count)

        imported = import_synthea(folder, read, on_row=on_row)
    decoder = Decoder(read)
    rejected = 0
    for number, line in enumerate(imported.lines, start=1):
        try:
            decoder.line(line)
        except DecodeError as error:
            rejected += 1
            click.echo(f"event {number}: {error}", err=True)
    with Lines(out) as file:
        file.write_all(imported.lines)
    if as_json:
        click.echo(orjson.dumps(_summary(imported, rejected)).decode())
    else:
        _show(imported, rejected, out, console)
    if rejected:
        raise click.exceptions.Exit(1)


def _summary(imported: Imported, rejected: int) -> dict[str, object]:
    return {
        "events": len(imported.lines),
        "persons": imported.persons,
        "households": imported.households,
        "left_out": imported.left_out,
        "rejected": rejected,
        "types": dict(sorted(imported.types.items())),
    }


def _show(imported: Imported, rejected: int, out: Path, console: Console) -> None:
    table = Table("event type", "events", title=f"{counted(len(imported.lines), 'event')} in {out}")
    for kind, count in imported.types.most_common():
        table.add_row(kind, f"{count:,}")
    console.print(table)
    console.print(
        f"{counted(imported.persons, 'person')} in {counted(imported.households, 'household')};"
        f" {imported.left_out} left out "
        f"(dead before the data begin); {counted(rejected, 'event')} that the catalogue rejects."
    )
