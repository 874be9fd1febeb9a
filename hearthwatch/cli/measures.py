"""``hearthwatch measures``: which help there is, and which fits a family."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click
from rich.console import Console
from rich.table import Table

from casework.assistance.measures import Assistance
from casework.assistance.measures_file import DEFAULT, read_assistance
from casework.assistance.suggest import Suggestions, likely_causes, situation, suggest
from hearthwatch.cli.faults import read_or_leave
from hearthwatch.cli.groups import Group
from hearthwatch.cli.options import LANG
from hearthwatch.settings import load_settings
from rules.policy_file import read_policy
from rules.words import Language
from streams.catalog_file import read_catalog
from streams.errors import InputError
from streams.yamlfile import suggest as nearest

_FILE = click.option(
    "--measures",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A catalogue of assistance; by default the Wuchang one.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def measures() -> None:
    """Check and show the catalogue of assistance, and suggest what fits a family."""


@measures.command(epilog="Example: hearthwatch measures check casework/assistance/measures/wuchang.yaml")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@_JSON
def check(file: Path | None, as_json: bool) -> None:
    """Check a catalogue of assistance FILE against policy and catalogue, and report every fault.

    Without FILE the Wuchang one is checked. Exit status 2 if it is faulty.
    """
    path = file or DEFAULT
    read = read_or_leave(path, lambda: _read(path), as_json=as_json)
    if as_json:
        summary = {
            "file": str(path),
            "measures": read.id,
            "version": read.version,
            "digest": read.digest,
            "causes": len(read.causes),
            "assistance": len(read.measures),
            "faults": [],
        }
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{path}: good. Assistance {read.id}, version {read.version}: {len(read.causes)} causes, "
        f"{len(read.measures)} measures."
    )


@measures.command("list", epilog="Example: hearthwatch measures list --cause illness --lang zh")
@_FILE
@click.option("--cause", metavar="ID", help="Only the measures that answer this cause.")
@LANG
@_JSON
def list_(file: Path | None, cause: str | None, lang: Language, as_json: bool) -> None:
    """List the measures: for which causes and levels, from whom, on what basis."""
    read = _read(file or DEFAULT)
    _check_causes(read, (cause,) if cause is not None else ())
    shown = [one for one in read.measures.values() if cause is None or cause in one.causes]
    if as_json:
        rows = [
            {
                "measure": one.id,
                "title": one.title,
                "gives": one.gives,
                "provider": one.provider,
                "causes": one.causes,
                "levels": one.levels,
                "needs": one.needs,
                "signs": one.signs,
                "unless": one.unless,
                "documents": one.documents,
                "papers_within_days": one.papers_within_days,
                "basis": one.basis,
            }
            for one in shown
        ]
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
        return
    table = Table(title=f"Assistance {read.id}, version {read.version}")
    for heading in ("id", "what", "gives", "from", "for causes", "levels", "papers later"):
        table.add_column(heading)
    for one in shown:
        within = "" if one.papers_within_days is None else f"{one.papers_within_days} d"
        causes = ", ".join(one.causes)
        table.add_row(
            one.id, one.title[lang], one.gives[lang], one.provider, causes, ", ".join(one.levels), within
        )
    Console().print(table)


@measures.command(
    "suggest",
    epilog="Example: hearthwatch measures suggest story-wang-fuhong --cause illness --cause medical-costs",
)
@click.argument("household")
@click.option(
    "--cause", "causes", multiple=True, metavar="ID", help="A cause that staff assessed; repeatable."
)
@click.option("--events", type=click.Path(path_type=Path), help="Events, one per line, as for a backtest.")
@click.option("--until", metavar="YYYY-MM-DD", help="With --events: let days pass up to this one.")
@_FILE
@LANG
@_JSON
def suggest_(
    household: str,
    causes: tuple[str, ...],
    events: Path | None,
    until: str | None,
    file: Path | None,
    lang: Literal["en", "zh"],
    as_json: bool,
) -> None:
    """Suggest measures for HOUSEHOLD, the likeliest first, each with its reasons.

    The household is read from the running system, or with --events from a file. Without --cause the
    indicators behind its score decide, and the causes that they point to are named.
    """
    from hearthwatch.cli.explain import explained

    explanation, policy, catalog = explained(household, events, until, lang)
    read = read_assistance(file or DEFAULT, policy, catalog)
    _check_causes(read, causes)
    at = situation(explanation, causes)
    found = suggest(read, at, policy)
    likely = likely_causes(read, at.points)
    if as_json:
        document = {
            "household": household,
            "level": at.level,
            "causes": list(causes),
            "likely_causes": [{"cause": id, "points": points} for id, points in likely],
            **found.as_json(lang),
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if not causes and likely:
        named = ", ".join(f"{read.causes[id].title[lang]} ({id})" for id, _ in likely)
        click.echo(f"No cause was given; the indicators point to: {named}\n")
    _print(found, lang)


def _print(found: Suggestions, lang: Language) -> None:
    for number, one in enumerate(found.suggested, start=1):
        measure = one.measure
        click.echo(f"{number}. {measure.title[lang]} ({measure.id}), from {measure.provider}")
        click.echo(f"   {measure.gives[lang]}")
        for why in one.reasons:
            click.echo(f"   - {why.text[lang]}")
        if measure.documents:
            papers = "; ".join(document[lang] for document in measure.documents)
            later = (
                ""
                if measure.papers_within_days is None
                else f" (may follow in {measure.papers_within_days} days)"
            )
            click.echo(f"   papers{later}: {papers}")
    if not found.suggested:
        click.echo("Nothing in the catalogue speaks for itself here: staff know more than it does.")
    if found.withheld:
        click.echo("\nNot suggested:")
        for measure, why in found.withheld:
            click.echo(f"   {measure.title[lang]} ({measure.id}): {why.text[lang]}")


def _read(path: Path) -> Assistance:
    settings = load_settings()
    catalog = read_catalog(settings.catalog)
    return read_assistance(path, read_policy(settings.policy, catalog), catalog)


def _check_causes(read: Assistance, causes: tuple[str, ...]) -> None:
    for cause in causes:
        if cause not in read.causes:
            raise InputError(f"unknown cause `{cause}`: {nearest(cause, read.causes)}")
