"""Which events a household is judged without, because the program failed on them."""

from __future__ import annotations

from dataclasses import dataclass

from rules.state import Household
from streams.catalog import Catalog
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import INTERNAL_ERROR
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.kafka_clients import Connection


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that waits in the dead letters; ``at``: topic/partition@offset of the original."""

    type: str
    source: str
    id: str
    at: str


def judged_without(connection: Connection, home: Household, catalog: Catalog) -> list[SetAside]:
    """Events of a household that were set aside as `internal-error` and have not come back since.

    The whole topic of dead letters is read. What concerned a person who has left is not named any more.

    Raises:
        TransportError: no broker answers.
    """
    decoder = Decoder(catalog)
    found: dict[tuple[str, str], SetAside] = {}
    for letter in read_dead_letters(connection, reason=INTERNAL_ERROR):
        if letter.household != home.id or letter.origin is None:
            continue
        topic, partition, offset = letter.origin
        try:
            event = decoder.record(topic, letter.value, letter.headers, letter.timestamp_ms)
        except DecodeError:  # another catalogue accepted it
            continue
        if event.about_person:
            resident = home.residents.get(event.subject)
            if resident is None or resident.known.has(event.source, event.id):
                continue
        elif home.own.has(event.source, event.id):
            continue
        at = f"{topic}/{partition}@{offset}"
        found[event.source, event.id] = SetAside(event.type, event.source, event.id, at)
    return list(found.values())
