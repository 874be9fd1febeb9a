"""The queries of the dashboards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.watched.rules import ROOT

FOLDER = ROOT / "deploy" / "grafana" / "dashboards"


@dataclass(frozen=True)
class Asked:
    """One query of a panel."""

    board: str
    panel: str
    query: str


def queries() -> Iterator[Asked]:
    for path in sorted(FOLDER.glob("*.json")):
        board: dict[str, Any] = json.loads(path.read_text("utf-8"))
        for panel in board["panels"]:
            for target in panel.get("targets", ()):
                yield Asked(path.stem, panel["title"], target["expr"])
