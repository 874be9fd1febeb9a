"""The work that every program of the comparison does for one record, as one would write it by hand.

A household's state holds who lives in it, the bills of each, their sum, its level and how often it has
warned: nearly as many bytes as the project's own. A record is decoded; whoever moves in is kept, a bill that
is known already is passed over, a new one is kept with its person, and where the sum comes over a line, a
warning goes out. That is the policy ``toy.yaml``; the project's own stage runs it through its rules instead.

It needs msgspec only: the Python peers import it into environments of their own.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.records import Fact, Transfer, decode_household_record

#: What a household has paid, in fen, from the highest; and the number of the level, from 1.
LINES: Final = ((9_000_000, 2), (7_000_000, 1))
LEVELS: Final = ("none", "yellow", "red")
DAY_US: Final = 86_400_000_000


class Bill(msgspec.Struct, array_like=True, gc=False):
    """One bill, with what it came with."""

    time: int
    source: str
    id: str
    day: int
    data: dict[str, int | bool | str]


class Person(msgspec.Struct, array_like=True):
    """Who lives there, and the bills about them by the type of their events."""

    id: str
    n: int
    role: str
    birth: str | None
    sex: str | None
    facts: dict[str, list[Bill]] = {}


class Home(msgspec.Struct, array_like=True):
    """What is kept of one household; ``total`` in fen."""

    id: str
    persons: dict[str, Person] = {}
    total: int = 0
    level: int = 0
    warned: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Home).decode
_text = msgspec.json.Encoder().encode


def message_of(value: bytes) -> Fact | Transfer:
    """The bill, or who moves in, in a record of ``household.facts``; the load has no others."""
    message = decode_household_record(value)
    assert isinstance(message, Fact | Transfer)
    return message


def step(raw: bytes | None, message: Fact | Transfer) -> tuple[bytes, bytes | None]:
    """(state after, warning or None) of a state and a record, all but the record encoded.

    Raises:
        KeyError: a bill is about somebody who does not live there.
    """
    home = Home(message.household) if raw is None else _decode(raw)
    if type(message) is Transfer:
        return _moved_in(home, message), None
    assert type(message) is Fact
    event = message.event
    id, source = event.id, event.source
    facts = home.persons[event.subject].facts
    bills = facts.get(event.type)
    if bills is None:
        bills = facts[event.type] = []
    for bill in bills:
        if bill.id == id and bill.source == source:
            assert raw is not None
            return raw, None
    bills.append(Bill(event.time, source, id, event.time // DAY_US, event.data))
    paid: Any = event.data["self_paid_yuan"]
    home.total += paid
    warning = None
    for line, level in LINES:
        if home.total >= line:
            if level > home.level:
                before, home.level = home.level, level
                home.warned += 1
                warning = _warning(home, before, message)
            break
    return _encode(home), warning


def _moved_in(home: Home, message: Transfer) -> bytes:
    id, member = message.person, message.member
    if id not in home.persons:
        home.persons[id] = Person(id, message.n, member.role, member.birth, member.sex)
    return _encode(home)


def _warning(home: Home, before: int, fact: Fact) -> bytes:
    event = fact.event
    return _text(
        {
            "specversion": "1.0",
            "type": "warning.upgraded" if before else "warning.raised",
            "source": "hearthwatch/toy",
            "subject": f"household/{home.id}",
            "id": f"{home.id}-{home.warned}",
            "time": event.received,
            "datacontenttype": "application/json",
            "data": {
                "household": home.id,
                "level": LEVELS[home.level],
                "previous_level": LEVELS[before],
                "paid_fen": home.total,
                "cause": {"source": event.source, "id": event.id, "subject": event.subject},
            },
        }
    )
