"""``hearthwatch local``: the embedded Kafka and Valkey."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from deploy.local import jars
from deploy.local.stack import Progress as Report
from deploy.local.stack import ServerStatus, as_json
from hearthwatch.cli.asking import ask
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import Whole
from hearthwatch.connections import local_stack
from hearthwatch.settings import load_settings

SERVERS = ("kafka", "valkey")


@click.group(cls=Group, epilog="Example: hearthwatch local up && hearthwatch local status")
def local() -> None:
    """Apache Kafka and Valkey for this machine, from pip packages alone.

    `hearthwatch up` starts them too, with all workers; these commands are for the servers alone. They listen
    on 127.0.0.1 only and keep running after the command; data and logs are in the user's data
    directory (HEARTHWATCH_DATA_DIR).
    """


@local.command(epilog="Example: HEARTHWATCH_KAFKA_PORT=29092 hearthwatch local up")
@click.option("--json", "as_json_", is_flag=True, help="Print the state as JSON, as `status --json` does.")
def up(as_json_: bool) -> None:
    """Start both servers, without workers, and return when they answer; what runs already is left alone."""
    stack = local_stack(load_settings())
    began = time.monotonic()
    with reporting("jars") as report:
        statuses = stack.up(report)
    if as_json_:
        click.echo(json.dumps(as_json(statuses)))
        return
    click.echo(
        f"Kafka at {stack.kafka_bootstrap}, Valkey at {stack.redis_url} ({time.monotonic() - began:.1f} s)"
    )


@local.command()
def fetch() -> None:
    """Fetch Kafka's jars, so that everything else works without a network (`up` does it too)."""
    settings = load_settings()
    with reporting("jars") as report:
        found = jars.ensure(settings.jars_dir, repository=settings.maven_repository, progress=report)
    click.echo(f"Kafka {jars.KAFKA_VERSION}: {len(found)} jars in {settings.jars_dir}, as pinned", err=True)


@local.command(epilog="Example: hearthwatch local status --json | jq .servers.kafka.state")
@click.option("--json", "as_json_", is_flag=True, help="Print it as JSON.")
def status(as_json_: bool) -> None:
    """Show whether the servers answer, and where their data and logs are.

    Exit status 0 if both run, 1 otherwise.
    """
    statuses = local_stack(load_settings()).status()
    if as_json_:
        click.echo(json.dumps(as_json(statuses)))
    else:
        print_status(statuses)
    if any(one.state != "running" for one in statuses):
        click.get_current_context().exit(1)


@local.command(epilog="Example: hearthwatch local logs kafka -f")
@click.argument("server", type=click.Choice(SERVERS), required=False)
@click.option("-f", "--follow", is_flag=True, help="Go on printing what is added, until Ctrl-C.")
@click.option(
    "-n",
    "--lines",
    type=Whole(0),
    default=40,
    show_default=True,
    help="How many lines to begin with.",
)
def logs(server: str | None, follow: bool, lines: int) -> None:
    """Print the end of the servers' logs (of both, unless one is named)."""
    stack = local_stack(load_settings())
    names = [server] if server else list(SERVERS)
    files = {name: stack.process(name).log_file for name in names}
    if not any(path.exists() for path in files.values()):
        click.echo("There are no logs yet: `hearthwatch local up` starts the servers.", err=True)
        click.get_current_context().exit(1)
    prefixes = {name: f"{name:6} | " if len(names) > 1 else "" for name in names}
    places = {name: path.stat().st_size if path.exists() else 0 for name, path in files.items()}
    for name in names:
        for line in stack.process(name).last_lines(lines):
            click.echo(prefixes[name] + line)
    while follow:
        for name, path in files.items():
            for line in _added(path, places, name):
                click.echo(prefixes[name] + line)
        time.sleep(0.2)


@local.command()
def down() -> None:
    """Stop both servers; their data stays (`hearthwatch down` stops the workers first)."""
    stack = local_stack(load_settings())
    with reporting() as report:
        outcome = stack.down(report)
    words = {None: "was not running", True: "stopped", False: "did not stop in time and was ended by force"}
    click.echo(", ".join(f"{name.capitalize()} {words[how]}" for name, how in outcome.items()))


@local.command(epilog="Example: hearthwatch local reset --yes")
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(yes: bool) -> None:
    """Stop both servers and erase all they hold: topics, events, warnings and the state of households."""
    stack = local_stack(load_settings())
    if not stack.folder.exists():
        click.echo(f"There is no data in {stack.data_dir}.")
        return
    if not yes:
        ask(f"Erase all data of Kafka and Valkey in {stack.folder}?", what="this erases all data")
    with reporting() as report:
        stack.reset(report)
    click.echo(f"Erased the data in {stack.folder}.")


@contextlib.contextmanager
def reporting(counted: str = "") -> Iterator[Report]:
    """Show progress on standard error: a bar on a terminal, a line for each new step elsewhere.

    Args:
        counted: what is counted where a step has many parts, such as jars; elsewhere than on a terminal a
            step of a command that names nothing is said once, without numbers.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        said: list[str] = []

        def plain(what: str, done: int, total: int) -> None:
            # Fetching is one step: of its 46 jars only the first and the last line are worth a log's space.
            if total and counted:
                line = f"{what} ({done} of {total} {counted})" if done in {0, total} else ""
            else:
                line = what
            if line and line not in said:
                click.echo(line, err=True)
                said.append(line)

        yield plain
        return
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as progress:
        task = progress.add_task("Looking", total=None)

        def shown(what: str, done: int, total: int) -> None:
            counted = f"{what} ({done}/{total})" if total else what
            progress.update(task, description=counted, completed=done, total=total or None)

        yield shown


def print_status(statuses: list[ServerStatus]) -> None:
    """Print a table of the servers."""
    colours = {"running": "green", "starting": "yellow", "stale": "red", "stopped": "dim"}
    console = Console(soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("server", "state", "address", "pid", "since"):
        table.add_column(title, no_wrap=True)
    for one in statuses:
        started = datetime.fromtimestamp(one.since or 0, UTC).astimezone()
        since = "" if one.since is None else f"{started:%Y-%m-%d %H:%M:%S}"
        state = f"[{colours[one.state]}]{one.state}[/]"
        table.add_row(one.name, state, one.address, str(one.pid or ""), since)
    console.print(table)
    for one in statuses:
        console.print(f"log of {one.name}: {one.log}", highlight=False)
    for one in statuses:
        if one.state == "stale":
            why = one.cause or "it did not stop properly; `hearthwatch local up` starts it again"
            console.print(f"{one.name}: {why}")
    if any(one.state == "starting" for one in statuses):
        console.print("starting: it runs but does not answer (yet); see `hearthwatch local logs`")


def _added(path: Path, places: dict[str, int], name: str) -> list[str]:
    """Whole lines that were added since last time; a log that was set aside is begun anew."""
    if not path.exists():
        return []
    if path.stat().st_size < places[name]:
        places[name] = 0
    with path.open("rb") as log:
        log.seek(places[name])
        data = log.read()
    whole = data[: data.rfind(b"\n") + 1]
    places[name] += len(whole)
    return whole.decode("utf-8", "replace").splitlines()
