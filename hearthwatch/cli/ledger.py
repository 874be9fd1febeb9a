"""``hearthwatch ledger``: the ledger in Redis, for operators."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click
from rich.table import Table

from agents.ledger import Ledger, LedgerMissingError, Position
from hearthwatch.activated import activated
from hearthwatch.cli.groups import Group
from hearthwatch.connections import kafka_arguments
from hearthwatch.counted import counted
from hearthwatch.run_folder import RunFolder
from hearthwatch.running import in_force, open_ledger
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from rules.calendar import day_text
from streams.catalog import Catalog
from streams.errors import InputError

At = tuple[str, int]
Work = Callable[[Ledger, str, Sequence[At]], Awaitable[Any]]


@click.group(cls=Group, epilog="Example: hearthwatch ledger show")
def ledger() -> None:
    """Look at the ledger, or take it over after a consumer group was made anew."""


@ledger.command(epilog="Example: hearthwatch ledger show --json | jq '.[] | select(.stage==\"household\")'")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def show(as_json: bool) -> None:
    """Show where each partition of each stage stands: next offset, commits, day, owner.

    Where Redis has lost partitions, those that are there are shown first, and the error names the first lost.
    """
    lost: list[LedgerMissingError] = []

    async def look(ledger: Ledger, stage: str, at: Sequence[At]) -> dict[At, Position | None]:
        try:
            return await ledger.check_held(stage, at)
        except LedgerMissingError as error:
            lost.append(error)
            return await ledger.positions(stage, at)

    settings = in_force(load_settings())
    rows = []
    for stage, found in _each(settings, look).items():
        for (topic, partition), position in found.items():
            row: dict[str, Any] = {"stage": stage, "topic": topic, "partition": partition}
            if position is not None:
                row |= {
                    "next_offset": position.next_offset,
                    "commits": position.commit,
                    "day": None if position.day is None else day_text(position.day),
                    "states": position.states,
                    "owner": position.owner,
                    "generation": position.generation,
                    "epoch": position.epoch,
                }
            rows.append(row)
    if as_json:
        click.echo(json.dumps(rows))
    else:
        _print(rows)
    if lost:
        raise lost[0]


def _print(rows: Sequence[dict[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    headings = ("stage", "topic", "partition", "next_offset", "commits", "day", "states", "owner")
    for heading in headings:
        table.add_column(heading.replace("_", " "))
    for row in rows:
        if row.get("commits"):
            table.add_row(*("" if row[name] is None else str(row[name]) for name in headings))
    wide_console().print(table)


@ledger.command(epilog="Example: hearthwatch down && hearthwatch ledger adopt && hearthwatch up")
def adopt() -> None:
    """Let a consumer group that was made anew go on where the old one stood.

    The ledger refuses claims of an older generation of the group. A group that was deleted, or that Kafka
    forgot, counts its generations from 1 again, and its workers are refused (`hearthwatch status` says so).
    Stop all workers first: whoever still holds a partition is fenced.
    """

    async def take(ledger: Ledger, stage: str, at: Sequence[At]) -> int:
        return await ledger.adopt(stage, at)

    settings = in_force(load_settings())
    if RunFolder(settings.data_dir).running() is not None:
        raise InputError("workers are running: stop them first with `hearthwatch down --keep-servers`")
    found = _each(settings, take)
    click.echo(
        ", ".join(f"{stage}: {counted(number, 'partition')}" for stage, number in found.items())
        + " can be claimed."
    )


def _each(settings: Settings, work: Work) -> dict[str, Any]:
    """Do something with the partitions of each stage, in the order of the flow."""
    return asyncio.run(_with(settings, work, activated(settings)[0]))


async def _with(settings: Settings, work: Work, catalog: Catalog) -> dict[str, Any]:
    from agents.deadlines import CASE_STEPS
    from agents.flow import Flow
    from agents.ticks import steps

    opened = open_ledger(settings)
    flow = Flow(kafka_arguments(settings), opened)
    try:
        return {
            stage: await work(opened, stage, await flow.partitions(topics))
            for stage, topics in (*steps(catalog), *CASE_STEPS)
        }
    finally:
        await flow.close()
        await opened.close()
