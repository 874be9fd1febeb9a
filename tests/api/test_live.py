"""The API on the whole system: the work on a case, by whom, and what is refused."""

from __future__ import annotations

import concurrent.futures
import time
from typing import Any

from tests.api.answers import done, key, refused
from tests.api.town import (
    DEADLINE_SECONDS,
    HERE,
    NEXT_DOOR,
    STREET,
    Client,
    Town,
    opened,
    warning,
)  # fmt: skip

"""2 March 2026, 10 in the morning in Wuhan."""


def test_a_case_is_worked_from_its_warning_to_its_code(town: Town, here: Client) -> None:
    case = opened(town, "W1", HERE)
    street = Client(town, town.token("li", "street", STREET))
    seen = here.get(f"/v1/cases/{case}").json()
    assert (seen["state"], seen["version"], seen["household"], seen["community"]) == ("new", 1, "W1", HERE)
    headers = here.get(f"/v1/cases/{case}").headers
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert {one["clock"] for one in seen["deadlines"]} == {"acknowledge", "visit", "assess", "help"}
    assert done(here.command(case, "acknowledge", 1, key()))["type"] == "case.acknowledged"
    assert done(here.command(case, "visit", 2, key(), outcome="met"))["type"] == "case.visited"
    assert done(here.command(case, "assess", 3, key(), level="severe", causes=["illness"]))
    assert done(here.command(case, "propose", 4, key(), measure="dibao"))
    assert done(street.command(case, "approve", 5, key(), measure="dibao"))
    assert done(here.command(case, "deliver", 6, key(), measure="dibao", amount_yuan=910))
    closed = done(here.command(case, "close", 7, key(), code="helped"))
    assert closed["data"]["after"] == "closed"
    shown = here.get(f"/v1/cases/{case}").json()
    assert (shown["state"], shown["code"], shown["version"]) == ("closed", "helped", 8)
    assert [(one["id"], one["state"], one["approved_by"]) for one in shown["measures"]] == [
        ("dibao", "delivered", "li")
    ]
    history = here.get(f"/v1/cases/{case}/history").json()["events"]
    assert [one["type"] for one in history] == [
        "case.opened", "case.acknowledged", "case.visited", "case.assessed", "case.proposed",
        "case.approved", "case.delivered", "case.closed",
    ]  # fmt: skip
    assert history[-1]["data"]["actor"] == {"id": "anna", "role": "community"}


def test_a_command_sent_again_is_answered_again_and_not_carried_out_again(town: Town, here: Client) -> None:
    case = opened(town, "W2", HERE)
    once = key()
    first = here.command(case, "comment", 1, once, text="rang, nobody there")
    again = here.command(case, "comment", 1, once, text="rang, nobody there")
    assert done(first)["id"] == f"{case}-2"
    assert done(again)["type"] == "case.repeated"
    assert done(again)["data"]["details"]["answer"] == f"{case}-2"
    assert (first.json()["is_repeated"], again.json()["is_repeated"]) == (False, True)
    assert here.get(f"/v1/cases/{case}").json()["version"] == 2
    taken = refused(here.command(case, "comment", 1, once, text="something else"), 409, "id-taken")
    assert taken.get("version") is None


def test_a_command_that_was_refused_is_refused_again_under_its_id(town: Town, here: Client) -> None:
    case = opened(town, "W2R", HERE)
    once = key()
    refused(here.command(case, "close", 1, once, code="helped"), 409, "wrong-state")
    again = refused(here.command(case, "close", 1, once, code="helped"), 409, "repeated-refusal")
    assert "new id" in again["detail"]


def test_a_closed_case_goes_with_its_household(town: Town, here: Client) -> None:
    case = opened(town, "W2M", HERE)
    done(here.command(case, "acknowledge", 1, key()))
    done(here.command(case, "visit", 2, key(), outcome="met"))
    done(here.command(case, "close", 3, key(), code="no-need"))
    next_door = Client(town, town.token("next-door", "community", NEXT_DOOR))
    refused(next_door.get(f"/v1/cases/{case}"), 404, "not-found")
    town.send("warnings", ("W2M", warning("W2M", 2, NEXT_DOOR)))
    until = time.monotonic() + DEADLINE_SECONDS
    while next_door.get(f"/v1/cases/{case}").status_code == 404:
        assert time.monotonic() < until
    for path in (f"/v1/cases/{case}", f"/v1/cases/{case}/history", f"/v1/cases/{case}/alerts"):
        refused(here.get(path), 404, "not-found")
    seen = next_door.get(f"/v1/cases/{case}").json()
    again = done(next_door.command(case, "reopen", seen["version"], key(), reason="again"))
    assert again["data"]["after"] != "closed"


def test_who_was_answered_sees_at_once_what_was_done(town: Town, here: Client) -> None:
    case = opened(town, "W5S", HERE)
    for version in range(1, 31):
        assert done(here.command(case, "comment", version, key(), text="and again"))
        assert here.get(f"/v1/cases/{case}").json()["version"] == version + 1


def test_two_officers_at_once_on_one_case_one_does_it_and_one_is_told(town: Town, here: Client) -> None:
    case = opened(town, "W3", HERE)
    other = Client(town, town.token("bo", "community", HERE))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda one: one.command(case, "assign", 1, key(), to="somebody"), (here, other))
        )
    assert sorted(one.status_code for one in answers) == [200, 409]
    (lost,) = [one for one in answers if one.status_code == 409]
    problem = refused(lost, 409, "stale")
    assert problem["version"] == 2
    assert "seen_version" in problem["detail"]
    assert here.get(f"/v1/cases/{case}").json()["version"] == 2


def test_each_refusal_has_its_status_and_says_what_to_do(town: Town, here: Client) -> None:
    case = opened(town, "W4", HERE)
    refused(here.command(case, "close", 1, key(), code="helped"), 409, "wrong-state")
    refused(here.command(case, "visit", 1, key(), outcome="perhaps"), 422, "bad-data")
    refused(here.command(case, "dance", 1, key()), 422, "bad-data")
    refused(here.command(case, "visit", -1, key(), outcome="met"), 422, "bad-data")
    refused(here.command(case, "approve", 1, key(), measure="dibao"), 403, "forbidden")
    refused(here.command("W4-9", "acknowledge", 1, key()), 404, "not-found")
    bare = here.http.post(f"/v1/cases/{case}/commands", json={"command": "acknowledge", "seen_version": 1})
    assert "Idempotency-Key" in refused(bare, 400, "bad-request")["detail"]
    kinds: dict[str, dict[str, Any]] = {"no json": {"content": b"{"}, "a list": {"json": []}, "empty": {}}
    for name, body in kinds.items():
        answer = here.http.post(f"/v1/cases/{case}/commands", headers={"Idempotency-Key": key()}, **body)
        assert refused(answer, answer.status_code, answer.json()["reason"])["status"] in (400, 422), name
    large = {"command": "comment", "seen_version": 1, "data": {"text": "x" * 200_000}}
    answer = here.http.post(f"/v1/cases/{case}/commands", json=large, headers={"Idempotency-Key": key()})
    refused(answer, 413, "too-large")
