"""The person stage: events by person in, messages to the person's household out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from agents.deciding import Stage
from agents.lanes import Failure, Lane, Part
from rules import person
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, PERSON_EVENTS, decode_person_record, encode


class PersonStage(Stage):
    """Folds ``person.events`` by :func:`rules.person.step`; registry events alone write a state."""

    name: ClassVar[str] = "person"
    max_part: ClassVar[int] = 2_000

    def __init__(self) -> None:
        self.topics = (PERSON_EVENTS,)
        self.sends_to = (HOUSEHOLD_FACTS, DEADLETTERS)

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Decoded records beside the raw ones; the persons whom they are about."""
        out = []
        for record in records:
            try:
                out.append((record, decode_person_record(record.value)))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
        return out, {read.event.subject for _, read in out}

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each person, and collect what their households are told."""
        topic, partition = lane.topic, lane.partition
        channel = f"{topic}-{partition}"
        step = person.step
        known: dict[str, person.Person | None] = {}
        changed: dict[str, person.Person] = {}
        add = part.sends.append
        for raw, record in read:
            id = record.event.subject
            if id in known:
                before = known[id]
            else:
                state = lane.states[id]
                before = known[id] = None if state is None else person.decode(state)
            sent = len(part.sends)
            try:
                after, messages = step(before, record, channel=channel, offset=raw.offset)
                for message in messages:
                    add((HOUSEHOLD_FACTS, message.household.encode(), encode(message), ()))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                del part.sends[sent:]
                fail(part, lane, raw, record.origin, error)
                continue
            if after is not None:
                known[id] = changed[id] = after
        part.states = {id: person.encode(after) for id, after in changed.items()}
        part.tallies["records", self.name] += part.count


def fail(part: Part, lane: Lane, record: Any, origin: Any, error: Exception) -> None:
    """Note that the program failed on a hop record, whose original stands at ``origin``."""
    topic, partition = lane.topic, lane.partition
    part.failures.append(
        Failure(origin, topic, partition, record.offset, record.key, record.value, record.headers, error)
    )
    part.tallies["set-aside", topic] += 1
