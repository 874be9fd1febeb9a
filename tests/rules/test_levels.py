"""Levels go up at once and down through `clear` (policy.md, 5)."""

from __future__ import annotations

import pytest

from rules.levels import next_level
from rules.policy import Level

LEVELS = (Level("blue", 40, 32), Level("yellow", 50, 45), Level("red", 70, 60))


@pytest.mark.parametrize(
    ("level", "score", "floor", "after"),
    [
        (0, 39, 0, 0),
        (0, 40, 0, 1),
        (0, 100, 0, 3),
        (1, 32, 0, 1),  # at `clear` it stays
        (1, 31, 0, 0),
        (3, 59, 0, 2),  # down one: 59 is above yellow's clear
        (3, 44, 0, 1),
        (3, 0, 0, 0),
        (0, 0, 2, 2),  # a floor alone
        (3, 0, 2, 2),  # held by the floor
        (2, 70, 0, 3),
        (1, 31, 1, 1),
    ],
)
def test_next_level(level: int, score: int, floor: int, after: int) -> None:
    assert next_level(level, score, floor, LEVELS) == after


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("score", range(0, 101, 3))
@pytest.mark.parametrize("floor", range(4))
def test_evaluating_twice_changes_nothing_more(level: int, score: int, floor: int) -> None:
    once = next_level(level, score, floor, LEVELS)
    assert next_level(once, score, floor, LEVELS) == once
