"""A catalogue as an AsyncAPI 3 document: what may be sent on which topic, and what comes out."""

from __future__ import annotations

from typing import Any, Final

from streams.catalog import BUILT_IN_TYPES, RETRACTED, SUBJECT_ID, Catalog, EventType
from streams.deadletters import HEADERS
from streams.records import DEADLETTERS, WARNINGS
from streams.schemas import DIALECT, Schema, event_schema

VERSION: Final = "3.0.0"
_KAFKA_BINDING: Final = "0.5.0"
_SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"
CLOUDEVENT: Final = "application/cloudevents+json"

_MODES: Final = (
    "CloudEvents 1.0 by the Kafka protocol binding. Structured: the whole event as JSON, with the header "
    "`content-type: application/cloudevents+json` (or neither a content-type nor a ce_* header). Binary: the "
    "attributes in `ce_*` headers, the value is `data` alone, as JSON. The record's key is the sender's "
    "business. A value may have at most 64 KiB."
)


def asyncapi_document(catalog: Catalog) -> dict[str, Any]:
    """The document, as plain JSON values.

    Channels are the topics: ``life.<department>`` of each department, ``warnings`` and ``deadletters``.
    Operations are seen from hearthwatch: it receives from departments, and sends the rest.
    """
    types = {**BUILT_IN_TYPES, **catalog.events}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for department in catalog.departments.values():
        name = f"life.{department.id}"
        sent = [type_ for type_ in types.values() if department.id in catalog.senders(type_.type)]
        channels[name] = _channel(
            name,
            _titled(department.title, department.id),
            f"Events with the source `{catalog.source_of(department.id)}`.",
            [type_.type for type_ in sent],
        )
        operations[f"receive-{department.id}"] = _operation("receive", name)
    channels[WARNINGS] = _channel(
        WARNINGS,
        "Warnings by household",
        "A warning may be repeated, byte for byte; first occurrences of a household are in order.",
        ["warning"],
    )
    channels[DEADLETTERS] = _channel(
        DEADLETTERS,
        "Rejected events",
        "Key, value and headers of the rejected record, byte for byte, and five headers more.",
        ["deadletter"],
    )
    operations["send-warnings"] = _operation("send", WARNINGS)
    operations["send-deadletters"] = _operation("send", DEADLETTERS)
    return {
        "asyncapi": VERSION,
        "info": {
            "title": f"Hearthwatch: {catalog.id}",
            "version": str(catalog.version),
            "description": f"Life events from departments in, warnings about households out. {_MODES}",
        },
        "defaultContentType": CLOUDEVENT,
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {
                **{type_.type: _message(catalog, type_) for type_ in types.values()},
                "warning": _warning(),
                "deadletter": _dead_letter(),
            }
        },
    }


def _titled(titles: dict[str, str], otherwise: str) -> str:
    return " / ".join(titles.values()) or otherwise


def _channel(topic: str, title: str, description: str, messages: list[str]) -> dict[str, Any]:
    return {
        "address": topic,
        "title": title,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {"kafka": {"topic": topic, "bindingVersion": _KAFKA_BINDING}},
    }


def _operation(action: str, channel: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}}


def _payload(schema: Schema) -> dict[str, Any]:
    return {"schemaFormat": _SCHEMA_FORMAT, "schema": {"$schema": DIALECT, **schema}}


def _message(catalog: Catalog, type_: EventType) -> dict[str, Any]:
    subject = "person or household, as the fact" if type_.type == RETRACTED else type_.subject
    return {
        "name": type_.type,
        "title": _titled(type_.title, type_.type),
        "summary": f"About a {subject}.",
        "contentType": CLOUDEVENT,
        "payload": _payload(event_schema(catalog, type_)),
        "bindings": {"kafka": {"bindingVersion": _KAFKA_BINDING}},
    }


def _warning() -> dict[str, Any]:
    text_or_null = {"type": ["string", "null"]}
    points = {"type": "integer", "minimum": 0, "maximum": 100}
    named = {"source": {"type": "string"}, "id": {"type": "string"}, "subject": {"type": "string"}}
    fact = {
        "type": "object",
        "properties": {
            **named,
            "type": {"type": "string"},
            "day": {"type": "string", "format": "date"},
        },
    }
    indicator = {
        "type": "object",
        "properties": {
            "indicator": {"type": "string"},
            "dimension": {"type": "string"},
            "tier": {"enum": ["person", "household"]},
            "person": text_or_null,
            "points": {"type": "integer"},
            "measure": {"type": ["number", "null"]},
            "facts": {"type": "array", "maxItems": 20, "items": fact},
        },
    }
    data = {
        "type": "object",
        "properties": {
            "household": {"type": "string"},
            "community": text_or_null,
            "previous_community": text_or_null,
            "members": {"type": "integer", "minimum": 0},
            "level": text_or_null,
            "previous_level": text_or_null,
            "score": points,
            "previous_score": points,
            "dimensions": {"type": "object", "additionalProperties": points},
            "reason": {
                "enum": ["fact", "correction", "retraction", "membership", "registration", "day", "policy"]
            },
            "cause": {
                "type": "object",
                "properties": {
                    **named,
                    "day": {"type": "string", "format": "date"},
                    "policy": {"type": "string"},
                    "version": {"type": "integer"},
                },
            },
            "day": {"type": "string", "format": "date"},
            "because": {"type": "array", "items": indicator},
            "policy": {
                "type": "object",
                "properties": {
                    "id": {"type": "string"},
                    "version": {"type": "integer"},
                    "digest": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
                },
            },
        },
    }
    changes = ["raised", "upgraded", "lowered", "cleared", "withdrawn", "moved"]
    event = {
        "type": "object",
        "properties": {
            "specversion": {"const": "1.0"},
            "type": {"enum": [f"warning.{change}" for change in changes]},
            "source": {"type": "string", "pattern": "^hearthwatch/"},
            "subject": {"type": "string", "pattern": f"^household/~?{SUBJECT_ID}$"},
            "id": {"type": "string"},
            "time": {"type": "string", "format": "date-time"},
            "data": data,
        },
        "required": ["specversion", "type", "source", "subject", "id", "time", "data"],
    }
    return {
        "name": "warning",
        "title": "A household's level changed",
        "contentType": CLOUDEVENT,
        "payload": _payload(event),
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The household's id."},
                "bindingVersion": _KAFKA_BINDING,
            }
        },
    }


def _dead_letter() -> dict[str, Any]:
    what = ("topic", "partition, as decimal text", "offset, as decimal text", "reason", "message")
    return {
        "name": "deadletter",
        "title": "A rejected record",
        "headers": {
            "type": "object",
            "properties": {
                name: {"type": "string", "description": f"The rejection's {meaning}."}
                for name, meaning in zip(HEADERS, what, strict=True)
            },
            "required": list(HEADERS),
        },
        "bindings": {"kafka": {"bindingVersion": _KAFKA_BINDING}},
    }
