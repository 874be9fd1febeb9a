"""Deadlines: when what is too late, who is told when, and that a tick makes no difference."""

from __future__ import annotations

import dataclasses

from casework.alerts.alert import Alert, Resolve
from casework.cases.case_events import CaseEvent
from casework.cases.commands import Command, Tick
from casework.workdays import Workdays
from tests.casework.cases.a_case import ANNA, BOOK, DAY, HOME, HOUR, MONDAY, Desk, instant


def due(desk: Desk) -> dict[str, int]:
    return {clock.kind: clock.due for clock in desk.case.clocks if clock.is_running}


def test_red_is_acknowledged_in_an_hour_and_helped_in_a_day_also_on_a_holiday() -> None:
    desk = Desk(at=instant("2026-10-01T22:30"))
    desk.warn(1, "raised", "red")
    assert due(desk)["acknowledge"] == instant("2026-10-01T23:30")
    assert due(desk)["help"] == instant("2026-10-02T22:30")


def test_others_are_visited_in_three_working_days_and_helped_in_fifteen_days() -> None:
    desk = Desk(at=instant("2026-09-30T16:00"))
    desk.warn(1, "raised", "yellow")
    # National Day to the 7th; then the 8th, the 9th, and Saturday the 10th, which is worked.
    assert due(desk)["visit"] == instant("2026-10-11T00:00")
    assert due(desk)["help"] == instant("2026-10-16T00:00")


def test_what_is_overdue_goes_to_community_street_and_district_once_each() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.told()
    assert desk.later(HOUR - 1) == []
    (event,) = desk.later(1)
    assert (event.type, event.data["clock"], event.data["tier"]) == ("overdue", "acknowledge", "community")
    assert event.at == MONDAY + HOUR
    assert desk.told() == ["escalated"]
    assert [event.type for event in desk.later(HOUR)] == ["escalated"]
    assert desk.told() == ["escalated street"]
    desk.later(3 * HOUR)
    assert desk.told() == ["escalated district"]
    assert desk.later(4 * HOUR) == []  # nobody above the district; the visit is due in four hours more
    desk.send("acknowledge")
    assert desk.case.clock("acknowledge").done == desk.at  # type: ignore[union-attr]


def test_an_escalation_says_what_is_late_and_since_when() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.alerts.clear()
    desk.later(HOUR)
    (record,) = desk.alerts
    assert isinstance(record.alert, Alert)
    assert (record.alert.task, record.alert.do_by) == ("acknowledge", MONDAY + HOUR)
    assert record.alert.id == "H1-1-2-escalated"


