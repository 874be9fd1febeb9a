"""``hearthwatch policy explain``: why a household has its score."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
import orjson

from hearthwatch.cli.backtest import open_events, with_progress
from hearthwatch.cli.options import LANG, parse_day
from hearthwatch.settings import load_settings
from rules.backtest import Backtest
from rules.compile import Rules
from rules.explain import Explanation, explain, sentences
from rules.policy import Policy
from rules.policy_file import read_policy
from rules.state import Household
from rules.words import Language
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import InputError


@click.command(
    epilog="Examples: hearthwatch policy explain H-1042 (of the running system) | "
    "hearthwatch policy explain H-1042 --events events.jsonl --lang zh"
)
@click.argument("household", required=False)
@click.option("--events", type=click.Path(path_type=Path), help="Events, one per line, as for a backtest.")
@click.option("--catalog", type=click.Path(path_type=Path), help="With --events: default is the setting's.")
@click.option("--policy", type=click.Path(path_type=Path), help="With --events: default is the setting's.")
@click.option("--until", metavar="YYYY-MM-DD", help="With --events: let days pass up to this one.")
@LANG
@click.option("--json", "as_json", is_flag=True, help="One line of JSON a household.")
def explain_command(
    household: str | None,
    events: Path | None,
    catalog: Path | None,
    policy: Path | None,
    until: str | None,
    lang: Literal["en", "zh"],
    as_json: bool,
) -> None:
    """Explain the score of HOUSEHOLD in sentences: dimension, indicator, person and fact.

    Without --events it is read from the running system. With --events and without HOUSEHOLD every household
    that stands at a warning level after those events is explained.
    """
    if events is None:
        if household is None:
            raise InputError("Name a HOUSEHOLD of the running system, or a file of events with --events.")
        if catalog or policy or until:
            raise InputError("--catalog, --policy and --until go with --events.")
    if household is not None:
        home, rules, read = _one(household, events, catalog, policy, until)
        homes = [home]
    else:
        assert events is not None
        run = _run(events, catalog, policy, parse_day(until))
        rules, read = run.rules, run.decoder.catalog
        homes = sorted((home for home in run.households.values() if home.level), key=lambda home: home.id)
    for at, home in enumerate(homes):
        explanation = explain(home, rules, read, language=lang)
        if as_json:
            click.echo(orjson.dumps(explanation.as_json()))
        else:
            click.echo(("\n" if at else "") + "\n".join(sentences(explanation, lang)))
    if not homes:
        click.echo("No household stands at a warning level.", err=True)


def explained(
    household: str, events: Path | None, until: str | None, language: Language
) -> tuple[Explanation, Policy, Catalog]:
    """One household's explanation, of the running system or after the events of a file; what it goes by too.

    Raises:
        InputError: there is no such household, or no such file.
    """
    if events is None and until is not None:
        raise InputError("--until goes with --events.")
    home, rules, read = _one(household, events, None, None, until)
    return explain(home, rules, read, language=language), rules.policy, read


def _one(
    household: str, events: Path | None, catalog: Path | None, policy: Path | None, until: str | None
) -> tuple[Household, Rules, Catalog]:
    """A household of the running system or, where ``events`` are given, after them."""
    if events is None:
        from hearthwatch.cli.household import live_household

        return live_household(household)
    run = _run(events, catalog, policy, parse_day(until))
    if household not in run.households:
        raise InputError(f"{events}: no accepted event concerns the household `{household}`")
    return run.households[household], run.rules, run.decoder.catalog


def _run(events: Path, catalog: Path | None, policy: Path | None, last_day: int | None) -> Backtest:
    settings = load_settings()
    read = read_catalog(catalog or settings.catalog)
    run = Backtest(read, read_policy(policy or settings.policy, read))
    with open_events(events) as file:
        for line, value in enumerate(with_progress(file), start=1):
            run.feed(line, value)
    run.finish(last_day)
    return run
