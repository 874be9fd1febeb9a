"""Made-up households of a district: who lives together, what they earn, what holds from the start.

Nothing here is a statistic of Wuchang. Shares and incomes are our own choice, so that a few in a hundred
households are near the subsistence line and most are far from it. Codes of communities are made up too:
nine digits of a street (420106001 to 420106015 without 420106004: 14 streets) and a number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

STREETS: Final = tuple(f"420106{number:03}" for number in range(1, 16) if number != 4)
COMMUNITIES: Final = tuple(
    f"{street}{number:03}"
    for place, street in enumerate(STREETS)
    for number in range(1, 12 if place < 2 else 11)
)
"""142 communities; made up."""


@dataclass(slots=True)
class Person:
    """One member. ``work`` is earner, flexible, pensioner, student, child or none; ``age`` at the start."""

    id: str
    role: str
    age: int
    sex: str
    work: str
    monthly_yuan: int = 0
    busy: bool = False
    """Something is going on with the person that would not start twice (out of work, in hospital)."""


@dataclass(slots=True)
class Home:
    """One household."""

    id: str
    community: str
    members: list[Person]
    has_dibao: bool = False
    is_single_parent: bool = False
    busy: bool = False
    standing: list[tuple[str, str, str]] = field(default_factory=list)
    """Facts that hold from the start: (type, subject, data as JSON)."""


_KINDS: Final = (
    ("couple-child", 29), ("pensioner-couple", 18), ("single", 16), ("couple", 12), ("three-generations", 10),
    ("pensioner-alone", 6), ("couple-two-children", 4), ("single-parent", 3), ("dibao", 2),
)  # fmt: skip
_NAMES: Final = tuple(name for name, _ in _KINDS)
_WEIGHTS: Final = tuple(accumulate(weight for _, weight in _KINDS))


class Builder:
    """Builds households one after the other, from one source of chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._built = 0

    def homes(self, number: int) -> Iterator[Home]:
        """So many households of all kinds."""
        for kind in self._chance.choices(_NAMES, cum_weights=_WEIGHTS, k=number):
            yield self.home(kind)

    def home(self, kind: str) -> Home:
        """One household of a kind."""
        self._built += 1
        name = f"h{self._built:06}"
        community = COMMUNITIES[int(self._chance.random() * len(COMMUNITIES))]
        home = Home(name, community, [])
        if kind == "pensioner-couple":
            self._old_couple(home, "head", "spouse", 60, 82)
        elif kind == "pensioner-alone":
            self._add(home, "head", 66, 86, "pensioner")
        elif kind == "single":
            self._add(home, "head", 23, 58, "earner")
        elif kind == "single-parent":
            parent = self._add(home, "head", 28, 50, "earner")
            self._add(home, "child", 3, min(17, parent.age - 20), "student")
            home.is_single_parent = True
        elif kind == "dibao":
            self._poor(home)
        else:
            self._family(home, kind)
        self._standing(home)
        return home

    def _family(self, home: Home, kind: str) -> None:
        head = self._add(home, "head", 27, 56, "earner", sex="male")
        spouse = self._add(home, "spouse", max(25, head.age - 4), head.age + 1, "earner", sex="female")
        if self._chance.random() < 0.12:
            spouse.work, spouse.monthly_yuan = "none", 0
        children = {"couple": 0, "couple-two-children": 2}.get(kind, 1)
        for _ in range(children):
            self._add(home, "child", 0, max(1, min(19, head.age - 26)), "student")
        if kind == "three-generations":
            self._old_couple(home, "parent", "parent", head.age + 22, head.age + 28)

    def _old_couple(self, home: Home, first: str, second: str, least: int, most: int) -> None:
        husband = self._add(home, first, least, most, "pensioner", sex="male")
        self._add(home, second, husband.age - 3, husband.age, "pensioner", sex="female")

    def _poor(self, home: Home) -> None:
        head = self._add(home, "head", 35, 58, "flexible")
        head.monthly_yuan = self._chance.randrange(0, 9) * 100
        subject = f"person/{head.id}"
        if self._chance.random() < 0.6:
            data = f'{{"grade":{self._chance.choice((2, 3, 3, 4))},"kind":"physical"}}'
            home.standing.append(("disability.certificate.issued", subject, data))
            home.standing.append(("benefit.disability-subsidy.granted", subject, '{"monthly_yuan":120}'))
        if self._chance.random() < 0.6:
            self._add(home, "child", 6, 17, "student")
        home.has_dibao = True
        household = f"household/{home.id}"
        home.standing.append(
            ("benefit.dibao.granted", household, f'{{"monthly_yuan":{900 * len(home.members)}}}')
        )
        home.standing.append(("benefit.low-income.confirmed", household, '{"category":"other"}'))

    def _add(self, home: Home, role: str, least: int, most: int, work: str, sex: str = "") -> Person:
        chance = self._chance
        age = least + int(chance.random() * (max(most, least) - least + 1))
        person = Person(
            f"{home.id}.{len(home.members) + 1}", role, age, sex or chance.choice(("female", "male")), work
        )
        if work == "earner":
            if chance.random() < 0.18:
                person.work = "flexible"
                person.monthly_yuan = int(min(12_000, 3_000 + chance.expovariate(1 / 1_800)) / 50) * 50
            else:
                person.monthly_yuan = int(min(60_000, 4_000 + chance.expovariate(1 / 3_800)) / 50) * 50
        elif work == "pensioner":
            if age < 60:
                person.work, person.monthly_yuan = "earner", 4_500
            else:
                person.monthly_yuan = int(min(9_000, 2_300 + chance.expovariate(1 / 1_300)) / 10) * 10
        elif work == "student" and age < 6:
            person.work = "child"
        home.members.append(person)
        return person

    def _standing(self, home: Home) -> None:
        """Incomes, pensions, chronic illness of the old."""
        for person in home.members:
            subject = f"person/{person.id}"
            if person.work in ("earner", "flexible", "none"):
                data = f'{{"monthly_yuan":{person.monthly_yuan}}}'
                home.standing.append(("income.earnings.assessed", subject, data))
            elif person.work == "pensioner":
                data = f'{{"monthly_yuan":{person.monthly_yuan}}}'
                home.standing.append(("pension.payment.granted", subject, data))
                if self._chance.random() < 0.5:
                    severity = self._chance.choices((1, 2, 3), weights=(60, 33, 7))[0]
                    data = f'{{"illness":"hypertension","severity":{severity}}}'
                    home.standing.append(("health.chronic-illness.confirmed", subject, data))
                if len(home.members) == 1 and person.age >= 70:
                    home.standing.append(("elderly.living-alone.confirmed", subject, "{}"))
        if home.is_single_parent:
            home.standing.append(("family.single-parent.confirmed", f"household/{home.id}", '{"children":1}'))
