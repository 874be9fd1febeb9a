"""After care: who is quiet and for how long, and who is flagged again and again."""

from __future__ import annotations

import pytest

from casework.cases.aftercare import known_of, new_points
from tests.casework.cases.a_case import DAY, HOUR, STREET, Desk, entry

BILLS = entry("hospital-bills", "economy", 20, "a", "b")
CHRONIC = entry("chronic-illness", "health", 8, "c")


def closed(code: str = "no-need") -> Desk:
    desk = Desk()
    desk.warn(1, "raised", "yellow", because=[BILLS, CHRONIC])
    desk.send("visit", outcome="met")
    desk.send("close", code=code)
    desk.told()
    desk.at += 10 * DAY
    return desk


def test_the_same_facts_open_no_case_while_it_is_quiet() -> None:
    desk = closed()
    (event,) = desk.warn(2, "raised", "yellow", because=[BILLS, CHRONIC])
    assert (event.type, event.case, event.data["new_points"]) == ("quieted", "H1-1", 0)
    assert desk.home.case is None
    assert desk.told() == []


def test_a_higher_level_opens_a_case() -> None:
    desk = closed()
    assert desk.warn(2, "raised", "orange", because=[BILLS])[0].type == "opened"
    assert desk.told() == ["raised"]


@pytest.mark.parametrize(("points", "type"), [(9, "quieted"), (10, "opened")])
def test_new_facts_open_a_case_once_they_are_worth_enough(points: int, type: str) -> None:
    desk = closed()
    (event,) = desk.warn(
        2, "raised", "yellow", because=[BILLS, entry("rent-overdue", "economy", points, "z")]
    )
    assert event.type == type


def test_the_quiet_ends() -> None:
    desk = closed()
    desk.at += 171 * DAY
    assert desk.warn(2, "raised", "blue", because=[BILLS])[0].type == "opened"


@pytest.mark.parametrize(("code", "type"), [("helped-already", "quieted"), ("refused", "opened")])
def test_only_codes_without_need_quiet(code: str, type: str) -> None:
    assert closed(code).warn(2, "raised", "yellow", because=[BILLS])[0].type == type


def test_what_new_facts_are_worth() -> None:
    known = known_of([BILLS, CHRONIC])
    assert new_points(known, [BILLS, CHRONIC]) == 0
    assert new_points(known, [entry("hospital-bills", "economy", 25, "a", "b")]) == 5  # only what it gained
    assert new_points(known, [entry("hospital-bills", "economy", 15, "a")]) == 0
    assert new_points(known, [entry("hospital-bills", "economy", 15, "a", "new")]) == 15
    assert (
        new_points(known, [{"indicator": 3, "points": 9}, {"points": 9}, {"indicator": "x", "points": "9"}])
        == 0
    )


def test_flagged_three_times_without_help_it_goes_to_the_streets_supervisor() -> None:
    desk = closed()  # the first flag
    desk.warn(2, "raised", "yellow", because=[BILLS])
    assert desk.told() == []
    (event,) = desk.warn(3, "raised", "yellow", because=[BILLS])
    assert event.type == "quieted"
    assert desk.told() == ["supervisor street"]
    desk.warn(4, "raised", "yellow", because=[BILLS])  # and is counted anew
    assert desk.told() == []


def test_flags_that_are_long_ago_do_not_count() -> None:
    desk = closed()
    desk.warn(2, "raised", "yellow", because=[BILLS])
    desk.at += 175 * DAY  # of the first only
    desk.warn(3, "raised", "yellow", because=[BILLS])
    assert "supervisor street" not in desk.told()


@pytest.mark.parametrize("wrong", ["withdrawn", "data-wrong", "withdrawn after a visit"])
def test_a_warning_that_rested_on_wrong_data_is_no_flag(wrong: str) -> None:
    desk = Desk()
    for number in (1, 3, 5, 7):
        desk.warn(number)
        desk.send("acknowledge")
        if wrong == "data-wrong":
            desk.send("close", code="data-wrong", source="health")
        else:
            if wrong != "withdrawn":
                desk.send("visit", outcome="met")
            desk.warn(number + 1, "withdrawn", None)
        desk.at += DAY
    assert "supervisor street" not in desk.told()
    assert desk.home.flags == []


def test_only_the_flag_that_was_wrong_is_taken_off() -> None:
    desk = Desk()
    desk.warn(1)
    desk.send("visit", outcome="refused")
    desk.send("close", code="refused")
    first = desk.home.flags
    desk.at += DAY
    desk.warn(2)
    desk.send("acknowledge")
    desk.send("close", code="data-wrong", source="health")
    assert desk.home.flags == first
    desk.at += DAY
    desk.warn(3)
    desk.at += DAY
    desk.warn(4, "cleared", None)
    desk.told()
    desk.warn(5)
    assert "supervisor street" in desk.told()


def test_help_ends_the_count() -> None:
    desk = Desk()
    desk.warn(1)
    desk.warn(2, "cleared", None)
    desk.warn(3)
    desk.send("visit", outcome="met")
    desk.send("assess", level="light")
    desk.send("propose", measure="tutoring")
    desk.send("approve", STREET, measure="tutoring")
    desk.send("deliver", measure="tutoring")
    assert desk.home.flags == []
    desk.at += HOUR
    desk.warn(4)
    assert "supervisor street" not in desk.told()


def test_closed_cases_are_remembered_in_short_and_bounded() -> None:
    desk = Desk()
    for number in range(1, 30):
        desk.warn(number)
        desk.send("acknowledge")
        desk.send("close", code="moved-away")
    assert [past.id for past in desk.home.past] == [f"H1-{number}" for number in range(10, 30)]
