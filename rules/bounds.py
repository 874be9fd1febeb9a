"""Points for a measure: bounds as tables of exact numbers, and fading.

A table holds for one period between two dates of the policy's parameters. A measure is a fraction
``number / divisor`` in the stored unit (fen for money), or infinite (a percentage of 0).
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from math import ceil, floor

from rules.calendar import NEVER
from rules.policy import Points


class Table:
    """The bounds of one indicator on one day, ready for look-up."""

    __slots__ = ("_are_whole", "_at_least", "_bounds", "_flat", "_given", "_points", "_starts")

    def __init__(self, points: Points, parameters: dict[str, Fraction], scale: int) -> None:
        """``scale``: stored units in one unit of the policy (100 for money)."""
        self._flat = points.flat
        self._at_least = points.at_least
        by_bound: dict[Fraction, int] = {}
        for amount, given in points.bounds:
            by_bound.setdefault(amount.value(parameters) * scale, given)  # of equal ones the first
        bounds = sorted(by_bound.items())
        self._bounds = [(bound.numerator, bound.denominator) for bound, _ in bounds]
        self._points = [given for _, given in bounds]
        self._are_whole = all(bound.denominator == 1 for bound, _ in bounds)
        # The whole measures at which other points begin, ascending, and what is given before and from each.
        if points.flat is not None:
            self._starts, self._given = [], [points.flat]
        elif points.at_least:
            self._starts, self._given = [ceil(bound) for bound, _ in bounds], [0, *self._points]
        else:
            self._starts, self._given = [floor(bound) + 1 for bound, _ in bounds], [*self._points, 0]

    def whole(self, measure: int) -> int:
        """Points for a whole measure."""
        return self._given[bisect_right(self._starts, measure)]

    def fraction(self, number: int, divisor: int) -> int:
        """Points for ``number / divisor``; the divisor is above 0."""
        if self._are_whole:  # then a fraction passes the same bounds as the whole number beside it
            return self.whole(number // divisor if self._at_least else -(-number // divisor))
        if self._flat is not None:
            return self._flat
        if self._at_least:
            found = 0
            for (top, bottom), given in zip(self._bounds, self._points, strict=True):
                if top * divisor > number * bottom:
                    break
                found = given
            return found
        for (top, bottom), given in zip(self._bounds, self._points, strict=True):
            if top * divisor >= number * bottom:
                return given
        return 0

    def infinite(self) -> int:
        """Points for a measure greater than every bound."""
        return self._given[-1]

    def steps_to_change(self, measure: int) -> int:
        """How much a whole measure must grow until its points can change; NEVER where they cannot."""
        at = bisect_right(self._starts, measure)
        return self._starts[at] - measure if at < len(self._starts) else NEVER

    def is_settled(self, number: int, divisor: int) -> bool:
        """Whether a growing measure has passed the last bound, so that its points stay."""
        if self._flat is not None or not self._bounds:
            return True
        top, bottom = self._bounds[-1]
        return number * bottom >= top * divisor if self._at_least else number * bottom > top * divisor


def faded(points: int, newest: int, today: int, fades: tuple[int, int]) -> tuple[int, int]:
    """Points after fading, and the next day on which fading alone changes them.

    Args:
        newest: the greatest day of the matching facts.
        fades: (after, over) in days: whole up to ``after``, nothing from ``after + over`` on.
    """
    after, over = fades
    gone = today - newest - after
    if gone <= 0:
        return points, newest + after + 1
    if gone >= over:
        return 0, NEVER
    size = abs(points)
    left = size * (over - gone) // over
    if left == 0:
        return 0, NEVER
    # The first later day on which size * (over - gone) / over, cut, is below what is left.
    next_gone = (size * over - left * over) // size + 1
    return (left if points > 0 else -left), newest + after + next_gone
