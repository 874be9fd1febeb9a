"""The log of dispatch: the records of the topic ``alerts``, and how they are folded.

What cases send (:class:`~casework.alerts.alert.Alert`, :class:`~casework.alerts.alert.Resolve`) and what
dispatch appends itself stand in one log: what came of a message, silences, ticks, and the routes that
hold from there on. So the state is a pure function of the log, and so is what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeVar

import msgspec

from casework.alerts.alert import DISTRICT_DIGITS, NO_DISTRICT, Alert, Resolve, decode_alert
from casework.alerts.decide import decide
from casework.alerts.instants import NEVER
from casework.alerts.intents import Input, Intent, Result, Silenced, Wake
from casework.alerts.routes import Routes
from casework.alerts.silences import Silence, check_silence
from casework.alerts.state import State, next_due
from streams.errors import InputError
from streams.timestamps import HOUR, SECOND

Clock = Literal["wall", "log"]

ROUTES_KEY: Final = "@routes"
"""The key of records that say which routes hold; the others have a district's (:func:`is_district`)."""

_HELD: Final = b"@"

AHEAD: Final = 5 * SECOND
"""So far a tick may be ahead of the broker's clock: a worker's wrong clock must not move a district's."""

_MOST_WAKES: Final = 100_000
"""Between two records, in simulated time. A hundred thousand families who are told again one by one; beyond
that it is more likely that something falls due without an end."""


class Due(msgspec.Struct, frozen=True, array_like=True):
    """A tick: what was due at ``at``, in microseconds since 1970, is to be done."""

    at: int


class RoutesInForce(msgspec.Struct, frozen=True, array_like=True):
    """From here on these routes hold in this partition.

    Attributes:
        digest: SHA-256 of the file, in hex.
        text: the file; its secrets are references (docs/reference/routes.md).
    """

    digest: str
    text: str


Record = Alert | Resolve | Result | Silenced | Due | RoutesInForce
Own = TypeVar("Own", Result, Silence, Due, RoutesInForce)


class _Kind(msgspec.Struct, frozen=True):
    kind: str = ""


def _from_object(kind: type[Own]) -> Callable[[bytes], Own]:
    """Reads a struct, an array in states, from a JSON object with the names of its fields."""
    fields = [
        (one.name, one.type) if one.required else (one.name, one.type, one.default)
        for one in msgspec.structs.fields(kind)
    ]
    decode = msgspec.json.Decoder(msgspec.defstruct(f"_{kind.__name__}", fields, frozen=True)).decode
    return lambda raw: kind(*msgspec.structs.astuple(decode(raw)))


_kind = msgspec.json.Decoder(_Kind).decode
_silence = _from_object(Silence)
_encode = msgspec.json.Encoder().encode

_OWN: Final[dict[str, Callable[[bytes], Record]]] = {
    "result": _from_object(Result),
    "silence": lambda raw: Silenced(check_silence(_silence(raw))),
    "tick": _from_object(Due),
    "routes": _from_object(RoutesInForce),
}


def decode_record(raw: bytes | None) -> Record:
    """A record of the topic ``alerts``.

    Raises:
        InputError: it is none; the text holds no value of the record.
    """
    raw = raw or b""
    try:
        read = _OWN.get(_kind(raw).kind, decode_alert)
        return read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputError(
            "a record of alerts must be a JSON object with the fields of docs/reference/alerts.md"
        ) from None


def encode_result(result: Result) -> bytes:
    """A record that says what came of a message."""
    return _encode({"kind": "result", **msgspec.structs.asdict(result)})


def encode_silence(silence: Silence) -> bytes:
    """A record that makes a silence, or gives it another end."""
    return _encode({"kind": "silence", **msgspec.structs.asdict(silence)})


def encode_due(at: int) -> bytes:
    """A tick, in microseconds since 1970."""
    return _encode({"kind": "tick", "at": at})


def encode_routes(digest: str, text: str) -> bytes:
    """A record that lets routes hold from there on."""
    return _encode({"kind": "routes", "digest": digest, "text": text})


def encode_held(routes: RoutesInForce) -> bytes:
    """Routes as a state of the ledger (:func:`is_held_routes`)."""
    return _HELD + routes.digest.encode() + b"\n" + routes.text.encode()


def decode_held(raw: bytes) -> RoutesInForce:
    """Routes from their state."""
    digest, _, text = raw.removeprefix(_HELD).decode().partition("\n")
    return RoutesInForce(digest, text)


def is_held_routes(raw: bytes) -> bool:
    """Whether a state holds routes; that of a district begins with the number of its format."""
    return raw.startswith(_HELD)


def is_district(key: str) -> bool:
    """Whether a key is one under which alerts are decided: six digits, or ``district``."""
    return key == NO_DISTRICT or (len(key) == DISTRICT_DIGITS and key.isascii() and key.isdigit())


def fold(
    state: State, record: Record, at: int, routes: Routes, clock: Clock, *, is_more: bool = False
) -> tuple[State, Sequence[Intent]]:
    """Fold a record of the log into the state of its key; the state that is given is used up.

    In ``clock: wall`` what is due is done when a record comes, and ticks come for that: after an outage a
    case that has been resolved meanwhile is not told of. In ``clock: log`` no time passes between records, so
    all that fell due before a record is done before it, each at its own instant; and a message waits for its
    answer as long as it takes, because nobody's time runs out meanwhile.

    Args:
        at: of the record, in microseconds since 1970.
        is_more: as of :func:`decide`.

    Raises:
        InputError: in ``clock: log``, so much fell due since the record before that it would not end. The
            state that was given has changed by then and is of no use. Who folds a log
            (``agents.dispatch``) sets the record aside as a dead letter and goes on from the state before
            it, so the partition does not stop; in ``clock: wall`` this does not happen.
    """
    given: Input
    if isinstance(record, RoutesInForce):
        return state, ()
    if isinstance(record, Due):
        given = Wake()
        at = max(at, min(record.at, at + AHEAD)) if clock == "wall" else at
    else:
        given = record
    if clock == "wall":
        return decide(state, given, at, routes, is_more=is_more)
    intents: list[Intent] = []
    first = before = -1
    wakes = 0
    # What is still due at an instant after all was done there is done with the record itself.
    while min(state.dues(), default=NEVER) <= at and before != (due := next_due(state)) <= at:
        if wakes == _MOST_WAKES:
            raise InputError(
                f"more than {_MOST_WAKES:,} times something fell due in the {(at - first) // HOUR:,} hours"
                " before this record: let time pass in smaller steps (`hearthwatch tick --until DATE`), then"
                " put the record back (`hearthwatch deadletters requeue`); if it stays so, an interval of the"
                " routes (`repeat_interval`, `group_interval`) is far too short"
            )
        first = due if first < 0 else first
        before = due
        wakes += 1
        state, some = decide(state, Wake(), due, routes, waits=True, is_more=True)
        intents += some
    state, some = decide(state, given, at, routes, waits=True, is_more=is_more)
    return state, [*intents, *some]
