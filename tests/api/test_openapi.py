"""The description is valid OpenAPI 3.1, and what the API answers is what it describes."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from casework.cases.commands import DATA
from tests.api.town import DISTRICT, HERE, Client, Town, opened


@pytest.fixture(scope="module")
def described(town: Town) -> dict[str, Any]:
    answer = httpx.get(f"{town.url}/v1/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def conforms(described: dict[str, Any], path: str, answer: httpx.Response) -> None:
    """Whether an answer is one that its route is described with, to the last field."""
    operation = described["paths"][path][answer.request.method.lower()]
    responses = operation["responses"]
    assert str(answer.status_code) in responses, f"{path}: {answer.status_code} is not described"
    kind = answer.headers["content-type"].partition(";")[0]
    schema = responses[str(answer.status_code)]["content"][kind]["schema"]
    validator = Draft202012Validator({**schema, "components": described["components"]})
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())]
    assert not errors, f"{path}: {errors[:5]}"
    ref = schema.get("$ref")
    if ref is not None:
        known = described["components"]["schemas"][ref.rpartition("/")[2]]["properties"]
        assert set(answer.json()) <= set(known), path


def test_it_is_valid(described: dict[str, Any]) -> None:
    assert described["openapi"].startswith("3.1")
    validate(described)


def test_it_describes_every_parameter_and_hides_what_is_ours(described: dict[str, Any]) -> None:
    for path, item in described["paths"].items():
        for operation in item.values():
            names = {one["name"] for one in operation.get("parameters", ())}
            assert not names & {"request", "services", "caller"}, path
            assert operation["description"], path
    names = {one["name"] for one in described["paths"]["/v1/cases"]["get"]["parameters"]}
    assert names == {"community", "level", "state", "overdue", "limit", "cursor"}


def test_it_says_what_belongs_to_each_command(described: dict[str, Any]) -> None:
    components = described["components"]
    validator = Draft202012Validator({"$ref": "#/components/schemas/CommandAsked", "components": components})
    good = {"command": "visit", "seen_version": 1, "data": {"outcome": "met"}}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "command": "dance"})
    assert not validator.is_valid({**good, "data": {"outcome": "perhaps"}})
    assert not validator.is_valid({**good, "data": {"outcome": "met", "mood": "good"}})
    assert {
        one["properties"]["command"]["const"] for one in components["schemas"]["CommandAsked"]["oneOf"]
    } == set(DATA)


def test_every_routes_answers_are_what_it_describes(town: Town, described: dict[str, Any]) -> None:
    case = opened(town, "D1", HERE)
    desk = Client(town, town.token("desk", "district", DISTRICT))
    auditor = Client(town, town.token("audit", "auditor", DISTRICT))
    other = Client(town, town.token("elsewhere", "community", "420106004001"))
    for command, seen, data in (
        ("visit", 1, {"outcome": "met"}),
        ("assess", 2, {"level": "severe", "causes": ["illness"]}),
        ("commit", 3, {"step": "sign", "papers": ["a paper"], "allows_checks": True}),
        ("propose", 4, {"measure": "dibao", "amount_yuan": 910}),
    ):
        answer = desk.command(case, command, seen, uuid.uuid4().hex, **data)
        assert answer.status_code == 200, answer.text
        conforms(described, "/v1/cases/{case_id}/commands", answer)
    conforms(described, "/v1/cases/{case_id}/commands", desk.command(case, "close", 0, uuid.uuid4().hex))
    conforms(described, "/v1/cases/{case_id}/commands", desk.command(case, "dance", 0, uuid.uuid4().hex))
    conforms(described, "/v1/cases/{case_id}/commands", desk.command("X-1", "close", 0, uuid.uuid4().hex))
    asked = {
        "/v1/cases": f"/v1/cases?community={HERE}", "/v1/counts": "/v1/counts",
        "/v1/cases/{case_id}": f"/v1/cases/{case}",
        "/v1/cases/{case_id}/history": f"/v1/cases/{case}/history",
        "/v1/cases/{case_id}/alerts": f"/v1/cases/{case}/alerts",
        "/v1/cases/{case_id}/suggestions": f"/v1/cases/{case}/suggestions",
        "/v1/households/{household_id}": "/v1/households/D1",
        **{path: path for path in ("/v1/warnings", "/v1/rules", "/v1/audit", "/health")},
    }  # fmt: skip
    for path, url in asked.items():
        answer = auditor.get(url)
        assert answer.status_code == 200, answer.text
        conforms(described, path, answer)
        if path in ("/v1/cases", "/v1/warnings", "/v1/audit"):
            conforms(described, path, auditor.get(url.partition("?")[0], limit=0))
        if "{" in path:
            conforms(described, path, other.get(url))
        if path != "/health":
            conforms(described, path, httpx.get(town.url + url))
    assert set(described["paths"]) == {*asked, "/v1/cases/{case_id}/commands", "/v1/changes"}


@pytest.mark.parametrize("path", ["/v1/housholds", "/v1/cases/H1-1/nothing", "/nothing"])
def test_an_address_that_is_none_is_a_problem_like_any_other(town: Town, path: str) -> None:
    answer = Client(town, town.token("anna", "community", HERE)).get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "openapi.json" in answer.json()["detail"]
