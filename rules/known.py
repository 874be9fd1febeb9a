"""What is known of one subject: its facts, and what keeps them from standing or from being repeated.

An event of a catalogue type, or a retraction, is kept as long as today - its day < keep. A kept event is
either a live fact, or spent (a dead fact, or a retraction: only its name still matters). Corrections and
retractions, dead or not, also kill what they name when it arrives later.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator

import msgspec

from rules.calendar import NEVER
from streams.catalog import RETRACTED
from streams.events import Event, Value


class Fact(msgspec.Struct, array_like=True, gc=False):
    """A live fact. ``time`` in microseconds since 1970, ``day`` in the policy's zone, since 1970-01-01."""

    time: int
    source: str
    id: str
    day: int
    data: dict[str, Value]


def fact_key(fact: Fact) -> tuple[int, str, str]:
    """(time, source, id): the order of facts."""
    return (fact.time, fact.source, fact.id)


class Spent(msgspec.Struct, array_like=True, gc=False):
    """A kept event that is no live fact: a dead fact or a retraction. Its name is taken until it falls out.

    ``time`` is kept so that its day can be told in another policy's time zone.
    """

    time: int
    source: str
    id: str
    day: int


class Kill(msgspec.Struct, array_like=True, gc=False):
    """A kept correction or retraction: ``source`` and ``target`` name the facts that it kills."""

    time: int
    source: str
    target: str
    day: int


class Known(msgspec.Struct, array_like=True, gc=False):
    """All kept events of one subject.

    Attributes:
        facts: live facts by type, each list ascending by (time, source, id), none empty.
    """

    facts: dict[str, list[Fact]] = {}
    spent: list[Spent] = []
    kills: list[Kill] = []

    def __bool__(self) -> bool:
        return bool(self.facts or self.spent)

    def has(self, source: str, id: str) -> bool:
        """Whether a kept event has this name."""
        for facts in self.facts.values():
            for fact in facts:
                if fact.id == id and fact.source == source:
                    return True
        return bool(self.spent) and any(spent.id == id and spent.source == source for spent in self.spent)

    def add(self, event: Event, day: int, *, may_repeat: bool = True) -> tuple[str, ...] | None:
        """Take in one event that is not too old.

        Args:
            may_repeat: False where it is certain that no kept event has its name.

        Returns:
            The types whose live facts changed, ascending, or None for a duplicate, which changes nothing.
        """
        source, name = event.source, event.id
        if may_repeat and self.has(source, name):
            return None
        killed: str | None = None
        target = event.supersedes
        if target is not None:
            killed = self._kill(source, target)
            self.kills.append(Kill(event.time, source, target, day))
        if event.type == RETRACTED:
            self.spent.append(Spent(event.time, source, name, day))
            return () if killed is None else (killed,)
        for kill in self.kills:
            if kill.target == name and kill.source == source:
                self.spent.append(Spent(event.time, source, name, day))
                return () if killed is None else (killed,)
        fact = Fact(event.time, source, name, day, event.data)
        facts = self.facts.get(event.type)
        if facts is None:
            self.facts[event.type] = [fact]
        elif facts[-1].time < fact.time:
            facts.append(fact)
        else:
            insort(facts, fact, key=fact_key)
        if killed is None or killed == event.type:
            return (event.type,)
        return (killed, event.type) if killed < event.type else (event.type, killed)

    def _kill(self, source: str, target: str) -> str | None:
        for type, facts in self.facts.items():
            for at, fact in enumerate(facts):
                if fact.id == target and fact.source == source:
                    self.spent.append(Spent(fact.time, source, target, fact.day))
                    del facts[at]
                    if not facts:
                        del self.facts[type]
                    return type
        return None

    def forget(self, first_day: int) -> None:
        """Drop every event of a day before ``first_day``."""
        for type in list(self.facts):
            facts = self.facts[type]
            if any(fact.day < first_day for fact in facts):
                kept = [fact for fact in facts if fact.day >= first_day]
                if kept:
                    self.facts[type] = kept
                else:
                    del self.facts[type]
        if any(spent.day < first_day for spent in self.spent):
            self.spent = [spent for spent in self.spent if spent.day >= first_day]
        if any(kill.day < first_day for kill in self.kills):
            self.kills = [kill for kill in self.kills if kill.day >= first_day]

    def oldest_day(self) -> int:
        """The least day of a kept event; :data:`rules.calendar.NEVER` where there is none."""
        oldest = NEVER
        for facts in self.facts.values():
            for fact in facts:
                if fact.day < oldest:
                    oldest = fact.day
        for spent in self.spent:
            if spent.day < oldest:
                oldest = spent.day
        for kill in self.kills:
            if kill.day < oldest:
                oldest = kill.day
        return oldest

    def events(self) -> Iterator[Fact | Spent | Kill]:
        """Everything that carries a day."""
        for facts in self.facts.values():
            yield from facts
        yield from self.spent
        yield from self.kills

    def parts(self, size: int) -> list[Known]:
        """Itself in parts of at most ``size`` entries, at least one; :meth:`absorb` puts them together."""
        parts = [Known()]
        room = size

        def part() -> Known:
            nonlocal room
            if room == 0:
                parts.append(Known())
                room = size
            room -= 1
            return parts[-1]

        for type, facts in self.facts.items():
            for fact in facts:
                part().facts.setdefault(type, []).append(fact)
        for spent in self.spent:
            part().spent.append(spent)
        for kill in self.kills:
            part().kills.append(kill)
        return parts

    def absorb(self, part: Known) -> None:
        """Take in the next part of a whole."""
        for type, facts in part.facts.items():
            self.facts.setdefault(type, []).extend(facts)
        self.spent.extend(part.spent)
        self.kills.extend(part.kills)
