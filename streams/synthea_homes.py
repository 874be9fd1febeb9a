"""Households of Synthea's persons, who live alone in the data.

Nobody is told who lives with whom, so households are formed, always the same way:

1. Who died before 2013 is left out: there is no event about them.
2. Each married man, oldest first, is paired with the married woman nearest in age, at most ten years apart,
   of the same town if there is one. Other married women stay without their husbands, who are not in the data.
3. Every other adult of 2013 (18 on 1 January) heads a household, but every second one over 65 without a
   partner lives with the younger family (head 20 to 40 years younger, not yet with an old parent) that is
   nearest to 30 years younger.
4. Each child of 2013 or later, oldest first, belongs to the household of a woman who was 20 to 40 years old
   at the birth: the one with the fewest children so far, then one of the same town, then the one nearest
   to 28 years. There is one for each of the 111; a child without one would form a household of its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from streams.district_homes import COMMUNITIES

START: Final = date(2013, 1, 1)
"""The data begin here; all households of that day are registered on it."""
PENSION_AGE: Final = 60
"""From here on an income counts as a pension; own choice, and the same for women and men."""


@dataclass(slots=True)
class SyntheaPerson:
    """One row of patients.csv, under a pseudonym.

    Attributes:
        key: the id in the data; only used to find rows.
        id: the pseudonym.
        yearly_usd: income.
        role: in the household.
        work: full-time, part-time, unemployed, not-working or child; changes with time.
    """

    key: str
    id: str
    born: date
    died: date | None
    sex: str
    married: bool
    town: str
    yearly_usd: int
    role: str = "head"
    work: str = "full-time"

    def age(self, day: date) -> int:
        """Whole years on a day; negative before birth."""
        return day.year - self.born.year - ((day.month, day.day) < (self.born.month, self.born.day))


@dataclass(slots=True)
class SyntheaHome:
    """A household that was formed."""

    id: str
    community: str
    members: list[SyntheaPerson] = field(default_factory=list)
    has_dibao: bool = False


def pseudonym(key: str) -> str:
    """Ten hex digits for an id of the data; they say nothing without it."""
    return hashlib.sha256(f"hearthwatch/{key}".encode()).hexdigest()[:10]


def form_households(persons: Iterable[SyntheaPerson]) -> list[SyntheaHome]:
    """Put persons together as this module's text says; by id of the household."""
    alive = sorted(
        (person for person in persons if person.died is None or person.died >= START),
        key=lambda person: (person.born, person.id),
    )
    adults = [person for person in alive if person.age(START) >= 18]
    homes, single = _couples(adults)
    old_alone = 0
    for person in single:
        if person.age(START) >= 65:
            old_alone += 1
            host = _nearest_host(person, single, homes) if old_alone % 2 == 0 else None
            if host is not None:
                person.role = "parent"
                host.members.append(person)
                continue
        homes.append(_home(person))
    for child in alive:
        if child.age(START) < 18:
            child.role, child.work = "child", "child"
            _family_of(child, homes).members.append(child)
    return sorted(homes, key=lambda home: home.id)


def _home(head: SyntheaPerson) -> SyntheaHome:
    number = int(head.id, 16)
    return SyntheaHome(f"syn-{head.id}", COMMUNITIES[number % len(COMMUNITIES)], [head])


def _couples(adults: list[SyntheaPerson]) -> tuple[list[SyntheaHome], list[SyntheaPerson]]:
    """Married couples, and every other adult (youngest first, so that hosts exist before the old look)."""
    women = [person for person in adults if person.married and person.sex == "female"]
    homes, paired = [], set()
    for man in adults:
        if not man.married or man.sex != "male":
            continue
        near = [woman for woman in women if abs((woman.born - man.born).days) <= 3_653]
        if near:
            wife = min(near, key=lambda w: (w.town != man.town, abs((w.born - man.born).days), w.id))
            women.remove(wife)
            wife.role = "spouse"
            home = _home(man)
            home.members.append(wife)
            homes.append(home)
            paired |= {man.key, wife.key}
    return homes, [person for person in reversed(adults) if person.key not in paired]


def _nearest_host(
    person: SyntheaPerson, single: list[SyntheaPerson], homes: list[SyntheaHome]
) -> SyntheaHome | None:
    """A younger family without an old parent yet."""
    free = [
        home
        for home in homes
        if 20 <= (years := (home.members[0].born - person.born).days // 365) <= 40
        and years and all(member.role != "parent" for member in home.members)
    ]  # fmt: skip
    return min(free, key=lambda h: (abs((h.members[0].born - person.born).days - 10_950), h.id), default=None)


def _family_of(child: SyntheaPerson, homes: list[SyntheaHome]) -> SyntheaHome:
    """The household of a woman who could be the mother; a new one where there is none."""
    found: list[tuple[int, bool, int, str, SyntheaHome]] = []
    for home in homes:
        for member in home.members:
            days = (child.born - member.born).days
            if member.sex == "female" and member.role in ("head", "spouse") and 7_305 <= days <= 14_610:
                children = sum(other.role == "child" for other in home.members)
                found.append((children, member.town != child.town, abs(days - 10_227), home.id, home))
    if found:
        return min(found, key=lambda entry: entry[:4])[4]
    home = _home(child)
    home.members.clear()
    homes.append(home)
    return home
