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
from streams.timestamps import DAY


@dataclass(frozen=True, slots=True)
class SetAside:
    """An event that waits in the dead letters; ``at``: topic/partition@offset of the original."""

    type: str
    source: str
    id: str
    at: str


def judged_without(connection: Connection, home: Household, catalog: Catalog) -> list[SetAside]:
    """Events of a household and its residents that were set aside as `internal-error` and are still missing.

    The whole topic of dead letters is read. A person's events are missing wherever the person lives now.

    Raises:
        TransportError: no broker answers.
    """
    decoder = Decoder(catalog)
    found: dict[tuple[str, str], SetAside] = {}
    for letter in read_dead_letters(connection, reason=INTERNAL_ERROR):
        if letter.origin is None:
            continue
        topic, partition, offset = letter.origin
        try:
            event = decoder.record(topic, letter.value, letter.headers, letter.timestamp_ms)
        except DecodeError:  # another catalogue accepted it
            continue
        if event.about_person:
            resident = home.residents.get(event.subject)
            known = None if resident is None else resident.known
        else:
            known = home.own if event.subject == home.id else None
        if known is None or known.has(event.source, event.id):
            continue
        if home.day is not None and home.day - event.time // DAY >= catalog.keep_days:
            continue  # it would not be kept any more
        at = f"{topic}/{partition}@{offset}"
        found[event.source, event.id] = SetAside(event.type, event.source, event.id, at)
    return list(found.values())
