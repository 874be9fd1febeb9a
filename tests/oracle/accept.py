"""From the bytes of one event to an accepted event, or the first reason that holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from tests.oracle import strictjson
from tests.oracle.clock import DAY, parse_date, parse_time
from tests.oracle.reading import RETRACTED, Catalog, Field
from tests.oracle.strictjson import Json, Number

MAX_BYTES = 64 * 1024
Value = Fraction | bool | str


class Rejected(Exception):  # noqa: N818 - a verdict, no error
    """An event that is not accepted."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class Event:
    """An accepted event; instants in microseconds, money in yuan."""

    source: str
    id: str
    type: str
    subject: str
    time: int
    received: int
    supersedes: str | None
    data: dict[str, Value]

    @property
    def key(self) -> tuple[int, str, str]:
        return (self.time, self.source, self.id)


def accept(raw: bytes, catalog: Catalog) -> Event:
    """Check one structured event, received when it arrives.

    Raises:
        Rejected: with the first reason that holds.
    """
    if len(raw) > MAX_BYTES:
        raise Rejected("too-large", f"$: {len(raw)} bytes, expected at most {MAX_BYTES}")
    try:
        event = strictjson.read(raw)
    except strictjson.NotJsonError as error:
        raise Rejected("not-json", f"$: {error}") from error
    if not isinstance(event, dict):
        raise Rejected("not-cloudevent", "$: expected an object")
    if event.get("specversion") != "1.0":
        raise Rejected("not-cloudevent", '$.specversion: expected "1.0"')
    name = _text(event, "id", 128)
    source = _text(event, "source", None)
    type_name = _text(event, "type", None)
    recorded = None
    if event.get("recordedtime") is not None:
        recorded = _instant(event["recordedtime"])
        if recorded is None:
            raise Rejected("not-cloudevent", "$.recordedtime: expected an RFC 3339 date-time")
    supersedes = None
    if event.get("supersedes") is not None:
        supersedes = _text(event, "supersedes", 128)
        if supersedes == name:
            raise Rejected("not-cloudevent", "$.supersedes: expected the id of another event")
    if type_name == RETRACTED and supersedes is None:
        raise Rejected("not-cloudevent", "$.supersedes: expected the id of the fact that never held")
    event_type = catalog.types.get(type_name)
    if event_type is None:
        raise Rejected("unknown-type", "$.type: not in the catalogue")
    if catalog.sources.get(source) not in event_type.departments:
        raise Rejected("wrong-department", "$.source: may not send this type")
    subject = event.get("subject")
    text = subject if isinstance(subject, str) else ""
    found = re.fullmatch(r"(person|household)/[A-Za-z0-9._-]{1,64}", text)
    if found is None or event_type.subject not in (None, found[1]):
        raise Rejected("bad-subject", f"$.subject: expected {event_type.subject or 'person'}/<id>")
    time = _instant(event.get("time"))
    if time is None:
        raise Rejected("bad-time", "$.time: expected an RFC 3339 date-time")
    received = time if recorded is None else recorded
    if time - received > DAY:
        raise Rejected("bad-time", "$.time: more than 24 hours after it was received")
    data = event.get("data")
    if not isinstance(data, dict):
        raise Rejected("bad-data", "$.data: expected an object")
    values: dict[str, Value] = {}
    for field_name, field in event_type.fields.items():
        given = data.get(field_name)
        if given is not None:
            values[field_name] = _value(given, field, field_name)
        elif field.required:
            raise Rejected("bad-data", f"$.data.{field_name}: required")
    return Event(source, name, type_name, text, time, received, supersedes, values)


def _text(event: dict[str, Json], attribute: str, longest: int | None) -> str:
    value = event.get(attribute)
    if not isinstance(value, str) or value == "" or (longest is not None and len(value) > longest):
        raise Rejected("not-cloudevent", f"$.{attribute}: expected 1 to {longest or 'any'} characters")
    return value


def _instant(value: Json) -> int | None:
    return parse_time(value) if isinstance(value, str) else None


def _value(given: Json, field: Field, name: str) -> Value:
    value = CHECKS[field.kind](given, field)
    if value is None:
        raise Rejected("bad-data", f"$.data.{name}: expected {field.kind}")
    if isinstance(value, Fraction) and not within(value, field):
        raise Rejected("bad-data", f"$.data.{name}: outside its bounds")
    return value


def within(value: Fraction, field: Field) -> bool:
    return (field.low is None or field.low <= value) and (field.high is None or value <= field.high)


def _integer(given: Json, field: Field) -> Value | None:
    if not isinstance(given, Number) or not given.is_whole():
        return None
    return _in_64_bits(given.value(), 1)


def _money(given: Json, field: Field) -> Value | None:
    if isinstance(given, str):
        found = re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]{1,2}))?", given)
        if found is None:
            return None
        given = strictjson.number_of(found[1], found[2], found[3] or "", "")
    if not isinstance(given, Number) or not given.has_at_most_two_decimals():
        return None
    return _in_64_bits(given.value(), 100)


def _in_64_bits(value: Fraction | None, scale: int) -> Fraction | None:
    if value is None or not -(2**63) <= value * scale < 2**63:
        return None
    return value


def _boolean(given: Json, field: Field) -> Value | None:
    return given if isinstance(given, bool) else None


def _date(given: Json, field: Field) -> Value | None:
    return given if isinstance(given, str) and parse_date(given) is not None else None


def _string(given: Json, field: Field) -> Value | None:
    if not isinstance(given, str) or len(given) > field.max_length:
        return None
    if field.pattern is not None and re.fullmatch(field.pattern, given, re.ASCII) is None:
        return None
    return given


def _choice(given: Json, field: Field) -> Value | None:
    return given if isinstance(given, str) and given in field.of else None


CHECKS = {
    "integer": _integer,
    "money": _money,
    "boolean": _boolean,
    "date": _date,
    "text": _string,
    "choice": _choice,
}
