"""``hearthwatch routes``: who is told of a case, and by which ways."""

from __future__ import annotations

import datetime as dt
import json
import os
import textwrap
from collections.abc import Sized
from pathlib import Path
from typing import Any, Final

import click

from casework.alerts.alert import COMMUNITY
from casework.alerts.rota import day_kind
from casework.alerts.routes import Routes, Team
from casework.alerts.routes_file import read_routes
from hearthwatch.cli.faults import read_or_leave
from hearthwatch.cli.groups import Group
from hearthwatch.cli.moments import instant_of
from hearthwatch.counted import counted
from hearthwatch.settings import load_settings
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import InputError
from streams.timestamps import SECOND

NOBODY: Final = "none"
"""What is typed for a household without a community."""
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def routes() -> None:
    """Check the routes of alerts, and see who is told of a community's cases."""


@routes.command(epilog="Example: hearthwatch routes check examples/routes/wuchang.yaml")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--secrets", is_flag=True, help="Also check that each address and key is set in the environment."
)
@_JSON
@click.pass_context
def check(context: click.Context, file: Path, secrets: bool, as_json: bool) -> None:
    """Check a routes FILE against the policy of the settings and report every fault with its place.

    Exit status 2 if it is faulty, 1 if --secrets finds something missing. No address is ever shown.
    """
    read = read_or_leave(file, lambda: _read(file), as_json=as_json)
    lacks = _missing(read) if secrets else []
    if as_json:
        summary: dict[str, Any] = {
            "file": str(file),
            "routes": read.id,
            "version": read.version,
            "digest": read.digest,
            "teams": len(read.teams),
            "members": len(read.members),
            "channels": len(read.channels),
            "faults": [],
        }
        if secrets:
            summary["missing"] = lacks
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
    else:
        click.echo(
            f"{file}: good. Routes {read.id}, version {read.version}: {_count(read.teams, 'team')}, "
            f"{_count(read.members, 'member')}, {_count(read.channels, 'channel')}."
        )
        _say_missing(lacks)
    if lacks:
        context.exit(1)


@routes.command(
    epilog="Example: hearthwatch routes who 420106007003 --at 2026-10-03T09:00 "
    "--routes examples/routes/wuchang.yaml"
)
@click.argument("community")
@click.option(
    "--routes", "file", type=click.Path(path_type=Path), metavar="FILE",
    help="The routes. Default: those of the settings (HEARTHWATCH_ROUTES).",
)  # fmt: skip
@click.option(
    "--at",
    metavar="TIME",
    help="When: 2026-10-03T09:00 in the routes' time zone, or with an offset; by default now.",
)
@_JSON
def who(community: str, file: Path | None, at: str | None, as_json: bool) -> None:
    """Who is told of a case in a COMMUNITY (12 digits, or none), in the order in which teams are tried."""
    if community != NOBODY and not COMMUNITY.fullmatch(community):
        raise InputError(f"`{community}` is no community: expected 12 digits, or {NOBODY}")
    file = file or load_settings().routes
    if file is None:
        raise click.UsageError("name the routes by --routes FILE, or set HEARTHWATCH_ROUTES")
    read = _read(file)
    when = _instant(at, read)
    local = dt.datetime.fromtimestamp(when // SECOND, read.zone)
    day = read.workdays.calendar.day_of(when)
    teams = [
        _team(read, team, when)
        for team in read.upwards(read.team_of(None if community == NOBODY else community))
    ]
    is_assumed = read.workdays.is_workday(day)[1]
    is_served = teams[0]["team"] != read.desk
    if as_json:
        found = {
            "community": None if community == NOBODY else community,
            "at": local.isoformat(),
            "day": day_kind(day, read.workdays),
            "day_is_assumed": is_assumed,
            "is_served": is_served,
            "teams": teams,
        }
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    kind = {"work": "a working day", "rest": "a day of rest", "holiday": "a holiday"}[
        day_kind(day, read.workdays)
    ]
    whose = "a household without a community" if community == NOBODY else community
    zone = getattr(read.zone, "key", str(read.zone))
    click.echo(f"{whose} at {local:%Y-%m-%d %H:%M} in {zone} ({kind}{', assumed' if is_assumed else ''}):")
    if community != NOBODY and not is_served:
        click.echo("No team below the district is for it: its cases go to the district's desk.")
    for number, team in enumerate(teams, start=1):
        click.echo(f"{number}. {team['team']} ({team['tier']}): {_told(team)}")
    if is_assumed:
        click.echo("The holidays of that year are not known to this program: see `calendar` of the routes.")


def _team(read: Routes, team: Team, at: int) -> dict[str, Any]:
    """A team, who of it is on call, and by which channels each is reached, in their order."""
    shared = [id_ for id_ in team.channels if not read.channels[id_].is_personal]
    personal = [id_ for id_ in team.channels if read.channels[id_].is_personal]
    return {
        "team": team.id,
        "tier": team.tier,
        "title": team.title,
        "channels": list(team.channels),
        "on_call": [
            {"member": one.id, "channels": [id_ for id_ in personal if id_ in one.contacts]}
            for one in read.on_call(team, at)
        ],
        "shared": shared,
    }


def _told(team: dict[str, Any]) -> str:
    parts = [
        f"{one['member']} by {', '.join(one['channels']) or 'no channel of the team'}"
        for one in team["on_call"]
    ]
    if team["shared"]:
        parts.append(f"all in {', '.join(team['shared'])}")
    return "; ".join(parts) or "nobody is on call then"


def _count(things: Sized, what: str) -> str:
    return counted(len(things), what)


def _say_missing(lacks: list[str]) -> None:
    """What the environment lacks: one in full, of the others only the names."""
    for one in lacks[:1]:
        click.echo(one, err=True)
    if names := [one.partition(" ")[0] for one in lacks[1:]]:
        click.echo(f"and {len(names)} more in the same way:", err=True)
        told = ", ".join(names)
        click.echo(textwrap.fill(told, 100, initial_indent="  ", subsequent_indent="  "), err=True)


def _instant(text: str | None, read: Routes) -> int:
    """Microseconds since 1970 of what was typed."""
    if text is None:
        return int(dt.datetime.now(dt.UTC).timestamp()) * SECOND
    return instant_of(text, read.zone, "--at")


def _read(file: Path) -> Routes:
    settings = load_settings()
    return read_routes(file, read_policy(settings.policy, read_catalog(settings.catalog)))


def _missing(read: Routes) -> list[str]:
    from agents.channels.secrets import missing

    return missing(read, os.environ)
