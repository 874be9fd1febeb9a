"""What staff find and give goes back by the contract of the departments, or is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
import pytest

from casework.cases.case_events import Feedback
from streams.envelope import Decoder
from streams.events import Event
from tests.casework.cases.a_case import BOOK, CATALOG, MONDAY, STREET, Desk

WORK, ONE = "income.earnings.assessed", "person/p1"
ILLNESS = {"illness": "cancer", "severity": 5}
INCOME = {"type": "income.earnings.assessed", "subject": "person/p1", "data": {"monthly_yuan": 800}}


def read(sent: Feedback) -> Event:
    """As intake reads it: on its topic."""
    assert sent.topic == "life.civil-affairs"
    return Decoder(CATALOG).record(sent.topic, sent.body, [], MONDAY // 1000)


def assessed(**data: Any) -> Desk:
    desk = Desk()
    desk.warn(1)
    desk.send("visit", outcome="met", **data)
    desk.send("assess", level="severe")
    return desk


def test_findings_of_a_visit_go_back_as_events_of_civil_affairs() -> None:
    desk = Desk()
    desk.warn(1)
    found = [
        INCOME,
        {"type": "family.single-parent.confirmed", "subject": "household/H1", "data": {"children": 2}},
    ]
    assert desk.send("visit", outcome="met", findings=found).type == "visited"
    income, single = map(read, desk.feedback)
    assert (income.type, income.subject, income.data) == (
        "income.earnings.assessed",
        "p1",
        {"monthly_yuan": 80_000},
    )
    assert (single.subject, single.about_person, single.data) == ("H1", False, {"children": 2})
    assert [event.id for event in (income, single)] == ["H1-1-2-1", "H1-1-2-2"]


@pytest.mark.parametrize(
    "finding",
    [
        {"type": "health.illness.diagnosed", "subject": "person/p1", "data": ILLNESS},
        {"type": "income.earnings.assessed", "subject": "person/p1", "data": {}},
        {"type": "income.earnings.assessed", "subject": "person/p1", "data": {"monthly_yuan": -1}},
        {"type": WORK, "subject": ONE, "data": {"monthly_yuan": 1, "name": "Zhou"}},
        {"type": "income.earnings.assessed", "subject": "household/H1", "data": {"monthly_yuan": 1}},
        {"type": "family.single-parent.confirmed", "subject": "household/H2", "data": {}},
        {"type": "registry.member.left", "subject": "person/p1", "data": {"reason": "died"}},
        {"type": "no.such.type", "subject": "person/p1", "data": {}},
    ],
)  # fmt: skip
def test_what_intake_would_reject_is_refused_and_nothing_is_done(finding: dict[str, Any]) -> None:
    desk = Desk()
    desk.warn(1)
    assert desk.refused("visit", outcome="met", findings=[INCOME, finding]) == "bad-data"
    assert desk.feedback == []
    assert desk.case.visits == []
    assert "Zhou" not in desk.events[-1].data["message"]


def test_an_assessment_goes_back_and_a_revised_one_supersedes_it() -> None:
    desk = assessed()
    first = read(desk.feedback[-1])
    assert (first.type, first.data, first.supersedes) == ("community.visit.recorded", {"severity": 3}, None)
    desk.send("assess", level="light")
    second = read(desk.feedback[-1])
    assert (second.data, second.supersedes) == ({"severity": 1}, first.id)


def test_help_goes_back_as_what_was_granted() -> None:
    desk = assessed()
    desk.send("propose", measure="dibao", amount_yuan=962)
    desk.send("approve", STREET, measure="dibao")
    desk.send("deliver", measure="dibao")
    granted = read(desk.feedback[-1])
    assert (granted.type, granted.subject, granted.data) == (
        "benefit.dibao.granted",
        "H1",
        {"monthly_yuan": 96_200},
    )


def test_help_for_one_person_says_for_whom_and_help_in_money_how_much() -> None:
    desk = assessed()
    for measure in ("disability-subsidies", "temporary-aid", "low-income-edge"):
        desk.send("propose", measure=measure)
        desk.send("approve", STREET, measure=measure)
    assert desk.refused("deliver", measure="disability-subsidies", amount_yuan=100) == "bad-data"
    assert desk.refused("deliver", measure="temporary-aid") == "bad-data"
    desk.send("deliver", measure="disability-subsidies", amount_yuan=100, person="p1")
    assert read(desk.feedback[-1]).subject == "p1"
    desk.send("deliver", measure="low-income-edge")
    assert read(desk.feedback[-1]).data == {"category": "dibao-margin"}


def test_help_of_another_department_is_told_by_that_one() -> None:
    desk = assessed()
    before = len(desk.feedback)
    desk.send("propose", measure="medical-aid")
    desk.send("approve", STREET, measure="medical-aid")
    desk.send("deliver", measure="medical-aid", amount_yuan=5000)
    assert len(desk.feedback) == before


def test_without_a_catalogue_nothing_goes_back_and_findings_are_refused() -> None:
    desk = Desk(dataclasses.replace(BOOK, catalog=None))
    desk.warn(1)
    assert desk.refused("visit", outcome="met", findings=[INCOME]) == "bad-data"
    desk.send("visit", outcome="met")
    desk.send("assess", level="severe")
    assert desk.feedback == []


def test_the_same_command_sends_the_same_bytes() -> None:
    first, second = assessed(findings=[INCOME]), assessed(findings=[INCOME])
    assert [one.body for one in first.feedback] == [one.body for one in second.feedback]
    assert msgspec.json.decode(first.feedback[0].body)["source"] == "/wuchang/civil-affairs"
