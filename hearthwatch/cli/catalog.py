"""``hearthwatch catalog``: who may send what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import yaml
from rich.console import Console
from rich.table import Table

from hearthwatch.cli.faults import read_or_leave
from hearthwatch.cli.groups import Group
from hearthwatch.settings import load_settings
from streams.asyncapi import asyncapi_document
from streams.catalog import BUILT_IN_TYPES, RETRACTED, Catalog, EventType
from streams.catalog_file import read_catalog
from streams.errors import InputError
from streams.schemas import DIALECT, data_schema, event_schema, type_of

_FILE = click.argument("file", type=click.Path(path_type=Path), required=False)
_CATALOG = click.option(
    "--catalog",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A catalogue; by default that of the settings, which is the Wuchang one.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group(cls=Group)
def catalog() -> None:
    """Check and show a catalogue: which department may send which event types."""


@catalog.command(epilog="Example: hearthwatch catalog check streams/catalogs/wuchang.yaml")
@_FILE
@_JSON
def check(file: Path | None, as_json: bool) -> None:
    """Check a catalogue FILE and report every fault with its place.

    Without FILE that of the settings is checked. Exit status 2 if it is faulty.
    """
    path = _path(file)
    checked = read_or_leave(path, lambda: read_catalog(path), as_json=as_json)
    summary = {
        "file": str(path),
        "catalog": checked.id,
        "version": checked.version,
        "departments": len(checked.departments),
        "types": len(checked.events),
        "digest": checked.digest,
        "faults": [],
    }
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False, indent=2))
        return
    click.echo(
        f"{path}: good. Catalogue {checked.id}, version {checked.version}: "
        f"{len(checked.departments)} departments, {len(checked.events)} event types."
    )


@catalog.command("list", epilog="Example: hearthwatch catalog list --department health")
@_CATALOG
@click.option("--department", metavar="ID", help="Only what this department may send.")
@_JSON
def list_(file: Path | None, department: str | None, as_json: bool) -> None:
    """List departments and event types, the built-in ones too."""
    read = read_catalog(_path(file))
    if department is not None and department not in read.departments:
        raise InputError(f"unknown department `{department}`: one of {', '.join(read.departments)}")
    types = [
        type_
        for type_ in (*read.events.values(), *BUILT_IN_TYPES.values())
        if department is None or department in read.senders(type_.type)
    ]
    if as_json:
        departments = [
            {
                "id": one.id,
                "topic": f"life.{one.id}",
                "source": read.source_of(one.id),
                "title": one.title,
                "silent_after_days": one.silent_after_days,
            }
            for one in read.departments.values()
            if department in (None, one.id)
        ]
        rows = [_row(read, type_) for type_ in types]
        click.echo(
            json.dumps(
                {"catalog": read.id, "version": read.version, "departments": departments, "types": rows},
                ensure_ascii=False,
                indent=2,
            )
        )
        return
    _show(read, types)


@catalog.command(epilog="Example: hearthwatch catalog asyncapi > asyncapi.yaml")
@_CATALOG
@_JSON
def asyncapi(file: Path | None, as_json: bool) -> None:
    """Print the catalogue as an AsyncAPI 3 document with Kafka bindings, in YAML or JSON."""
    document = asyncapi_document(read_catalog(_path(file)))
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        text = yaml.dump(document, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=110)
        click.echo(text, nl=False)


@catalog.command(epilog="Example: hearthwatch catalog schema insurance.bill.settled > bill.schema.json")
@click.argument("type_name", metavar="TYPE")
@_CATALOG
@click.option("--data", "data_only", is_flag=True, help="Only of data, as the value is in binary mode.")
def schema(type_name: str, file: Path | None, data_only: bool) -> None:
    """Print the JSON Schema (2020-12) of the events of one TYPE."""
    read = read_catalog(_path(file))
    type_ = type_of(read, type_name)
    body = data_schema(type_) if data_only else event_schema(read, type_)
    click.echo(json.dumps({"$schema": DIALECT, **body}, ensure_ascii=False, indent=2))


class _Plain(yaml.SafeDumper):
    """Writes what stands twice twice: aliases confuse readers."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _path(file: Path | None) -> Path:
    return load_settings().catalog if file is None else file


def _subject(type_: EventType) -> str:
    return "as the fact" if type_.type == RETRACTED else type_.subject


def _row(read: Catalog, type_: EventType) -> dict[str, Any]:
    return {
        "type": type_.type,
        "subject": _subject(type_),
        "departments": list(read.senders(type_.type)),
        "title": type_.title,
        "data": {
            name: {"kind": field.kind, "required": field.required} for name, field in type_.data.items()
        },
    }


def _show(read: Catalog, types: list[EventType]) -> None:
    table = Table("type", "about", "title", show_lines=True, title_justify="left")
    table.columns[0].no_wrap = True
    table.title = f"Catalogue {read.id}, version {read.version}: {len(types)} types"
    everyone = tuple(read.departments)
    for type_ in types:
        senders = read.senders(type_.type)
        fields = ", ".join(f"{name}{'*' if field.required else ''}" for name, field in type_.data.items())
        table.add_row(
            type_.type,
            _subject(type_),
            "\n".join(
                [
                    *type_.title.values(),
                    "from: "
                    + ("every department" if senders == everyone else ", ".join(senders) or "nobody"),
                    f"data: {fields or 'none'}",
                ]
            ),
        )
    Console().print(table, markup=False)
    click.echo("A field with * is required.")
