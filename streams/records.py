"""Hop records: what the stages say to each other on ``person.events`` and ``household.facts``.

Values are msgpack arrays; the Kafka key is the person id on ``person.events`` and the household id on
``household.facts``. Every message to a household is numbered by what caused it, never by a counter, so
that a repeat carries the number that it had the first time: ``channel`` names the producing partition,
``number`` is (offset of the causing record there, index among its messages).
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.events import Event

PERSON_EVENTS: Final = "person.events"
HOUSEHOLD_FACTS: Final = "household.facts"
WARNINGS: Final = "warnings"
CASE_COMMANDS: Final = "case.commands"
CASE_EVENTS: Final = "case.events"
ALERTS: Final = "alerts"
ALERT_EVENTS: Final = "alert.events"
DEADLETTERS: Final = "deadletters"


class Origin(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a department's record stands on Kafka, byte for byte."""

    topic: str
    partition: int
    offset: int


class Cause(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The registry event behind a move: what a warning names as its cause.

    ``subject`` is written out (``person/<id>``); ``received`` is in microseconds since 1970.
    """

    source: str
    id: str
    subject: str
    received: int


class Member(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the registry says of a person: role (``dead`` after a death), birth (``YYYY-MM-DD``) and sex."""

    role: str
    birth: str | None = None
    sex: str | None = None


class PersonRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A value of ``person.events``: an accepted event about a person."""

    event: Event
    origin: Origin


class PassingRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A :class:`PersonRecord` whose event is passed on without being read."""

    event: msgspec.Raw
    origin: msgspec.Raw


class _Kind(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The beginning of an :class:`~streams.events.Event`."""

    type: str


class About(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=0):
    """An event about the household itself: a fact, a retraction or its registration."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: Origin
    event: Event

    @property
    def received(self) -> int:
        """When the event was received, in microseconds since 1970."""
        return self.event.received


class Fact(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """A fact or retraction about a person, stamped with the person's move number ``n``."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: Origin
    n: int
    event: Event

    @property
    def received(self) -> int:
        """When the event was received, in microseconds since 1970."""
        return self.event.received


class PassedFact(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=1):
    """A :class:`Fact` whose event was passed on without being read: the same bytes."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: msgspec.Raw
    n: int
    event: msgspec.Raw


class Update(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=2):
    """The member changed (role, birth, sex, death, first registry event) but not the household."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: Origin
    person: str
    n: int
    cause: Cause
    member: Member

    @property
    def received(self) -> int:
        """When the causing event was received, in microseconds since 1970."""
        return self.cause.received


class Release(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=3):
    """Move number ``n``: the household lets the person go to household ``to``."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: Origin
    person: str
    n: int
    cause: Cause
    to: str
    member: Member

    @property
    def received(self) -> int:
        """When the causing event was received, in microseconds since 1970."""
        return self.cause.received


class Transfer(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=4):
    """All that the old household knew of the person, part ``part`` of ``parts`` (from 0). It is the join."""

    household: str
    channel: str
    number: tuple[int, int]
    origin: Origin
    person: str
    n: int
    cause: Cause
    member: Member
    part: int
    parts: int
    known: bytes

    @property
    def received(self) -> int:
        """When the causing event was received, in microseconds since 1970."""
        return self.cause.received


class Tick(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=5):
    """A local midnight in the log of one partition of ``household.facts``; it concerns every household.

    ``day`` counts from 1970-01-01; ``received`` is that midnight, in microseconds since 1970.
    """

    day: int
    received: int


class Activate(msgspec.Struct, array_like=True, frozen=True, gc=False, tag=6):
    """From here on in the log of one partition of ``household.facts`` the policy of an activation holds.

    ``number`` is that of ``hearthwatch.policies``, ``digest`` that of :class:`streams.policies.Activation`;
    ``received``: when the activation was received there, in microseconds since 1970. It moves no day.
    """

    number: int
    digest: str
    received: int


Message = About | Fact | Update | Release | Transfer
#: What is keyed by a household.

encode = msgspec.msgpack.Encoder().encode
decode_person_record = msgspec.msgpack.Decoder(PersonRecord).decode
decode_passing_record = msgspec.msgpack.Decoder(PassingRecord).decode
decode_origin = msgspec.msgpack.Decoder(Origin).decode
_kind = msgspec.msgpack.Decoder(_Kind).decode
decode_household_record = msgspec.msgpack.Decoder(
    About | Fact | Update | Release | Transfer | Tick | Activate
).decode


def type_of(record: PassingRecord) -> str:
    """The type of the event that is passed on."""
    return _kind(record.event).type
