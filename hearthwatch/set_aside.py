"""Which events a household is judged without, because the program failed on them.

A failing program does not always know whose an event is: intake keeps no states, and a person may have moved
on since. So the events themselves are asked, and held against what is known of the household now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rules import person as registry
from rules.state import Household
from streams.catalog import REGISTERED
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import INTERNAL_ERROR, DeadLetter
from streams.kafka_clients import Connection
from streams.named import Named, named
from streams.partitions import partition_of
from streams.records import PERSON_EVENTS
from streams.timestamps import DAY
from streams.topics import LIFE

if TYPE_CHECKING:
    from agents.ledger import Ledger


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that waits in the dead letters; ``at``: topic/partition@offset of the original."""

    type: str
    source: str
    id: str
    at: str


Waiting = Mapping[Named, str]
"""Events that were set aside, each with topic/partition@offset of its original."""


def waiting_events(connection: Connection) -> Waiting:
    """Events that were set aside as `internal-error`, and not rejected for another reason since.

    The whole topic of dead letters is read. Those that were requeued are still among them.

    Raises:
        TransportError: no broker answers.
    """
    return still_waiting(read_dead_letters(connection))


class WaitingEvents:
    """What dead letters leave waiting, letter by letter, in their order."""

    def __init__(self) -> None:
        self.found: dict[Named, str] = {}
        self._values: set[bytes | None] = set()

    def take(self, letter: DeadLetter) -> None:
        """The next letter; one that was taken already changes nothing."""
        if letter.origin is None or not letter.origin[0].startswith(LIFE):
            return
        is_ours = letter.reason == INTERNAL_ERROR
        if not is_ours and letter.value not in self._values:  # nearly all: they need not be read
            return
        event = named(letter.value, letter.headers)
        if event is None:
            return
        if is_ours:
            topic, partition, offset = letter.origin
            self.found[event] = f"{topic}/{partition}@{offset}"
            self._values.add(letter.value)
        else:  # requeued, and the fixed program found it wrong: nobody is judged without it
            self.found.pop(event, None)


def still_waiting(letters: Iterable[DeadLetter]) -> Waiting:
    """Those of some dead letters, in their order; see :func:`waiting_events`."""
    waiting = WaitingEvents()
    for letter in letters:
        waiting.take(letter)
    return waiting.found


def registry_subjects(home: Household, waiting: Waiting) -> list[str]:
    """The persons of whom :func:`judged_without` asks what the registry says."""
    return sorted({one.subject for one in waiting if one.type in registry.REGISTRY and _concerns(home, one)})


async def persons_of(
    ledger: Ledger, partitions: int, subjects: Iterable[str]
) -> dict[str, registry.Person | None]:
    """What the registry says of some persons, by the ledger.

    Args:
        partitions: of ``person.events``.
    """
    found = {}
    for id in subjects:
        number = partition_of(id.encode(), partitions)
        raw = (await ledger.read("person", PERSON_EVENTS, number, [id]))[0]
        found[id] = None if raw is None else registry.decode(raw)
    return found


def judged_without(
    home: Household, waiting: Waiting, persons: Mapping[str, registry.Person | None], *, keep_days: int
) -> list[SetAside]:
    """Events about a household and its people that were set aside and are still missing.

    A person's facts are missing wherever the person lives now; a membership event that has not been taken
    in also where it says that the person belongs.

    Args:
        persons: what the registry says of :func:`registry_subjects`.
        keep_days: for how long facts are kept: older ones would not count any more.
    """
    return [
        SetAside(one.type, one.source, one.id, at)
        for one, at in waiting.items()
        if _concerns(home, one) and _is_missing(home, one, persons, keep_days)
    ]


def _concerns(home: Household, event: Named) -> bool:
    if event.kind == "household":
        return event.subject == home.id
    is_here = event.subject in home.residents or event.subject in home.waiting
    return is_here or (event.type in registry.REGISTRY and event.household == home.id)


def _is_missing(
    home: Household, event: Named, persons: Mapping[str, registry.Person | None], keep_days: int
) -> bool:
    if event.type in registry.REGISTRY:
        person = persons.get(event.subject)
        return person is None or not registry.is_known(person, event.key)
    if event.type == REGISTERED:
        return home.registered is None or home.registered < event.key
    if home.day is not None and home.day - event.time // DAY >= keep_days:
        return False  # it would not be kept any more
    if event.kind == "household":
        return not home.own.has(event.source, event.id)
    resident = home.residents.get(event.subject)  # of who is on the way nothing is known here yet
    return resident is not None and not resident.known.has(event.source, event.id)
