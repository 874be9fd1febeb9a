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
    Counts,
    Dimension,
    WrongData,
    Yield,
)
from casework.yields.hiding import CODES_OF_ROW, COUNTS, Hidden, hidden_in_district, hidden_in_part
from casework.yields.rates import Rate
from casework.yields.small_cells import is_small
from hearthwatch.yields.words import WORDS
from rules.policy import Policy, Titles
from rules.words import Language
from streams.catalog import Catalog

DISTRICT_DIGITS: Final = 6
PLACES: Final[tuple[Dimension, ...]] = ("community", "street")
"""The dimensions whose small counts are hidden."""
_IN_ORDER: Final = ("level", "month")
_UNTITLED: Final = (MEMBERS_ONLY, UNKNOWN, NOWHERE, OTHER)


class ShownRow(msgspec.Struct, frozen=True):
    """A row of a table.

    Attributes:
        counts: None where the count is hidden.
        rates: None where the share is.
        codes: close code -> cases; None where they are hidden: one of them, or what they would tell.
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
    """A source whose data were wrong."""

    source: str
    title: str
    by_staff: int
    by_itself: int


class Shown(msgspec.Struct, frozen=True):
    """A yield as it may be shown.

    Attributes:
        since, until: first and last day of opening, as ISO dates; None: without bound.
        community: the code that it is limited to, or empty.
        hides: whether small counts of communities and streets are hidden.
        by: dimension -> rows.
        wrong_data: empty too where a count of it is hidden.
        withheld: dimensions whose rows are hidden altogether.
    """

    since: str | None
    until: str | None
    community: str
    hides: bool
    total: ShownRow
    by: dict[str, list[ShownRow]]
    wrong_data: list[ShownSource]
    withheld: list[str]


def to_count(by: Sequence[Dimension]) -> tuple[Dimension, ...]:
    """By what to count for showing this: what is hidden of communities and streets depends on both."""
    return tuple(dict.fromkeys((*by, *PLACES))) if any(place in by for place in PLACES) else tuple(by)


def is_part(community: str) -> bool:
    """Whether a code is that of a community or street: then what is around it is counted too."""
    return len(community) > DISTRICT_DIGITS


def show(
    found: Yield,
    titles: Naming,
    by: Sequence[Dimension] = DIMENSIONS,
    *,
    since: str | None = None,
    until: str | None = None,
    community: str = "",
    small_cells: bool = False,
    around: Sequence[Yield] = (),
) -> Shown:
    """What may be shown (:mod:`casework.yields.hiding`).

    Of a district the small numbers of its communities and streets are hidden; where all is limited to one of
    these, every small number is.

    Args:
        found: counted by what :func:`to_count` says.
        by: what is to be shown.
        small_cells: hide nothing.
        around: the same cohort of all and of the whole district, by community and street; needed if
            :func:`is_part` and anything is hidden.

    Raises:
        ValueError: they are needed and not given.
    """
    gone = Hidden() if small_cells else _hidden(found, by, community, around)
    rows: dict[str, list[ShownRow]] = {
        dimension: []
        if dimension in gone.withheld
        else [
            _shown(row.id, titles.of(dimension, row.id), row.counts, gone.row(dimension, row.id))
            for row in found.by[dimension]
        ]
        for dimension in by
    }
    for dimension, shown in rows.items():  # the order must not tell what is hidden either
        if dimension not in _IN_ORDER and any(row.counts["warned"] is None for row in shown):
            shown.sort(key=_known_first)
    return Shown(
        since,
        until,
        community,
        not small_cells,
        _shown("", titles.words["all"], found.total, gone.total),
        rows,
        _sources(found.wrong_data, titles, hide=is_part(community) and not small_cells)
        if CODES_OF_ROW not in gone.total
        else [],
        [dimension for dimension in by if dimension in gone.withheld],
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


def _hidden(found: Yield, by: Sequence[Dimension], community: str, around: Sequence[Yield]) -> Hidden:
    if is_part(community):
        if not around:
            raise ValueError(
                f"what is hidden of {community} depends on all of its district: nothing is given"
            )
        return hidden_in_part(found, community, around)
    return hidden_in_district(found) if any(place in by for place in PLACES) else Hidden()


def _sources(found: Sequence[WrongData], titles: Naming, *, hide: bool) -> list[ShownSource]:
    """Whose data were wrong; nobody's if one of the counts is to be hidden: they add up to a close code."""
    if hide and any(is_small(count) for one in found for count in (one.by_staff, one.by_itself)):
        return []
    return [
        ShownSource(one.source, titles.of("department", one.source), one.by_staff, one.by_itself)
        for one in found
    ]


def _shown(id: str, title: str, counts: Counts, gone: frozenset[str]) -> ShownRow:
    """A row without the columns that are gone."""
    return ShownRow(
        id,
        title,
        {name: None if name in gone else getattr(counts, name) for name in COUNTS},
        {name: None if f"{name}.hits" in gone else getattr(counts, name) for name in RATES},
        None if CODES_OF_ROW in gone else counts.codes,
    )
