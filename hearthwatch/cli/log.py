"""``hearthwatch log``: what stands in the log of a household, in the order in which it was applied."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import BinaryIO

import click

from hearthwatch.activated import activated
from hearthwatch.cli.groups import Group
from hearthwatch.cli.on_record import look_on_record
from hearthwatch.connections import kafka_connection
from hearthwatch.running import began_anew, in_force
from hearthwatch.settings import load_settings
from rules.calendar import Calendar
from rules.history import History, Logged
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import INTERNAL_ERROR
from streams.partition_log import PartitionLog
from streams.records import HOUSEHOLD_FACTS, Activate, decode_household_record


@click.group(cls=Group)
def log() -> None:
    """Look at the log that households are computed from."""


@log.command(
    epilog="Example: hearthwatch log export --household H-1042 > h.jsonl && hearthwatch backtest h.jsonl "
    "--catalog streams/catalogs/wuchang.yaml --policy rules/policies/wuchang.yaml --out warnings.jsonl",
)
@click.option("--household", "id", metavar="ID", required=True, help="Whose log.")
@click.option(
    "-o",
    "--out",
    "--output",
    "output",
    type=click.File("wb"),
    default="-",
    help="Where to; standard output unless given.",
)
def export(id: str, output: BinaryIO) -> None:
    """Write a household's log as events, for `hearthwatch backtest`.

    They stand in the order in which they were applied, so the backtest raises the same warnings, with the
    same ids. A move into the household stands as the facts that it brought and the joining, a move out as a
    leaving. The household `log-export` is made up: it says what day it was. What is written is personal
    data.

    The household's whole partition is read; where `hearthwatch repartition` has begun the log anew, it has
    nothing from before, and standard error says since when. Exit status 1 if it has nothing of
    the household. Who exports is put on record first (`hearthwatch audit list`).
    """
    settings = in_force(load_settings())
    connection = kafka_connection(settings)
    catalog, policy = activated(settings)
    look_on_record(settings, "log", id, is_found=True)
    failed = {
        letter.origin
        for letter in read_dead_letters(connection, reason=INTERNAL_ERROR)
        if letter.origin is not None
    }
    history = History(id, catalog, Calendar(policy.timezone), set_aside=failed)
    newer: set[int] = set()

    def logged() -> Iterator[Logged]:
        for record in place.records():
            message = decode_household_record(record.value)
            if isinstance(message, Activate) and message.number > 1:
                newer.add(message.number)
            yield record.timestamp * 1000 if settings.clock == "wall" else None, message

    count = 0
    with contextlib.closing(PartitionLog(connection, HOUSEHOLD_FACTS, id.encode())) as place:
        for line in history.lines(logged()):
            output.write(line + b"\n")
            count += 1
    since = began_anew(settings, HOUSEHOLD_FACTS)
    if since is not None:
        click.echo(f"The log began anew at the repartition of {since}: it has nothing from before.", err=True)
    if count == 0:
        click.echo(f"No household `{id}` is in the log.", err=True)
        click.get_current_context().exit(1)
    if history.ahead:
        click.echo(
            f"{history.ahead} facts came from a partition whose day was ahead; the backtest has a later day.",
            err=True,
        )
    if newer:
        click.echo(f"The policy changed {len(newer)} times meanwhile; a backtest takes one policy.", err=True)
