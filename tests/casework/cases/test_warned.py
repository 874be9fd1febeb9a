"""Later warnings: they join the open case, hand it over, close it, or are noted on the one that quiets."""

from __future__ import annotations

import msgspec
import pytest

from casework.alerts.alert import Alert, Resolve
from tests.casework.cases.a_case import ANNA, BEN, COMMUNITY, DAY, HOME, HOUR, OTHER, Desk, entry, warning


def opened(level: str = "yellow") -> Desk:
    desk = Desk()
    desk.warn(1, "raised", level)
    desk.told()
    return desk


def test_a_warning_is_taken_once() -> None:
    desk = opened()
    before = msgspec.msgpack.encode(desk.home)
    assert desk.warn(1, "raised", "yellow") == []
    assert desk.warn(0, "upgraded", "red")[0].type == "refused"  # no warning has this number
    assert msgspec.msgpack.encode(desk.home) == before


def test_upgraded_raises_the_urgency_brings_clocks_forward_and_alerts_again() -> None:
    desk = opened()
    desk.send("acknowledge")
    desk.told()
    due = {clock.kind: clock.due for clock in desk.case.clocks}
    (event,) = desk.warn(2, "upgraded", "red")
    assert (event.type, event.after, desk.case.level) == ("upgraded", "acknowledged", "red")
    assert desk.told() == ["upgraded"]
    now = {clock.kind: clock for clock in desk.case.clocks if clock.is_running}
    assert now["acknowledge"].due == desk.at + HOUR  # answered before, and asked for anew
    assert now["help"].due == desk.at + 24 * HOUR < due["help"]
    assert now["visit"].due == desk.at + 12 * HOUR
    assert desk.send("acknowledge").after == "acknowledged"
    assert desk.refused("acknowledge") == "not-yet"


def test_what_is_told_again_at_the_same_level_is_answered_again() -> None:
    desk = opened("orange")
    desk.send("acknowledge")
    help_due = desk.case.clock("help")
    desk.warn(2, "cleared", None)
    desk.told()
    desk.at += DAY
    desk.warn(3, "raised", "yellow")
    assert desk.told() == ["upgraded"]
    assert desk.case.level == "orange"
    assert desk.case.clock("help") == help_due
    desk.send("acknowledge")
    assert desk.told() == ["resolve"]


def test_what_was_visited_need_not_be_visited_again_for_a_higher_level() -> None:
    desk = opened()
    desk.send("visit", outcome="met")
    desk.warn(2, "upgraded", "red")
    visit = desk.case.clock("visit")
    assert visit is not None
    assert not visit.is_running
    assert desk.case.state == "visited"


def test_lowered_and_cleared_are_notes() -> None:
    desk = opened("orange")
    for number, kind, level in ((2, "lowered", "blue"), (3, "cleared", None)):
        (event,) = desk.warn(number, kind, level)
        assert event.type == kind
    assert (desk.case.state, desk.case.level) == ("new", "orange")
    assert desk.told() == []


@pytest.mark.parametrize(
    ("outcome", "closes"), [(None, True), ("absent", True), ("met", False), ("refused", False)]
)
def test_withdrawn_closes_a_case_that_nobody_has_visited(outcome: str | None, closes: bool) -> None:
    desk = opened()
    if outcome is not None:
        desk.send("visit", outcome=outcome)
        desk.told()
    (event,) = desk.warn(2, "withdrawn", None, source="/wuchang/human-resources")
    assert event.type == "withdrawn"
    if closes:
        assert (desk.case.state, desk.case.code, desk.case.source) == (
            "closed",
            "data-wrong",
            "human-resources",
        )
        assert desk.told() == ["resolve"]
        assert desk.home.case is None
    else:
        assert desk.case.state == "visited"
        assert desk.told() == []


def test_moved_hands_the_case_over_and_tells_both_communities() -> None:
    desk = opened()
    desk.send("acknowledge")
    desk.send("visit", outcome="met")
    desk.told()
    (event,) = desk.warn(2, "moved", community=OTHER)
    assert (event.type, event.community, event.after) == ("moved", OTHER, "visited")
    told = [record.alert for record in desk.alerts if isinstance(record.alert, Alert)]
    assert [(one.kind, one.community, one.previous_community) for one in told] == [
        ("moved-out", COMMUNITY, COMMUNITY),
        ("moved-in", OTHER, COMMUNITY),
    ]
    assert desk.case.officer is None
    assert desk.refused("comment", ANNA, text="mine") == "forbidden"
    assert desk.send("acknowledge", BEN).type == "acknowledged"


