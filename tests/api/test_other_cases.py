"""Cases beside the one that is worked on: those of the household before it, and another household's."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.api.answers import key
from tests.api.town import (
    DEADLINE_SECONDS,
    ELSEWHERE,
    HERE,
    NEXT_DOOR,
    STREET,
    Client,
    Town,
    opened,
    warning,
)
from tests.api.typed import Cli, done, on_record


def sent(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text


def closed(client: Client, case: str, code: str = "moved-away", **more: Any) -> None:
    """Close a case that is new."""
    version = client.get(f"/v1/cases/{case}").json()["version"]
    sent(client.command(case, "acknowledge", version, key()))
    sent(client.command(case, "comment", version + 1, key(), text=f"about {case}"))
    sent(client.command(case, "close", version + 2, key(), code=code, **more))


@pytest.fixture(scope="module")
def three(town: Town, here: Client) -> list[str]:
    """A household with two closed cases and an open one."""
    opened(town, "T1", HERE)
    closed(here, "T1-1")
    for number in (2, 3):
        town.send("warnings", ("T1", warning("T1", number, HERE, "red")))
        until = time.monotonic() + DEADLINE_SECONDS
        while here.get(f"/v1/cases/T1-{number}").status_code == 404:
            assert time.monotonic() < until
        if number == 2:
            closed(here, "T1-2", "data-wrong", source="health")
    return ["T1-1", "T1-2", "T1-3"]


def test_every_case_of_a_household_is_shown_whole_with_the_one_before_and_after(
    here: Client, three: list[str]
) -> None:
    first, last, now = (here.get(f"/v1/cases/{id}").json() for id in three)
    assert [(one["before"], one["after"]) for one in (first, last, now)] == [
        (None, "T1-2"), ("T1-1", "T1-3"), ("T1-2", None),
    ]  # fmt: skip
    assert (first["id"], first["state"], first["code"], first["version"]) == (
        "T1-1",
        "closed",
        "moved-away",
        4,
    )
    assert (first["officer"], first["level"], first["community"]) == ("anna", "orange", HERE)
    assert (last["code"], last["source"], now["state"]) == ("data-wrong", "health", "new")
    assert first["deadlines"][0]["done"] is not None
    history = here.get("/v1/cases/T1-1/history").json()["events"]
    assert [one["type"] for one in history] == [
        "case.opened", "case.acknowledged", "case.commented", "case.closed",
    ]  # fmt: skip
    assert here.get("/v1/cases/T1-1/alerts").status_code == 200
    assert here.get("/v1/cases/T1-9").status_code == 404


def test_an_earlier_case_is_shown_to_whoever_sees_the_household_and_is_on_record(
    town: Town, here: Client, three: list[str]
) -> None:
    other = Client(town, town.token("next-door", "community", NEXT_DOOR))
    for path in ("", "/history", "/alerts"):
        assert other.get(f"/v1/cases/T1-1{path}").status_code == 404
    assert Client(town, town.token("plan", "policy")).get("/v1/cases/T1-1").status_code == 403
    assert here.get("/v1/cases/T1-1").status_code == 200
    looks = [(one.what, one.result, one.households) for one in on_record(town, "T1-1")]
    assert ("case", "not-found", ()) in looks
    assert looks[-1] == ("case", "ok", ("T1",))


def test_an_earlier_case_cannot_be_worked_on(here: Client, three: list[str]) -> None:
    answer = here.command("T1-1", "comment", 4, key(), text="too late")
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    assert here.get("/v1/cases/T1-1/suggestions").status_code == 404


def test_the_command_line_shows_an_earlier_case_and_how_to_go_on(case: Cli, three: list[str]) -> None:
    page = done(case("show", "T1-2")).out
    assert "data wrong" in page
    assert "The case before: hearthwatch case show T1-1, the one after: T1-3" in page
    (first,) = done(case("show", "T1-1", "--json")).lines
    assert (first["code"], first["before"], first["after"]) == ("moved-away", None, "T1-2")
    assert [one["type"] for one in first["history"]][-1] == "case.closed"
    assert "下一件：T1-2" in done(case("show", "T1-1", "--lang", "zh")).out
    assert case("show", "T1-9").status == 1


# -- duplicates of another household -----------------------------------------------------------------
def test_a_duplicate_of_another_household_has_to_be_there(town: Town, here: Client) -> None:
    case, twin = opened(town, "U1", HERE), opened(town, "U2", HERE)
    far = opened(town, "U3", ELSEWHERE)
    tried: list[dict[str, Any]] = []
    for named in ("U2-7", "NOBODY-1", far):
        answer = here.command(case, "close", 1, key(), code="duplicate", duplicate_of=named)
        assert (answer.status_code, answer.json()["reason"]) == (422, "bad-data"), answer.text
        tried.append({**answer.json(), "request": ""})
    # What is somebody else's is told as what is not there.
    assert tried[0] == tried[1] == tried[2]
    assert tried[0]["detail"].startswith("$.data.duplicate_of: there is no such case among those of your")
    assert here.get(f"/v1/cases/{case}").json()["version"] == 1
    looks = [(one.kind, one.what, one.result) for one in on_record(town, far)]
    assert looks[-1] == ("read", "case", "not-found")
    again = key()
    sent(here.command(case, "close", 1, again, code="duplicate", duplicate_of=twin))
    looks = on_record(town, twin)
    assert (looks[-1].result, looks[-1].households) == ("ok", ("U2",))
    repeated = here.command(case, "close", 1, again, code="duplicate", duplicate_of=twin)
    assert (repeated.status_code, repeated.json()["is_repeated"]) == (200, True)
    assert on_record(town, twin) == looks, "what is answered again is not looked for again"
    assert here.get(f"/v1/cases/{case}").json()["duplicate_of"] == twin


def test_the_street_may_name_a_case_of_each_of_its_communities_also_a_closed_one(town: Town) -> None:
    case, twin = opened(town, "U4", HERE), opened(town, "U5", NEXT_DOOR)
    street = Client(town, town.token("li", "street", STREET))
    closed(street, twin)
    sent(street.command(case, "close", 1, key(), code="duplicate", duplicate_of=twin))


def test_what_is_no_id_and_what_is_the_households_own_is_the_stages_to_refuse(
    town: Town, here: Client
) -> None:
    case = opened(town, "U6", HERE)
    for named, told in (("U6-9", "has had no such case"), ("a b", "expected the id of a case")):
        answer = here.command(case, "close", 1, key(), code="duplicate", duplicate_of=named)
        assert (answer.status_code, told in answer.json()["detail"]) == (422, True), answer.text


def test_the_command_line_looks_too_and_sends_nothing(town: Town, case: Cli) -> None:
    id, far = opened(town, "U7", HERE), opened(town, "U8", ELSEWHERE)
    words = ("close", id, "--code", "duplicate", "--duplicate-of")
    for named in ("NOBODY-1", far):
        said = case(*words, named, by=("anna", "community", HERE))
        assert (said.status, said.out) == (2, "")
        assert f"--duplicate-of: `{named}`: there is no such case among those of your communities" in said.err
    assert [one.result for one in on_record(town, id) if one.kind == "change"] == []
    assert done(case(*words, far, by=("desk", "district", HERE[:6])))
