"""What :mod:`bench.latency` says of many latencies: percentiles, their distribution, a few lines of text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from statistics import fmean
from typing import Any, Final

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
LEGS: Final = ("life", "intake", "person", "household", "reader")


def percentiles(ordered: Sequence[float]) -> dict[str, float]:
    """Mean, percentiles and greatest of ascending values; empty of none."""
    if not ordered:
        return {}
    return {
        "mean": round(fmean(ordered), 2),
        **{f"p{share:g}": round(at_share(ordered, share), 2) for share in PERCENTILES},
        "max": round(ordered[-1], 2),
    }


def at_share(ordered: Sequence[float], percent: float) -> float:
    """The least value that so many per cent are not above."""
    # 99.9 % of 1,000 must not become 1,000 by a rounding of the last binary digit.
    return ordered[max(0, ceil(round(len(ordered) * percent / 100, 6)) - 1)]


def curve(ordered: Sequence[float], points: int = 400) -> list[tuple[float, float]]:
    """The distribution: (value, share that is not above it), densest towards the slowest."""
    shares = [1 - (1 - step / points) ** 2 for step in range(1, points + 1)]
    return [(at_share(ordered, share * 100), round(share, 5)) for share in shares] if ordered else []


def lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The figures in words."""
    for name, one in result.items():
        ms = one["ms"]
        aims = ", ".join(f"{key} {aim:g}" for key, aim in one["aims_ms"].items())
        yield (
            f"Publish to warning at {name}: p50 {ms['p50']} ms, p99 {ms['p99']} ms, p99.9 {ms['p99.9']} ms"
            f" (aims: {aims}), {one['warned_once']:,} of {one['crossings']:,} warned once"
        )
        legs = ", ".join(f"{leg} {one['legs_ms'][leg]['p50']}" for leg in LEGS)
        used = ", ".join(f"{who} {cores:.2f}" for who, cores in one["cores_used"].items())
        yield f"  medians of the legs, ms: {legs}"
        yield f"  cores used: {used}"
