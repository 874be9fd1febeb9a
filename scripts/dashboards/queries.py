"""What dashboards are made of: selectors of metrics that exist, panels, boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import yaml

from agents.metric_definitions import DEFINITIONS

ROOT: Final = Path(__file__).resolve().parents[2]
RECORDED: Final = {
    rule["record"]
    for group in yaml.safe_load((ROOT / "deploy/prometheus/recording.yaml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}
_DEFINED: Final = {one.name: one for one in DEFINITIONS}
WHOLE_WIDTH: Final = 24

Kind = Literal["stat", "lines", "stack", "bars", "table"]


def series(name: str, part: Literal["", "bucket", "count", "sum"] = "", **labels: str) -> str:
    """A selector of one metric, ``hearthwatch_`` left out; a label's value beginning with ``~`` is a pattern.

    Raises:
        KeyError: no worker has such a metric, or it has no such label.
    """
    defined = _DEFINED[f"hearthwatch_{name}"]
    if (defined.kind == "histogram") != bool(part):
        raise KeyError(f"{name} is a {defined.kind}")
    for label in labels:
        if label not in defined.labels:
            raise KeyError(f"{name} has no label {label}")
    chosen = ",".join(
        f'{label}=~"{value[1:]}"' if value.startswith("~") else f'{label}="{value}"'
        for label, value in labels.items()
    )
    return defined.name + (f"_{part}" if part else "") + (f"{{{chosen}}}" if chosen else "")


def recorded(name: str) -> str:
    """A series that a recording rule makes.

    Raises:
        KeyError: none does.
    """
    if name not in RECORDED:
        raise KeyError(name)
    return name


def rate(selector: str) -> str:
    """Its rise a second."""
    return f"rate({selector}[$__rate_interval])"


def by(label: str, query: str) -> str:
    """The sum over all workers, for each value of a label."""
    return f"sum by ({label}) ({query})"


def most(label: str, query: str) -> str:
    """The greatest over all workers, for each value of a label."""
    return f"max by ({label}) ({query})"


def named(query: str) -> str:
    """Values of processes, with the names of the workers that they are."""
    return f"{query} * on (instance) group_left (worker) {series('worker_info')}"


def quantile(share: float, name: str, label: str = "") -> str:
    """A quantile of a histogram, also for each value of a label."""
    labels = f"le, {label}" if label else "le"
    return f"histogram_quantile({share}, {by(labels, rate(series(name, 'bucket')))})"


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        queries: each with its legend.
        unit: Grafana's name of it.
        width: of 24.
        red: from this value on it is drawn in red.
    """

    title: str
    kind: Kind
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 12
    height: int = 7
    help: str = ""
    red: float | None = None


@dataclass(frozen=True)
class Board:
    """One dashboard: rows of panels under headings."""

    uid: str
    title: str
    help: str
    rows: Sequence[tuple[str, Sequence[Panel]]] = field(default_factory=tuple)
