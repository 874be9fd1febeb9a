"""``hearthwatch policy activate`` and ``status``: another policy for the running system."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from hearthwatch.activation import (
    Standing,
    VersionClashError,
    check_version,
    preview,
    standings,
    version_clash,
    wait_until_taken,
)
from hearthwatch.cli.local import reporting
from hearthwatch.cli.options import Seconds
from hearthwatch.connections import kafka_connection
from hearthwatch.counted import counted
from hearthwatch.running import create_topics, files_of, in_force, open_ledger
from hearthwatch.screen import wide_console
from hearthwatch.settings import Settings, load_settings
from hearthwatch.topic_plan import planned_topics
from rules.policy import Policy
from rules.preview import Level, Preview, conflicts, lost_types
from rules.rulebook import Rulebook
from streams.errors import InputError
from streams.policies import Activation, Files
from streams.policies_topic import append, read_activations

#: Of a partition in which nothing has ever been: it begins under what holds then.
NO_RECORDS = "no records yet"
#: Communities in the table; --json has all.
MOST_COMMUNITIES = 20


@click.command(epilog="Example: hearthwatch policy activate my-policy.yaml --dry-run")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--catalog",
    "catalog_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The catalogue that goes with it; by default the one that holds.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many households would change level.")
@click.option(
    "--drop-types",
    is_flag=True,
    help="Also where live facts are of a type that the new catalogue does not have; they count no more.",
)
@click.option("--no-wait", is_flag=True, help="Return when it is activated, not when all partitions run it.")
@click.option(
    "--timeout",
    type=Seconds(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long the partitions may take.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def activate(
    file: Path,
    catalog_file: Path | None,
    dry_run: bool,
    drop_types: bool,
    no_wait: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Let the policy FILE take over in the running system, whole with its catalogue.

    It is checked, gets the next number, and every partition takes it at its own point of its log; then every
    household is evaluated anew while events go on, and warnings have the reason `policy`. An older version
    can be activated again. Exit status 2 if a file is faulty or does not fit the facts that are there.
    """
    settings = in_force(load_settings())
    book = Rulebook(read_activations(kafka_connection(settings), needed=True))
    if not book.newest:
        raise InputError(
            "nothing has run here yet: the first `hearthwatch up` activates the files it is given"
        )
    files, new = _read(file, catalog_file, book)
    policy = new.files(new.newest)[1]
    latest = book.activations[-1]
    is_same = files.digest == latest.digest
    if not is_same:
        _check_catalogs(settings, book, new, files, drop_types=drop_types or dry_run)
        check_version(book, files, new)
    if dry_run:
        with reporting() as report:
            found = preview(settings, book, new, report)
        _show_preview(found, policy, as_json)
        return
    if is_same:
        number = latest.number
    else:
        create_topics(settings, planned_topics(settings, new.catalog(new.newest)))
        number = append(kafka_connection(settings), files, received_ms=_received(settings, book))
        book = Rulebook(read_activations(kafka_connection(settings), needed=True))
        if number not in book:  # somebody activated the same files at the same moment: it repeats that
            number = max(one.number for one in book.activations if one.number < number)
            is_same = True
    if not as_json:
        verb = "is in force already" if is_same else "is activated"
        click.echo(f"Policy {policy.id} version {policy.version} {verb} (activation {number}).")
        for one in book.after(number):
            later = book.files(one.number)[1]
            click.echo(
                f"Activation {one.number} came right after it and holds: policy {later.id} version"
                f" {later.version} ({one.files.policy_name})."
            )
    taken: list[Standing] = []
    if not no_wait:
        with reporting() as report:
            taken = wait_until_taken(settings, book, timeout, report)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "activation": number, "policy": policy.id, "version": policy.version,
                    "digest": files.digest, "is_new": not is_same, "is_taken": bool(taken),
                    "newest": book.newest,
                }
            )
        )  # fmt: skip
    elif taken:
        click.echo(_taken_by(taken, book.newest))
    if (clash := version_clash(book, policy, before=number)) is not None:
        # Both stand on the topic, and partitions take both: nothing can be called back.
        raise VersionClashError(
            f"policy {policy.id} version {policy.version} was activated at the same moment with other content"
            f" (activation {clash}), and warnings tell them apart by the version alone: raise `version` and"
            " activate again"
        )


