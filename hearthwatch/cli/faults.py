"""Faults of a file, on the terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from hearthwatch.counted import counted
from streams.errors import FileFaults
from streams.places import render_faults

Read = TypeVar("Read")


def read_or_leave(
    path: Path,
    read: Callable[[], Read],
    *,
    as_json: bool,
) -> Read:
    """What ``read`` gives; where a file is faulty, every fault is printed and the command ends with 2.

    Args:
        path: the file that is checked, as a report names it.
    """
    try:
        return read()
    except FileFaults as error:
        if as_json:
            report = {"file": str(path), "faults": faults_data(error)}
            click.echo(json.dumps(report, ensure_ascii=False, indent=2))
        else:
            click.echo(faults_text(error), err=True)
        raise click.exceptions.Exit(2) from None


def faults_text(error: FileFaults) -> str:
    """All faults with their source lines and carets, and how many there are.

    Without lines where one of them may hold a secret: the same text may stand in another line too.
    """
    if any(fault.is_secret for fault in error.faults):
        return "\n".join(map(str, error.faults))
    parts = []
    for path in dict.fromkeys(fault.path for fault in error.faults):
        faults = [fault for fault in error.faults if fault.path == path]
        try:
            parts.append(render_faults(faults, Path(path).read_bytes()))
        except OSError:  # standard input, or a file that has gone: the faults stand without their lines
            parts += map(str, faults)
    count = len(error.faults)
    paths = ", ".join(dict.fromkeys(fault.path for fault in error.faults))
    return "\n".join([*parts, f"{counted(count, 'fault')} in {paths}."])


def faults_data(error: FileFaults) -> list[dict[str, Any]]:
    """The faults as plain values."""
    return [
        {
            "file": fault.path,
            "line": fault.line,
            "column": fault.column,
            "message": fault.message,
            "hint": fault.hint,
        }
        for fault in error.faults
    ]
