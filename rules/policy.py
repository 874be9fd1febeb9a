"""What a policy is: dimensions, levels and indicators, checked and frozen.

The file format is docs/reference/policy.md; :mod:`rules.policy_file` reads it.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from rules.expression import Amount, Expression

Titles = dict[str, str]
"""Language (``en``, ``zh``) to text."""
Function = Literal["count", "sum", "max", "min", "latest", "days_since"]
Across = Literal["sum", "max", "per_member"]
Tier = Literal["person", "household"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number with dates.

    Attributes:
        values: (first day as days since 1970-01-01, value), ascending by day; at least one.
    """

    name: str
    values: tuple[tuple[int, Fraction], ...]
    unit: str = ""
    basis: str = ""

    def at(self, day: int) -> Fraction:
        """The value of the latest date at or before ``day``; before the earliest date, that one's."""
        return self.values[max(0, bisect_right(self.values, day, key=lambda pair: pair[0]) - 1)][1]


@dataclass(frozen=True, slots=True)
class Dimension:
    """One of the dimensions; ``cap`` in points, ``members`` says how members' points combine."""

    id: str
    cap: int
    members: Literal["sum", "max"]
    title: Titles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Level:
    """A warning level: reached at ``at`` points, left below ``clear`` points."""

    id: str
    at: int
    clear: int
    title: Titles = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measure:
    """What is measured over matching facts.

    Attributes:
        types: the ``from`` types, all about persons or all about households.
        about_person: whether they are about persons.
        function, field: ``sum`` of ``self_paid_yuan``, say; ``count`` and ``days_since`` have no field.
        is_money: the field is money: its facts hold fen, the measure is in yuan.
        where: the condition on a fact, or None.
        until: types that end a fact.
        within_days: a fact counts while today - its day < within_days; None: as long as it is kept.
        across: how members' measures combine at household tier; None where nothing is measured per member.
    """

    types: tuple[str, ...]
    about_person: bool
    function: Function = "count"
    field: str | None = None
    is_money: bool = False
    where: Expression | None = None
    until: tuple[str, ...] = ()
    within_days: int | None = None
    across: Across | None = None


@dataclass(frozen=True, slots=True)
class Points:
    """The points of an indicator.

    Attributes:
        flat: given whenever there is a measure; None where bounds decide.
        bounds: pairs of (bound, points), in the order of the file.
        at_least: whether bounds are lower bounds (``at_least``) or upper ones (``at_most``).
    """

    flat: int | None = None
    at_least: bool = True
    bounds: tuple[tuple[Amount, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Indicator:
    """One sign of difficulty.

    Attributes:
        index: place in the file, from 0.
        dimension: index into ``Policy.dimensions``.
        measure: over facts (``from``); None for ``members`` indicators.
        members: the condition on a member; None for ``from`` indicators.
        share: a ``members`` indicator measures a percentage instead of a number of members.
        percent_of, times: the measure becomes 100 x measure / (percent_of x times).
        fades: (after, over) in days, or None.
        floor: index into ``Policy.levels``: the least level while points are not 0; or None.
    """

    index: int
    id: str
    dimension: int
    tier: Tier
    points: Points
    measure: Measure | None = None
    members: Expression | None = None
    share: bool = False
    percent_of: Measure | None = None
    times: int = 1
    fades: tuple[int, int] | None = None
    floor: int | None = None
    title: Titles = field(default_factory=dict)
    because: Titles = field(default_factory=dict)
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy.

    Attributes:
        id: the value of the key ``policy``.
        timezone: IANA name; its midnights are the ticks.
        keep_days: from the catalogue.
        digest: SHA-256 of the file, in hex (messages give its first 12 digits).
        money_fields: (type, field) of every money field of the catalogue.
    """

    id: str
    version: int
    timezone: str
    parameters: dict[str, Parameter]
    dimensions: tuple[Dimension, ...]
    levels: tuple[Level, ...]
    indicators: tuple[Indicator, ...]
    keep_days: int
    digest: str = ""
    money_fields: frozenset[tuple[str, str]] = frozenset()

    def parameters_at(self, day: int) -> dict[str, Fraction]:
        """Every parameter's value on a day."""
        return {name: parameter.at(day) for name, parameter in self.parameters.items()}