def _taken_by(taken: Sequence[Standing], newest: int) -> str:
    """Who runs it by now; a partition in which nothing has ever been has nothing to run it on."""
    homes = sum(one.states for one in taken if one.stage == "household")
    fresh = sum(one.number is None for one in taken)
    who = _all(len(taken), "")
    if fresh:
        who = _all(len(taken) - fresh, "that have had records ")
    others = counted(fresh, "other begins with its", "others begin with their")
    more = f" ({others} first record)" if fresh else ""
    evaluated = counted(homes, "household is", "households are")
    return f"{who} activation {newest}{more}; {evaluated} evaluated."


def _all(partitions: int, which: str) -> str:
    if partitions == 1:
        return f"The only partition {which.replace('have', 'has')}runs"
    return f"All {partitions} partitions {which}run"


def _read(file: Path, catalog_file: Path | None, book: Rulebook) -> tuple[Files, Rulebook]:
    """The files as they are activated, checked; and a book with them alone."""
    if catalog_file is not None:
        files = files_of(file, catalog_file)
    else:
        held = book.activations[-1].files
        files = files_of(file, file)
        files = Files(files.language, files.policy, files.policy_name, held.catalog, held.catalog_name)
    from rules.policy_file import read_policy
    from streams.catalog_file import read_catalog

    # Read by their paths, so that faults name them as they were given.
    catalog = read_catalog(catalog_file or files.catalog_name, files.catalog)
    read_policy(file, catalog, files.policy)
    return files, Rulebook([Activation(1, 0, files, files.digest)])


def _check_catalogs(
    settings: Settings, book: Rulebook, new: Rulebook, files: Files, *, drop_types: bool
) -> None:
    old_catalog, new_catalog = book.catalog(book.newest), new.catalog(new.newest)
    if found := conflicts(old_catalog, new_catalog):
        raise InputError("\n".join(f"{files.catalog_name}: {one}" for one in found))
    if lost_types(old_catalog, new_catalog) and not drop_types:
        with reporting() as report:
            lost = preview(settings, book, new, report).lost
        if lost:
            rows = "\n".join(f"  {type}: {number} live facts" for type, number in sorted(lost.items()))
            raise InputError(
                f"{files.catalog_name}: it lacks types of which facts are kept, that would count no more:\n"
                f"{rows}\nleave them in, or say --drop-types"
            )


def _received(settings: Settings, book: Rulebook) -> int | None:
    """The time of the activation where the log is the clock: the latest midnight that it has seen."""
    if asyncio.run(_clock(settings)) != "log":
        return None
    days = [one.day for one in standings(settings, book) if one.day is not None]
    midnight = book.rules(book.newest).calendar.midnight_of(max(days)) if days else None
    return None if midnight is None else midnight // 1000


async def _clock(settings: Settings) -> str:
    ledger = open_ledger(settings)
    try:
        return (await ledger.made_with()).get("clock", settings.clock)
    finally:
        await ledger.close()


def _show_preview(found: Preview, policy: Policy, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                {
                    "policy": policy.id, "version": policy.version, "households": found.households,
                    "changed": found.changed, "levels": _rows(found.changes),
                    "communities": [
                        {"community": community, "levels": _rows(changes)}
                        for community, changes in sorted(
                            found.communities.items(), key=lambda item: item[0] or ""
                        )
                    ],
                    "warnings": dict(sorted(found.warnings.items())),
                    "lost_types": dict(sorted(found.lost.items())),
                }
            )
        )  # fmt: skip
        return
    console = wide_console()
    console.print(
        f"Policy {policy.id} version {policy.version} would change the level of {found.changed} of"
        f" {counted(found.households, 'household')}, and raise {counted(found.warnings.total(), 'warning')}."
        " Nothing was changed."
    )
    for type, number in sorted(found.lost.items()):
        console.print(
            f"{counted(number, 'live fact')} of the type {type} would count no more.", style="yellow"
        )
    if not found.changed:
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("level now", "level then", "households"):
        table.add_column(heading, justify="right" if heading == "households" else "left")
    for row in _rows(found.changes):
        if row["from"] != row["to"]:
            table.add_row(row["from"] or "none", row["to"] or "none", str(row["households"]))
    console.print(table)
    table = Table(box=None, pad_edge=False)
    for heading in ("community", "households", "changes"):
        table.add_column(heading, justify="right" if heading == "households" else "left")
    ranked = sorted(found.communities.items(), key=lambda item: (-item[1].total(), item[0] or ""))
    for community, changes in ranked[:MOST_COMMUNITIES]:
        told = ", ".join(
            f"{row['from'] or 'none'} to {row['to'] or 'none'}: {row['households']}" for row in _rows(changes)
        )
        table.add_row(community or "none", str(changes.total()), told)
    console.print(table)
    if len(ranked) > MOST_COMMUNITIES:
        console.print(f"and {len(ranked) - MOST_COMMUNITIES} more communities (--json has them all)")


