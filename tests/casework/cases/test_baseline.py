"""Going live: a worklist with a pace instead of an alert storm, and alerts for what crosses from then on."""

from __future__ import annotations

import dataclasses

from casework.cases.baseline import worklist
from casework.cases.book import Baseline
from casework.cases.case import Case, Household
from rules.calendar import day_text
from tests.casework.cases.a_case import BOOK, COMMUNITY, DAY, HOUR, MONDAY, OTHER, Desk

UNTIL = MONDAY + 4 * DAY
LIVE = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2), Baseline(OTHER, MONDAY, 1)))


def test_what_is_raised_before_the_end_waits_without_alert_and_clock() -> None:
    desk = Desk(LIVE)
    (event,) = desk.warn(1, "raised", "red")
    assert event.data["baseline"] is True
    assert desk.told() == []
    assert desk.home.next_due is None
    assert desk.later(3 * DAY) == []


def test_who_takes_one_up_starts_its_clocks() -> None:
    desk = Desk(LIVE)
    desk.warn(1, "raised", "red")
    desk.later(DAY)
    desk.send("acknowledge")
    assert not desk.case.is_baseline
    assert desk.case.clock("help").due == desk.at + 24 * HOUR  # type: ignore[union-attr]
    assert not desk.case.clock("acknowledge").is_running  # type: ignore[union-attr]


def test_what_crosses_another_line_alerts_at_once() -> None:
    desk = Desk(LIVE)
    desk.warn(1, "raised", "yellow")
    desk.warn(2, "lowered", "blue")
    assert desk.told() == []
    desk.at += HOUR
    desk.warn(3, "upgraded", "orange")
    assert desk.told() == ["upgraded"]
    assert {clock.kind for clock in desk.case.clocks if clock.is_running} == {
        "acknowledge",
        "visit",
        "assess",
        "help",
    }


def test_after_the_end_every_warning_alerts_and_a_closer_prefix_has_its_own_end() -> None:
    desk = Desk(LIVE, at=UNTIL)
    desk.warn(1)
    assert desk.told() == ["raised"]
    other = Desk(LIVE)
    other.warn(1, community=OTHER)
    assert other.told() == ["raised"]
    elsewhere = Desk(LIVE)
    elsewhere.warn(1, community=None)
    assert elsewhere.told() == ["raised"]


def test_a_case_of_the_worklist_can_be_withdrawn() -> None:
    desk = Desk(LIVE)
    desk.warn(1)
    desk.warn(2, "withdrawn", None)
    assert desk.case.code == "data-wrong"
    assert worklist([desk.home], LIVE, MONDAY) == []


def waiting(number: int, level: str, score: int, community: str | None = COMMUNITY) -> Household:
    case = Case(f"H{number}-1", 1, "new", MONDAY + number, level, score, community, is_baseline=True)
    return Household(f"H{number}", case=case)


def test_the_worklist_is_by_community_the_most_urgent_first_with_a_pace_of_working_days() -> None:
    homes = [
        waiting(1, "blue", 33),
        waiting(2, "red", 80),
        waiting(3, "orange", 60),
        waiting(4, "orange", 70),
        waiting(5, "orange", 70),
        waiting(6, "red", 90, OTHER),
        Household("H7"),
    ]
    friday = MONDAY + 4 * DAY
    planned = worklist(homes, LIVE, friday)
    assert [(one.household, day_text(one.day)) for one in planned] == [
        ("H2", "2026-03-06"),
        ("H4", "2026-03-06"),
        ("H5", "2026-03-09"),  # over the weekend
        ("H3", "2026-03-09"),
        ("H1", "2026-03-10"),
        ("H6", "2026-03-06"),
    ]
    assert worklist(list(reversed(homes)), LIVE, friday) == planned
    assert day_text(worklist(homes, LIVE, friday + DAY)[0].day) == "2026-03-09"
