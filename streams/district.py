"""A made-up district, as event lines: for the demo, the benchmarks and the calibration of a policy.

The same arguments give the same bytes. Lines come in order of time, made as they are read: a day at a time,
with what follows later (a discharge after an admission, a job found after one lost) kept until its day.
What happens, and how often, stands in :mod:`streams.district_courses`; it is made up.

The generator knows the types of ``streams/catalogs/wuchang.yaml`` and needs that catalogue, or one that has
all of its types.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from streams.catalog import Catalog
from streams.district_courses import COURSES, TYPES
from streams.district_life import Life
from streams.district_world import World
from streams.errors import InputError

EVENTS_A_YEAR: Final = 4.0
"""Life events per household and year where the number of days is not given."""
MOST_DAYS: Final = 1_095
FIRST_DAY: Final = date(2024, 1, 1)


@dataclass(frozen=True, slots=True)
class District:
    """What to make.

    Attributes:
        households: number of households at the start.
        events: number of life events: those after the first day. The first day's registrations, incomes
            and other standing facts (4 to 10 lines a household) come on top.
        seed: the same seed gives the same district.
        begins: the first day: registrations only. Life begins the day after.
        days: days of life; None: so many that a household has about four events a year, at most three years.
    """

    households: int
    events: int
    seed: int = 1
    begins: date = FIRST_DAY
    days: int | None = None

    def __post_init__(self) -> None:
        if self.households < 1:
            raise InputError(f"--households: expected at least 1, not {self.households}")
        if self.events < 0:
            raise InputError(f"--events: expected 0 or more, not {self.events}")
        if self.days is not None and self.days < 1:
            raise InputError(f"--days: expected at least 1, not {self.days}")

    @property
    def length_days(self) -> int:
        """Days of life."""
        if self.days is not None:
            return self.days
        natural = round(self.events / self.households / EVENTS_A_YEAR * 365)
        return min(MOST_DAYS, max(30, natural))

    @property
    def density(self) -> float:
        """Life events per household and year."""
        return self.events / self.households / self.length_days * 365


def district_lines(district: District, catalog: Catalog) -> Iterator[bytes]:
    """Structured CloudEvents in order of time, without LF.

    Raises:
        InputError: the catalogue lacks a type that the generator uses.
    """
    if missing := sorted(kind for kind in TYPES if kind not in catalog.events):
        raise InputError(f"the catalogue `{catalog.id}` lacks types of the generator: {', '.join(missing)}")
    world = World(district, catalog)
    yield from world.registration()
    yield from Life(world, COURSES).lines()