def _rows(changes: Counter[tuple[Level, Level]]) -> list[dict[str, Any]]:
    return [
        {"from": before, "to": after, "households": number}
        for (before, after), number in sorted(
            changes.items(), key=lambda item: (item[0][0] or "", item[0][1] or "")
        )
    ]


@click.command(
    epilog="Example: hearthwatch policy status --json | jq '.partitions[] | select(.is_at_newest | not)'"
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:
    """Show what was activated, and which partition runs which version.

    Exit status 1 as long as a partition does not run the newest, or has households to evaluate by it.
    """
    settings = in_force(load_settings())
    book = Rulebook(read_activations(kafka_connection(settings), needed=True))
    found = standings(settings, book) if book.newest else []
    rows = [_activation(book, one) for one in book.activations]
    is_done = bool(rows) and all(one.is_at(book.newest) for one in found)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "newest": book.newest or None, "is_done": is_done, "activations": rows,
                    "partitions": [_standing(one, book) for one in found],
                }
            )
        )  # fmt: skip
    elif not rows:
        click.echo("Nothing was activated yet: the first `hearthwatch up` activates the files it is given.")
    else:
        _print(rows, found, book)
    if not is_done:
        click.get_current_context().exit(1)


def _activation(book: Rulebook, one: Activation) -> dict[str, Any]:
    catalog, policy = book.files(one.number)
    return {
        "activation": one.number,
        "policy": policy.id,
        "version": policy.version,
        "digest": policy.digest[:12],
        "catalog": catalog.id,
        "catalog_version": catalog.version,
        "catalog_digest": catalog.digest[:12],
        "received": dt.datetime.fromtimestamp(one.received / 1e6, dt.UTC).isoformat(timespec="seconds"),
        "file": one.files.policy_name,
    }


def _standing(one: Standing, book: Rulebook) -> dict[str, Any]:
    version = None if one.number is None else book.files(one.number)[1].version
    return {
        "stage": one.stage, "topic": one.topic, "partition": one.partition, "activation": one.number,
        "version": version, "evaluated_by": one.swept, "households": one.states,
        "is_at_newest": one.is_at(book.newest),
    }  # fmt: skip


def _print(rows: Sequence[dict[str, Any]], found: Sequence[Standing], book: Rulebook) -> None:
    console = wide_console()
    table = Table(box=None, pad_edge=False)
    for heading in ("activation", "policy", "version", "digest", "catalogue", "received", "file"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            str(row["activation"]), row["policy"], str(row["version"]), row["digest"],
            f"{row['catalog']} {row['catalog_version']}", row["received"], row["file"],
        )  # fmt: skip
    console.print(table)
    console.print()
    table = Table(box=None, pad_edge=False)
    for heading in ("stage", "topic", "partitions", "activation", "version", "households evaluated"):
        table.add_column(heading)
    groups: dict[tuple[str, str, int | None, bool], list[int]] = {}
    for one in found:
        key = (one.stage, one.topic, one.number, one.is_at(book.newest))
        groups.setdefault(key, []).append(one.partition)
    for (stage, topic, number, is_done), partitions in groups.items():
        which = ", ".join(map(str, partitions))
        if number is None:
            table.add_row(stage, topic, which, NO_RECORDS, "", "")
            continue
        done = "" if stage == "intake" else "all" if is_done else "not yet"
        table.add_row(stage, topic, which, str(number), str(book.files(number)[1].version), done)
    console.print(table)
