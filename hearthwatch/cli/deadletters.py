"""``hearthwatch deadletters``: what was rejected, and why; and sending it once more."""

from __future__ import annotations

import json
from collections.abc import Iterator

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hearthwatch.cli.asking import ask
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole
from hearthwatch.connections import kafka_connection
from hearthwatch.counted import counted
from hearthwatch.screen import printable
from hearthwatch.settings import load_settings
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import INTERNAL_ERROR, DeadLetter
from streams.requeue import once
from streams.requeue import requeue as send_again
from streams.timestamps import format_timestamp


@click.group(cls=Group)
def deadletters() -> None:
    """Look at rejected events: they wait on the topic `deadletters`, byte for byte."""


@deadletters.command(
    "list",
    epilog="Example: hearthwatch deadletters list --reason bad-data --last 20",
)
@click.option("--last", type=Whole(min=1), default=50, show_default=True, help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All that the topic holds, oldest first.")
@click.option("--reason", help="Only those with this reason, such as bad-data or internal-error.")
@click.option("--topic", help="Only those that came from this topic, such as life.health.")
@click.option("--values", is_flag=True, help="Show key, value and headers too. They are personal data.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def list_(
    last: int, everything: bool, reason: str | None, topic: str | None, values: bool, as_json: bool
) -> None:
    """List dead letters: reason, where the event stands, and what was expected.

    The newest come last. Values are not shown unless asked for.
    """
    connection = kafka_connection(load_settings())
    letters = read_dead_letters(
        connection, last=None if everything else last, reason=reason, origin_topic=topic
    )
    if as_json:
        for letter in letters:
            click.echo(json.dumps(letter.as_row(values=values), ensure_ascii=False))
        return
    _show(letters, values=values)


@deadletters.command(
    epilog="Example: hearthwatch deadletters requeue --reason internal-error --dry-run",
)
@click.option("--reason", default=INTERNAL_ERROR, show_default=True, help="Those with this reason.")
@click.option("--topic", help="Only those that came from this topic, such as life.health.")
@click.option("--last", type=Whole(min=1), help="At most so many, the newest; by default all.")
@click.option("--dry-run", is_flag=True, help="Only say which.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def requeue(
    context: click.Context, reason: str, topic: str | None, last: int | None, dry_run: bool, yes: bool
) -> None:
    """Send rejected events once more, after the fix of what they were rejected for.

    The original goes to the topic that it came from, byte for byte. Sending it twice does no harm: an event
    that was accepted meanwhile is a duplicate. The dead letters stay where they are.

    Exit status 1 if some could not be sent.
    """
    connection = kafka_connection(load_settings())
    letters = once(read_dead_letters(connection, last=last, reason=reason, origin_topic=topic))
    if not letters:
        click.echo(f"No dead letters with the reason {reason}.")
        return
    if dry_run:
        for letter in letters:
            click.echo(f"{_origin(letter)}: {letter.message}")
        click.echo(f"{len(letters):,} would be sent again.")
        return
    if not yes:
        events = counted(len(letters), "event")
        ask(f"Send {events} again?", what=f"this sends {events} again")
    sent = failed = 0
    for letter, why in send_again(connection, letters):
        sent += not why
        if why:
            failed += 1
            click.echo(f"{_origin(letter)}: {why}", err=True)
    click.echo(f"{sent:,} sent again, {failed:,} not.")
    if failed:
        context.exit(1)


def _origin(letter: DeadLetter) -> str:
    """Such as ``life.health/1@9``: topic, partition and offset of the rejected record."""
    return "none" if letter.origin is None else "{}/{}@{}".format(*letter.origin)


def _show(letters: Iterator[DeadLetter], *, values: bool) -> None:
    console = Console()
    table = Table("at", "written", "reason", "origin", "message", title="Dead letters", title_justify="left")
    table.columns[3].overflow = table.columns[4].overflow = "fold"  # cut, they would say nothing in a pipe
    count = 0
    for letter in letters:
        count += 1
        row = [
            f"{letter.partition}@{letter.offset}",
            _when(letter.timestamp_ms),
            letter.reason,
            _origin(letter),
        ]
        message = letter.message
        if letter.household is not None:
            message += f"; household {letter.household} has to do without it"
        if values:
            shown = letter.as_row(values=True)
            message += f"\nkey: {shown['key']}\nvalue: {shown['value']}\nheaders: {shown['headers']}"
        # Text, not markup: what a sender wrote must not colour our screen.
        table.add_row(*(Text(printable(cell)) for cell in row), Text(printable(message)))
    if count == 0:
        click.echo("No dead letters.")
        return
    console.print(table)
    click.echo(f"{count:,} shown.")


def _when(timestamp_ms: int) -> str:
    try:
        return format_timestamp(timestamp_ms * 1000)
    except ValueError:
        return "unknown"
