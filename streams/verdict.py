"""The careful reading of one event: accepted, or the first reason against it.

This is the contract of docs/reference/events.md, rule by rule and in its order, with exact arithmetic and
no regard for speed. :mod:`streams.fastpath` accepts what this accepts, and leaves every doubt to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Final, NoReturn

from streams.catalog import (
    BUILT_IN_TYPES,
    JOINED,
    LEFT,
    REGISTERED,
    RETRACTED,
    SUBJECT_ID,
    Catalog,
    EventType,
    Field,
)
from streams.errors import DecodeError
from streams.events import Event, Value
from streams.strictjson import Number, scaled
from streams.timestamps import DAY, is_date, parse_timestamp

MAX_BYTES: Final = 65_536
"""The largest value of a record, or line of a file."""
MAX_ID: Final = 128
INT64: Final = (-(2**63), 2**63 - 1)

_SUBJECT: Final = re.compile(f"(person|household)/({SUBJECT_ID})")
MONEY_TEXT: Final = re.compile(r"-?[0-9]+(\.[0-9]{1,2})?")


def judge(
    attributes: Mapping[str, object],
    data: object,
    catalog: Catalog,
    *,
    topic: str | None,
    received: int | None,
) -> tuple[Event, list[str]]:
    """Check one event that is a JSON object, or the attributes of a binary one.

    Args:
        attributes: values as :func:`streams.strictjson.parse` gives them.
        data: the event's data, as parsed; None where absent.
        topic: the Kafka topic; None in a file, where the source stands for it.
        received: in microseconds since 1970; None in a file, where the event says it itself.

    Returns:
        The event, and the fields that were dropped because the catalogue does not name them.

    Raises:
        DecodeError: with the first reason that holds.
    """
    version = attributes.get("specversion")
    if type(version) is not str or version != "1.0":  # the number 1.0 is a Number, and a str too
        _reject("not-cloudevent", "$.specversion", 'the text "1.0"')
    id_ = _text(attributes, "id", MAX_ID)
    source = _text(attributes, "source")
    type_name = _text(attributes, "type")
    recorded = None
    if attributes.get("recordedtime") is not None:
        recorded = _time(attributes["recordedtime"])
        if recorded is None:
            _reject("not-cloudevent", "$.recordedtime", "an RFC 3339 time with an offset, or nothing")
    supersedes = None
    if attributes.get("supersedes") is not None:
        supersedes = _text(attributes, "supersedes", MAX_ID)
        if supersedes == id_:
            _reject("not-cloudevent", "$.supersedes", "the id of another event than this one")
    elif type_name == RETRACTED:
        _reject("not-cloudevent", "$.supersedes", "the id of the fact that is retracted")

    type_ = catalog.events.get(type_name) or BUILT_IN_TYPES.get(type_name)
    if type_ is None:
        _reject("unknown-type", "$.type", f"a type of the catalogue `{catalog.id}` or a built-in type")
    _check_department(source, type_, catalog, topic)
    about_person, subject = _subject(attributes.get("subject"), type_)

    time = _time(attributes.get("time"))
    if time is None:
        _reject("bad-time", "$.time", "an RFC 3339 time with an offset, such as 2024-03-01T08:00:00+08:00")
    if received is None:
        received = time if recorded is None else recorded
    for name, instant in (("time", time), ("recordedtime", recorded)):
        if instant is not None and instant > received + DAY:
            _reject("bad-time", f"$.{name}", "a time at most 24 hours after the event was received")

    if data is None:
        _reject("bad-data", "$.data", "a JSON object, but it is missing")
    if not isinstance(data, dict):
        _reject("bad-data", "$.data", "a JSON object")
    fields: dict[str, Value] = {}
    for field in type_.data.values():
        value = data.get(field.name)
        if value is not None:
            fields[field.name] = _value(field, value)
        elif field.required:
            _reject("bad-data", f"$.data.{field.name}", f"{expected(field)}, but it is missing")
    dropped = [name for name, value in data.items() if name not in type_.data and value is not None]
    if type_name in (REGISTERED, JOINED, LEFT):
        supersedes = None  # registry events correct nothing
    event = Event(type_name, source, id_, subject, time, received, fields, supersedes, about_person)
    return event, dropped


def _reject(reason: str, path: str, what: str) -> NoReturn:
    raise DecodeError(reason, f"{path}: expected {what}")


def _text(attributes: Mapping[str, object], name: str, longest: int | None = None) -> str:
    """An attribute that has to be a text, not empty and not too long."""
    value = attributes.get(name)
    if type(value) is not str or not value or (longest is not None and len(value) > longest):
        what = "a text that is not empty" if longest is None else f"a text of 1 to {longest} characters"
        _reject("not-cloudevent", f"$.{name}", what + (", but it is missing" if value is None else ""))
    return value


def _time(value: object) -> int | None:
    return parse_timestamp(value) if type(value) is str else None


def _check_department(source: str, type_: EventType, catalog: Catalog, topic: str | None) -> None:
    root, _, department = source.rpartition("/")
    if root != catalog.source_root or department not in catalog.departments:
        what = f"`{catalog.source_root}/<department>` with a department of the catalogue `{catalog.id}`"
        _reject("wrong-department", "$.source", what)
    if topic is not None and topic != f"life.{department}":
        _reject("wrong-department", "$.source", f"that of the topic's department, not `{source}`")
    if department not in catalog.senders(type_.type):
        of = ", ".join(catalog.senders(type_.type)) or "none"
        what = f"a type that `{department}` may send (`{type_.type}` comes from: {of})"
        _reject("wrong-department", "$.type", what)


def _subject(value: object, type_: EventType) -> tuple[bool, str]:
    """Whether the subject is a person, and its id."""
    kinds = ("person", "household") if type_.type == RETRACTED else (type_.subject,)
    match = _SUBJECT.fullmatch(value) if type(value) is str else None
    if match is None or match[1] not in kinds:
        what = " or ".join(f"`{kind}/<id>`" for kind in kinds)
        _reject("bad-subject", "$.subject", f"{what} with an id of 1 to 64 of A-Z a-z 0-9 . _ -")
    return match[1] == "person", match[2]


def _value(field: Field, value: object) -> Value:
    """The value of a field in its stored form."""
    stored = _stored(field, value)
    if stored is None:
        _reject("bad-data", f"$.data.{field.name}", expected(field))
    return stored


def _stored(field: Field, value: object) -> Value | None:
    if field.kind == "boolean":
        return value if type(value) is bool else None
    if field.kind == "integer" or field.kind == "money":
        return _integer(field, value)
    if type(value) is not str:
        return None
    if field.kind == "date":
        return value if is_date(value) else None
    if field.kind == "choice":
        return value if value in field.of else None
    if len(value) > field.max_length:
        return None
    if field.pattern is not None and not re.fullmatch(field.pattern, value, re.ASCII):
        return None
    return value


def _integer(field: Field, value: object) -> int | None:
    """An integer, or money in fen: exact, within 64 bits and within the field's bounds."""
    decimals = 2 if field.kind == "money" else 0
    is_number = type(value) is Number
    is_money_text = type(value) is str and field.kind == "money" and MONEY_TEXT.fullmatch(value) is not None
    if not (is_number or is_money_text):
        return None
    number = scaled(str(value), decimals)
    if number is None or not INT64[0] <= number <= INT64[1]:
        return None
    if field.least is not None and number < field.least:
        return None
    if field.greatest is not None and number > field.greatest:
        return None
    return number


def expected(field: Field) -> str:
    """What a field has to be, in words: for messages and schemas."""
    if field.kind == "boolean":
        return "true or false"
    if field.kind == "date":
        return "a real date YYYY-MM-DD"
    if field.kind == "choice":
        return f"one of {', '.join(field.of)}"
    if field.kind == "text":
        matching = f" that match {field.pattern}" if field.pattern is not None else ""
        return f"a text of at most {field.max_length} characters{matching}"
    what = "a whole number" if field.kind == "integer" else "yuan with at most 2 decimals"
    unit = 1 if field.kind == "integer" else 100
    least = "" if field.least is None else f" from {_plain(field.least / unit)}"
    greatest = "" if field.greatest is None else f" up to {_plain(field.greatest / unit)}"
    return what + least + greatest


def _plain(number: Fraction) -> str:
    """A bound as a person writes it; it came from decimal text, so it has an end."""
    if number.denominator == 1:
        return str(number.numerator)
    decimals = 0
    while (number * 10**decimals).denominator != 1:
        decimals += 1
    digits = str(abs((number * 10**decimals).numerator)).rjust(decimals + 1, "0")
    return f"{'-' if number < 0 else ''}{digits[:-decimals]}.{digits[-decimals:]}"
