"""The person step: the only judge of where a person belongs.

Its state is small and written by registry events only. Facts are stamped with the person's move number
and sent on to where the person is; a move is a release that the old household answers with a transfer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from rules.state import DEAD, PROVISIONAL
from rules.state_format import unreadable
from streams.catalog import JOINED, LEFT
from streams.events import Event
from streams.records import (
    Cause,
    Fact,
    Member,
    Message,
    PassedFact,
    PassingRecord,
    PersonRecord,
    Release,
    Update,
)

Key = tuple[int, str, str]
"""(time in microseconds since 1970, source, id): what orders registry events about one subject."""


REGISTRY: Final = frozenset((JOINED, LEFT))
"""What alone writes a person's state; everything else is passed on to where the person is."""


class Person(msgspec.Struct, array_like=True, frozen=True):
    """What the registry says of one person.

    Attributes:
        key: of the membership event that holds.
        where: the household, ``~<person>`` where the registry names none.
        role: as in that event; ``other`` in a provisional household, ``dead`` after a death.
        birth, birth_key, sex, sex_key: each from the greatest ``joined`` event that gives it.
        n: number of moves so far.
        seen: keys of registry events whose repeat could still change birth or sex, ascending.
    """

    key: Key
    where: str
    role: str
    n: int = 0
    birth: str | None = None
    birth_key: Key | None = None
    sex: str | None = None
    sex_key: Key | None = None
    seen: tuple[Key, ...] = ()

    @property
    def member(self) -> Member:
        """What households are told."""
        return Member(self.role, self.birth, self.sex)


class _Whereabouts(msgspec.Struct, array_like=True, frozen=True):
    """The beginning of a :class:`Person`."""

    key: msgspec.Raw
    where: str
    role: msgspec.Raw
    n: int


_decode = msgspec.msgpack.Decoder(Person).decode
_decode_whereabouts = msgspec.msgpack.Decoder(_Whereabouts).decode
encode = msgspec.msgpack.Encoder().encode
"""A person as bytes."""


def decode(raw: bytes) -> Person:
    """A person from its bytes.

    Raises:
        StateFormatError: a newer program wrote them.
    """
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise unreadable(raw, "person") from error


def whereabouts(id: str, raw: bytes | None) -> tuple[str, int]:
    """Where a person is, and under which move number, from the person's bytes; all that a fact asks.

    Raises:
        StateFormatError: a newer program wrote them.
    """
    if raw is None:
        return PROVISIONAL + id, 0
    try:
        found = _decode_whereabouts(raw)
    except msgspec.DecodeError as error:
        raise unreadable(raw, "person") from error
    return found.where, found.n


def pass_on(record: PassingRecord, where: str, n: int, *, channel: str, offset: int) -> PassedFact:
    """What :func:`step` makes of a fact, without a look at it: the same message, byte for byte."""
    return PassedFact(where, channel, (offset, 0), record.origin, n, record.event)


def step(
    person: Person | None, record: PersonRecord, *, channel: str, offset: int
) -> tuple[Person | None, tuple[Message, ...]]:
    """Fold one event about a person into what the registry says of it.

    Args:
        person: None where no registry event about it has been seen.
        channel, offset: the log position of this record; messages are numbered (offset, index) on it.

    Returns:
        The new state, or None where it stays as it is; and messages to households, in order.
    """
    event = record.event
    if event.type in REGISTRY:
        return _register(person, record, event, channel, offset)
    where, n = (PROVISIONAL + event.subject, 0) if person is None else (person.where, person.n)
    return None, (Fact(where, channel, (offset, 0), record.origin, n, event),)


def _register(
    person: Person | None, record: PersonRecord, event: Event, channel: str, offset: int
) -> tuple[Person | None, tuple[Message, ...]]:
    key = event.key
    after = _held(person, event, key)
    if after is None:
        return None, ()
    id = event.subject
    cause = Cause(event.source, event.id, f"person/{id}", event.received)
    where, n = (PROVISIONAL + id, 0) if person is None else (person.where, person.n)
    if after.where != where:
        after = msgspec.structs.replace(after, n=n + 1)
        release = Release(
            household=where,
            channel=channel,
            number=(offset, 0),
            origin=record.origin,
            person=id,
            n=after.n,
            cause=cause,
            to=after.where,
            member=after.member,
        )
        return after, (release,)
    if person is None or after.member != person.member:
        update = Update(where, channel, (offset, 0), record.origin, id, n, cause, after.member)
        return after, (update,)
    return after, ()


def _held(person: Person | None, event: Event, key: Key) -> Person | None:
    """What the registry says after one more event; None where the event changes nothing.

    Of events with the same key the first to arrive holds, and the others change nothing, also where they
    give a birth or sex that the first did not.
    """
    if person is None:
        after = Person(key, *_place(event))
    elif key == person.key or key in person.seen:
        return None
    elif key > person.key:
        where, role = _place(event)
        after = msgspec.structs.replace(person, key=key, where=where, role=role)
    else:
        after = person
    birth, sex = event.data.get("birth"), event.data.get("sex")
    if birth is not None and (after.birth_key is None or key > after.birth_key):
        assert isinstance(birth, str)
        after = msgspec.structs.replace(after, birth=birth, birth_key=key)
    if sex is not None and (after.sex_key is None or key > after.sex_key):
        assert isinstance(sex, str)
        after = msgspec.structs.replace(after, sex=sex, sex_key=key)
    seen = tuple(sorted(k for k in {*after.seen, key} if _could_tell(after, k)))
    return after if seen == after.seen else msgspec.structs.replace(after, seen=seen)


def is_known(person: Person, key: Key) -> bool:
    """Whether a registry event with this key has been taken in, or would change nothing."""
    return key == person.key or key in person.seen or (key < person.key and not _could_tell(person, key))


def _could_tell(person: Person, key: Key) -> bool:
    """Whether another event with this key could give a birth or a sex."""
    return person.birth_key is None or person.sex_key is None or key > min(person.birth_key, person.sex_key)


def _place(event: Event) -> tuple[str, str]:
    """(household, role) of a membership event."""
    if event.type == JOINED:
        household, role = event.data["household"], event.data["role"]
        assert isinstance(household, str)
        assert isinstance(role, str)
        return household, role
    return PROVISIONAL + event.subject, DEAD if event.data["reason"] == "died" else "other"
