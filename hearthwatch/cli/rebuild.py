"""``hearthwatch rebuild``: the ledger made again from Kafka, or compared with what Kafka says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from hearthwatch.cli.options import Whole
from hearthwatch.cli.worker import CASE_STAGES, STAGES
from hearthwatch.counted import counted
from hearthwatch.running import in_force, open_ledger
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import worker_config
from streams.errors import InputError

if TYPE_CHECKING:  # they load Faust, which takes half a second
    from agents.app import WorkerConfig
    from agents.rebuild.restore import Restored
    from agents.rebuild.verify import Verified

Tell = Callable[[str, int, int], None]


@click.command(epilog="Example, when Redis was lost: hearthwatch rebuild && hearthwatch up")
@click.option("--stage", type=click.Choice(STAGES + CASE_STAGES), help="Only this stage (otherwise all).")
@click.option(
    "--partition",
    type=Whole(0),
    help="This partition of --stage, also where Redis has it (otherwise: what Redis has lost).",
)
@click.option("--from-log", is_flag=True, help="Pass snapshots over and replay the whole log.")
@click.option(
    "--verify",
    "is_verify",
    is_flag=True,
    help="Change nothing: compare Redis with a rebuild in memory, also while workers run.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def rebuild(
    stage: Literal["intake", "person", "household", "forward", "cases", "dispatch"] | None,
    partition: int | None,
    from_log: bool,
    is_verify: bool,
    as_json: bool,
) -> None:
    """Make the ledger's states in Redis again from Kafka: snapshots, and the log behind them.

    Without options it makes again what Redis has lost, and leaves alone what is there; partitions that are
    there go on meanwhile. Warnings, moves, and events of cases that had not been sent before the loss are
    sent, under the numbers that they have in any case; what is on the topics already is not sent again.
    Workers that wait for a lost partition go on with it by themselves.

    With --verify it prints the first difference and exits with 1 if there is one.
    """
    from agents.rebuild.restore import WITHOUT_STATES

    if partition is not None and stage is None:
        raise InputError("--partition needs --stage: each stage has partitions of its own")
    if is_verify and stage in WITHOUT_STATES:
        raise InputError(f"--verify compares states, and {stage} keeps none")
    settings = as_made(in_force(load_settings()))
    config = worker_config(settings, name="rebuild", is_static=False, metrics_port=None)
    if not is_verify:
        with shown(as_json) as tell:
            restored = asyncio.run(_restore(settings, config, stage, partition, from_log, tell))
        _print_restored(restored, as_json)
        return
    with shown(as_json) as tell:
        verified = asyncio.run(_verify(settings, config, stage, partition, from_log, tell))
    _print_verified(verified, as_json)
    if any(one.differences for one in verified):
        click.get_current_context().exit(1)


def as_made(settings: Settings) -> Settings:
    """The settings with the clock that the data was made with: a replay has to see the days that were."""

    async def ask() -> str | None:
        ledger = open_ledger(settings)
        try:
            return (await ledger.made_with()).get("clock")
        finally:
            await ledger.close()

    clock = asyncio.run(ask())
    return settings if clock is None else settings.model_copy(update={"clock": clock})


@contextlib.contextmanager
def shown(is_quiet: bool) -> Iterator[Tell]:
    """A progress bar on a terminal; nothing elsewhere."""
    console = Console(stderr=True)
    if is_quiet or not console.is_terminal:
        yield lambda what, done, total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task: TaskID = progress.add_task("Connecting", total=None)

        def tell(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total or None)

        yield tell


async def _restore(
    settings: Settings, config: WorkerConfig, stage: Any, partition: int | None, from_log: bool, tell: Tell
) -> list[Restored]:
    from agents.rebuild.restore import Rebuild

    ledger = open_ledger(settings)
    work = Rebuild(config, ledger, from_log=from_log, tell=tell)
    try:
        return await work.run(await work.places(stage, partition))
    finally:
        await work.close()
        await ledger.close()


async def _verify(
    settings: Settings, config: WorkerConfig, stage: Any, partition: int | None, from_log: bool, tell: Tell
) -> list[Verified]:
    from agents.ledger.restoring import identify
    from agents.rebuild.restore import WITHOUT_STATES, Rebuild
    from agents.rebuild.verify import verify

    ledger = open_ledger(settings)
    work = Rebuild(config, ledger, from_log=from_log, tell=tell)
    try:
        places = sorted(
            (
                place
                for place in await identify(ledger)
                if place.stage not in WITHOUT_STATES
                and stage in (None, place.stage)
                and partition in (None, place.partition)
            ),
            key=lambda place: (place.stage != "person", place.topic, place.partition),
        )
        if not places:
            raise InputError("no such partition has started: nothing to compare")
        return [await verify(work, ledger, place, tell) for place in places]
    finally:
        await work.close()
        await ledger.close()


def _place(one: Restored | Verified) -> dict[str, Any]:
    return asdict(one.place)


def _print_restored(restored: list[Restored], as_json: bool) -> None:
    if as_json:
        rows = [{**_place(one), **{k: v for k, v in asdict(one).items() if k != "place"}} for one in restored]
        click.echo(json.dumps(rows))
        return
    if not restored:
        click.echo("Redis has every partition that has started: nothing to rebuild.")
        return
    from agents.rebuild.restore import WITHOUT_STATES

    console = wide_console()
    for one in restored:
        if one.place.stage in WITHOUT_STATES:
            how = f"goes on at offset {one.end}"
        else:
            source = "its snapshots" if one.is_from_snapshot else "nothing"
            states = counted(one.states, "state")
            how = f"{states} from {source} and offsets {one.start} to {one.end}, {one.sent} sent"
        console.print(f"{one.place}: {how} ({one.seconds:.1f} s)", markup=False, highlight=False)
        if one.renumbered:
            console.print(
                f"  {counted(one.renumbered, 'household')} had more warnings than this program would have"
                " sent (an earlier version scored otherwise): their numbers go on after the last one sent",
                markup=False,
            )
    click.echo("Workers go on with these partitions by themselves; start them if none run.")


def _print_verified(verified: list[Verified], as_json: bool) -> None:
    if as_json:
        rows = [{**_place(one), **{k: v for k, v in asdict(one).items() if k != "place"}} for one in verified]
        click.echo(json.dumps(rows))
        return
    console = wide_console()
    for one in verified:
        if one.differences:
            text = f"{counted(one.differences, 'difference')}, the first: {one.first}"
        else:
            text = (
                f"{counted(one.states, 'state is', 'states are')} what a rebuild makes, at offset {one.end}"
            )
            if not one.is_counted:
                text += "; levels were not counted: households are still catching up with a day or a policy"
        console.print(f"{one.place}: {text}", markup=False, highlight=False)
