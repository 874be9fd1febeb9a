"""JSON Schema and AsyncAPI of a catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from streams.asyncapi import asyncapi_document
from streams.catalog import BUILT_IN, RETRACTED
from streams.errors import InputError
from streams.schemas import data_schema, event_schema, type_of
from tests.streams.wire import catalog

CATALOG = catalog()


def schema(name: str) -> dict[str, Any]:
    return event_schema(CATALOG, type_of(CATALOG, name))


def test_the_envelope_of_a_type() -> None:
    it = schema("health.visit.made")
    properties = it["properties"]
    assert it["required"] == ["specversion", "id", "source", "type", "subject", "time", "data"]
    assert properties["source"] == {"enum": ["/wuchang/health", "/wuchang/civil-affairs"]}
    assert properties["type"] == {"const": "health.visit.made"}
    assert it["x-title"] == {"en": "Visit made", "zh": "走访"}
    assert re.search(properties["subject"]["pattern"], "person/p-1")
    assert not re.search(properties["subject"]["pattern"], "household/h-1")
    assert properties["supersedes"]["type"] == ["string", "null"]


def test_every_kind_of_field() -> None:
    it = data_schema(CATALOG.events["health.visit.made"])
    assert it["required"] == ["severity"]
    assert it["properties"]["severity"] == {"type": "integer", "minimum": 1, "maximum": 9007199254740995}
    assert it["properties"]["any_number"]["type"] == ["integer", "null"]
    assert it["properties"]["any_number"]["maximum"] == 2**63 - 1
    number, text, null = it["properties"]["cost_yuan"]["anyOf"]
    assert number == {"type": "number", "minimum": -5, "maximum": 10000000.5}
    assert re.search(text["pattern"], "12.50")
    assert not re.search(text["pattern"], "12.500")
    assert null == {"type": "null"}
    assert it["properties"]["planned"] == {"type": ["boolean", "null"]}
    assert it["properties"]["made_on"]["format"] == "date"
    assert it["properties"]["note"]["maxLength"] == 5
    assert it["properties"]["code"]["pattern"] == "^(?:[A-Z]\\d{2}|x)$"
    assert it["properties"]["ward"] == {
        "type": ["string", "null"],
        "enum": ["general", "surgery", "重症", None],
    }


def test_the_retraction_needs_supersedes_and_allows_both_subjects() -> None:
    it = schema(RETRACTED)
    assert "supersedes" in it["required"]
    assert it["properties"]["supersedes"]["type"] == "string"
    assert re.search(it["properties"]["subject"]["pattern"], "household/h-1")
    assert len(it["properties"]["source"]["enum"]) == 3


def test_a_type_that_nobody_may_send_has_no_source() -> None:
    nobody = replace(CATALOG, registry=())
    it = event_schema(nobody, type_of(nobody, "registry.member.left"))
    assert it["properties"]["source"] == {"not": {}}


def test_an_unknown_type_is_bad_input_with_a_suggestion() -> None:
    with pytest.raises(InputError, match=r"did you mean `health\.visit\.made`"):
        schema("health.visit.mad")


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


def test_the_document_has_a_channel_a_topic_and_every_reference_leads_somewhere() -> None:
    document = asyncapi_document(CATALOG)
    assert document["asyncapi"].startswith("3.")
    assert list(document["channels"]) == [
        "life.health",
        "life.civil-affairs",
        "life.public-security",
        "warnings",
        "deadletters",
    ]
    for name, channel in document["channels"].items():
        assert channel["address"] == name
        assert channel["bindings"]["kafka"]["topic"] == name
    found = list(references(document))
    assert len(found) > 10
    for reference in found:
        at: Any = document
        for part in reference.removeprefix("#/").split("/"):
            at = at[part]


def test_a_channel_has_what_its_department_may_send() -> None:
    channels = asyncapi_document(CATALOG)["channels"]
    assert set(channels["life.health"]["messages"]) == {"health.visit.made", RETRACTED}
    assert set(channels["life.civil-affairs"]["messages"]) == {"health.visit.made", "home.damaged", *BUILT_IN}


def test_the_document_is_plain_json() -> None:
    document = asyncapi_document(CATALOG)
    assert json.loads(json.dumps(document)) == document
