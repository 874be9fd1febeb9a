"""Notification and commitment: help at once, papers later, and what a breach leads to."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import msgspec
import pytest

from casework.alerts.alert import Alert, Resolve
from casework.assistance.measures_file import read_assistance
from casework.cases import state_format
from casework.cases.case import Case, Household
from streams.envelope import Decoder
from tests.casework.cases.a_case import (
    ANNA,
    BOOK,
    CATALOG,
    DAY,
    HOME,
    HOUR,
    MONDAY,
    POLICY,
    ROOT,
    STREET,
    Desk,
    instant,
)

SIGNED = {"step": "sign", "papers": ["proof of income"], "allows_checks": True}
AID = {"measure": "temporary-aid", "amount_yuan": 3000, "under_commitment": True}
ASSISTANCE = read_assistance(Path(ROOT / "casework/assistance/measures/wuchang.yaml"), POLICY, CATALOG)


def signed() -> Desk:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.send("acknowledge")
    desk.send("commit", step="offer", papers=["proof of income"])
    assert desk.send("commit", **SIGNED).type == "commitment.signed"
    return desk


def helped() -> Desk:
    desk = signed()
    assert desk.send("deliver", **AID).after == "assisted"
    desk.told()
    return desk


def test_help_follows_a_signature_at_once_and_papers_later() -> None:
    desk = helped()
    assert desk.case.commitment is not None
    assert desk.case.commitment.state == "papers-due"
    assert desk.case.clock("help").done == MONDAY  # type: ignore[union-attr]
    # Ten working days after Monday the 2nd: through Monday the 16th.
    assert desk.case.clock("papers").due == instant("2026-03-17T00:00")  # type: ignore[union-attr]
    assert desk.refused("close", code="helped") == "not-yet"
    assert desk.send("commit", step="fulfil").type == "commitment.fulfilled"
    assert desk.send("close", code="helped").after == "closed"


def test_a_signature_brings_help_forward() -> None:
    desk = Desk()
    desk.warn(1, "raised", "yellow")
    desk.send("acknowledge")
    desk.send("commit", **SIGNED)
    assert desk.case.clock("help").due == MONDAY + 24 * HOUR  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"step": "sign", "papers": ["income"]}, "bad-data"),
        ({"step": "sign", "allows_checks": True}, "bad-data"),
        ({"step": "fulfil"}, "wrong-state"),
        ({"step": "jump"}, "bad-data"),
    ],
)
def test_what_is_no_commitment(data: dict[str, object], reason: str) -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.send("acknowledge")
    assert desk.refused("commit", **data) == reason
    assert desk.refused("deliver", **AID) == "not-yet"


def test_papers_that_do_not_come_are_told_once_and_then_it_is_broken() -> None:
    desk = helped()
    desk.send("visit", outcome="met")
    desk.told()
    assert [event.type for event in desk.until("2026-03-17T00:00")] == ["overdue"]
    assert desk.told() == ["escalated"]
    (event,) = desk.until("2026-03-25T00:00")
    assert (event.type, event.at) == (
        "commitment.broken",
        instant("2026-03-25T00:00"),
    )  # 5 working days later
    assert desk.told()[:2] == ["escalated street", "reopened"]
    assert [measure.state for measure in desk.case.measures] == ["suspended"]
    assert desk.refused("commit", **SIGNED) == "wrong-state"
    assert desk.refused("deliver", **AID) == "not-yet"
    assert desk.refused("close", code="helped") == "wrong-state"  # suspended help is no help


def test_after_a_breach_somebody_has_to_decide_anew_and_it_escalates_until_somebody_does() -> None:
    for level, visits, state in (("red", 0, "acknowledged"), ("red", 1, "visited"), ("blue", 2, "assessed")):
        desk = Desk()
        desk.warn(1, "raised", level)
        desk.send("acknowledge")
        if visits:
            desk.send("visit", outcome="met")
        if visits > 1:
            desk.send("assess", level="severe")
        desk.send("commit", **SIGNED)
        desk.send("deliver", **AID)
        desk.told()
        event = desk.send("commit", STREET, step="break", reason="income was concealed")
        assert (event.type, event.before, event.after) == ("commitment.broken", "assisted", state)
        running = {clock.kind for clock in desk.case.clocks if clock.is_running}
        assert running == {"acknowledge", "help", "assess" if level == "blue" else "visit"}
        assert desk.told()[:2] == ["escalated street", "reopened"]
        desk.later(60 * DAY)
        tiers = {(one.data["clock"], one.data["tier"]) for one in desk.events if one.type == "escalated"}
        assert {("help", "street"), ("help", "district"), ("acknowledge", "district")} <= tiers


def answers(desk: Desk) -> list[tuple[str, ...] | None]:
    """What the resolves since the last call say to be done."""
    found = [one.alert.answers for one in desk.alerts if isinstance(one.alert, Resolve)]
    desk.alerts.clear()
    return list(found)


def test_whoever_does_in_time_what_a_breach_asks_for_ends_what_was_told_of_it() -> None:
    desk = Desk()
    desk.warn(1, "raised", "blue")
    desk.send("acknowledge")
    desk.send("visit", outcome="met")
    desk.send("assess", level="severe")
    desk.send("commit", **SIGNED)
    desk.send("deliver", **AID)
    desk.alerts.clear()
    desk.send("commit", STREET, step="break", reason="income was concealed")
    street = desk.alerts[0].alert
    assert isinstance(street, Alert)
    assert (street.kind, street.tier, street.task) == ("escalated", "street", "assess")
    assert answers(desk) == [("papers",)]
    desk.send("acknowledge")
    assert answers(desk) == [("acknowledge",)]
    desk.send("assess", level="light")
    (record,) = desk.alerts
    assert record.alert == Resolve("H1-1", ("assess",))
    assert record.alert.ends(street)


def test_papers_that_are_not_waited_for_any_more_are_asked_for_no_more() -> None:
    broken = helped()
    broken.until("2026-03-17T00:00")
    broken.alerts.clear()
    broken.until("2026-03-25T00:00")
    assert broken.types()[-1] == "commitment.broken"
    assert answers(broken) == [("papers",)]
    lapsed = signed()
    lapsed.send("visit", outcome="met")
    lapsed.alerts.clear()
    lapsed.later(60 * DAY)
    assert lapsed.types()[-1] == "commitment.waived"
    assert answers(lapsed) == [("papers",)]


def test_after_a_breach_a_case_is_worked_and_closed_like_any_other() -> None:
    desk = helped()
    desk.send("visit", outcome="met")
    desk.send("commit", STREET, step="break", reason="income was concealed")
    assert desk.send("acknowledge").type == "acknowledged"
    desk.send("visit", outcome="met")
    desk.send("assess", level="light")
    assert desk.send("close", code="no-need").after == "closed"
    assert desk.later(100 * DAY) == []


def test_other_help_that_stands_lets_a_case_stay_assisted_after_a_breach() -> None:
    desk = helped()
    desk.send("visit", outcome="met")
    desk.send("propose", measure="care-visits")
    desk.send("assess", level="severe")
    desk.send("propose", measure="care-visits")
    desk.send("approve", STREET, measure="care-visits")
    assert desk.send("deliver", measure="care-visits").type == "delivered"
    event = desk.send("commit", STREET, step="break", reason="income was concealed")
    assert event.after == "assisted"
    assert "help" not in {clock.kind for clock in desk.case.clocks if clock.is_running}
    assert desk.send("close", code="helped").after == "closed"


def test_a_breach_takes_back_from_the_score_what_was_given_under_the_commitment() -> None:
    desk = helped()
    desk.send("deliver", measure="dibao", amount_yuan=900, under_commitment=True)
    given = [json.loads(one.body) for one in desk.feedback]
    assert [one["type"] for one in given] == ["benefit.temporary-aid.granted", "benefit.dibao.granted"]
    desk.feedback.clear()
    desk.until("2026-04-30T00:00")
    assert desk.case.commitment.state == "broken"  # type: ignore[union-attr]
    taken_back = [json.loads(one.body) for one in desk.feedback]
    assert [one["type"] for one in taken_back] == ["fact.retracted"] * 2
    assert [one["supersedes"] for one in taken_back] == [one["id"] for one in given]
    assert [one["subject"] for one in taken_back] == [f"household/{HOME}"] * 2
    for one in desk.feedback:
        read = Decoder(CATALOG).record(one.topic, one.body, [], desk.at // 1000)
        assert read.type == "fact.retracted"
    desk.feedback.clear()
    desk.later(100 * DAY)
    assert desk.feedback == []


def test_a_breach_takes_back_what_was_given_to_one_person_from_that_person() -> None:
    desk = signed()
    for person in ("P7", "P8"):
        desk.send(
            "deliver", measure="disability-subsidies", amount_yuan=180, person=person, under_commitment=True
        )
    given = [json.loads(one.body) for one in desk.feedback]
    assert [one["subject"] for one in given] == ["person/P7", "person/P8"]
    desk.feedback.clear()
    desk.home = state_format.decode(state_format.encode(desk.home))
    desk.send("commit", STREET, step="break", reason="income was concealed")
    assert [one.key for one in desk.feedback] == ["person/P7", "person/P8"]
    taken_back = [json.loads(one.body) for one in desk.feedback]
    assert [(one["type"], one["subject"], one["supersedes"]) for one in taken_back] == [
        ("fact.retracted", one["subject"], one["id"]) for one in given
    ]
    for one in desk.feedback:
        read = Decoder(CATALOG).record(one.topic, one.body, [], desk.at // 1000)
        assert (read.type, f"person/{read.subject}") == ("fact.retracted", one.key)


def test_help_to_a_person_of_whom_an_earlier_program_did_not_say_whom_stays() -> None:
    desk = signed()
    desk.send("deliver", measure="disability-subsidies", amount_yuan=180, person="P7", under_commitment=True)
    desk.feedback.clear()
    raw = msgspec.msgpack.decode(state_format.encode(desk.home)[1:])
    case = raw[Household.__struct_fields__.index("case")]
    (measure,) = case[Case.__struct_fields__.index("measures")]
    assert measure.pop() == "P7"
    desk.home = state_format.decode(b"\x01" + msgspec.msgpack.encode(raw))
    desk.send("commit", STREET, step="break", reason="income was concealed")
    assert desk.case.measures[0].state == "suspended"
    assert desk.feedback == []


def test_what_was_signed_and_never_helped_lapses_and_bars_nobody() -> None:
    desk = signed()
    desk.send("visit", outcome="met")
    desk.later(60 * DAY)
    assert desk.events[-1].type == "commitment.waived"
    assert desk.case.commitment.state == "waived"  # type: ignore[union-attr]
    assert desk.home.barred == 0
    tiers = {one.data["tier"] for one in desk.events if one.data.get("clock") == "help"}
    assert tiers == {"community", "street", "district"}  # that help is late was told all the same
    assert desk.send("commit", **SIGNED).type == "commitment.signed"


def test_a_household_that_broke_one_is_barred_for_a_time_in_its_next_case() -> None:
    desk = helped()
    assert desk.refused("commit", ANNA, step="break", reason="untrue") == "forbidden"
    assert desk.refused("commit", STREET, step="break") == "bad-data"
    desk.send("commit", STREET, step="break", reason="income was concealed")
    assert desk.told()[:2] == ["escalated street", "reopened"]
    desk.send("close", code="moved-away")
    desk.at += 30 * DAY
    desk.warn(2, "raised", "red")
    desk.send("acknowledge")
    assert desk.refused("commit", **SIGNED) == "barred"
    desk.at += 340 * DAY
    assert desk.send("commit", **SIGNED).type == "commitment.signed"


def test_the_street_waives_papers_and_closing_waives_what_is_open() -> None:
    desk = helped()
    desk.send("commit", STREET, step="waive", reason="the house burnt down with them")
    assert desk.send("close", code="helped").after == "closed"
    other = signed()
    other.send("close", code="deceased")
    assert other.case.commitment is not None
    assert other.case.commitment.state == "waived"
    assert other.home.barred == 0
    assert other.later(100 * DAY) == []


def test_the_catalogue_of_assistance_says_which_help_goes_first_and_for_how_long() -> None:
    desk = Desk(BOOK.with_assistance(ASSISTANCE))
    desk.warn(1, "raised", "red")
    desk.send("acknowledge")
    desk.send("commit", **SIGNED)
    tutoring = {"measure": "tutoring", "under_commitment": True}
    assert ASSISTANCE.measures["tutoring"].papers_within_days is None
    assert desk.refused("deliver", **tutoring) == "bad-data"
    assert desk.refused("deliver", measure="a-car", under_commitment=True) == "bad-data"
    desk.send("deliver", **AID)
    assert ASSISTANCE.measures["temporary-aid"].papers_within_days == 30
    assert desk.case.clock("papers").due == instant("2026-04-02T00:00")  # type: ignore[union-attr]
    desk.send("visit", outcome="met")
    assert desk.refused("assess", level="severe", causes=["bad-luck"]) == "bad-data"
    assert desk.send("close", code="moved-away").after == "closed"


def test_a_book_gives_back_only_what_the_catalogue_of_assistance_has() -> None:
    fewer = dataclasses.replace(ASSISTANCE, measures={})
    with pytest.raises(Exception, match="does not have: dibao, low-income-edge"):
        BOOK.with_assistance(fewer)
