"""What is misspelt in a query is refused, and the answer names it and what is known."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from agents.case_index import is_member
from hearthwatch.api.app import HANDLERS, roles_of
from tests.api.town import HERE, Client, Town, opened

LEVELS = ("blue", "yellow", "orange", "red")
PLACE = f"{HERE}|orange|new|1772416800000000|H1|H1-1"


def refused(answer: httpx.Response) -> str:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["reason"] == "bad-request"
    return str(problem["detail"])


def test_a_parameter_that_a_list_does_not_know_is_named_with_those_that_it_knows(desk: Client) -> None:
    told = refused(desk.get("/v1/cases", lvel="red"))
    assert told == (
        "`lvel` is no parameter of this address: did you mean `level`?"
        " one of: community, cursor, level, limit, overdue, state"
    )
    assert "`after`" in refused(desk.get("/v1/warnings", after="x", level="red"))
    assert "one of: language" in refused(desk.get("/v1/households/H1", lang="zh"))
    assert "it takes none" in refused(desk.get("/v1/counts", community=HERE))
    assert len(refused(desk.get("/v1/cases", **{"x" * 3000: "1"}))) < 300


@pytest.mark.parametrize("handler", [one for one in HANDLERS if roles_of(one) is not None], ids=str)
def test_every_route_with_a_token_refuses_a_parameter_that_it_is_not_described_with(
    town: Town, desk: Client, auditor: Client, handler: Any
) -> None:
    (path,), (method,) = handler.paths, handler.http_methods
    path = path.replace("{case_id:str}", "H1-1").replace("{household_id:str}", "H1")
    caller = auditor if "auditor" in (roles_of(handler) or ()) else desk
    answer = caller.http.request(method, path, params={"housheold": "H1"})
    assert "`housheold` is no parameter" in refused(answer)


def test_whoever_may_not_use_a_route_is_not_told_its_parameters(town: Town) -> None:
    policy = Client(town, town.token("plan", "policy"))
    assert policy.get("/v1/cases", lvel="red").status_code == 403
    assert httpx.get(f"{town.url}/v1/cases?lvel=red").status_code == 401


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/warnings"])
def test_a_level_that_no_policy_has_is_named_with_those_that_there_are(desk: Client, path: str) -> None:
    told = refused(desk.get(path, level="orang"))
    assert told.startswith(
        "level: `orang` is no level of any policy that was activated: did you mean `orange`?"
    )
    assert all(level in told for level in LEVELS)
    assert "level:" in refused(desk.get(path, level=""))
    assert all(desk.get(path, level=level).status_code == 200 for level in LEVELS)


@pytest.mark.parametrize("path", ["/v1/cases", "/v1/warnings"])
@pytest.mark.parametrize("cursor", ["", "zzz", "a|b|c|d|e|f", "1-2", HERE])
def test_a_cursor_that_is_none_is_refused(desk: Client, path: str, cursor: str) -> None:
    assert refused(desk.get(path, cursor=cursor)) == "cursor: expected the `next` of a page before"


def test_a_cursor_goes_on_though_its_case_has_been_closed_since(town: Town, desk: Client) -> None:
    for n in range(3):
        opened(town, f"A{n}", HERE)
    cursor = desk.get("/v1/cases", community=HERE, limit=1).json()["next"]
    gone = cursor.rpartition("|")[0] + "|nobody-1"
    assert desk.get("/v1/cases", community=HERE, cursor=gone).status_code == 200


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLACE, True),
        (PLACE.replace("1772416800000000", "-"), True),
        (PLACE.replace(HERE, "-"), True),
        (PLACE.replace(HERE, "42"), False),
        (PLACE.replace("new", "lost"), False),
        (PLACE.replace("1772416800000000", "soon"), False),
        (PLACE + "|more", False),
        (PLACE.replace("H1-1", ""), False),
        ("", False),
    ],
)
def test_only_what_could_stand_in_the_index_is_a_place_in_it(text: str, expected: bool) -> None:
    assert is_member(text) is expected
