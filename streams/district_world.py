"""The state of a made-up district while it is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from streams.catalog import JOINED, LEFT, REGISTERED, RETRACTED, Catalog
from streams.district_homes import Builder, Home, Person

if TYPE_CHECKING:
    from streams.district import District

_OPENS: Final = 8 * 3_600
_OPEN_SECONDS: Final = 10 * 3_600
"""Offices send from eight to six."""


class World:
    """The state of a district while it is told: its homes, its chance, the number of the next event."""

    def __init__(self, district: District, catalog: Catalog) -> None:
        self.district = district
        self.chance = random.Random(district.seed)  # noqa: S311 - made-up life, no secret
        self.builder = Builder(self.chance)
        self.homes: list[Home] = []
        self.told = 0
        registry = catalog.registry[0] if catalog.registry else ""
        first = {kind: event.departments[0] for kind, event in catalog.events.items()}
        first |= dict.fromkeys((REGISTERED, JOINED, LEFT), registry)
        first[RETRACTED] = "medical-insurance"
        self._sources = {kind: f"{catalog.source_root}/{department}" for kind, department in first.items()}

    def line(self, kind: str, subject: str, time: str, data: str, supersedes: str = "") -> bytes:
        """One event; ``time`` without its offset, ``data`` as JSON."""
        self.told += 1
        corrects = f'"supersedes":"{supersedes}",' if supersedes else ""
        return (
            f'{{"specversion":"1.0","id":"g{self.told:07}","source":"{self._sources[kind]}","type":"{kind}",'
            f'"subject":"{subject}","time":"{time}+08:00",{corrects}"data":{data}}}'
        ).encode()

    def registration(self) -> Iterator[bytes]:
        """Every household with its members and standing facts, spread over the first night."""
        number = self.district.households
        for place, home in enumerate(self.builder.homes(number)):
            second = place * _OPENS // number
            time = at_second(self.district.begins, second)
            self.homes.append(home)
            yield from self.settle(home, time)

    def settle(self, home: Home, time: str) -> Iterator[bytes]:
        """A household appears: registration, members, standing facts."""
        yield self.line(REGISTERED, f"household/{home.id}", time, f'{{"community":"{home.community}"}}')
        for person in home.members:
            yield self.joins(home, person, time)
        for kind, subject, data in home.standing:
            yield self.line(kind, subject, time, data)
        home.standing = []

    def joins(self, home: Home, person: Person, time: str) -> bytes:
        """A person joins a household; the birthday is drawn."""
        chance = self.chance
        born = date(self.district.begins.year - person.age, 1, 1) - timedelta(days=int(chance.random() * 365))
        born = min(born, date.fromisoformat(time[:10]))
        data = f'{{"household":"{home.id}","role":"{person.role}","birth":"{born}","sex":"{person.sex}"}}'
        return self.line(JOINED, f"person/{person.id}", time, data)

    def office_second(self) -> int:
        """A second of the day while offices are open."""
        return _OPENS + int(self.chance.random() * _OPEN_SECONDS)


def at_second(day: date, second: int) -> str:
    """``YYYY-MM-DDTHH:MM:SS``."""
    return f"{day}T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
