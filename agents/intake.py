"""Intake: department records in, accepted events out, rejected ones to the dead letters.

It keeps nothing but its offsets. A record that it sends again after a crash is harmless: facts are told
apart by (source, id), registry events by (time, source, id), hop records about households by their number.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from agents.deciding import Stage
from agents.lanes import Failure, Lane, Part
from agents.takeovers import MARK
from rules.rulebook import Rulebook
from streams.catalog import Catalog
from streams.deadletters import dead_letter_headers
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.origins import fields
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    About,
    Origin,
    PersonRecord,
    encode,
)
from streams.topics import LIFE, life_topic

logger = logging.getLogger(__name__)


class Intake(Stage):
    """Decodes, validates and repartitions what is sent on ``life.<department>``."""

    name: ClassVar[str] = "intake"
    max_part: ClassVar[int] = 4_000
    keeps_states: ClassVar[bool] = False

    def __init__(self, catalog: Catalog, *, book: Rulebook | None = None) -> None:
        # Of earlier catalogues too: what comes there is rejected, and not left unread.
        departments = dict.fromkeys(catalog.departments)
        if book is not None:
            for one in book.activations:
                departments |= dict.fromkeys(book.catalog(one.number).departments)
        self.topics = [life_topic(department) for department in departments]
        self.sends_to = (PERSON_EVENTS, HOUSEHOLD_FACTS, DEADLETTERS)
        self.decoder = Decoder(catalog)
        self.book = book
        self._decoders: dict[int, Decoder] = {} if book is None else {book.newest: self.decoder}

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Nothing to look up."""
        return records, ()

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Accept or reject each record, and say where it goes."""
        topic, partition = lane.topic, lane.partition
        channel = f"{topic}-{partition}"
        department = topic.removeprefix(LIFE)
        decode = self._decoder(lane, part).record
        add = part.sends.append
        accepted = 0
        for record in read:
            try:
                event = decode(topic, record.value, record.headers, record.timestamp)
                origin = Origin(topic, partition, record.offset)
                if event.about_person:
                    add((PERSON_EVENTS, event.subject.encode(), encode(PersonRecord(event, origin)), ()))
                else:
                    about = About(event.subject, channel, (record.offset, 0), origin, event)
                    add((HOUSEHOLD_FACTS, event.subject.encode(), encode(about), ()))
                accepted += 1
            except DecodeError as error:
                headers = dead_letter_headers(
                    record.headers,
                    topic=topic,
                    partition=partition,
                    offset=record.offset,
                    reason=error.reason,
                    message=error.message,
                )
                add((DEADLETTERS, record.key, record.value, headers))
                part.tallies["rejected", department, error.reason] += 1
                if logger.isEnabledFor(logging.DEBUG):
                    place = fields(topic, partition, record.offset)
                    logger.debug("rejected: %s", error.reason, extra={**place, "reason": error.reason})
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                part.failures.append(
                    Failure(
                        None, topic, partition, record.offset, record.key, record.value, record.headers, error
                    )
                )
                part.tallies["rejected", department, "internal-error"] += 1
        part.tallies["accepted", department] += accepted
        for (type, field), number in self._dropped():
            part.tallies["dropped-field", type, field] += number

    def _decoder(self, lane: Lane, part: Part) -> Decoder:
        """That of the activation that the partition has taken; a new partition begins under the newest."""
        if self.book is None:
            return self.decoder
        if MARK not in lane.marks:
            lane.marks[MARK] = part.marks[MARK] = (self.book.newest, 0)
        number = lane.marks[MARK][0]
        decoder = self._decoders.get(number)
        if decoder is None:
            decoder = self._decoders[number] = Decoder(self.book.catalog(number))
            decoder.dropped = self.decoder.dropped
        return decoder

    def _dropped(self) -> list[tuple[tuple[str, str], int]]:
        """Fields that the catalogue does not name, since the last call."""
        dropped = list(self.decoder.dropped.items())
        self.decoder.dropped.clear()
        return dropped
