"""``hearthwatch casebook``: the book that cases are worked by, and the worklist of a go-live."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from casework.cases.baseline import Planned, worklist
from casework.cases.book import Book
from casework.cases.case import Household
from hearthwatch.activated import activated
from hearthwatch.casework_files import casebook as read_casebook
from hearthwatch.cli.faults import read_or_leave
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole, check_code
from hearthwatch.connections import kafka_arguments
from hearthwatch.counted import counted
from hearthwatch.running import in_force, open_ledger
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import catalog_and_policy
from rules.calendar import day_text, instant_text
from streams.records import CASE_COMMANDS

_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def casebook() -> None:
    """Check the book that cases are worked by, and see the worklist of a go-live."""


@casebook.command(epilog="Example: hearthwatch casebook check casework/cases/casework.yaml")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@_JSON
def check(file: Path | None, as_json: bool) -> None:
    """Check a book FILE against policy, catalogue and measures of the settings; report every fault.

    Without FILE the one of the settings (HEARTHWATCH_CASEBOOK). Says which districts go live and until when.
    Exit status 2 if it is faulty.
    """
    settings = load_settings(casebook=file)
    files = catalog_and_policy(settings)
    path = settings.casebook
    book = read_or_leave(path, lambda: read_casebook(settings, *files), as_json=as_json)
    if as_json:
        summary: dict[str, Any] = {
            "file": str(path),
            "casebook": book.id,
            "version": book.version,
            "digest": book.digest,
            "levels": list(book.levels),
            "baselines": [{**asdict(one), "until": instant_text(one.until)} for one in book.baselines],
            "faults": [],
        }
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    click.echo(f"{path}: good. Book {book.id}, version {book.version}, levels {', '.join(book.levels)}.")
    for one in book.baselines:
        whose = one.prefix or "every community"
        click.echo(
            f"Until {instant_text(one.until)} {whose} goes live:"
            f" {counted(one.per_day, 'case')} a day for each."
        )


@casebook.command("worklist", epilog="Example: hearthwatch casebook worklist --community 420106003005")
@click.option(
    "--community", metavar="CODE", default="", help="Only a community, street or district (12, 9, 6 digits)."
)
@click.option("--days", type=Whole(1), metavar="N", help="Only the next N days with work.")
@_JSON
def list_(community: str, days: int | None, as_json: bool) -> None:
    """Show what waits from a go-live: by community and day, the most urgent first, at the book's pace.

    These cases have no clocks and were told to nobody; whoever acknowledges one, or visits, takes it up.
    """
    check_code(community)
    settings = in_force(load_settings())
    book = read_casebook(settings, *activated(settings))
    homes = asyncio.run(_waiting(settings))
    planned = [one for one in _planned(homes, book) if (one.community or "").startswith(community)]
    if days is not None:
        shown = sorted({one.day for one in planned})[:days]
        planned = [one for one in planned if one.day in shown]
    if as_json:
        rows = [{**asdict(one), "day": day_text(one.day)} for one in planned]
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    if not planned:
        click.echo("Nothing waits from a go-live.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("day", "community", "level", "score", "household", "case"):
        table.add_column(heading, justify="right" if heading == "score" else "left")
    for one in planned:
        table.add_row(
            day_text(one.day), one.community or "none", one.level, str(one.score), one.household, one.case
        )
    wide_console().print(table)


def _planned(homes: list[Household], book: Book) -> list[Planned]:
    return worklist(homes, book, int(time.time() * 1_000_000))


async def _waiting(settings: Settings) -> list[Household]:
    """Households whose case waits on the worklist: those without a deadline are looked at."""
    from agents.case_index import STAGE, entry_of, open_cases
    from agents.flow import Flow
    from casework.cases import state_format

    ledger = open_ledger(settings)
    flow = Flow(kafka_arguments(settings), ledger)
    try:
        found: list[Household] = []
        for topic, number in await flow.partitions([CASE_COMMANDS]):
            members = await open_cases(ledger, [number])
            idle = [one.household for one in map(entry_of, members) if one.due is None]
            states = await ledger.read(STAGE, topic, number, idle)
            found += [state_format.decode(raw) for raw in states if raw is not None]
        return [home for home in found if home.case is not None and home.case.is_baseline]
    finally:
        await flow.close()
        await ledger.close()
