"""``hearthwatch publish``: files of events to the departments' topics."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from hearthwatch.cli.options import Seconds
from hearthwatch.connections import kafka_connection
from hearthwatch.settings import Settings, load_settings
from streams.errors import InputError
from streams.position import Position
from streams.publish import Publisher
from streams.publish_file import Brake, Interrupted, Summary, publish_file

INTERRUPTED = 130


@click.command(epilog="Example: hearthwatch publish events.jsonl --binary --json")
@click.argument("files", nargs=-1, required=True, metavar="FILE.jsonl ...")
@click.option(
    "--binary", is_flag=True, help="CloudEvents binary mode: attributes in headers, data as the value."
)
@click.option(
    "--clock", type=click.Choice(["wall", "log"]), help="Whose time it is (otherwise HEARTHWATCH_CLOCK)."
)
@click.option("--topic", metavar="TOPIC", help="Send every line to this topic, whatever its source says.")
@click.option(
    "--rejects",
    "rejects_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where lines go that cannot be sent (otherwise beside the file, as FILE.jsonl.rejects).",
)
@click.option(
    "--restart", is_flag=True, help="Begin at the first line, also where an earlier run was interrupted."
)
@click.option(
    "--timeout",
    "timeout_seconds",
    type=Seconds(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the broker may be away before the run stops.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as one line of JSON a file.")
def publish(
    files: tuple[str, ...],
    binary: bool,
    clock: str | None,
    topic: str | None,
    rejects_path: Path | None,
    restart: bool,
    timeout_seconds: float,
    as_json: bool,
) -> None:
    """Send events (structured CloudEvents, one JSON object a line; `-` is standard input) to Kafka.

    Each line goes to the topic of the department that its `source` ends with, keyed by its subject. Bad
    events are sent too: the pipeline dead-letters them with their reason. A line that names no topic, or that
    is too large for it, is kept in the rejects file with its number and reason.

    An interrupted run is continued by the same command; a few lines may then be sent twice, which changes
    nothing.

    Exit status 0 if every line was sent, 1 if some are in a rejects file, 2 for a file that cannot be read,
    3 if the broker does not answer, 130 if interrupted.
    """
    settings = load_settings(clock=clock)
    paths = _checked(files)
    brake = Brake()
    with (
        Publisher(
            kafka_connection(settings),
            mode="binary" if binary else "structured",
            clock=settings.clock,
            topic=topic,
            timeout_seconds=timeout_seconds,
        ) as publisher,
        _interrupts(brake),
    ):
        summaries = [
            _one(publisher, settings, file, path, rejects_path, restart, brake, as_json)
            for file, path in zip(files, paths, strict=True)
        ]
    if any(summary.rejected for summary in summaries):
        click.get_current_context().exit(1)


def _checked(files: Sequence[str]) -> list[Path | None]:
    """The paths of files that can be read; None for standard input.

    Raises:
        InputError: one line for each that cannot.
    """
    faults = []
    paths: list[Path | None] = []
    for file in files:
        path = None if file == "-" else Path(file)
        paths.append(path)
        if path is None:
            continue
        try:
            if path.is_dir():
                faults.append(f"{file}: is a folder: expected a file of events, one JSON object a line")
            else:
                path.open("rb").close()
        except OSError as error:
            faults.append(f"{file}: cannot be read: {error.strerror or error}")
    if faults:
        raise InputError("\n".join(faults))
    return paths


def _one(
    publisher: Publisher,
    settings: Settings,
    file: str,
    path: Path | None,
    rejects_path: Path | None,
    restart: bool,
    brake: Brake,
    as_json: bool,
) -> Summary:
    position = None
    if path is not None:
        position = Position(
            settings.data_dir / "publish", path, f"{publisher.cluster} {publisher.topic or ''}"
        )
        if restart:
            position.forget()
    rejects = rejects_path or (Path(f"{file}.rejects") if path is not None else Path("stdin.rejects"))
    try:
        with _opened(file, path) as source, _progress(file, source, path) as advance:
            summary = publish_file(
                publisher,
                source,
                name=file,
                position=position,
                rejects=rejects,
                progress=advance,
                brake=brake,
            )
    except Interrupted as stopped:
        _report(stopped.summary, as_json)
        how = "run the same command again to go on" if path is not None else "what follows was not sent"
        click.echo(f"{file}: interrupted after line {stopped.summary.line:,}: {how}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None
    _report(summary, as_json)
    return summary


@contextmanager
def _opened(file: str, path: Path | None) -> Iterator[BinaryIO]:
    try:
        source = path.open("rb") if path is not None else os.fdopen(0, "rb", closefd=False)
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {error.strerror or error}") from None
    with source:
        yield source


@contextmanager
def _interrupts(brake: Brake) -> Iterator[None]:
    """Ctrl-C and SIGTERM pull the brake; a second one while it works is taken too."""
    before = {number: signal.signal(number, brake.pull) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _progress(file: str, source: BinaryIO, path: Path | None) -> Iterator[Callable[[int, int], None] | None]:
    """A bar on a terminal, by bytes; nothing elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:,} lines"),
        TimeRemainingColumn(),
    )
    size = os.fstat(source.fileno()).st_size if path is not None else None
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(Path(file).name, total=size or None, lines=0)
        lines = done = 0

        def advance(count: int, length: int) -> None:
            nonlocal lines, done
            lines += count
            done += length
            if lines % 500 == 0:
                bar.update(task, completed=done, lines=lines)

        yield advance


def _report(summary: Summary, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(summary.as_json(), ensure_ascii=False))
        return
    if summary.note:
        click.echo(f"{summary.file}: {summary.note}", err=True)
    if summary.line == 0:
        click.echo(f"{summary.file}: is empty: nothing to publish", err=True)
        return
    told = f"{summary.published:,} published in {summary.seconds:.1f} s ({summary.rate:,.0f}/s)"
    if summary.rejected:
        why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(summary.rejected.items()))
        told += f"; {sum(summary.rejected.values()):,} not sent ({why}): see {summary.rejects}"
    click.echo(f"{summary.file}: {told}")
