"""Each role at each route, as the table of the reference says; and whose is whose."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from casework.cases.commands import Role
from hearthwatch.api.access import EVERYBODY
from hearthwatch.api.app import HANDLERS, roles_of
from hearthwatch.desk import is_in
from tests.api.town import DISTRICT, ELSEWHERE, HERE, NEXT_DOOR, STREET, Client, Town, opened

CODES: dict[Role, tuple[str, ...]] = {
    "community": (HERE,), "street": (STREET,), "district": (DISTRICT,), "auditor": (DISTRICT,), "policy": (),
}  # fmt: skip
ROUTES = [
    (method, handler)
    for handler in HANDLERS
    if roles_of(handler) is not None
    for method in sorted(handler.http_methods)
]


@pytest.fixture(scope="module")
def case(town: Town) -> str:
    return opened(town, "M1", HERE)


def ask(client: Client, method: str, path: str, case: str) -> httpx.Response:
    """A request that only its sender's role can stand in the way of."""
    household = case.rpartition("-")[0]
    path = path.replace("{case_id:str}", case).replace("{household_id:str}", household)
    if method == "POST":
        body = {"command": "comment", "seen_version": 0, "data": {"text": "x"}}
        return client.http.post(path, json=body, headers={"Idempotency-Key": uuid.uuid4().hex})
    with client.http.stream(method, path) as answer:
        if not answer.headers["content-type"].startswith("text/event-stream"):
            answer.read()
        return answer


@pytest.mark.parametrize("role", EVERYBODY)
@pytest.mark.parametrize(("method", "handler"), ROUTES, ids=[f"{m}-{h.handler_name}" for m, h in ROUTES])
def test_a_role_gets_in_where_the_table_says_so_and_nowhere_else(
    town: Town, case: str, role: Role, method: str, handler: Any
) -> None:
    client = Client(town, town.token(f"matrix-{role}", role, *CODES[role]))
    (path,) = handler.paths
    answer = ask(client, method, path, case)
    roles = roles_of(handler)
    assert roles is not None
    if role in roles:
        # The command is stale on purpose; all else is shown.
        assert answer.status_code == (409 if method == "POST" else 200), answer.text
    else:
        assert answer.status_code == 403
        assert answer.json()["reason"] == "role"


@pytest.mark.parametrize(("method", "handler"), ROUTES, ids=[f"{m}-{h.handler_name}" for m, h in ROUTES])
def test_nobody_gets_in_without_a_token_that_opens(town: Town, method: str, handler: Any) -> None:
    (path,) = handler.paths
    url = town.url + path.replace("{case_id:str}", "M1-1").replace("{household_id:str}", "M1")
    bare = httpx.request(method, url)
    assert (bare.status_code, bare.json()["reason"]) == (401, "no-token")
    assert bare.headers["www-authenticate"] == "Bearer"


WHOSE = [
    ("community", (HERE,), {HERE}),
    ("community", (HERE, ELSEWHERE), {HERE, ELSEWHERE}),
    ("community", (NEXT_DOOR,), {NEXT_DOOR}),
    ("street", (STREET,), {HERE, NEXT_DOOR}),
    ("district", (DISTRICT,), {HERE, NEXT_DOOR, ELSEWHERE, None}),
    ("district", ("420107",), {None}),
    ("auditor", (STREET,), {HERE, NEXT_DOOR}),
]
HOMES = {"O1": HERE, "O2": NEXT_DOOR, "O3": ELSEWHERE, "O4": None}


@pytest.fixture(scope="module")
def homes(town: Town) -> dict[str, str | None]:
    for household, community in HOMES.items():
        opened(town, household, community)
    return dict(HOMES)


@pytest.mark.parametrize(("role", "codes", "theirs"), WHOSE)
def test_each_sees_their_own_and_is_told_of_others_what_is_told_of_nobody(
    town: Town, homes: dict[str, str | None], role: Role, codes: tuple[str, ...], theirs: set[str | None]
) -> None:
    client = Client(town, town.token(f"whose-{role}-{'-'.join(codes)}", role, *codes))
    listed = {one["household"] for one in client.get("/v1/cases", limit=500).json()["cases"]}
    warned = {one["household"] for one in client.get("/v1/warnings", limit=500).json()["warnings"]}
    counted = {one["community"] for one in client.get("/v1/counts").json()["counts"]}
    assert counted & set(HOMES.values()) == theirs & set(HOMES.values())
    assert all(is_in(one, codes) for one in counted)
    for household, community in homes.items():
        is_theirs = community in theirs
        assert (household in listed) is is_theirs
        assert (household in warned) is is_theirs
        for path in (
            f"/v1/cases/{household}-1", f"/v1/cases/{household}-1/history",
            f"/v1/cases/{household}-1/suggestions", f"/v1/cases/{household}-1/alerts",
            f"/v1/households/{household}",
        ):  # fmt: skip
            answer = client.get(path)
            assert answer.status_code == (200 if is_theirs else 404), path
            if not is_theirs:
                nobody = client.get(path.replace(household, "NOBODY"))
                assert without_request(answer) == without_request(nobody)
        if role != "auditor":
            sent = client.command(f"{household}-1", "comment", 0, uuid.uuid4().hex, text="x")
            assert sent.status_code == (409 if is_theirs else 404)


def without_request(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request"}


def test_filters_never_widen_what_is_theirs(town: Town, homes: dict[str, str | None]) -> None:
    client = Client(town, town.token("anna", "community", HERE))
    for asked in (NEXT_DOOR, ELSEWHERE, "420107"):
        assert client.get("/v1/cases", community=asked).json() == {"cases": [], "next": None}
        assert client.get("/v1/warnings", community=asked).json() == {"warnings": [], "next": None}
    within = client.get("/v1/cases", community=DISTRICT, limit=500).json()["cases"]
    assert {one["community"] for one in within} == {HERE}
    for place in (ELSEWHERE, NEXT_DOOR, "-", "0" * 12, "9" * 12):  # cursors that the caller made up
        answer = client.get("/v1/cases", cursor=f"{place}|blue|new|-|H|H-1")
        assert answer.status_code == 200, answer.text
        assert {one["community"] for one in answer.json()["cases"]} <= {HERE}


def test_tokens_that_do_not_open_have_to_wait_and_good_ones_need_not(town: Town) -> None:
    good = Client(town, town.token("anna", "community", HERE))
    bad = Client(town, "hw_00000000_wrong")
    answers = [bad.get("/v1/counts") for _ in range(25)]
    assert {one.status_code for one in answers} == {401, 429}
    last = answers[-1]
    assert (last.status_code, last.json()["reason"]) == (429, "too-many-bad-tokens")
    assert 0 < int(last.headers["retry-after"]) <= 60
    assert good.get("/v1/counts").status_code == 200
