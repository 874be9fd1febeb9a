"""The API on the whole system: lists, counts, rules, warnings, and a household that is scored."""

from __future__ import annotations

import json
import time

from tests.api.answers import done, key, refused
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
)  # fmt: skip


def test_lists_hold_what_is_asked_for_page_by_page(town: Town, desk: Client) -> None:
    for n in range(5):
        opened(town, f"L{n}", ELSEWHERE, "red" if n % 2 else "blue")
    everything = desk.get("/v1/cases", community=ELSEWHERE).json()
    assert {one["household"] for one in everything["cases"]} >= {f"L{n}" for n in range(5)}
    assert everything["next"] is None
    red = desk.get("/v1/cases", community=ELSEWHERE, level="red").json()["cases"]
    assert {one["household"] for one in red} >= {"L1", "L3"}
    assert {one["level"] for one in red} == {"red"}
    pages, cursor = [], None
    while True:
        page = desk.get(
            "/v1/cases", community=ELSEWHERE, limit=2, **({"cursor": cursor} if cursor else {})
        ).json()
        pages += page["cases"]
        cursor = page["next"]
        if cursor is None:
            break
    assert pages == everything["cases"]
    assert desk.get("/v1/cases", community=ELSEWHERE, state="closed").json()["cases"] == []
    assert desk.get("/v1/cases", community=ELSEWHERE, overdue=True).json()["cases"] == []
    assert desk.get("/v1/cases", state="lost").status_code == 400
    assert desk.get("/v1/cases", limit=0).status_code == 400
    assert desk.get("/v1/cases", community="x").status_code == 400


def test_households_without_a_community_are_the_districts(town: Town, desk: Client, here: Client) -> None:
    case = opened(town, "N1", None)
    assert desk.get(f"/v1/cases/{case}").json()["community"] is None
    assert "N1" in {one["household"] for one in desk.get("/v1/cases", limit=500).json()["cases"]}
    refused(here.get(f"/v1/cases/{case}"), 404, "not-found")
    street = Client(town, town.token("li", "street", STREET))
    refused(street.get(f"/v1/cases/{case}"), 404, "not-found")


def test_counts_are_everybodys_own_and_policy_staffs_of_all(town: Town, here: Client) -> None:
    opened(town, "C1", HERE)
    opened(town, "C2", NEXT_DOOR)
    policy = Client(town, town.token("plan", "policy"))
    assert {one["community"] for one in here.get("/v1/counts").json()["counts"]} == {HERE}
    everywhere = policy.get("/v1/counts").json()["counts"]
    assert {HERE, NEXT_DOOR} <= {one["community"] for one in everywhere}
    assert all(set(one) == {"community", "level", "state", "cases", "overdue"} for one in everywhere)


def test_rules_are_the_files_in_force(town: Town) -> None:
    found = Client(town, town.token("plan", "policy")).get("/v1/rules").json()
    assert found["policy_number"] == 1
    assert found["policy"]["text"] == town.settings.policy.read_text("utf-8")
    assert found["casebook"]["text"] == town.settings.casebook.read_text("utf-8")


def test_warnings_are_the_latest_first_each_once(town: Town, here: Client, desk: Client) -> None:
    for n in range(1, 4):
        town.send("warnings", ("R1", warning("R1", n, HERE, "red")))
    town.send("warnings", ("R1", warning("R1", 3, HERE, "red")), ("R2", warning("R2", 1, NEXT_DOOR, "red")))
    until = time.monotonic() + DEADLINE_SECONDS
    while "R2-1" not in [one["id"] for one in desk.get("/v1/warnings", limit=10).json()["warnings"]]:
        assert time.monotonic() < until
    found = here.get("/v1/warnings", level="red", limit=500).json()
    mine = [one["id"] for one in found["warnings"] if one["household"] in ("R1", "R2")]
    assert mine == ["R1-3", "R1-2", "R1-1"]
    page = here.get("/v1/warnings", level="red", limit=2).json()
    rest = here.get("/v1/warnings", level="red", limit=2, cursor=page["next"]).json()
    assert [one["id"] for one in page["warnings"] + rest["warnings"]] == [
        one["id"] for one in found["warnings"]
    ][:4]
    refused(here.get("/v1/warnings", cursor="x"), 400, "bad-request")


def test_a_household_shows_its_cases_its_level_and_why(town: Town, here: Client) -> None:
    events = [
        {
            "type": "registry.household.registered", "subject": "household/S1",
            "source": "/wuchang/civil-affairs", "data": {"community": HERE},
        },
        {
            "type": "registry.member.joined", "subject": "person/P1", "source": "/wuchang/civil-affairs",
            "data": {"household": "S1", "role": "head", "birth": "1950-01-01", "sex": "female"},
        },
    ]  # fmt: skip
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    file = town.folder / "s1.jsonl"
    file.write_text(
        "".join(
            json.dumps({"specversion": "1.0", "id": f"s1-{n}", "time": now, **one}) + "\n"
            for n, one in enumerate(events)
        )
    )
    published = town.run("publish", str(file))
    assert published.returncode == 0, published.stdout + published.stderr
    case = opened(town, "S1", HERE)
    until = time.monotonic() + DEADLINE_SECONDS
    while not (found := here.get("/v1/households/S1").json()).get("why"):
        assert time.monotonic() < until, found
    assert found["community"] == HERE
    assert found["open"]["id"] == case
    assert (found["warned_level"], found["last"], found["past"]) == ("orange", None, [])
    score = found["score"]  # she is old and alone
    assert score > 0
    assert found["why"][0].startswith(f"Household S1 (community {HERE}) scored {score} of 100")
    assert "家庭" in here.get("/v1/households/S1", language="zh").json()["why"][0]
    before = here.get(f"/v1/cases/{case}/suggestions").json()["suggestions"]
    assert all(one["reasons"][0]["kind"] == "sign" for one in before)
    done(here.command(case, "visit", 1, key(), outcome="met"))
    done(here.command(case, "assess", 2, key(), level="severe", causes=["illness"]))
    worth = here.get(f"/v1/cases/{case}/suggestions").json()["suggestions"]
    assert worth
    assert all(one["reasons"][0]["kind"] == "cause" for one in worth)
