"""``hearthwatch policy explain``: why a household has its score."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from hearthwatch.cli.backtest import open_events, parse_day, with_progress
from rules.backtest import Backtest
from rules.explain import explain, sentences
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import InputError


@click.command(
    epilog="Example: hearthwatch policy explain H1 --events events.jsonl --lang zh. "
    "For a household of the running system: hearthwatch household show H1."
)
@click.argument("household", required=False)
@click.option("--events", required=True, type=click.Path(path_type=Path), help="Events, one per line, as for a backtest.")
@click.option("--catalog", type=click.Path(path_type=Path), help="Who may send what; default: the setting.")
@click.option("--policy", type=click.Path(path_type=Path), help="The rules; default: the setting.")
@click.option("--until", metavar="YYYY-MM-DD", help="Let days pass up to this one after the last event.")
@click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Language.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a household.")
def explain_command(
    household: str | None,
    events: Path,
    catalog: Path | None,
    policy: Path | None,
    until: str | None,
    lang: str,
    as_json: bool,
) -> None:
    """Explain the score of HOUSEHOLD after the events of a file, in sentences.

    Without HOUSEHOLD: of every household that stands at a warning level.
    """
    from hearthwatch.settings import load_settings  # imported late: reads the environment

    settings = load_settings()
    read = read_catalog(catalog or settings.catalog)
    run = Backtest(read, read_policy(policy or settings.policy, read))
    last_day = parse_day(until)
    with open_events(events) as file:
        for line, value in enumerate(with_progress(file), start=1):
            run.feed(line, value)
    run.finish(last_day)
    if household is None:
        homes = [home for home in run.households.values() if home.level]
    elif household in run.households:
        homes = [run.households[household]]
    else:
        raise InputError(f"{events}: no accepted event concerns the household `{household}`")
    language = "zh" if lang == "zh" else "en"
    for at, home in enumerate(sorted(homes, key=lambda home: home.id)):
        explanation = explain(home, run.rules, read, language=language)
        if as_json:
            click.echo(orjson.dumps(explanation.as_json()))
        else:
            click.echo(("\n" if at else "") + "\n".join(sentences(explanation, language)))
    if not homes:
        click.echo("No household stands at a warning level.", err=True)
