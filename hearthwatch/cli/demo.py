"""``hearthwatch demo``: the whole program at work, on a small district, in about a minute."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from casework.alerts.routes_file import read_routes
from hearthwatch.casework_files import casebook
from hearthwatch.cli.options import LANG
from hearthwatch.connections import kafka_connection
from hearthwatch.demo.helping import Messages
from hearthwatch.demo.play import Play
from hearthwatch.demo.screen import Lines, Screen
from hearthwatch.demo.servers import CHANNELS, DemoServers
from hearthwatch.demo.summary import Result, print_summary
from hearthwatch.demo.tally import Tally
from hearthwatch.demo.timeline import read_timeline
from hearthwatch.demo.words import WORDS
from hearthwatch.setting_sources import CONFIG_VARIABLE, PREFIX
from hearthwatch.settings import Settings, load_settings
from hearthwatch.worker_config import catalog_and_policy
from rules.policy import Policy, Titles
from rules.words import Language
from streams.deadletter_topic import read_dead_letters

#: Without a terminal, in columns.
_LOG_WIDTH = 150


@click.command(epilog="Example: hearthwatch demo --keep")
@click.option("--keep", is_flag=True, help="Leave everything running at the end, to look around.")
@LANG
@click.option("--json", "as_json", is_flag=True, help="Print only the summary, as one JSON object.")
def demo(keep: bool, lang: Language, as_json: bool) -> None:
    """Watch a small district live through twelve years, on a real Kafka, in about a minute.

    Starts Kafka, Valkey and the workers on free ports, with data in a folder of their own; publishes what
    happened to 103 synthetic patients, a made-up district and eight families whose stories are told in
    examples/stories: ten years by the quarter, then two by the week, and by the day where a story goes on;
    shows the warnings as they come, the alerts that go out, and what staff do for two of the families until
    they are helped; and stops everything. What was sent is real work: nothing is shown that did not come back
    over Kafka. Alerts go into files: nobody is told.

    Every run has the same warnings and the same help; how long it takes, and how many messages alerts are
    bundled into, may differ.

    Exit status 0 if every story and all help came out as told and every bad event ended in the dead letters
    with its reason, 1 otherwise.
    """
    words = WORDS[lang]
    began = time.monotonic()
    servers = DemoServers(load_settings().data_dir / "demo")
    is_live = sys.stdout.isatty() and not as_json
    console = Console(
        file=sys.stderr if as_json else None,
        highlight=False,
        width=None if sys.stdout.isatty() else _LOG_WIDTH,
    )
    with _ctrl_c_by_sigterm():
        try:
            result = _played(servers, lang, console, began, is_live=is_live, quiet=as_json)
        except BaseException:
            _stop(servers, console, words)
            raise
        if as_json:
            click.echo(json.dumps(_as_json(result, servers, keep=keep), ensure_ascii=False))
        else:
            print_summary(result, lang, console)
        if not keep:
            _stop(servers, console, words)
    if not as_json:
        _print_next(servers, console, words, keep=keep)
    if not result.is_good:
        click.get_current_context().exit(1)


def _played(
    servers: DemoServers, language: Language, console: Console, began: float, *, is_live: bool, quiet: bool
) -> Result:
    words = WORDS[language]
    with console.status(words["starting"]) if is_live else _said(console, words["starting"]):
        servers.clear()
        settings = servers.settings()
        catalog, policy = catalog_and_policy(settings)
        # What will happen is put together while the servers start.
        with ThreadPoolExecutor(1) as beside:
            starting = beside.submit(servers.up)
            book = casebook(settings, catalog, policy)
            timeline = read_timeline(catalog, book)
            starting.result()
    tally = Tally(timeline, policy, book, teams=_teams(settings, policy))
    ready = words["ready"].format(seconds=time.monotonic() - began, households=len(timeline.households))
    console.print(Text(ready))
    lines = Lines(tally, language)
    play = Play(
        settings,
        catalog,
        policy,
        timeline,
        tally,
        Messages(servers.folder, CHANNELS if settings.routes is not None else ()),
        on_day=(lambda: None) if is_live or quiet else lines.day,
    )
    if is_live:
        with Live(Screen(tally, language), console=console, refresh_per_second=8, vertical_overflow="crop"):
            asyncio.run(play.run())
    else:
        asyncio.run(play.run())
    dead_letters = Counter(one.reason or "" for one in read_dead_letters(kafka_connection(settings)))
    first = None if tally.first_warning is None else tally.first_warning - began
    return Result(tally, time.monotonic() - began, first, dead_letters, play.helped)


def _teams(settings: Settings, policy: Policy) -> dict[str, Titles]:
    if settings.routes is None:
        return {}
    return {team.id: team.title for team in read_routes(settings.routes, policy).teams.values()}


@contextmanager
def _said(console: Console, text: str) -> Iterator[None]:
    console.print(text)
    yield


def _stop(servers: DemoServers, console: Console, words: dict[str, str]) -> None:
    if servers.config.exists():
        console.print(Text(words["stopping"], style="dim"))
        servers.down()


def _as_json(result: Result, servers: DemoServers, *, keep: bool) -> dict[str, Any]:
    return {**result.as_json(), "kept": keep, "config": str(servers.config)}


def _print_next(servers: DemoServers, console: Console, words: dict[str, str], *, keep: bool) -> None:
    program = _program()
    rows: list[tuple[str, str]]
    if keep:
        # Variables win over a file: those of the user's own installation would lead away from the demo.
        others = sorted(name for name in os.environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE)
        rows = [
            *([(f"unset {' '.join(others)}", words["next-unset"])] if others else []),
            (f"export {CONFIG_VARIABLE}={shlex.quote(str(servers.config))}", words["next-config"]),
            (f"{program} watch --from beginning --until-quiet 2", words["next-watch"]),
            (f"{program} household show story-zhou", words["next-household"]),
            (f"{program} case list --community 420106 --limit 10", words["next-cases"]),
            (f"{program} case show story-zhou-1", words["next-case"]),
            (f"{program} deadletters list", words["next-deadletters"]),
            (f"{program} status", words["next-status"]),
            (f"{program} down", words["next-down"]),
        ]
    else:
        rows = [
            (f"{program} demo --keep", words["next-keep"]),
            (f"{program} up", words["next-up"]),
            ("docs/tutorial.md", words["next-docs"]),
        ]
    console.print()
    console.print(Text(words["kept"] if keep else words["next"], style="bold"))
    for command, meaning in rows:
        # The meaning above what is typed: both together are wider than most terminals.
        console.print(Text(f"  # {meaning}", style="dim"))
        console.print(Text(f"  {command}", style="cyan"), soft_wrap=True)


def _program() -> str:
    """How this program was called, for a person to type again: as short as it works from here."""
    called = Path(sys.argv[0])
    if called.name != "hearthwatch":
        return "hearthwatch"
    found = shutil.which("hearthwatch")
    if found is not None and os.path.realpath(found) == os.path.realpath(called):
        return "hearthwatch"
    near = os.path.relpath(called)
    return near if not near.startswith("..") else str(called)


@contextmanager
def _ctrl_c_by_sigterm() -> Iterator[None]:
    """SIGTERM stops the demo as Ctrl-C does: with everything that it started."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
