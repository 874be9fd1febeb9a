"""The person stage: events by person in, messages to the person's household out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from msgspec import Raw

from agents.deciding import Stage
from agents.lanes import Failure, Lane, Part
from rules import person
from streams.errors import LedgerError
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    PassingRecord,
    PersonRecord,
    decode_origin,
    decode_passing_record,
    decode_person_record,
    encode,
    type_of,
)


class PersonStage(Stage):
    """Folds ``person.events`` by :func:`rules.person.step`; registry events alone write a state."""

    name: ClassVar[str] = "person"
    max_part: ClassVar[int] = 2_000

    def __init__(self) -> None:
        self.topics = (PERSON_EVENTS,)
        self.sends_to = (HOUSEHOLD_FACTS, DEADLETTERS)

    def anew(self, state: bytes) -> bytes:
        """A person in today's form."""
        return person.encode(person.decode(state))

    def decoded(self, state: bytes) -> person.Person:
        """A person."""
        return person.decode(state)

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Raw records with their persons and what was read of them; the persons.

        Nearly every record is a fact, and is passed on without being read: a registry event alone is.
        """
        registry = person.REGISTRY
        out: list[tuple[Any, str, PersonRecord | PassingRecord]] = []
        for record in records:
            try:
                passing = decode_passing_record(record.value)
                if record.key is not None and type_of(passing) not in registry:
                    out.append((record, record.key.decode(), passing))
                    continue
                read = decode_person_record(record.value)
                out.append((record, read.event.subject, read))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
        return out, {id for _, id, _ in out}

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each person, and collect what their households are told."""
        topic, partition = lane.topic, lane.partition
        channel = f"{topic}-{partition}"
        step, pass_on, whereabouts = person.step, person.pass_on, person.whereabouts
        states = lane.states
        changed: dict[str, person.Person] = {}
        add = part.sends.append
        for raw, id, record in read:
            before = changed.get(id) if changed else None
            sent = len(part.sends)
            try:
                if record.__class__ is PassingRecord:
                    where, n = whereabouts(id, states[id]) if before is None else (before.where, before.n)
                    fact = pass_on(record, where, n, channel=channel, offset=raw.offset)
                    add((HOUSEHOLD_FACTS, where.encode(), encode(fact), ()))
                    continue
                if before is None:
                    state = states[id]
                    before = None if state is None else person.decode(state)
                after, messages = step(before, record, channel=channel, offset=raw.offset)
                for message in messages:
                    add((HOUSEHOLD_FACTS, message.household.encode(), encode(message), ()))
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                del part.sends[sent:]
                origin = record.origin
                at = decode_origin(origin) if isinstance(origin, Raw) else origin
                fail(part, lane, raw, at, error, _where(id, before, states[id]))
                continue
            if after is not None:
                changed[id] = after
        part.states = {id: person.encode(after) for id, after in changed.items()}
        part.tallies["records", self.name] += part.count


def _where(id: str, before: person.Person | None, raw: bytes | None) -> bytes | None:
    """Where a person is whose event failed; None where that is what fails."""
    try:
        return (before.where if before is not None else person.whereabouts(id, raw)[0]).encode()
    except LedgerError:
        raise
    except Exception:  # noqa: BLE001 - the failure itself is told already
        return None


def fail(
    part: Part, lane: Lane, record: Any, origin: Any, error: Exception, household: bytes | None = None
) -> None:
    """Note that the program failed on a hop record, whose original stands at ``origin``."""
    topic, partition = lane.topic, lane.partition
    key, value = record.key, record.value
    part.failures.append(
        Failure(origin, topic, partition, record.offset, key, value, record.headers, error, household)
    )
    part.tallies["set-aside", topic] += 1
