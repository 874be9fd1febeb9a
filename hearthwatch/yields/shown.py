"""What is shown of a yield: rows with titles, without the counts that could speak of one family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from casework.yields.counting import (
    DIMENSIONS,
    MEMBERS_ONLY,
    NOWHERE,
    OTHER,
    RATES,
    UNKNOWN,
    Dimension,
    Row,
    Yield,
)
from casework.yields.rates import Rate
from casework.yields.small_cells import hidden, is_small
from hearthwatch.yields.words import WORDS
from rules.policy import Policy, Titles
from rules.words import Language
from streams.catalog import Catalog

COUNTS: Final = (
    "warned", "open", "waiting", "worklist", "acknowledged", "visited", "need", "helped", "reopened",
    "joined", "quieted",
)  # fmt: skip
"""The whole numbers of :class:`Counts`."""
_TELLING: Final = ("warned", "open", "waiting", "visited", "need", "helped")
"""Counts that the shares and the close codes of a row would give away."""
_PLACES: Final[tuple[Dimension, ...]] = ("community", "street")
_UNTITLED: Final = (MEMBERS_ONLY, UNKNOWN, NOWHERE, OTHER)


class ShownRow(msgspec.Struct, frozen=True):
    """A row of a table.

    Attributes:
        counts: None where the count is hidden.
        rates: None where a count of the row is hidden.
        codes: close code -> cases; None where one is hidden.
    """

    id: str
    title: str
    counts: dict[str, int | None]
    rates: dict[str, Rate | None]
    codes: dict[str, int] | None

    @property
    def is_hidden(self) -> bool:
        return any(count is None for count in self.counts.values())


class ShownSource(msgspec.Struct, frozen=True):
    """A source whose data were wrong; None where the count is hidden."""

    source: str
    title: str
    by_staff: int | None
    by_itself: int | None


class Shown(msgspec.Struct, frozen=True):
    """A yield as it may be shown.

    Attributes:
        since, until: first and last day of opening, as ISO dates; None: without bound.
        community: the code that it is limited to, or empty.
        hides: whether small counts of communities and streets are hidden.
        by: dimension -> rows.
    """

    since: str | None
    until: str | None
    community: str
    hides: bool
    total: ShownRow
    by: dict[str, list[ShownRow]]
    wrong_data: list[ShownSource]


def to_count(by: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """By what to count for showing this: what is hidden of communities and streets depends on both."""
    return tuple(dict.fromkeys((*by, *_PLACES))) if any(place in by for place in _PLACES) else tuple(by)


def show(
    found: Yield,
    titles: Naming,
    by: Sequence[Dimension] = DIMENSIONS,
    *,
    since: str | None = None,
    until: str | None = None,
    community: str = "",
    small_cells: bool = False,
) -> Shown:
    """What may be shown.

    Counts of 1 and 2 of a community or a street are hidden, and those from which they could be worked out.
    Where all is limited to one of them, every count of 1 and 2 is.

    Args:
        found: counted by what :func:`to_count` says.
        by: what is to be shown.
        small_cells: hide nothing.
    """
    hides = not small_cells
    is_narrow = hides and len(community) > 6
    gone = _gone(found) if hides and any(place in by for place in _PLACES) else {}
    rows: dict[str, list[ShownRow]] = {
        dimension: [
            _shown(
                row,
                titles.of(dimension, row.id),
                hide=is_narrow or (hides and dimension in _PLACES),
                gone=gone.get((dimension, row.id), frozenset()),
            )
            for row in found.by[dimension]
        ]
        for dimension in by
    }
    for dimension in _PLACES:
        if dimension in rows and hides:  # the order must not tell what is hidden either
            rows[dimension].sort(key=_known_first)
    return Shown(
        since,
        until,
        community,
        hides,
        _shown(Row("", found.total), titles.words["all"], hide=is_narrow),
        rows,
        [
            ShownSource(
                one.source,
                titles.of("department", one.source),
                _unless_small(one.by_staff, is_narrow),
                _unless_small(one.by_itself, is_narrow),
            )
            for one in found.wrong_data
        ],
    )


class Naming:
    """The titles of what rows stand for, in one language."""

    def __init__(self, policy: Policy, catalog: Catalog, language: Language) -> None:
        self.language = language
        self.words = WORDS[language]
        self._titles: dict[str, Mapping[str, Titles]] = {
            "indicator": {one.id: one.title for one in policy.indicators},
            "department": {one.id: one.title for one in catalog.departments.values()},
            "level": {one.id: one.title for one in policy.levels},
        }

    def of(self, dimension: str, id: str) -> str:
        """A row's title; its id where it has none, as that of an older policy's indicator."""
        if id in _UNTITLED:
            return self.words[id]
        texts = self._titles.get(dimension, {}).get(id, {})
        return texts.get(self.language) or texts.get("en") or texts.get("zh") or id


def _known_first(row: ShownRow) -> tuple[bool, int, str]:
    warned = row.counts["warned"]
    return warned is None, -(warned or 0), row.id


def _unless_small(count: int, hide: bool) -> int | None:
    return None if hide and is_small(count) else count


def _shown(row: Row, title: str, *, hide: bool, gone: frozenset[str] = frozenset()) -> ShownRow:
    """A row; without counts of 1 and 2 if they are to be hidden, and without those that are gone anyway."""
    counts = {
        name: None if name in gone else _unless_small(getattr(row.counts, name), hide) for name in COUNTS
    }
    is_whole = all(counts[name] is not None for name in _TELLING)
    codes = row.counts.codes
    return ShownRow(
        row.id,
        title,
        counts,
        {name: getattr(row.counts, name) if is_whole else None for name in RATES},
        None if not is_whole or (hide and any(map(is_small, codes.values()))) else codes,
    )


def _gone(found: Yield) -> dict[tuple[str, str], frozenset[str]]:
    """(dimension, row) -> columns, of communities and streets: what is hidden for itself or for another."""
    gone: dict[tuple[str, str], set[str]] = {}
    for column in COUNTS:
        communities, streets = (
            {row.id: getattr(row.counts, column) for row in found.by[place]} for place in _PLACES
        )
        for place, ids in zip(_PLACES, hidden(communities, streets), strict=True):
            for id in ids:
                gone.setdefault((place, id), set()).add(column)
    return {at: frozenset(columns) for at, columns in gone.items()}
