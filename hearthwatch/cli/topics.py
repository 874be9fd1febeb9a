"""``hearthwatch topics``: the topics on the broker, against what the design needs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from hearthwatch.cli.groups import Group
from hearthwatch.connections import kafka_connection
from hearthwatch.settings import Settings, load_settings
from hearthwatch.topic_plan import planned_topics
from streams import topics as topic_admin
from streams.catalog_file import read_catalog
from streams.topics import Topic, TopicState

_catalog_option = click.option(
    "--catalog",
    "catalog_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The catalogue that names the departments (otherwise that of HEARTHWATCH_CATALOG).",
)
_clock_option = click.option(
    "--clock",
    type=click.Choice(["wall", "log"]),
    help="Whose time it is (otherwise that of HEARTHWATCH_CLOCK).",
)
_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group, epilog="Example: hearthwatch topics create && hearthwatch topics describe")
def topics() -> None:
    """Create the topics of the pipeline on the broker, or compare what is there.

    One `life.<department>` for each department of the catalogue, and the pipeline's own. Numbers of
    partitions, copies and days come from the settings (docs/reference/settings.md).
    """


@topics.command(epilog="Example: HEARTHWATCH_REPLICATION_FACTOR=3 hearthwatch topics create --clock wall")
@_catalog_option
@_clock_option
@_json_option
def create(catalog_path: Path | None, clock: str | None, as_json: bool) -> None:
    """Create what is missing; leave what exists, and name what differs.

    Exit status 0 if every topic is now as planned, 1 if one exists with other settings.
    """
    settings, planned = _planned(catalog_path, clock)
    _show(topic_admin.create(kafka_connection(settings), planned), settings, as_json)


@topics.command(
    epilog="Example: hearthwatch topics describe --json | jq '.topics[] | select(.state!=\"as-planned\")'"
)
@_catalog_option
@_clock_option
@_json_option
def describe(catalog_path: Path | None, clock: str | None, as_json: bool) -> None:
    """Compare the topics on the broker with the plan; change nothing.

    Exit status 0 if every topic is as planned, 1 if one is missing or differs.
    """
    settings, planned = _planned(catalog_path, clock)
    _show(topic_admin.describe(kafka_connection(settings), planned), settings, as_json)


def _planned(catalog_path: Path | None, clock: str | None) -> tuple[Settings, tuple[Topic, ...]]:
    settings = load_settings(catalog=catalog_path, clock=clock)
    return settings, planned_topics(settings, read_catalog(settings.catalog))


def _show(states: Sequence[TopicState], settings: Settings, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps({"bootstrap": settings.kafka_bootstrap, "topics": [_as_json(one) for one in states]})
        )
    else:
        _print(states, settings)
    if not all(state.is_good for state in states):
        click.get_current_context().exit(1)


def _as_json(state: TopicState) -> dict[str, Any]:
    return {
        "name": state.topic.name,
        "state": state.state,
        "partitions": state.partitions,
        "settings": state.topic.settings,
        "purpose": state.topic.purpose,
        "differences": [
            {"setting": one.setting, "expected": one.expected, "found": one.found}
            for one in state.differences
        ],
    }


def _print(states: Sequence[TopicState], settings: Settings) -> None:
    table = Table(box=None, pad_edge=False)
    for heading in ("topic", "state", "partitions", "kept", "stamped by", "purpose"):
        table.add_column(
            heading, justify="right" if heading == "partitions" else "left", no_wrap=heading == "topic"
        )
    for state in states:
        colour = "green" if state.is_good else "red"
        table.add_row(
            state.topic.name,
            f"[{colour}]{state.state}[/]",
            str(state.partitions or state.topic.partitions),
            _kept(state.topic.settings),
            {"LogAppendTime": "the broker", "CreateTime": "its publisher"}.get(
                state.topic.settings.get("message.timestamp.type", ""), "-"
            ),
            state.topic.purpose,
        )
    # Elsewhere than on a terminal, a line that is cut helps nobody.
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    errors = Console(stderr=True, soft_wrap=True, highlight=False)
    for state in states:
        for one in state.differences:
            errors.print(
                f"{state.topic.name}: {one.setting} is {one.found}, expected {one.expected}", markup=False
            )
    if any(state.state == "differs" for state in states):
        errors.print(
            f"Topics at {settings.kafka_bootstrap} differ from the plan for clock {settings.clock}. Nothing "
            "was changed: alter them with Kafka's own tools, or set those of hearthwatch to fit.",
            markup=False,
        )


def _kept(settings: dict[str, str]) -> str:
    if settings["cleanup.policy"] == "compact":
        return "newest of each key"
    days = int(settings["retention.ms"])
    return "for ever" if days < 0 else f"{days // 86_400_000} days"
