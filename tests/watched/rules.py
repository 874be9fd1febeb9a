"""The alert rules as data, and copies of them for tests in which an hour lasts a minute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from deploy.local.prometheus import RULES

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "prometheus"
#: A duration in a rule: a range, an offset, a `for`.
_DURATION = re.compile(r"(?<=[\[ ])(\d+)(m|h|d)(?=[\]\s)]|$)")
_SECONDS = {"m": 60, "h": 3_600, "d": 86_400}
_METRIC = re.compile(r"\bhearthwatch_[a-z0-9_]+")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in _groups("alerts.yaml") for rule in group["rules"]]


def recorded() -> set[str]:
    return {rule["record"] for group in _groups("recording.yaml") for rule in group["rules"]}


def _groups(name: str) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = yaml.safe_load((FOLDER / name).read_text("utf-8"))["groups"]
    return groups


def metrics_in(text: str) -> set[str]:
    """Names of metrics in a query, without a histogram's endings."""
    bare = re.sub(r"[a-z]*:?hearthwatch_[a-z_]+:[a-z0-9_]+", "", text)  # those that recording rules make
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in _METRIC.findall(bare)}


def hurried(folder: Path, divisor: int, **replace: tuple[str, str]) -> list[Path]:
    """Copies of the rules in which every duration is divided; none becomes shorter than a second.

    Args:
        replace: of an alert's name (without its prefix), a piece of its text and what stands for it: where a
            threshold in real time, such as a quarter of an hour after midnight, cannot be waited for.
    """
    made = []
    for path in RULES:
        text = _DURATION.sub(
            lambda found: f"{max(1, int(found[1]) * _SECONDS[found[2]] // divisor)}s",
            path.read_text("utf-8"),
        )
        for name, (old, new) in replace.items():
            if path.name != "alerts.yaml":
                continue
            head, mark, tail = text.partition(f"- alert: Hearthwatch{name}\n")
            assert mark, name
            assert old in tail, (name, old)
            text = head + mark + tail.replace(old, new, 1)
        made.append(folder / path.name)
        made[-1].write_text(text, "utf-8")
    return made
