"""Compare what two implementations made of one case, by the README of the cases.

Per household the same warnings in the same order with the same content: numbers by
value, ``measure`` to 4 decimals (exact or the nearest double), times as instants; the
same scores; the same rejections (line and reason).
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.oracle.backtest import Message, Outputs
from tests.oracle.clock import parse_time


def read_lines(path: Path) -> list[Message]:
    """The messages of a file of JSON lines, with exact numbers."""
    text = path.read_text(encoding="utf-8")
    return [json.loads(line, parse_float=Decimal) for line in text.split("\n") if line.strip()]


def read_outputs(folder: Path) -> Outputs:
    return Outputs(
        read_lines(folder / "warnings.jsonl"),
        read_lines(folder / "scores.jsonl"),
        read_lines(folder / "rejections.jsonl"),
    )


def first_difference(expected: Outputs, actual: Outputs) -> str | None:
    """One readable difference, or None if both agree."""
    rejected = [(entry["line"], entry["reason"]) for entry in expected.rejections]
    found = [(entry["line"], entry["reason"]) for entry in actual.rejections]
    difference = _differs(rejected, found, "rejections")
    if difference is not None:
        return difference
    ours, theirs = _by_household(expected.warnings), _by_household(actual.warnings)
    for household in sorted(set(ours) | set(theirs)):
        here, there = ours.get(household, []), theirs.get(household, [])
        for index, (left, right) in enumerate(zip(here, there, strict=False)):
            difference = _differs(left, right, f"warning {index + 1} of {household}")
            if difference is not None:
                return difference
        if len(here) != len(there):
            longer, extra = ("expected", here) if len(here) > len(there) else ("actual", there)
            more = extra[min(len(here), len(there))]
            text = json.dumps(more, ensure_ascii=False, default=str)
            counts = f"{len(here)} expected, {len(there)} actual"
            return f"warnings of {household}: {counts}; only {longer}: {text}"
    return _differs(expected.scores, actual.scores, "scores")


def _by_household(warnings: list[Message]) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = {}
    for warning in warnings:
        found.setdefault(str(warning["data"]["household"]), []).append(warning)
    return found


def _differs(left: Any, right: Any, path: str) -> str | None:
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *[key for key in right if key not in left]]:
            if key not in left or key not in right:
                return f"{path}.{key}: only {'expected' if key in left else 'actual'}"
            difference = _differs(left[key], right[key], f"{path}.{key}")
            if difference is not None:
                return difference
        return None
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        for index, (one, other) in enumerate(zip(left, right, strict=False)):
            difference = _differs(one, other, f"{path}[{index}]")
            if difference is not None:
                return difference
        if len(left) != len(right):
            return f"{path}: {len(left)} expected, {len(right)} actual: {left!r} / {right!r}"
        return None
    if _same(left, right, path):
        return None
    return f"{path}: expected {left!r}, actual {right!r}"


def _same(left: Any, right: Any, path: str) -> bool:
    if isinstance(left, bool) or isinstance(right, bool) or left is None or right is None:
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        if path.endswith(".time"):
            return parse_time(left) == parse_time(right)
        return left == right
    if isinstance(left, str) or isinstance(right, str):
        return False
    return bool(left == right) or (path.endswith(".measure") and float(left) == float(right))
