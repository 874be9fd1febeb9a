"""The API on the whole system: what is seen, done, refused and followed, and by whom."""

from __future__ import annotations

import concurrent.futures
import json
import subprocess
import time
import uuid
from typing import Any

import httpx
import pytest

from casework.alerts.alert_events import event_of
from casework.alerts.intents import Outcome
from hearthwatch.tokens import revoke_token
from streams.timestamps import MINUTE
from tests.agents.alerting import routes_of
from tests.api.town import (
    DEADLINE_SECONDS,
    ELSEWHERE,
    HERE,
    NEXT_DOOR,
    STREET,
    Client,
    Town,
    opened,
    read_events,
    warning,
)  # fmt: skip

MARCH = 1_772_416_800_000_000
"""2 March 2026, 10 in the morning in Wuhan."""


def key() -> str:
    return uuid.uuid4().hex


def refused(answer: httpx.Response, status: int, reason: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["reason"] == reason
    assert problem["type"] == f"urn:hearthwatch:problem:{reason}"
    assert problem["status"] == status
    assert problem["request"] == answer.headers["x-request-id"]
    return problem


def done(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()["event"]
    return event


# -- the work on a case ------------------------------------------------------------------------------
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


# -- lists -----------------------------------------------------------------------------------------
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


# -- a household that is scored ----------------------------------------------------------------------
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


# -- changes -----------------------------------------------------------------------------------------
def test_changes_come_as_they_happen_and_go_on_where_they_were_lost(
    town: Town, here: Client, desk: Client
) -> None:
    mine, others = opened(town, "E1", HERE), opened(town, "E2", ELSEWHERE)
    with here.stream("/v1/changes") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert next(lines).startswith(": ")  # it follows from here on
        done(desk.command(others, "acknowledge", 1, key()))
        done(here.command(mine, "acknowledge", 1, key()))
        (first,) = read_events(lines, 1)
    assert first["event"] == "case.acknowledged"
    assert json.loads(first["data"])["id"] == f"{mine}-2"
    done(here.command(mine, "comment", 2, key(), text="while nobody listened"))
    done(here.command(mine, "visit", 3, key(), outcome="met"))
    with here.stream("/v1/changes", **{"Last-Event-ID": first["id"]}) as stream:
        rest = read_events(stream.iter_lines(), 2)
    assert [json.loads(one["data"])["id"] for one in rest] == [f"{mine}-3", f"{mine}-4"]
    refused(here.http.get("/v1/changes", headers={"Last-Event-ID": "yesterday"}), 400, "bad-request")


def test_what_is_no_event_stops_nobody_who_follows(town: Town, here: Client) -> None:
    case = opened(town, "E4", HERE)
    with here.stream("/v1/changes") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(": ")
        town.send("case.events", ("E4", b"no event"))
        done(here.command(case, "acknowledge", 1, key()))
        (event,) = read_events(lines, 1)
    assert json.loads(event["data"])["id"] == f"{case}-2"


def test_a_stream_ends_with_its_token(town: Town) -> None:
    case = opened(town, "E3", HERE)
    text = town.token("gone", "community", HERE)
    officer = Client(town, town.token("anna", "community", HERE))
    with Client(town, text).stream("/v1/changes") as stream:
        lines = stream.iter_lines()
        assert next(lines).startswith(": ")
        revoke_token(town.tokens, text.split("_")[1])
        done(officer.command(case, "acknowledge", 1, key()))
        assert not [line for line in lines if line.startswith("data:")]
    refused(Client(town, text).get("/v1/cases"), 401, "bad-token")


def test_a_token_has_only_so_many_streams(town: Town) -> None:
    many = Client(town, town.token("many", "community", HERE))
    open_ones = [many.http.stream("GET", "/v1/changes") for _ in range(8)]
    try:
        for one in open_ones:
            assert next(one.__enter__().iter_lines()).startswith(": ")
        refused(many.get("/v1/changes"), 429, "too-many-streams")
    finally:
        for one in open_ones:
            one.__exit__(None, None, None)


# -- who was told --------------------------------------------------------------------------------------
def test_who_was_told_of_a_case_is_shown_by_time_each_once(town: Town, here: Client, auditor: Client) -> None:
    """As dispatch puts it on ``alert.events``, with repeats, other cases and what is no event among it."""
    case = opened(town, "T1", HERE)

    def became(fate: str, number: int, minute: int, **changes: str) -> bytes:
        outcome = Outcome(
            fate,  # type: ignore[arg-type]
            **{  # type: ignore[arg-type]
                "alert": f"{case}-1", "case": case, "at": MARCH + minute * MINUTE, "team": "community",
                "household": "T1", "level": "red", **changes,
            },
        )  # fmt: skip
        return event_of(outcome, f"alerts/0/{number}/0", routes_of())

    silenced = became("silenced", 4, 1, by="s-1")
    sent = became("sent", 9, 30, channel="hook")
    other = became("sent", 12, 5, case="T1-2")
    passed = became("passed-on", 7, 20, by="desk")
    values = [silenced, sent, b"{", b'{"data": {"alert": 1}}', other, passed, sent]
    town.send("alert.events", *(("T1", value) for value in values), ("T2", sent))
    events = here.get(f"/v1/cases/{case}/alerts").json()["events"]
    assert events == [json.loads(one) for one in (silenced, passed, sent)]
    assert [(one["type"], one["data"]["by"] or one["data"]["channel"]) for one in events] == [
        ("alert.silenced", "s-1"), ("alert.passed-on", "desk"), ("alert.sent", "hook"),
    ]  # fmt: skip
    assert {one["type"] for one in here.get(f"/v1/cases/{case}/history").json()["events"]} == {"case.opened"}
    stranger = Client(town, town.token("next", "community", NEXT_DOOR))
    refused(stranger.get(f"/v1/cases/{case}/alerts"), 404, "not-found")
    found = [one["record"]["entry"] for one in auditor.get("/v1/audit", case=case).json()["records"]]
    assert [(one["who"]["id"], one["result"], one["rows"]) for one in found if one["what"] == "alerts"] == [
        ("next", "not-found", 0), ("anna", "ok", 3),
    ]  # fmt: skip


# -- on record -----------------------------------------------------------------------------------------
def test_every_look_and_every_change_is_on_record_with_who_and_why(
    town: Town, here: Client, auditor: Client
) -> None:
    case = opened(town, "A1", HERE)
    for path in (f"/v1/cases/{case}", f"/v1/cases/{case}/history", "/v1/households/A1"):
        answer = here.http.get(path, headers={"X-Request-Id": "look-1", "X-Purpose": "明天走访".encode()})
        assert answer.headers["x-request-id"] == "look-1"
    here.get("/v1/cases", community=HERE)
    command = key()
    done(here.command(case, "acknowledge", 1, command))
    refused(here.command(case, "acknowledge", 1, key()), 409, "stale")
    stranger = Client(town, town.token("next", "community", NEXT_DOOR))
    refused(stranger.get(f"/v1/cases/{case}"), 404, "not-found")
    found = [one["record"] for one in auditor.get("/v1/audit", household="A1", limit=500).json()["records"]]
    mine = [one["entry"] for one in reversed(found) if one["entry"]["who"]["id"] == "anna"]
    assert [(one["kind"], one["what"], one["result"]) for one in mine] == [
        ("read", "case", "ok"), ("read", "history", "ok"),
        ("read", "household", "ok"), ("read", "cases", "ok"),
        ("change", "case", "sent"), ("change", "case", "done"),
        ("change", "case", "sent"), ("change", "case", "stale"),
    ]  # fmt: skip
    assert {one["why"] for one in mine[:3]} == {"明天走访"}
    assert mine[0]["request"] == "look-1"
    assert mine[4]["request"] == mine[5]["request"] == command
    assert mine[0]["by"] == "GET /v1/cases/{case_id}"
    assert mine[0]["who"]["token"] == town.texts["anna"].split("_")[1]
    next_doors = Client(town, town.token("auditor-next-door", "auditor", NEXT_DOOR))
    seen = next_doors.get("/v1/audit", limit=500).json()["records"]
    assert {one["record"]["entry"]["who"]["id"] for one in seen} == {"next", "next-door"}
    in_vain = auditor.get("/v1/audit", case=case, actor="next").json()["records"]
    assert [one["record"]["entry"]["result"] for one in in_vain] == ["not-found"]
    assert town.run("audit", "verify").returncode == 0


def test_the_log_names_no_household_no_path_and_no_token(town: Town, here: Client) -> None:
    case = opened(town, "SECRETHOUSE", HERE)
    here.get(f"/v1/cases/{case}")
    here.get("/v1/households/SECRETHOUSE")
    log = (town.folder / "data" / "run" / "api-1.log").read_text("utf-8")
    assert "the HTTP API is at" in log
    assert "SECRETHOUSE" not in log
    assert "/v1/" not in log
    assert "hw_" not in log


def test_nothing_is_shown_that_cannot_be_put_on_record(town: Town, here: Client) -> None:
    case = opened(town, "Q1", HERE)
    with town.without_broker():
        problem = refused(here.get(f"/v1/cases/{case}"), 503, "unavailable")
        assert "audit log" in problem["detail"]
        assert "household" not in json.dumps(problem)
        assert httpx.get(f"{town.url}/health", timeout=DEADLINE_SECONDS).status_code == 503
    # Each look in vain takes the ten seconds that the audit log is waited for.
    until = time.monotonic() + DEADLINE_SECONDS
    while (answer := here.get(f"/v1/cases/{case}")).status_code != 200:
        assert time.monotonic() < until, answer.text
    assert httpx.get(f"{town.url}/health", timeout=DEADLINE_SECONDS).json() == {"status": "ok"}


# -- on its own ----------------------------------------------------------------------------------------
def test_it_speaks_tls_and_ends_in_good_order(town: Town, tls: tuple[str, str]) -> None:
    certificate, private_key = tls
    process = subprocess.Popen(
        [*town.program, "api", "--port", "0"],
        env={
            **town.environment,
            "HEARTHWATCH_API_CERT_FILE": certificate,
            "HEARTHWATCH_API_KEY_FILE": private_key,
        },
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        url = next(
            line.rsplit(" ", 1)[1] for line in iter(process.stderr.readline, "") if "is at https" in line
        )
        import ssl

        context = ssl.create_default_context(cafile=certificate)
        token = {"Authorization": f"Bearer {town.token('anna', 'community', HERE)}"}
        with httpx.Client(base_url=url.strip(), verify=context, headers=token, timeout=60) as client:
            assert client.get("/v1/counts").status_code == 200
            with client.stream("GET", "/v1/changes") as stream:
                lines = stream.iter_lines()
                assert next(lines).startswith(": ")
                process.terminate()
                assert not [line for line in lines if line.startswith("data")]
        assert process.wait(DEADLINE_SECONDS) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"HEARTHWATCH_TOKENS": ""}, "HEARTHWATCH_TOKENS"),
        ({"HEARTHWATCH_API_PORT": "1"}, "choose another with HEARTHWATCH_API_PORT"),
    ],
)
def test_what_it_cannot_start_with_is_said_in_a_line(town: Town, given: dict[str, str], said: str) -> None:
    if "HEARTHWATCH_API_PORT" in given:
        given = {"HEARTHWATCH_API_PORT": town.url.rsplit(":", 1)[1]}  # it is taken
    found = subprocess.run(
        [*town.program, "api"], env={**town.environment, **given}, capture_output=True, text=True,
        check=False, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert found.returncode == 2
    assert said in found.stderr
    assert "Traceback" not in found.stderr


def test_another_api_shows_the_same_warnings_at_once(town: Town, here: Client) -> None:
    opened(town, "T1", HERE)
    until = time.monotonic() + DEADLINE_SECONDS
    while "T1-1" not in [one["id"] for one in here.get("/v1/warnings").json()["warnings"]]:
        assert time.monotonic() < until
    process = subprocess.Popen(
        [*town.program, "api", "--port", "0"], env=town.environment, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = next(
            line.rsplit(" ", 1)[1] for line in iter(process.stderr.readline, "") if "is at http" in line
        )
        token = {"Authorization": f"Bearer {town.token('anna', 'community', HERE)}"}
        other = httpx.get(f"{url.strip()}/v1/warnings", params={"limit": 500}, headers=token, timeout=60)
        assert other.json() == here.get("/v1/warnings", limit=500).json()
        process.terminate()
        assert process.wait(DEADLINE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
