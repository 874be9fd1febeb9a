"""What a step says to others: events for the record, alerts for people, events for the score.

``case.events`` are kept for ever. Each carries what it changed in the household's state (``changes``), so
that :func:`replay` gives the state from the events alone, whatever book and calendar they were decided by.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final, Literal, get_type_hints

import msgspec

from casework.alerts.alert import Alert, Resolve
from casework.cases.case import MOST_ANSWERED, Case, Household, new
from casework.cases.commands import Actor
from rules.calendar import instant_text

Reason = Literal[
    "bad-data", "id-taken", "forbidden", "unknown-case", "stale", "wrong-state", "not-yet", "own-proposal",
    "too-late", "barred", "too-many",
]  # fmt: skip
"""Why a command is refused; docs/reference/cases.md has a heading for each."""

_pack = msgspec.msgpack.Encoder().encode
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class CaseEvent(msgspec.Struct, frozen=True):
    """One event of the record.

    Attributes:
        id: ``<case>-<version>``; of a refusal ``<command>-refused``, of a repeated command
            ``<command>-repeated``, of a warning about a household without cases ``<warning>-passed``.
        type: behind ``case.``.
        case: None where there is none.
        version: of the case, after the event.
        at: when it was, in microseconds since 1970.
        actor, command: who sent which command; None of warnings and ticks.
        before, after: the case's state.
        data: what else there is to say, by type; `details` in the body.
        changes: what it changed in the household's state.
    """

    id: str
    type: str
    household: str
    case: str | None
    version: int
    at: int
    actor: Actor | None
    command: str | None
    before: str | None
    after: str | None
    community: str | None
    level: str | None
    data: dict[str, Any]
    deadlines: dict[str, str]
    changes: dict[str, Any]
    book: str = ""

    def body(self) -> bytes:
        """The structured CloudEvent, JSON in UTF-8."""
        return _encode(
            {
                "specversion": "1.0",
                "type": f"case.{self.type}",
                "source": f"hearthwatch/{self.book}/cases",
                "subject": f"household/{self.household}",
                "id": self.id,
                "time": instant_text(self.at),
                "datacontenttype": "application/json",
                "data": {
                    "household": self.household,
                    "case": self.case,
                    "version": self.version,
                    "actor": None if self.actor is None else {"id": self.actor.id, "role": self.actor.role},
                    "command": self.command,
                    "before": self.before,
                    "after": self.after,
                    "community": self.community,
                    "level": self.level,
                    "deadlines": self.deadlines,
                    "details": self.data,
                    "changes": self.changes,
                },
            }
        )


class AlertRecord(msgspec.Struct, frozen=True):
    """A record for ``alerts``: what people have to be told, or that a case needs it no more.

    Attributes:
        key: the district that decides who is told: six digits, or ``district`` for no community.
    """

    key: str
    alert: Alert | Resolve

    def body(self) -> bytes:
        """The record's value, JSON in UTF-8 (:func:`casework.alerts.alert.decode_alert` reads it)."""
        told = msgspec.structs.asdict(self.alert)
        if isinstance(self.alert, Resolve):
            told = {"kind": "resolve"} | {name: value for name, value in told.items() if value is not None}
        return _encode(told)


class Feedback(msgspec.Struct, frozen=True):
    """An event for the score: a structured CloudEvent of a department, checked by the catalogue."""

    topic: str
    key: str
    body: bytes


# -- what an event changed ---------------------------------------------------------------------------
_OF_HOME: Final = {name: type_ for name, type_ in get_type_hints(Household).items() if name != "id"}
_OF_CASE: Final = get_type_hints(Case)
_CASES: Final = ("case", "last")


class Ledger:
    """What a household's state looked like when its last event was written.

    Kept as bytes, field by field: states are changed in place.
    """

    def __init__(self, home: Household) -> None:
        self._home: dict[str, bytes] = {}
        self._cases: dict[str, dict[str, bytes]] = {}
        self._answered = set(home.answered)
        self.changes(home)

    def changes(self, home: Household) -> dict[str, Any]:
        """What changed since the last time, as plain values; from now on this is the last time."""
        found: dict[str, Any] = {}
        for name in _OF_HOME:
            value = getattr(home, name)
            if name in _CASES:
                was_there = name in self._cases
                fields = self._case(name, value)
                if fields or (value is None and was_there):
                    found[name] = fields or None
            elif name == "answered":
                answered = {id: list(answer) for id, answer in value.items() if id not in self._answered}
                self._answered = set(value)
                if answered:
                    found[name] = answered
            else:
                raw = _pack(value)
                if self._home.get(name) != raw:
                    self._home[name] = raw
                    found[name] = msgspec.to_builtins(value)
        return found

    def _case(self, name: str, case: Case | None) -> dict[str, Any]:
        """The fields of a case that changed; all of one that was not there."""
        before = self._cases.pop(name, {})
        if case is None:
            return {}
        now = self._cases[name] = {field: _pack(getattr(case, field)) for field in _OF_CASE}
        if before.get("id") != now["id"]:
            before = {}
        return {
            field: msgspec.to_builtins(getattr(case, field))
            for field in _OF_CASE
            if before.get(field) != now[field]
        }


def apply(home: Household, changes: dict[str, Any]) -> None:
    """Change a household's state as an event says."""
    for name, value in changes.items():
        if name in _CASES:
            _apply_case(home, name, value)
        elif name == "answered":
            for id, answer in value.items():
                remember(home, id, (answer[0], answer[1]))
        else:
            setattr(home, name, msgspec.convert(value, _OF_HOME[name]))


def _apply_case(home: Household, name: str, fields: dict[str, Any] | None) -> None:
    if fields is None:
        setattr(home, name, None)
        return
    values = {field: msgspec.convert(value, _OF_CASE[field]) for field, value in fields.items()}
    case = getattr(home, name)
    if "id" in values:
        setattr(home, name, Case(**values))
        return
    for field, value in values.items():
        setattr(case, field, value)


def remember(home: Household, command: str, answer: tuple[str, str]) -> None:
    """Remember how a command was answered; the oldest are forgotten."""
    home.answered[command] = answer
    while len(home.answered) > MOST_ANSWERED:
        del home.answered[next(iter(home.answered))]


def replay(household: str, bodies: Iterable[bytes]) -> Household:
    """The state of a household from its events, in their order; one that stands there twice counts once.

    Byte for byte that of the stage after these events, whatever book and calendar they were decided by. Once
    more is the same bytes: a command that was refused and forgotten is refused again under the same id, and
    that is another event.

    Raises:
        msgspec.DecodeError: a body is none of an event.
    """
    home = new(household)
    seen: set[bytes] = set()
    for body in bodies:
        digest = hashlib.sha256(body).digest()
        if digest not in seen:
            seen.add(digest)
            apply(home, _decode(body)["data"]["changes"])
    return home
