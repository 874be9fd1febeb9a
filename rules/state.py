"""What a household's state is, and how it is written down.

State is independent of the policy, but for what is marked as a cache and carries the policy's digest. It
is written as msgpack arrays in an order that follows from the log alone, so that a replay gives the same
bytes.
"""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import msgspec

from rules.calendar import NEVER
from rules.known import Known
from rules.state_format import unreadable
from streams.records import Fact as FactMessage
from streams.records import Member, Release, Transfer, Update

DEAD = "dead"
"""The role of a person whose membership is a death: it stays at ``~<person>``, where nothing counts."""

PROVISIONAL: Final = "~"
"""Begins the id of the household of a person whom no registry has placed: ``~<person>``."""

_pack = msgspec.msgpack.Encoder().encode
decode_known = msgspec.msgpack.Decoder(Known).decode


def _nothing() -> Any:
    return Known()


class _Read(msgspec.Struct, gc=False):
    """What is known of a person and has only been read: the bytes stand."""

    raw: bytes
    known: Known


class Resident(msgspec.Struct, array_like=True, gc=False):
    """A person whose facts are here.

    Most records are about one resident, and nothing is asked of the others' facts: those stay as the bytes
    that they came in until :attr:`known` is looked at.

    Attributes:
        n: the move number under which the person came (0: never moved).
        role: a role of the registry, or :data:`DEAD`.
        birth: ``YYYY-MM-DD`` or None; sex: ``female``, ``male`` or None.
        registered: a registry event about the person is known, so that it exists for ever.
        kept: what is known of the person, or its bytes; see :attr:`known`.
        points: cache: points that are not 0, by index of the person indicator.
        next_day: cache: the first day on which time alone can change these points or the age.
        measures: cache: what indicators of the household tier measure over this person's facts, by number of
            the measure (:class:`rules.indicators.MemberMeasure`), where there is a fact to measure.
    """

    id: str
    n: int = 0
    role: str = "other"
    birth: str | None = None
    sex: str | None = None
    registered: bool = False
    kept: bytes = msgspec.field(default_factory=_nothing)
    points: dict[int, int] = {}
    next_day: int = NEVER
    measures: dict[int, tuple[int | None, int, int]] = {}

    @property
    def known(self) -> Known:
        """What is known of the person, to be read; who changes it asks :meth:`changing`."""
        kept: Any = self.kept
        if type(kept) is Known:
            return kept
        if type(kept) is bytes:
            kept = self.kept = _Read(kept, decode_known(kept))  # type: ignore[assignment]
        return kept.known  # type: ignore[no-any-return]

    @known.setter
    def known(self, known: Known) -> None:
        self.kept = known  # type: ignore[assignment]

    def changing(self) -> Known:
        """What is known of the person, to be changed: from here on it is written down anew."""
        known = self.known
        self.kept = known  # type: ignore[assignment]
        return known

    def may_know(self, source: str, id: str) -> bool:
        """False where certainly no kept event has this name; found out without reading them."""
        kept: Any = self.kept
        if type(kept) is _Read:
            kept = kept.raw
        elif type(kept) is not bytes:
            return True
        # Wherever a kept event is written down, its source and its id stand side by side. Mostly not even the
        # id is there, and that is found out in half the time.
        return kept.rfind(id.encode()) >= 0 and _pack(source) + _pack(id) in kept

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resident):
            return NotImplemented
        # Whether anybody has looked at it yet makes no difference.
        mine, theirs = copy(self), copy(other)
        mine.known, theirs.known = self.known, other.known
        return msgspec.structs.astuple(mine) == msgspec.structs.astuple(theirs)

    __hash__ = None  # type: ignore[assignment]


class Waiting(msgspec.Struct, array_like=True, gc=False):
    """Records about a person who is not here yet, in order, and the parts of a transfer so far."""

    queue: list[FactMessage | Update | Release] = []
    parts: list[Transfer] = []


class Household(msgspec.Struct, array_like=True, gc=False):
    """One household.

    Attributes:
        day: the day up to which it has ticked, since 1970-01-01; None before its first record.
        level: 0 for none, otherwise 1 + index into the policy's levels.
        score: at the last evaluation; 0 if never scored.
        warned: number of warnings so far.
        community: 12 digits, or None.
        registered: (time, source, id) of the registration that holds, or None.
        own: facts about the household itself.
        residents: persons whose facts are here, by id.
        waiting: persons who are on their way, by id.
        points: cache: points that are not 0, by index of the household indicator.
        shared_day: cache: the first day on which time alone can change a measure of the household tier.
        fall_day: cache: the first day on which something may be no longer kept.
        next_day: cache: the least of all these days: before it no tick changes anything.
        digest: of the policy that the caches are for; empty: none is valid.
        activation: the number of the policy activation that it was evaluated under last.
    """

    id: str
    day: int | None = None
    level: int = 0
    score: int = 0
    warned: int = 0
    community: str | None = None
    registered: tuple[int, str, str] | None = None
    own: Known = msgspec.field(default_factory=Known)
    residents: dict[str, Resident] = {}
    waiting: dict[str, Waiting] = {}
    points: dict[int, int] = {}
    shared_day: int = NEVER
    fall_day: int = NEVER
    next_day: int = NEVER
    digest: str = ""
    activation: int = 1

    @property
    def due(self) -> int | None:
        """The day that an index of next days has for it; None: no day changes anything."""
        return self.next_day if self.next_day < NEVER else None

    @property
    def members(self) -> list[Resident]:
        """The persons who count: residents but the dead."""
        return [resident for resident in self.residents.values() if resident.role != DEAD]

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it needs to be remembered."""
        return not (
            self.residents or self.waiting or self.own or self.registered or self.warned or self.level
        )

    def member(self, person: str) -> Member:
        """What the registry says of a resident."""
        resident = self.residents[person]
        return Member(resident.role, resident.birth, resident.sex)


_decode = msgspec.msgpack.Decoder(Household).decode
encode_known = _pack
"""What is known as bytes."""


def encode(household: Household) -> bytes:
    """A household as bytes."""
    for resident in household.residents.values():
        # Bytes in bytes: who is not concerned by the next record is passed over in one step.
        if type(resident.kept) is not bytes:
            kept: Any = resident.kept
            resident.kept = kept.raw if type(kept) is _Read else _pack(kept)
    return _pack(household)


def decode(raw: bytes) -> Household:
    """A household from its bytes.

    Raises:
        StateFormatError: a newer program wrote them.
    """
    try:
        return _decode(raw)
    except msgspec.DecodeError as error:
        raise unreadable(raw, "household") from error


def new(household_id: str, activation: int = 1) -> Household:
    """A household of which nothing is known yet."""
    return Household(household_id, activation=activation)


def is_under(raw: bytes, activation: int) -> bool:
    """Whether an encoded household was evaluated under this activation, the latest that there is.

    Looks at the last bytes only: a sweep asks this of a hundred thousand households.
    """
    return raw.endswith(_pack(activation))
