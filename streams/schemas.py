"""JSON Schema (2020-12) of the events of a catalogue.

The schemas are for senders, to check what they are about to send. Where they and the decoder differ, the
decoder is stricter: bounds of money in texts, real dates, and two decimals cannot be said in a schema.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Final

from streams.catalog import BUILT_IN_TYPES, RETRACTED, SUBJECT_ID, Catalog, EventType, Field
from streams.errors import InputError
from streams.yamlfile import suggest

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_INT64: Final = 2**63
_TIME: Final = {"type": "string", "format": "date-time"}

Schema = dict[str, Any]


def type_of(catalog: Catalog, name: str) -> EventType:
    """A type of the catalogue, or a built-in one.

    Raises:
        InputError: there is none of this name.
    """
    types = {**BUILT_IN_TYPES, **catalog.events}
    if name not in types:
        hint = suggest(name, types)
        raise InputError(f"unknown event type `{name}`: {hint or 'see `hearthwatch catalog list`'}")
    return types[name]


def event_schema(catalog: Catalog, type_: EventType) -> Schema:
    """The schema of a whole structured event of one type (without ``$schema``)."""
    is_retraction = type_.type == RETRACTED
    kinds = "(person|household)" if is_retraction else type_.subject
    senders = catalog.senders(type_.type)
    source: Schema = {"enum": [catalog.source_of(sender) for sender in senders]} if senders else {"not": {}}
    supersedes: Schema = {"type": "string", "minLength": 1, "maxLength": 128}
    properties: Schema = {
        "specversion": {"const": "1.0"},
        "id": {
            "type": "string",
            "minLength": 1,
            "maxLength": 128,
            "description": "With source and subject it names the event.",
        },
        "source": source,
        "type": {"const": type_.type},
        "subject": {
            "type": "string",
            "pattern": f"^{kinds}/{SUBJECT_ID}$",
            "description": "A pseudonym, never a name or an ID number.",
        },
        "time": {**_TIME, "description": "When it happened, with an offset."},
        "recordedtime": {**_nullable(_TIME), "description": "When the sender recorded it."},
        "supersedes": {
            **(supersedes if is_retraction else _nullable(supersedes)),
            "description": "The id of another event of the same source that this one "
            + ("retracts." if is_retraction else "corrects."),
        },
        "data": data_schema(type_),
    }
    required = ["specversion", "id", "source", "type", "subject", "time", "data"]
    if is_retraction:
        required.append("supersedes")
    schema: Schema = {"type": "object"}
    if type_.title:
        schema["title"] = type_.title.get("en") or next(iter(type_.title.values()))
        schema["x-title"] = dict(type_.title)
    return {**schema, "properties": properties, "required": required}


def data_schema(type_: EventType) -> Schema:
    """The schema of the ``data`` of one type; other fields are allowed, and dropped."""
    schema: Schema = {
        "type": "object",
        "properties": {name: field_schema(field) for name, field in type_.data.items()},
    }
    required = [name for name, field in type_.data.items() if field.required]
    return {**schema, "required": required} if required else schema


def field_schema(field: Field) -> Schema:
    """The schema of one field; an optional one may be null, which counts as absent."""
    schema = _value_schema(field)
    return schema if field.required else _nullable(schema)


def _value_schema(field: Field) -> Schema:
    if field.kind == "boolean":
        return {"type": "boolean"}
    if field.kind == "date":
        return {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
    if field.kind == "choice":
        return {"type": "string", "enum": list(field.of)}
    if field.kind == "text":
        pattern = {} if field.pattern is None else {"pattern": f"^(?:{field.pattern})$"}
        return {"type": "string", "maxLength": field.max_length, **pattern}
    if field.kind == "integer":
        least = Fraction(-_INT64) if field.least is None else field.least
        greatest = Fraction(_INT64 - 1) if field.greatest is None else field.greatest
        return {"type": "integer", "minimum": _number(least), "maximum": _number(greatest)}
    bounds = {
        name: _number(bound / 100)
        for name, bound in (("minimum", field.least), ("maximum", field.greatest))
        if bound is not None
    }
    return {
        "anyOf": [{"type": "number", **bounds}, {"type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,2})?$"}],
        "description": "Yuan, with at most 2 decimals; the bounds hold for a text too.",
        "x-unit": "yuan",
    }


def _nullable(schema: Schema) -> Schema:
    if "anyOf" in schema:
        return {**schema, "anyOf": [*schema["anyOf"], {"type": "null"}]}
    nullable = {**schema, "type": [schema["type"], "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def _number(bound: Fraction) -> int | float:
    return bound.numerator if bound.denominator == 1 else float(bound)
