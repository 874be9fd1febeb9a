"""``hearthwatch watch``: warnings as they come."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from hearthwatch.cli.options import LANG, Seconds
from hearthwatch.connections import kafka_connection
from hearthwatch.settings import load_settings
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import done_text, level_text, reason_text
from rules.policy import Policy
from rules.policy_file import read_policy
from rules.words import Language
from streams.catalog_file import read_catalog
from streams.warnings_topic import Start, WarningRecord, follow


@click.command(epilog="Example: hearthwatch watch --from beginning --lang zh")
@click.option(
    "--from",
    "start",
    type=click.Choice(["now", "beginning"]),
    default="now",
    show_default=True,
    help="Only warnings that come, or all that the topic holds first.",
)
@click.option(
    "--level", multiple=True, metavar="LEVEL", help="Only warnings to or from this level (repeatable)."
)
@click.option("--household", metavar="ID", help="Only warnings of this household.")
@LANG
@click.option(
    "--until-quiet",
    type=Seconds(min=0.1),
    metavar="SECONDS",
    help="End when no warning came for so long (for scripts).",
)
@click.option(
    "--catalog", type=click.Path(path_type=Path), metavar="FILE", help="The catalogue; default: the setting."
)
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The policy whose words are used; default: the setting.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print each message as one line of JSON, as it stands on Kafka."
)
def watch(
    start: Start,
    level: tuple[str, ...],
    household: str | None,
    lang: Language,
    until_quiet: float | None,
    catalog: Path | None,
    policy: Path | None,
    as_json: bool,
) -> None:
    """Show warnings as they come: day, level, household, score and why, in one line each.

    A warning that is repeated on Kafka is shown once. Ctrl-C is its ordinary end, with exit status 0.
    """
    settings = load_settings(catalog=catalog, policy=policy)
    rules = read_policy(settings.policy, read_catalog(settings.catalog))
    console = Console(soft_wrap=True, highlight=False)
    last = time.monotonic()
    try:
        for record in follow(
            kafka_connection(settings), start=start, ready=_say_ready if not as_json else lambda: None
        ):
            if record is None:
                if until_quiet is not None and time.monotonic() - last >= until_quiet:
                    return
                continue
            last = time.monotonic()
            if not _is_wanted(record, level, household):
                continue
            if as_json:
                click.echo(record.body)
            else:
                console.print(warning_line(record, rules, lang))
    except KeyboardInterrupt:
        return


def warning_line(record: WarningRecord, policy: Policy, language: Language) -> Text:
    """One warning as one coloured line."""
    data = record.message["data"]
    style = level_style(data["level"], policy)
    line = Text()
    line.append(f"{data['day']}  ", style="dim")
    line.append(f"{level_text(data['level'], policy, language)}  ", style=style)
    line.append(f"{done_text(record.message['type'], language)}  ")
    line.append(f"{record.household}", style="bold")
    line.append(f"  {data['previous_score']} → {data['score']}  ", style="dim")
    line.append(reason_text(record.message, policy, language))
    return line


def _is_wanted(record: WarningRecord, levels: tuple[str, ...], household: str | None) -> bool:
    data = record.message["data"]
    if household is not None and record.household != household:
        return False
    return not levels or data["level"] in levels or data["previous_level"] in levels


def _say_ready() -> None:
    if sys.stderr.isatty():
        click.echo("Watching for warnings; Ctrl-C ends it.", err=True)
