"""Faults of a file, on the terminal and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streams.errors import FileFaults
from streams.places import render_faults


def faults_text(error: FileFaults) -> str:
    """All faults with their source lines and carets, and how many there are."""
    parts = []
    for path in dict.fromkeys(fault.path for fault in error.faults):
        faults = [fault for fault in error.faults if fault.path == path]
        try:
            parts.append(render_faults(faults, Path(path).read_bytes()))
        except OSError:  # standard input, or a file that has gone: the faults stand without their lines
            parts += map(str, faults)
    count = len(error.faults)
    paths = ", ".join(dict.fromkeys(fault.path for fault in error.faults))
    return "\n".join([*parts, f"{count} fault{'s' if count != 1 else ''} in {paths}."])


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
