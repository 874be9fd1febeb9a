"""``hearthwatch backtest``: the rules over a file, with no servers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from hearthwatch.cli.options import Whole, parse_day
from hearthwatch.cli.output import Lines, keep_apart
from hearthwatch.counted import counted
from rules.backtest import Backtest, Rejection, read_lines, uncollected
from rules.backtest_jobs import ParallelBacktest
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import InputError

MOST_REJECTIONS_SHOWN = 20


@click.command(
    epilog="Example: hearthwatch backtest events.jsonl --catalog streams/catalogs/wuchang.yaml "
    "--policy rules/policies/wuchang.yaml --out warnings.jsonl --until 2026-01-31"
)
@click.argument("events", type=click.Path(path_type=Path))
@click.option("--catalog", required=True, type=click.Path(path_type=Path), help="Who may send what (YAML).")
@click.option("--policy", required=True, type=click.Path(path_type=Path), help="The rules (YAML).")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the warnings go, one per line; - for standard output.",
)
@click.option(
    "--scores", type=click.Path(path_type=Path), help="Where the final scores go, one household per line."
)
@click.option(
    "--rejections", type=click.Path(path_type=Path), help="Where every rejected line goes, with its reason."
)
@click.option("--until", metavar="YYYY-MM-DD", help="Let days pass up to this one after the last event.")
@click.option(
    "--jobs",
    type=Whole(1, 256),
    default=1,
    show_default=True,
    help="Evaluate on so many cores; all events are then held in memory, some 200 bytes each.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the summary as one line of JSON on standard output."
)
def backtest(
    events: Path,
    catalog: Path,
    policy: Path,
    out: Path,
    scores: Path | None,
    rejections: Path | None,
    until: str | None,
    jobs: int,
    as_json: bool,
) -> None:
    """Read EVENTS (structured CloudEvents, one per line, in order of arrival) and write the warnings.

    An event arrives at its recordedtime, or else at its time; every local midnight in between ticks.
    Rejected lines are named on standard error and do not stop the run.
    """
    last_day = parse_day(until)
    keep_apart(
        (events, catalog, policy), (("--out", out), ("--scores", scores), ("--rejections", rejections))
    )
    if as_json and "-" in map(str, (out, scores, rejections)):
        raise InputError("--json: standard output has lines of another kind already; give it a file")
    read = read_catalog(catalog)
    rules = read_policy(policy, read)
    run = Backtest(read, rules) if jobs == 1 else ParallelBacktest(read, rules, jobs)
    with (
        open_events(events) as file,
        Lines(out) as warnings_file,
        Lines(rejections) as rejections_file,
        uncollected(),
    ):
        for line, value in enumerate(with_progress(file), start=1):
            rejection = run.feed(line, value)
            if rejection is not None:
                _report(rejection, run.rejected)
                rejections_file.write(orjson.dumps(rejection))
        run.finish(last_day)
        warnings_file.write_all(warning.body for warning in run.warnings)
    if scores is not None:
        with Lines(scores) as scores_file:
            scores_file.write_all(orjson.dumps(score) for score in run.scores())
    if run.rejected > MOST_REJECTIONS_SHOWN:
        click.echo(f"... {run.rejected} rejected lines in all", err=True)
    summary = {"accepted": run.accepted, "rejected": run.rejected, "warnings": len(run.warnings)}
    if as_json:
        click.echo(orjson.dumps(summary).decode())
    else:
        click.echo(
            f"{counted(run.accepted, 'event')} accepted, {run.rejected} rejected,"
            f" {counted(len(run.warnings), 'warning')}",
            err=True,
        )


def open_events(path: Path) -> BinaryIO:
    try:
        return path.open("rb") if str(path) != "-" else os.fdopen(0, "rb", closefd=False)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def with_progress(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, with a progress bar where standard error is a terminal."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _lines(file)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    size = os.fstat(file.fileno()).st_size or None
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("events", total=size)
        done = 0
        for count, line in enumerate(_lines(file)):
            done += len(line) + 1
            if count % 2000 == 0:
                progress.update(task, completed=done)
            yield line


def _lines(file: BinaryIO) -> Iterator[bytes]:
    try:
        yield from read_lines(file)
    except OSError as error:
        raise InputError(f"{file.name}: cannot be read: {error.strerror}") from None


def _report(rejection: Rejection, count: int) -> None:
    if count <= MOST_REJECTIONS_SHOWN:
        click.echo(f"line {rejection.line}: {rejection.reason}: {rejection.message}", err=True)
