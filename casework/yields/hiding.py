"""Which numbers of a yield are hidden, so that none that could speak of one family can be worked out.

A *column* is one number of every row: a count, a share's numerator (``need_of_warned.hits``) or denominator
(``.of``), or a close code (``code:helped``). Two more are worked out by whoever reads: the cases that are
closed (``warned`` less ``open``) and those that are decided (``warned`` less ``waiting``).

1. A number of 1 or 2 is hidden.
2. Where rows add up to a sum that is shown, others are hidden with it (:mod:`casework.yields.small_cells`).
3. What a hidden number could be worked out from in its own row is hidden: shares and close codes.

Then the table is read as somebody who calculates would (:mod:`casework.yields.worked_out`), and as long as
a small number is told, more is hidden: all of the rows that share its column, then the table.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from casework.yields.counting import CODES, RATES, Counts, Row, Yield
from casework.yields.small_cells import STREET_DIGITS, hidden, hidden_rows, is_small, is_told
from casework.yields.worked_out import Cell, Reader

COUNTS: Final = (
    "warned", "open", "waiting", "worklist", "acknowledged", "visited", "need", "helped", "reopened",
    "joined", "quieted",
)  # fmt: skip
"""The whole numbers of :class:`Counts`."""
_SHARES: Final = tuple(f"{name}.{part}" for name in RATES for part in ("hits", "of"))
_CODES: Final = tuple(f"code:{code}" for code in CODES)
_LESS: Final = {"closed": "open", "decided": "waiting"}
"""``warned`` less the second is the first: either tells the other."""
COLUMNS: Final = (*COUNTS, *_LESS, *_SHARES, *_CODES)

_TOLD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "warned": (*RATES, "codes"),
    "open": ("visited_of_warned", "helped_of_need", "codes"),
    "waiting": ("need_of_warned", "need_of_visited"),
    "visited": ("visited_of_warned", "need_of_visited"),
    "need": ("need_of_visited", "helped_of_need", "need_of_warned"),
    "helped": ("helped_of_need", "codes"),
}
"""A column that is hidden -> the shares and codes of its row that could tell it."""

CODES_OF_ROW: Final = "codes"
"""Hidden beside columns: all close codes of the row."""
_ALL: Final = frozenset((*COLUMNS, CODES_OF_ROW))
_HOW_MANY: Final = frozenset((*_LESS, *_LESS.values()))
_PLACES: Final = ("community", "street")
_OVERLAPPING: Final = ("indicator", "department")
"""Where a case may stand in several rows; under ``indicator`` it may stand in none."""
_TOTAL: Final = ("", "")

Rows = dict[str, set[str]]
"""Row -> its columns that are hidden."""


class Hidden:
    """What is hidden of a yield.

    Attributes:
        total: the columns of the total that are hidden.
        withheld: dimensions of which no row may be shown: that there is one would tell.
    """

    def __init__(self, total: Collection[str] = ()) -> None:
        self.total = frozenset(total)
        self.withheld: set[str] = set()
        self._rows: dict[str, dict[str, frozenset[str]]] = {}
        self._own: dict[str, Rows] = {}

    @property
    def is_bare(self) -> bool:
        """Whether nothing of the total is shown."""
        return self.total == _ALL

    def row(self, dimension: str, id: str) -> frozenset[str]:
        """The columns of a row that are hidden."""
        return self._rows.get(dimension, {}).get(id, frozenset())

    def own(self, dimension: str, id: str) -> set[str]:
        """Those of them that are not hidden only for what they would tell of the row."""
        return self._own.get(dimension, {}).get(id, set())

    def put(self, dimension: str, rows: Rows, larger: Iterable[Hidden] = ()) -> None:
        """Hide columns of rows, what would tell them, and what is hidden of the total or in larger tables."""
        self._own[dimension] = rows
        self._rows[dimension] = {
            id: _with_what_tells(gone).union(self.total, *(one.row(dimension, id) for one in larger))
            for id, gone in rows.items()
        }

    def hide_more(self, told: Collection[Cell]) -> None:
        """Hide what tells some numbers of rows.

        Of a close code that is, in every table, how many cases of the rows that share it are closed or
        decided. Of another column, or where that is hidden already, it is everything of the rows of the
        table that share it; and where that is hidden too, the table.
        """
        before = {dimension: dict(rows) for dimension, rows in self._rows.items()}
        for dimension, id, column in told:
            rows = self._rows[dimension]
            if before[dimension][id] == _ALL:
                self.withheld.add(dimension)
            elif column.startswith("code:") and not before[dimension][id].issuperset(_HOW_MANY):
                for table in self._rows.values():
                    for one, gone in table.items():
                        if column in gone:
                            table[one] = _with_what_tells(gone | _HOW_MANY)
                rows[id] |= _HOW_MANY
            else:
                for one, gone in rows.items():
                    if column in gone or one == id:
                        rows[one] = _ALL


def hidden_in_district(found: Yield) -> Hidden:
    """What is hidden where all of a district is shown: of communities and streets only.

    Args:
        found: counted by community and street at least.
    """
    gone = Hidden()
    tables = {place: _values(found.by[place]) for place in _PLACES}
    rows: dict[str, Rows] = {place: {id: set() for id in table} for place, table in tables.items()}
    for column in COLUMNS:
        counts = [_column(tables[place], column) for place in _PLACES]
        for place, one, ids in zip(_PLACES, counts, hidden(*counts), strict=True):
            for id in ids:
                rows[place][id] |= _linked(column)
            if column in COUNTS and ids == one.keys() and is_told(one, ids):
                gone.withheld.add(place)
    for place in _PLACES:
        gone.put(place, rows[place])
    tables |= {"": {"": _of(found.total)}}
    while told := {cell for cell in _told(tables, gone) if cell[0]}:
        gone.hide_more(told)
    return gone


def hidden_in_part(found: Yield, community: str, around: Sequence[Yield]) -> Hidden:
    """What is hidden where all that is shown is of one community or street.

    A number that a larger table hides of it is hidden here too: both together would tell the neighbour's.
    Of fewer cases than :data:`casework.yields.small_cells.LEAST` nothing is shown.

    Args:
        community: 9 or 12 digits.
        around: the same cohort in larger tables, by community and street.
    """
    larger = [hidden_in_district(one) for one in around]
    place = "street" if len(community) == STREET_DIGITS else "community"
    values = _of(found.total)
    small = [column for column in COLUMNS if is_small(values[column])]
    total: set[str] = set().union(*(one.own(place, community) for one in larger), *map(_linked, small))
    gone = Hidden(_with_what_tells(total).union(*(one.row(place, community) for one in larger)))
    tables = {dimension: _values(rows) for dimension, rows in found.by.items()}
    for dimension, table in tables.items():
        rows: Rows = {id: total.union(*(one.own(dimension, id) for one in larger)) for id in table}
        for column in COLUMNS:
            counts = _column(table, column)
            ids = hidden_rows(counts)
            for id in ids:
                rows[id] |= _linked(column)
            is_certain = ids == counts.keys() and is_told(counts, ids) and column not in gone.total
            if column in COUNTS and dimension != "indicator" and is_certain:
                gone.withheld.add(dimension)
        gone.put(dimension, rows, larger)
    tables |= {"": {"": values}}
    while not is_small(found.total.warned) and (told := _told(tables, gone)):
        if any(not cell[0] for cell in told):
            break
        gone.hide_more(told)
    else:
        if not is_small(found.total.warned):
            return gone
    bare = Hidden(_ALL)
    bare.withheld = set(found.by)
    return bare


def _told(tables: Mapping[str, Mapping[str, Mapping[str, int]]], gone: Hidden) -> set[Cell]:
    """The small numbers that are hidden, and that a reader can work out none the less."""
    shown = {dimension: table for dimension, table in tables.items() if dimension not in gone.withheld}
    known: dict[Cell, int] = {}
    for dimension, table in shown.items():
        for id, values in table.items():
            away = gone.row(dimension, id) if dimension else gone.total
            for column, value in values.items():
                is_code = column.startswith("code:")
                if column not in _LESS and column not in away and not (is_code and CODES_OF_ROW in away):
                    known[dimension, id, column] = value
    at = {dimension: [(dimension, id) for id in table] for dimension, table in shown.items()}
    sums = [(_TOTAL, ids) for dimension, ids in at.items() if dimension and dimension not in _OVERLAPPING]
    if "street" in at and "community" in at:
        sums += [(one, [low for low in at["community"] if low[1].startswith(one[1])]) for one in at["street"]]
    overlapping = [(_TOTAL, at[dimension]) for dimension in _OVERLAPPING if dimension in at]
    covered = [(_TOTAL, at["department"])] if "department" in at else []
    reader = Reader([one for ids in at.values() for one in ids], COLUMNS, sums, overlapping, covered, known)
    return {
        (dimension, id, column)
        for dimension, id, column in reader.told() - known.keys()
        if is_small(tables[dimension][id][column])
    }


def _of(counts: Counts) -> dict[str, int]:
    """Every column of a row."""
    found = {name: int(getattr(counts, name)) for name in COUNTS}
    found |= {name: counts.warned - found[less] for name, less in _LESS.items()}
    for name in RATES:
        rate = getattr(counts, name)
        found[f"{name}.hits"], found[f"{name}.of"] = rate.hits, rate.of
    return found | {f"code:{code}": counts.codes.get(code, 0) for code in CODES}


def _values(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    return {row.id: _of(row.counts) for row in rows}


def _column(table: Mapping[str, Mapping[str, int]], column: str) -> dict[str, int]:
    return {id: values[column] for id, values in table.items()}


def _linked(column: str) -> frozenset[str]:
    """A column, and the one that is told by it and the number of cases."""
    twins = {column, _LESS.get(column, column)}
    return frozenset(twins | {name for name, less in _LESS.items() if less in twins})


def _with_what_tells(columns: Collection[str]) -> frozenset[str]:
    """Columns of a row that are hidden, with the shares and codes from which they could be worked out."""
    found = set(columns)
    if "code:duplicate" in found:  # shares leave them out, and of what is decided they are the rest
        found |= {"waiting", "decided"}
    blocks = {block for column in columns for block in _TOLD_BY.get(column, ())}
    # Both numbers of a share stand together; and a share, the cases and the codes tell each other.
    blocks |= {name for name in RATES if f"{name}.hits" in found or f"{name}.of" in found}
    for name in blocks.intersection(RATES):
        found |= {f"{name}.hits", f"{name}.of"}
    if blocks or found.intersection(_CODES):
        found.add(CODES_OF_ROW)
    return frozenset(found)
