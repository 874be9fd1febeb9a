"""What it means for warnings to agree: numbers by value, measures to 4 decimals, times as instants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any


def load(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of JSON lines."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def by_household(warnings: Iterable[bytes | dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Comparable warnings per household, in their order; between households there is none."""
    found: dict[str, list[dict[str, Any]]] = {}
    for given in warnings:
        warning = json.loads(given) if isinstance(given, bytes) else json.loads(json.dumps(given))
        warning["time"] = datetime.fromisoformat(warning["time"]).timestamp()
        for entry in warning["data"]["because"]:
            if entry["measure"] is not None:
                entry["measure"] = round(float(entry["measure"]), 4)
        found.setdefault(warning["subject"], []).append(warning)
    return found
