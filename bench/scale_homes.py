"""Households by the hundred thousand for :mod:`bench.scale`: those of a made-up district, under other names.

A district of two million households takes an hour to tell and to fold. What a stage or a server has to do
depends on how many states there are and how large each is, so a few thousand real ones are copied: the
household's name, of which the persons' begin with, is replaced by another of the same length in every place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from agents.ledger import Ledger
from agents.ledger.restoring import Place, Restoring
from rules import household, person
from rules.backtest import Backtest
from streams.district import District, district_lines
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
#: States in one call to the server, and calls under way.
_CHUNK: Final = 2_000

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Model:
    """A household to copy, encoded, with the persons who live in it.

    Attributes:
        due: the day on which it is due next; None for never.
        persons: (number behind the household's name, state, move number).
        facts: kept facts of all of them.
    """

    id: str
    state: bytes
    due: int | None
    persons: tuple[tuple[str, bytes, int], ...]
    facts: int


def models(
    run: Backtest, day: int | None = None, is_wanted: Callable[[household.Household], bool] = lambda _: True
) -> list[Model]:
    """The households of a run that have members who all began in them, as they are on a day."""
    if day is not None:
        run.finish(day)
    found = []
    for home in run.households.values():
        members = home.members
        if not members or len(home.id) != 7 or not is_wanted(home):
            continue
        if any(not resident.id.startswith(home.id + ".") for resident in home.residents.values()):
            continue  # a person who came from elsewhere is named after another household
        found.append(
            Model(
                home.id,
                household.encode(home),
                home.due,
                tuple(
                    (resident.id.removeprefix(home.id), person.encode(run.persons[resident.id]), resident.n)
                    for resident in home.residents.values()
                ),
                sum(
                    len(facts)
                    for known in [home.own, *(one.known for one in home.residents.values())]
                    for facts in known.facts.values()
                ),
            )
        )
    return found


def district(households: int, events: int, catalog: Any, policy: Any) -> Backtest:
    """A year of a made-up district, folded."""
    run = Backtest(catalog, policy)
    for number, line in enumerate(district_lines(District(households, events, days=365), catalog), 1):
        run.feed(number, line)
    return run


def name(number: int) -> str:
    """The name of a copy, as long as those of the generator."""
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return "k" + digits


def copies(given: Sequence[Model], count: int, first: int = 0) -> Iterable[tuple[str, Model, bytes]]:
    """(name, what it is a copy of, state) of so many households."""
    for number in range(first, first + count):
        model = given[number % len(given)]
        id = name(number)
        yield id, model, model.state.replace(model.id.encode(), id.encode())


async def fill(
    ledger: Ledger,
    given: Sequence[Model],
    count: int,
    *,
    prefix: str,
    partitions: int,
    day: int,
    with_persons: bool = False,
    is_changed: bool = False,
    say: Progress = lambda what: None,
) -> None:
    """Write copies into the ledger as a rebuild writes them, for partitions whose log is still empty.

    Args:
        is_changed: as if no snapshot had been taken of any.
    """
    topics = [("household", HOUSEHOLD_FACTS), *([("person", PERSON_EVENTS)] if with_persons else [])]
    at = {
        (stage, number): Restoring(ledger, Place(stage, prefix + topic, number))
        for stage, topic in topics
        for number in range(partitions)
    }
    for one in at.values():
        await one.begin()
    made = iter(copies(given, count))
    done = 0
    while some := list(islice(made, _CHUNK * partitions)):
        homes: list[dict[str, bytes]] = [{} for _ in range(partitions)]
        days: list[dict[str, int]] = [{} for _ in range(partitions)]
        people: list[dict[str, bytes]] = [{} for _ in range(partitions)]
        for id, model, state in some:
            number = partition_of(id.encode(), partitions)
            homes[number][id] = state
            if model.due is not None:
                days[number][id] = model.due
            if with_persons:
                for suffix, raw, _ in model.persons:
                    key = id + suffix
                    people[partition_of(key.encode(), partitions)][key] = raw.replace(
                        model.id.encode(), id.encode()
                    )
        await asyncio.gather(
            *(
                at["household", number].put(homes[number], days[number], homes[number] if is_changed else ())
                for number in range(partitions)
            ),
            *(
                at["person", number].put(people[number], {}, people[number] if is_changed else ())
                for number in range(partitions)
                if with_persons
            ),
        )
        done += len(some)
        if done % 200_000 < len(some):
            say(f"{done:,} of {count:,} households in Redis")
    for (stage, _), one in at.items():
        await one.open(0, {"day": str(day)} if stage == "household" else {}, {}, {})
