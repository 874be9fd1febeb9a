"""One household's log as lines of events: what a backtest needs to raise the same warnings again.

The lines stand in the order in which the partition applied the records: one about a person who was
still on the way stands where it was applied, not where it arrived. A transfer stands for its join, behind the
facts that it brought, each as the event that it came from; a release is the person's leaving. Of events that
were dead on arrival (corrected, retracted) only the names are known: they are written as retractions.

Two things follow from the log and not from a household's own records: the day of the partition, which is
written as a retraction about a household that does not exist (:data:`CLOCK`), and which records the program
had failed on; those are left out.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

import orjson

from rules.calendar import Calendar
from rules.known import Known
from rules.state import DEAD, PROVISIONAL, decode_known
from streams.catalog import JOINED, LEFT, RETRACTED, Catalog
from streams.events import Event, Value
from streams.records import About, Activate, Cause, Fact, Member, Message, Release, Tick, Transfer, Update
from streams.timestamps import DAY, SECOND, format_timestamp

#: A household that is made up: its retractions only move the day, and whose birth is to be told joins it.
CLOCK: Final = "log-export"
_NOBODY: Final = "~"
"""An id that no event has: what a retraction takes back whose real target is not known any more."""

Logged = tuple[int | None, Message | Tick | Activate]
"""A record of ``household.facts``: the broker's time in microseconds since 1970 (None by the log's own clock,
which ignores no tick), and the message."""


class History:
    """The log of one partition of ``household.facts``, read for the sake of one household.

    Args:
        set_aside: origins (topic, partition, offset) of events that the program failed on.

    Attributes:
        day: the day of the partition so far, since 1970-01-01.
        ahead: facts that a transfer brought from a partition whose day was so far ahead that a backtest can
            take them in only on a later day than this partition did. By the wall clock there are none:
            partitions pass midnight within minutes of each other.
    """

    def __init__(
        self,
        household: str,
        catalog: Catalog,
        calendar: Calendar,
        *,
        set_aside: Container[tuple[str, int, int]] = frozenset(),
    ) -> None:
        self.household = household
        self.day: int | None = None
        self.ahead = 0
        self._catalog = catalog
        self._calendar = calendar
        self._set_aside = set_aside
        self._marks: dict[str, tuple[int, int]] = {}
        self._told: int | None = None
        self._number = 0
        self._here: set[str] = set()
        self._is_provisional = household.startswith(PROVISIONAL)
        self._queues: dict[str, list[Fact | Update | Release]] = {}
        self._parts: dict[str, list[Transfer]] = {}
        self._times: dict[str, int] = {}

    def lines(self, log: Iterable[Logged]) -> Iterator[bytes]:
        """Structured CloudEvents without LF: for ``hearthwatch backtest``, to the partition's last day."""
        for stamp, message in log:
            if isinstance(message, Activate):
                continue
            if isinstance(message, Tick):
                if stamp is None or message.received <= stamp:
                    self._pass(message.day)
                continue
            if message.number <= self._marks.get(message.channel, (-1, -1)):
                continue
            self._marks[message.channel] = message.number
            self._pass(self._calendar.day_of(message.received))
            if message.household == self.household:
                yield from self._take(message)
        if self._told is not None:
            yield from self._clock()

    def _pass(self, day: int) -> None:
        if self.day is None or day > self.day:
            self.day = day

    def _clock(self) -> Iterator[bytes]:
        """Move the reader's day on to the partition's, where the household's own lines do not."""
        assert self.day is not None
        if self._told is not None and self.day <= self._told:
            return
        midnight = self._calendar.midnight_of(self.day)
        if midnight is None:  # the zone leaves this date out
            return
        self._told = self.day
        self._number += 1
        source = self._catalog.source_of(next(iter(self._catalog.departments)))
        data: dict[str, Value] = {"reason": "the day of the log"}
        event = Event(
            RETRACTED, source, f"{CLOCK}-{self._number}", CLOCK, midnight, midnight, data, _NOBODY, False
        )
        yield self._line(event)

    # -- the order in which records are applied: rules.household does the same with states ----------------
    def _take(self, message: Message) -> Iterator[bytes]:
        if isinstance(message, About):
            if not self._is_set_aside(message):
                yield from self._event(message.event)
            return
        person = message.event.subject if isinstance(message, Fact) else message.person
        if isinstance(message, Fact) and self._is_set_aside(message):
            return
        if isinstance(message, Transfer):
            self._parts.setdefault(person, []).append(message)
        else:
            self._queues.setdefault(person, []).append(message)
        while True:
            parts, queue = self._parts.get(person, []), self._queues.get(person, [])
            if person not in self._here and parts and len(parts) == parts[0].parts:
                yield from self._join(person, self._parts.pop(person))
            elif queue and (person in self._here or self._begins(person, queue[0])):
                yield from self._apply(person, queue.pop(0))
            else:
                return

    def _begins(self, person: str, message: Fact | Update | Release) -> bool:
        """Whether it is the first about a person of whom nobody has heard: there is no transfer before it."""
        if self.household != PROVISIONAL + person:
            return False
        if message.n == (1 if isinstance(message, Release) else 0):
            self._here.add(person)
            return True
        return False

    def _is_set_aside(self, message: About | Fact) -> bool:
        at = message.origin
        return (at.topic, at.partition, at.offset) in self._set_aside

    def _apply(self, person: str, message: Fact | Update | Release) -> Iterator[bytes]:
        if isinstance(message, Fact):
            yield from self._event(message.event)
        elif isinstance(message, Update):
            yield from self._is_member(person, message.cause, message.member)
        else:
            self._here.remove(person)
            if self._is_provisional:
                yield from self._joined(person, message.cause, message.to, message.member)
            else:
                yield from self._left(person, message.cause, Member("other"))

    def _join(self, person: str, parts: list[Transfer]) -> Iterator[bytes]:
        known = Known()
        for part in sorted(parts, key=lambda transfer: transfer.part):
            known.absorb(decode_known(part.known))
        first = parts[0]
        self._here.add(person)
        if self._is_provisional:
            # Birth and sex, which whoever leaves does not say, are those of where it was.
            cause = Cause(first.cause.source, f"{CLOCK}-{first.cause.id}"[:128], "", first.cause.received)
            yield from self._joined(person, cause, CLOCK, first.member)
        for event in _events_of(person, known, first.cause.received):
            assert self.day is not None
            self.ahead += self._calendar.day_of(event.received) > self.day
            yield from self._event(event)
        yield from self._is_member(person, first.cause, first.member)

    def _is_member(self, person: str, cause: Cause, member: Member) -> Iterator[bytes]:
        if self._is_provisional:
            yield from self._left(person, cause, member)
        else:
            yield from self._joined(person, cause, self.household, member)

    def _joined(self, person: str, cause: Cause, household: str, member: Member) -> Iterator[bytes]:
        role = "other" if member.role == DEAD else member.role
        data: dict[str, Value] = {"household": household, "role": role}
        if member.birth is not None:
            data["birth"] = member.birth
        if member.sex is not None:
            data["sex"] = member.sex
        yield from self._registry(person, cause, JOINED, data)

    def _left(self, person: str, cause: Cause, member: Member) -> Iterator[bytes]:
        reason = "died" if member.role == DEAD else "other"
        yield from self._registry(person, cause, LEFT, {"reason": reason})

    def _registry(self, person: str, cause: Cause, type: str, data: dict[str, Value]) -> Iterator[bytes]:
        """A membership event. Its time only has to come after that of the one before: seconds count them."""
        time = self._times[person] = self._times.get(person, 0) + SECOND
        yield from self._event(Event(type, cause.source, cause.id, person, time, cause.received, data))

    # -- writing -----------------------------------------------------------------------------------------
    def _event(self, event: Event) -> Iterator[bytes]:
        received = self._calendar.day_of(event.received)
        if self._told is None:
            self._told = received - 1
        assert self.day is not None
        if received < self.day:
            yield from self._clock()
        self._told = max(self._told, received)
        yield self._line(event)

    def _line(self, event: Event) -> bytes:
        kind = "person" if event.about_person else "household"
        fields = self._catalog.events[event.type].data if event.type in self._catalog.events else {}
        line: dict[str, Any] = {
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": f"{kind}/{event.subject}",
            "time": format_timestamp(event.time),
            "recordedtime": format_timestamp(event.received),
            "data": {
                name: _yuan(value) if name in fields and fields[name].kind == "money" else value
                for name, value in event.data.items()
            },
        }
        if event.supersedes is not None:
            line["supersedes"] = event.supersedes
        return orjson.dumps(line)


def _yuan(fen: Value) -> Value | float:
    assert isinstance(fen, int)
    return fen // 100 if fen % 100 == 0 else fen / 100


def _events_of(person: str, known: Known, received: int) -> Iterator[Event]:
    """What is known of a person as events: those that kill others first."""
    kills = list(known.kills)

    def target(time: int, source: str, id: str) -> str | None:
        for at, kill in enumerate(kills):
            if (kill.time, kill.source) == (time, source) and kill.target != id:
                del kills[at]
                return kill.target
        return None

    made: list[Event] = []
    rest: list[Event] = []
    for spent in known.spent:
        killed = target(spent.time, spent.source, spent.id)
        to = rest if killed is None else made
        data: dict[str, Value] = {"reason": "not known any more"}
        at = max(received, spent.time - DAY)
        to.append(Event(RETRACTED, spent.source, spent.id, person, spent.time, at, data, killed or _NOBODY))
    for type, facts in known.facts.items():
        for fact in facts:
            killed = target(fact.time, fact.source, fact.id)
            at = max(received, fact.time - DAY)
            to = rest if killed is None else made
            to.append(Event(type, fact.source, fact.id, person, fact.time, at, fact.data, killed))
    yield from made
    yield from rest
