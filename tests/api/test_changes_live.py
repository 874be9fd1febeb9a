"""The API on the whole system: changes as they come, and who was told of a case."""

from __future__ import annotations

import json

from casework.alerts.alert_events import event_of
from casework.alerts.intents import Outcome
from hearthwatch.tokens import revoke_token
from streams.timestamps import MINUTE
from tests.agents.alerting import routes_of
from tests.api.answers import done, key, refused
from tests.api.town import (
    ELSEWHERE,
    HERE,
    NEXT_DOOR,
    Client,
    Town,
    opened,
    read_events,
)  # fmt: skip

MARCH = 1_772_416_800_000_000


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