def test_a_clock_that_was_met_in_time_says_nothing() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.later(HOUR // 2)
    desk.send("visit", outcome="met")
    desk.told()
    assert [event.data["clock"] for event in desk.later(30 * HOUR)] == ["help"] * 3


def test_doing_what_is_late_ends_its_alerts() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.send("acknowledge")
    desk.later(12 * HOUR)
    desk.told()
    desk.send("comment", text="on my way")
    assert desk.told() == []
    desk.send("visit", outcome="absent")
    assert desk.told() == []
    desk.send("visit", outcome="met")
    assert desk.told() == ["resolve"]


def test_an_acknowledgement_says_what_it_answers_and_a_late_visit_goes_on_to_the_street() -> None:
    desk = Desk()
    desk.warn(1, "raised", "yellow")
    desk.send("acknowledge")
    desk.until("2026-03-06T00:00")
    desk.warn(2, "raised", "yellow")
    desk.alerts.clear()
    desk.send("acknowledge")
    assert [record.alert for record in desk.alerts] == [Resolve("H1-1", ("acknowledge",))]
    desk.told()
    desk.until("2026-03-10T00:00")
    assert "escalated street" in desk.told()
    desk.send("visit", outcome="met")
    assert [record.alert for record in desk.alerts] == [Resolve("H1-1", ("visit",))]
    desk.alerts.clear()
    desk.send("close", code="no-need")
    assert [record.alert for record in desk.alerts] == [Resolve("H1-1")]


def test_closing_stops_every_clock() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    desk.send("visit", outcome="met")
    desk.send("close", code="no-need")
    assert desk.later(100 * DAY) == []
    assert desk.home.next_due is None


def test_the_next_deadline_is_known_to_who_appends_ticks() -> None:
    desk = Desk()
    assert desk.home.next_due is None
    desk.warn(1, "raised", "red")
    assert desk.home.next_due == MONDAY + HOUR
    desk.later(HOUR)
    assert desk.home.next_due == MONDAY + 2 * HOUR
    desk.send("acknowledge")
    assert desk.home.next_due == MONDAY + 12 * HOUR


def test_a_tick_of_the_future_is_ignored_and_one_of_the_past_changes_nothing() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    assert desk.take(Tick(MONDAY + HOUR)) == []
    assert desk.take(Tick(0)) == []
    desk.at += HOUR
    assert len(desk.take(Tick(MONDAY + HOUR))) == 1


def test_without_a_tick_a_command_finds_what_fell_due_before_it_and_is_not_stale_for_it() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    command = desk.command("acknowledge", ANNA)
    desk.at += HOUR
    events = desk.take(command)
    assert [(event.type, event.version) for event in events] == [("overdue", 2), ("acknowledged", 3)]
    ahead = Command("x", HOME, "H1-1", "acknowledge", 9, ANNA)
    assert desk.take(ahead)[0].data["reason"] == "stale"  # it knows what has not happened


def test_a_deadline_in_a_year_that_is_not_announced_says_that_it_was_assumed() -> None:
    desk = Desk(at=instant("2061-01-03T10:00"))
    (event,) = desk.warn(1, "raised", "yellow")
    assert event.data["assumed"] == ["acknowledge", "visit", "assess"]
    days = Workdays("Asia/Shanghai", years=frozenset({2061}))
    told = Desk(dataclasses.replace(BOOK, workdays=days), at=instant("2061-01-03T10:00"))
    (event,) = told.warn(1, "raised", "yellow")
    assert "assumed" not in event.data


def test_a_higher_level_brings_the_next_tiers_no_moment_back() -> None:
    desk = Desk()
    desk.warn(1, "raised", "yellow")
    desk.until("2026-03-04T00:00")  # the acknowledgement is late since the beginning of the 4th
    desk.told()
    desk.warn(2, "upgraded", "red")
    desk.told()
    later = desk.later(2 * DAY)
    order = [event.at for event in later]
    assert order == sorted(order)
    per_clock = [(event.data["clock"], event.data["tier"]) for event in later]
    assert len(per_clock) == len(set(per_clock))


def tiers_told(events: list[CaseEvent]) -> list[tuple[str, str, int]]:
    """(clock, tier, instant) of what was found late or passed on."""
    return [
        (event.data["clock"], event.data["tier"], event.at)
        for event in events
        if event.type in ("overdue", "escalated")
    ]


def test_what_is_late_at_an_upgrade_goes_up_as_fast_as_the_new_level_asks_and_nobody_hears_it_twice() -> None:
    desk = Desk()
    desk.warn(1, "raised", "blue")
    desk.until("2026-03-06T08:00")
    before = tiers_told(desk.events)
    assert before == [
        ("acknowledge", "community", instant("2026-03-05T00:00")),
        ("visit", "community", instant("2026-03-06T00:00")),
    ]
    red = desk.at
    desk.warn(2, "upgraded", "red")
    told = tiers_told(desk.later(3 * DAY))
    assert [one for one in told if one[0] == "acknowledge"] == [
        ("acknowledge", "street", red + 2 * HOUR),
        ("acknowledge", "district", red + 5 * HOUR),
    ]
    assert [one for one in told if one[0] == "visit"] == [
        ("visit", "street", red + 13 * HOUR),
        ("visit", "district", red + 16 * HOUR),
    ]
    assert len({one[:2] for one in before + told}) == len(before + told)


def test_an_upgrade_puts_off_no_tier_that_was_to_be_told_sooner() -> None:
    desk = Desk()
    desk.warn(1, "raised", "blue")
    desk.until("2026-03-09T23:59")  # the street hears of the acknowledgement at midnight
    desk.warn(2, "upgraded", "red")
    midnight = instant("2026-03-10T00:00")
    told = [one for one in tiers_told(desk.later(2 * DAY)) if one[0] == "acknowledge"]
    assert told == [("acknowledge", "street", midnight), ("acknowledge", "district", midnight + 3 * HOUR)]


def test_help_that_is_late_when_the_case_turns_red_reaches_the_street_within_hours() -> None:
    desk = Desk()
    desk.warn(1, "raised", "blue")
    desk.send("acknowledge")
    desk.send("visit", outcome="met")
    desk.send("assess", level="severe", causes=[])
    desk.until("2026-03-18T08:00")
    red = desk.at
    desk.warn(2, "upgraded", "red")
    desk.send("acknowledge")
    told = tiers_told(desk.later(3 * DAY))
    assert told == [("help", "street", red + 25 * HOUR), ("help", "district", red + 28 * HOUR)]
