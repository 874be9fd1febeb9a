"""``hearthwatch tick``: let days pass, where the log is the clock."""

from __future__ import annotations

import asyncio
import json

import click

from hearthwatch.activated import activated
from hearthwatch.cli.options import Seconds, parse_day
from hearthwatch.connections import kafka_arguments
from hearthwatch.counted import counted
from hearthwatch.running import in_force, open_ledger
from hearthwatch.settings import Settings, load_settings
from rules.calendar import Calendar, day_text
from rules.policy import Policy
from streams.catalog import Catalog
from streams.errors import SettingsError


@click.command(epilog="Example: hearthwatch tick --until 2026-01-31")
@click.option(
    "--until", required=True, metavar="YYYY-MM-DD", help="The day that every household is to reach."
)
@click.option(
    "--no-wait", is_flag=True, help="Return when the ticks are in the log, not when all have seen them."
)
@click.option(
    "--timeout",
    type=Seconds(min=1),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the workers may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was done as one line of JSON.")
def tick(until: str, no_wait: bool, timeout: float, as_json: bool) -> None:
    """Let all local midnights up to a day pass, with `clock: log` (demos, tests, replays).

    First waits until everything that was published before has come through, so that the days end behind it;
    then, unless told otherwise, until every household has seen them, their warnings have reached the cases,
    the deadlines of the cases have passed, and the alerts that are due by then are sent. With `clock: wall`
    the workers do this by themselves.
    """
    day = parse_day(until)
    assert day is not None
    settings = in_force(load_settings())
    ticked = asyncio.run(_tick(settings, day, activated(settings), wait=not no_wait, timeout_seconds=timeout))
    count, first, last, deadlines, alerts = ticked
    days = {
        "first": None if first is None else day_text(first),
        "last": None if last is None else day_text(last),
    }
    if as_json:
        click.echo(json.dumps({"ticks": count, **days, "deadlines": deadlines, "alerts": alerts}))
    elif first is None:
        click.echo("Nothing to do: no household is before that day, or nothing was published yet.")
    else:
        click.echo(f"The days {days['first']} to {days['last']} have passed ({counted(count, 'tick')}).")
    if deadlines and not as_json:
        click.echo(f"Deadlines passed in {counted(deadlines, 'case')}.")
    if alerts and not as_json:
        click.echo("The alerts that were due have been sent.")


async def _tick(
    settings: Settings, day: int, files: tuple[Catalog, Policy], *, wait: bool, timeout_seconds: float
) -> tuple[int, int | None, int | None, int, int]:
    from agents.deadlines import append_alert_ticks, append_case_ticks
    from agents.ticks import append_ticks

    ledger = open_ledger(settings)
    try:
        clock = (await ledger.made_with()).get("clock", settings.clock)
        if clock != "log":
            raise SettingsError(
                "the data is made with the clock `wall`, where the workers let days pass by themselves;"
                " `hearthwatch up --clock log` is for demos and replays"
            )
        catalog, policy = files
        done = await append_ticks(
            day,
            kafka=kafka_arguments(settings),
            ledger=ledger,
            catalog=catalog,
            calendar=Calendar(policy.timezone),
            wait=wait,
            timeout_seconds=timeout_seconds,
        )
        midnight = Calendar(policy.timezone).midnight_of(day)
        deadlines = alerts = 0
        if wait and midnight is not None:
            deadlines = await append_case_ticks(
                midnight, kafka=kafka_arguments(settings), ledger=ledger, timeout_seconds=timeout_seconds
            )
            alerts = await append_alert_ticks(
                midnight, kafka=kafka_arguments(settings), ledger=ledger, timeout_seconds=timeout_seconds
            )
    finally:
        await ledger.close()
    return done.ticks, done.first_day, done.last_day, deadlines, alerts