def test_who_answers_for_a_case_no_longer_is_reminded_of_nothing_and_what_is_late_stays_so() -> None:
    """From one community to another and on, before anybody has answered."""
    desk = opened()
    for number, community in ((2, OTHER), (3, "420106001001")):
        desk.alerts.clear()
        desk.warn(number, "moved", community=community)
        resolve, *others = [record.alert for record in desk.alerts]
        assert isinstance(resolve, Resolve)
        assert [one.kind for one in others if isinstance(one, Alert)] == ["moved-out", "moved-in"]
        reminded = Alert("H1-1-1", "H1-1", HOME, "moved-in", "orange", OTHER)
        late = Alert("H1-1-2", "H1-1", HOME, "escalated", "orange", OTHER, tier="street", task="visit")
        assert (resolve.ends(reminded), resolve.ends(late)) == (True, False)


def test_a_move_into_another_district_ends_the_alerts_of_the_first() -> None:
    desk = opened()
    desk.warn(2, "moved", community="420102001001")
    assert [(record.key, getattr(record.alert, "kind", "resolve")) for record in desk.alerts] == [
        ("420106", "resolve"),
        ("420106", "moved-out"),
        ("420102", "moved-in"),
    ]


def test_a_household_that_moved_while_at_no_level_is_handed_over_by_its_next_warning() -> None:
    for kind, level in (("raised", "blue"), ("raised", "orange")):
        desk = Desk()
        desk.warn(1)
        desk.send("acknowledge")
        desk.warn(2, "cleared", None)  # and then it moves: there is no warning of that
        assert (desk.home.case is not None, desk.case.community) == (True, COMMUNITY)
        desk.told()
        first, second = desk.warn(3, kind, level, community=OTHER)
        assert (first.type, first.data["from"], first.data["to"]) == ("moved", COMMUNITY, OTHER)
        assert second.type == "upgraded"
        assert (desk.case.community, desk.case.officer) == (OTHER, None)
        assert desk.told()[:3] == ["resolve", "moved-out", "moved-in"]


def test_a_household_that_moved_with_a_higher_level_is_handed_over_first() -> None:
    desk = opened()
    events = desk.warn(2, "upgraded", "red", community=OTHER)
    assert [(event.type, event.version, event.community) for event in events] == [
        ("moved", 2, OTHER),
        ("upgraded", 3, OTHER),
    ]


def test_what_joins_no_case_is_noted_all_the_same() -> None:
    desk = Desk()
    assert [event.id for event in desk.warn(1, "lowered", "blue")] == ["H1-1-passed"]
    desk.warn(2, "upgraded", "orange")  # the first that the stage hears of it with a line crossed
    assert desk.case.id == "H1-2"
    desk.send("visit", outcome="met")
    desk.send("close", code="refused")
    (event,) = desk.warn(3, "cleared", None)
    assert (event.type, event.case, event.version) == ("noted", "H1-2", 4)
    assert desk.warn(4, "raised", "blue")[0].case == "H1-4"


def test_a_warning_about_another_household_is_refused_where_everybody_sees_it() -> None:
    desk = Desk()
    (event,) = desk.take(warning(1, household="H2"))
    assert (event.type, event.data["reason"], event.id) == ("refused", "bad-data", "H2-1-refused")


def test_events_and_alerts_hold_no_person_and_no_fact() -> None:
    desk = Desk()
    desk.warn(1, because=[entry("major-illness", "health", 25, "adm-1")])
    (record,) = desk.alerts
    assert b"p1" not in record.body()
    assert b"major-illness" not in record.body()
    assert isinstance(record.alert, Alert)
    assert record.alert.dimensions == ("health",)
    details = msgspec.json.decode(desk.events[0].body())["data"]["details"]
    assert details["indicators"] == [{"indicator": "major-illness", "dimension": "health", "points": 25}]


def test_time_that_runs_backwards_counts_as_standing_still() -> None:
    desk = opened()
    desk.at -= 3 * DAY
    assert desk.send("acknowledge").at == desk.at + 3 * DAY
