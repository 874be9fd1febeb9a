"""What a reader can work out of a yield in which some numbers are hidden.

Everything that holds between its numbers is written down: sums over rows, what the numbers of one row have to
do with each other, and that none is below 0. Bounds are then drawn closer until nothing changes. A hidden
number whose bounds meet is told. (Bounds propagation, as solvers do; it does not try cases.)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from casework.yields.counting import CODES

At = tuple[str, str]
"""Dimension and row; both are empty for the total."""
Cell = tuple[str, str, str]
"""Dimension, row, column."""
Parts = tuple[tuple[Cell, int], ...]
"""Cells that are added (1) or taken away (-1)."""
Relation = tuple[Parts, bool]
"""What is 0 (True), or 0 at least."""

_ENDLESS: Final = 1 << 60

_SUMS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("warned", ("open", "closed")),
    ("warned", ("waiting", "decided")),
    ("decided", ("need_of_warned.of", "code:duplicate")),
    ("closed", tuple(f"code:{code}" for code in CODES)),
)
"""A column of a row is the sum of others of it."""

_AT_MOST: Final[tuple[tuple[str, ...], ...]] = (
    ("waiting", "open"), ("closed", "decided"), ("worklist", "warned"), ("acknowledged", "warned"),
    ("visited", "acknowledged"), ("reopened", "warned"), ("need", "decided"), ("helped", "decided"),
    ("need_of_warned.hits", "need"), ("need", "need_of_warned.hits", "code:duplicate"),
    ("need_of_warned.hits", "need_of_warned.of"),
    ("visited_of_warned.hits", "visited"), ("visited", "visited_of_warned.hits", "code:duplicate"),
    ("visited_of_warned.hits", "visited_of_warned.of"), ("visited_of_warned.of", "warned"),
    ("visited_of_warned.of", "visited_of_warned.hits", "closed"),
    ("closed", "visited_of_warned.of", "code:duplicate"),
    ("need_of_visited.of", "visited_of_warned.hits"), ("need_of_visited.of", "need_of_warned.of"),
    ("visited_of_warned.hits", "need_of_visited.of", "waiting"),
    ("need_of_visited.hits", "need_of_visited.of"), ("need_of_visited.hits", "need_of_warned.hits"),
    ("helped_of_need.of", "need_of_warned.hits"), ("helped_of_need.hits", "helped_of_need.of"),
    ("helped_of_need.hits", "helped"), ("helped_of_need.of", "helped_of_need.hits", "closed"),
)  # fmt: skip
"""The first column of one row is at most the sum of the others."""


class Reader:
    """Whoever reads a yield and calculates.

    Args:
        rows: (dimension, row) of all that is shown.
        columns: of each row.
        sums: a row -> those that it is the sum of.
        within: a row -> those whose cases are all among its own.
        covered: a row -> those among whose cases are all of its own.
        known: the numbers that are shown.
    """

    def __init__(
        self,
        rows: Iterable[At],
        columns: Collection[str],
        sums: Iterable[tuple[At, Collection[At]]],
        within: Iterable[tuple[At, Collection[At]]],
        covered: Iterable[tuple[At, Collection[At]]],
        known: Mapping[Cell, int],
    ) -> None:
        self._low: dict[Cell, int] = {}
        self._high: dict[Cell, int] = {}
        self._relations: list[Relation] = []
        for at in rows:
            for column in columns:
                cell = (*at, column)
                least = 1 if column == "warned" and at[0] else 0  # what has a row has a case
                self._low[cell] = known.get(cell, least)
                self._high[cell] = known.get(cell, _ENDLESS)
            self._relations += _in_row(at)
        for at, parts in sums:
            for column in columns:
                self._relations.append((_cells(column, [at], parts), True))
        for at, parts in within:
            for column in columns:
                self._relations += [(_cells(column, [at], [part]), False) for part in parts]
        for at, parts in covered:
            self._relations += [(_cells(column, parts, [at]), False) for column in columns]

    def told(self) -> set[Cell]:
        """The numbers that are known in the end."""
        while sum(self._draw_closer(parts, is_zero) for parts, is_zero in self._relations):
            pass
        return {cell for cell, low in self._low.items() if low == self._high[cell]}

    def _draw_closer(self, parts: Parts, is_zero: bool) -> bool:
        """Use one relation; whether a bound moved."""
        low, high, moved = self._low, self._high, False
        most = sum(high[cell] if sign > 0 else -low[cell] for cell, sign in parts)
        least = sum(low[cell] if sign > 0 else -high[cell] for cell, sign in parts)
        for cell, sign in parts:
            below, above = low[cell], high[cell]
            if below == above:
                continue
            if sign > 0:
                at_least, at_most = above - most, below - least if is_zero else _ENDLESS
            else:
                at_least, at_most = above + least if is_zero else 0, most + below
            if at_least > below:
                low[cell], moved = at_least, True
            if at_most < above and at_most < _ENDLESS // 2:  # half of it is no bound
                high[cell], moved = at_most, True
        return moved


def _in_row(at: At) -> Iterator[Relation]:
    for sum_of, parts in _SUMS:
        yield (((*at, sum_of), 1), *(((*at, part), -1) for part in parts)), True
    for less, *more in _AT_MOST:
        yield (((*at, less), -1), *(((*at, one), 1) for one in more)), False


def _cells(column: str, plus: Iterable[At], minus: Iterable[At]) -> Parts:
    return (*(((*at, column), 1) for at in plus), *(((*at, column), -1) for at in minus))
