"""Levels: when a household crosses a line.

A level is 0 for none, otherwise 1 + index into the policy's levels.
"""

from __future__ import annotations

from collections.abc import Sequence

from rules.policy import Level


def next_level(level: int, score: int, floor: int, levels: Sequence[Level]) -> int:
    """The level after an evaluation.

    Up at once to the highest level that score or floor reach; down one by one while the score is below the
    level's ``clear`` and no floor holds it.
    """
    upper = floor
    for at, candidate in enumerate(levels, start=1):
        if candidate.at <= score and at > upper:
            upper = at
    if upper > level:
        return upper
    while level > floor and score < levels[level - 1].clear:
        level -= 1
    return level
