"""``hearthwatch policy``: what makes a score."""

from __future__ import annotations

import datetime as dt
import json
import zoneinfo
from pathlib import Path
from typing import Final

import click

from hearthwatch.cli import LazyGroup
from hearthwatch.cli.faults import faults_text, read_or_leave
from hearthwatch.cli.options import LANG
from hearthwatch.settings import load_settings
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import FileFaults

COMMANDS: Final = {
    "activate": "hearthwatch.cli.policy_activate:activate",
    "explain": "hearthwatch.cli.explain:explain_command",
    "status": "hearthwatch.cli.policy_activate:status",
}

_FILE = click.argument("file", type=click.Path(path_type=Path), required=False)
_CATALOG = click.option(
    "--catalog",
    "catalog_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The catalogue to check against; by default that of the settings, which is the Wuchang one.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=LazyGroup, table=COMMANDS)
def policy() -> None:
    """Check, show, explain and activate a policy: from facts to a score, levels and warnings."""


@policy.command(epilog="Example: hearthwatch policy check rules/policies/wuchang.yaml")
@_FILE
@_CATALOG
@_JSON
def check(file: Path | None, catalog_file: Path | None, as_json: bool) -> None:
    """Check a policy FILE against the catalogue and report every fault with its place.

    Without FILE that of the settings is checked. Exit status 2 if the policy or the catalogue is faulty.
    """
    path = _policy_path(file)
    read, catalog = read_or_leave(path, lambda: _read(path, catalog_file), as_json=as_json)
    if as_json:
        summary = {
            "file": str(path),
            "policy": read.id,
            "version": read.version,
            "digest": read.digest,
            "catalog": catalog.id,
            "dimensions": len(read.dimensions),
            "levels": len(read.levels),
            "indicators": len(read.indicators),
            "faults": [],
        }
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{path}: good. Policy {read.id}, version {read.version}: {len(read.dimensions)} dimensions, "
        f"{len(read.levels)} levels, {len(read.indicators)} indicators; "
        f"it fits catalogue {catalog.id}, version {catalog.version}."
    )


@policy.command(epilog="Example: hearthwatch policy show --lang zh --dimension health")
@_FILE
@_CATALOG
@LANG
@click.option("--dimension", metavar="ID", help="Only the indicators of this dimension.")
@click.option(
    "--day",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="YYYY-MM-DD",
    help="Give parameters and bounds as of this day; by default today in the policy's time zone.",
)
@_JSON
def show(
    file: Path | None,
    catalog_file: Path | None,
    lang: str,
    dimension: str | None,
    day: dt.datetime | None,
    as_json: bool,
) -> None:
    """Show a policy FILE as tables: levels, parameters, and the indicators by dimension.

    Without FILE that of the settings is shown. For each indicator: what is measured and how long it counts,
    the points, how they fade, the level that it holds alone, and its basis.
    """
    try:
        read, catalog = _read(_policy_path(file), catalog_file)
    except FileFaults as error:
        click.echo(faults_text(error), err=True)
        raise click.exceptions.Exit(2) from None
    known = [one.id for one in read.dimensions]
    if dimension is not None and dimension not in known:
        raise click.BadParameter(f"unknown dimension `{dimension}`: one of {', '.join(known)}")
    date = day.date() if day is not None else dt.datetime.now(zoneinfo.ZoneInfo(read.timezone)).date()
    number = (date - dt.date(1970, 1, 1)).days
    if as_json:
        from rules.policy_data import policy_data

        data = policy_data(read, day=number)
        if dimension is not None:
            data["indicators"] = [one for one in data["indicators"] if one["dimension"] == dimension]
        click.echo(json.dumps(data, ensure_ascii=False, indent=2))
        return
    from hearthwatch.cli.policy_tables import print_policy
    from rules.words import Words

    print_policy(Words(read, catalog, "zh" if lang == "zh" else "en", number), dimension)


def _policy_path(file: Path | None) -> Path:
    return load_settings().policy if file is None else file


def _read(path: Path, catalog_file: Path | None) -> tuple[Policy, Catalog]:
    catalog = read_catalog(load_settings().catalog if catalog_file is None else catalog_file)
    return read_policy(path, catalog), catalog
