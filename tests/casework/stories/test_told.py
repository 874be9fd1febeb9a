"""The stories of examples/stories with their staff at work, told without servers, end in help as told."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from casework.stories.judged import Outcome, Receipt, differences_in_help, household_of
from casework.stories.told import Told, tell
from streams.stories import differences
from tests.casework.stories.a_story import HELPED, RULES, STORIES, WHOLE_BOOK, helped


def told(name: str) -> Told:
    story, staff = helped(name)
    return tell(story, staff, WHOLE_BOOK, RULES)


def outcome(of: Told, **changes: Any) -> Outcome:
    return replace(Outcome(of.events, of.alerts, of.back, of.suggested), **changes)


def types(of: Told) -> list[str]:
    return [event["type"].removeprefix("case.") for event in of.events]


@pytest.mark.parametrize("name", HELPED)
def test_a_story_ends_in_help(name: str) -> None:
    story, staff = helped(name)
    came = told(name)
    assert differences(story.when_helped(), came.warnings) == []
    assert differences_in_help(staff, outcome(came)) == []


def test_these_are_all_the_stories_that_tell_of_staff() -> None:
    with_staff = {path.stem for path in STORIES.glob("*.yaml") if "\nstaff:" in path.read_text("utf-8")}
    assert with_staff == set(HELPED)


@pytest.mark.parametrize("name", HELPED)
def test_nothing_is_late_and_nothing_is_refused(name: str) -> None:
    came = told(name)
    assert not {"overdue", "escalated", "refused", "repeated"} & set(types(came))
    assert {alert["kind"] for alert in came.alerts} <= {"raised", "upgraded", "resolve"}


def test_mr_zhou_is_helped_with_what_the_issue_names() -> None:
    came = told("zhou")
    case = came.home.last
    assert case is not None
    given = {measure.id: measure for measure in case.measures}
    assert {"dibao", "supplementary-insurance", "tutoring"} == set(given)
    assert all(measure.state == "delivered" for measure in given.values())
    assert all(measure.approved_by not in (None, measure.by) for measure in given.values())
    assert (case.state, case.code) == ("closed", "helped")


def test_wang_fuhong_is_helped_before_the_papers_came() -> None:
    came = told("wang-fuhong")
    events = {event["type"]: event for event in came.events if event["type"].startswith("case.commitment")}
    given = next(event for event in came.events if event["data"]["details"].get("under_commitment") is True)
    signed, fulfilled = events["case.commitment.signed"], events["case.commitment.fulfilled"]
    assert events["case.commitment.offered"]["time"] < signed["time"] < given["time"] < fulfilled["time"]
    assert "papers" in given["data"]["deadlines"]
    assert "papers" not in fulfilled["data"]["deadlines"]


def test_the_score_knows_what_was_found_and_given() -> None:
    came = told("zhou")
    because = {entry["indicator"] for entry in came.warnings[-1]["data"]["because"]}
    assert "visit-finding" in because
    # Without dibao the marks of June would have led to another warning than those that came.
    assert [warning["data"]["day"] for warning in came.warnings] == ["2024-05-11", "2024-06-10", "2024-06-12"]
    assert [event["type"] for event in came.back][-1] == "benefit.dibao.granted"


@pytest.mark.parametrize("name", HELPED)
def test_the_events_alone_give_the_household(name: str) -> None:
    came = told(name)
    assert household_of(came.home.id, came.events) == came.home


# -- every difference is told ------------------------------------------------------------------------
def test_an_act_that_was_refused_or_not_answered_is_a_difference() -> None:
    _, staff = helped("zhou")
    came = told("zhou")
    act = staff.acts[1]
    without = [event for event in came.events if event["data"]["command"] != act.id(staff.household)]
    problems = differences_in_help(staff, outcome(came, events=without))
    assert "act 2 (2024-05-13: lin visit) was not answered" in problems
    nobody = replace(staff, acts=(replace(staff.acts[0], case="visited"), *staff.acts[1:]))
    assert differences_in_help(nobody, outcome(came)) == [
        "act 1 (2024-05-11: lin acknowledge) left the case acknowledged; expected visited"
    ]


def test_who_approves_their_own_proposal_is_refused() -> None:
    story, staff = helped("zhou")
    acts = list(staff.acts)
    number = next(at for at, act in enumerate(acts) if act.does == "approve")
    proposal = next(at for at, act in enumerate(acts) if act.does == "propose")
    acts[proposal] = replace(acts[proposal], by=acts[number].by)
    wrong = replace(staff, acts=tuple(acts))
    problems = differences_in_help(wrong, outcome(tell(story, wrong, WHOLE_BOOK, RULES)))
    assert any("was refused: own-proposal" in problem for problem in problems)


def test_an_alert_too_many_too_few_or_to_somebody_else_is_a_difference() -> None:
    _, staff = helped("zhou")
    came = told("zhou")
    alerts = [alert for alert in came.alerts if alert["kind"] != "resolve"]
    assert differences_in_help(staff, outcome(came, alerts=alerts[:-1])) == [
        "alert 3 did not come: expected 2024-06-12: upgraded at red for the community"
    ]
    assert differences_in_help(staff, outcome(came, alerts=[*alerts, alerts[0]])) == [
        "an unexpected alert came: 2024-05-11: raised at blue for the community"
    ]
    receipts = [Receipt(alert["id"], "community-007003", "mail") for alert in alerts]
    assert differences_in_help(staff, outcome(came, receipts=receipts)) == []
    twice = [*receipts, receipts[0]]
    other = [Receipt(alerts[0]["id"], "street-007", "mail"), *receipts[1:]]
    for wrong in (twice, other, receipts[1:]):
        (problem,) = differences_in_help(staff, outcome(came, receipts=wrong))
        assert problem.startswith("alert 1 (2024-05-11: raised at blue for the community) reached ")


def test_another_end_is_a_difference() -> None:
    _, staff = helped("wang-fuhong")
    came = told("wang-fuhong")
    events = copy.deepcopy(came.events[:-1])
    assert differences_in_help(staff, outcome(came, events=events))[-1] == (
        "the case is assisted; expected closed: helped"
    )
    end = replace(staff.end, measures=("comfort",), commitment=None)
    assert differences_in_help(replace(staff, end=end), outcome(came)) == [
        "it was helped with comfort, medical-aid, temporary-aid; expected comfort",
        "the commitment is fulfilled; expected None",
    ]
    (problem,) = differences_in_help(replace(staff, back=()), outcome(came))
    assert problem.startswith("back to the score went community.visit.recorded, community.visit.recorded, ")
    assert problem.endswith("benefit.temporary-aid.granted; expected nothing")


def test_a_measure_that_nobody_suggests_is_a_difference() -> None:
    _, staff = helped("zhou")
    came = told("zhou")
    (problem,) = differences_in_help(staff, outcome(came, suggested={**came.suggested, 9: ["dibao"]}))
    assert problem == (
        "after act 9 (2024-06-12: lin assess) nobody suggested supplementary-insurance, tutoring; but dibao"
    )
