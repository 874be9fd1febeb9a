"""Going live: a worklist with a pace instead of an alert storm, and alerts for what crosses from then on."""

from __future__ import annotations

import dataclasses
from collections import Counter

from casework.alerts.alert import Alert, Resolve
from casework.cases.baseline import worklist
from casework.cases.book import Baseline, Book
from casework.cases.case import Case, Household
from casework.cases.case_events import replay
from casework.cases.commands import Tick
from casework.workdays import Span
from rules.calendar import day_text
from tests.casework.cases.a_case import (
    ANNA,
    BEN,
    BOOK,
    COMMUNITY,
    DAY,
    HOUR,
    MONDAY,
    OTHER,
    Desk,
    instant,
    warning,
)

UNTIL = MONDAY + 4 * DAY
LIVE = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2), Baseline(OTHER, MONDAY, 1)))


def test_what_is_raised_before_the_end_waits_without_alert_and_clock() -> None:
    desk = Desk(LIVE)
    (event,) = desk.warn(1, "raised", "red")
    assert event.data["baseline"] is True
    assert desk.told() == []
    assert event.deadlines == {}
    assert desk.home.next_due is not None
    assert desk.home.next_due >= UNTIL
    assert desk.later(3 * DAY) == []


def test_what_nobody_took_up_by_the_end_gets_ordinary_clocks_and_is_told() -> None:
    desk = Desk(LIVE)
    desk.warn(1, "raised", "red")
    (event, *late) = desk.later(8 * DAY)
    assert (event.type, event.after) == ("worklist-ended", "new")
    assert event.at == instant("2026-03-06T10:00")  # the first working day from the end on
    assert not desk.case.is_baseline
    assert desk.case.clock("acknowledge").due == event.at + HOUR  # type: ignore[union-attr]
    assert desk.told()[:2] == ["raised", "escalated"]
    tiers = {(one.data["clock"], one.data["tier"]) for one in late}
    assert {("acknowledge", "district"), ("help", "district")} <= tiers
    assert worklist([desk.home], LIVE, desk.at) == []


def test_what_is_left_at_the_end_comes_over_as_many_days_as_there_were_and_the_gravest_first() -> None:
    until = MONDAY + 28 * DAY  # twenty working days
    book = dataclasses.replace(BOOK, baselines=(Baseline("420106", until, 5),))
    turns: dict[str, list[int]] = {"red": [], "blue": []}
    for number in range(400):
        level = ("red", "blue")[number % 2]
        desk = Desk(book)
        desk.home = Household(f"F{number}")
        desk.take(warning(1, "raised", level, household=f"F{number}"))
        due = desk.home.next_due
        assert due is not None
        assert due >= until
        turns[level].append(book.workdays.calendar.day_of(due))
    first = book.workdays.calendar.day_of(until)
    blue = Counter(turns["blue"])
    assert len(blue) == 20
    assert max(blue.values()) < 30  # of 200: no storm
    assert max(blue) <= first + 30
    assert set(turns["red"]) <= {first, first + 1}
    assert all(book.workdays.is_workday(day)[0] for day in blue)


def test_an_end_that_is_put_off_puts_off_who_waits() -> None:
    desk = Desk(LIVE)
    desk.warn(1)
    turn = desk.home.next_due
    assert turn is not None
    known = desk.command("acknowledge", ANNA)
    later = UNTIL + 30 * DAY
    desk.book = dataclasses.replace(BOOK, baselines=(Baseline("420106", later, 2),))
    (event,) = desk.later(turn - desk.at)
    assert event.type == "worklist-extended"
    assert desk.told() == []
    assert desk.home.next_due is not None
    assert desk.home.next_due >= later
    assert desk.take(known)[-1].type == "acknowledged"  # it is not stale for that


def from_before(book: Book, at: int = MONDAY) -> Desk:
    """A case as a worker of before put it on a worklist: no clock, so no turn."""
    desk = Desk(book, at)
    desk.warn(1, "raised", "yellow")
    desk.case.clocks = []
    assert desk.home.next_due is None
    return desk


def test_a_case_without_a_turn_gets_one_when_anything_befalls_it() -> None:
    desk = from_before(LIVE)
    turn = Desk(LIVE)
    turn.warn(1, "raised", "yellow")
    desk.at += HOUR
    first, second = desk.take(desk.command("comment", ANNA, text="is there a turn?"))
    assert (first.type, first.at, second.type) == ("worklist-extended", desk.at, "commented")
    assert desk.home.next_due == turn.home.next_due == first.data["due"]
    assert desk.told() == []
    assert desk.later(30 * DAY)[0].type == "worklist-ended"
    acknowledged = from_before(LIVE)
    assert acknowledged.send("acknowledge").type == "acknowledged"
    assert not acknowledged.case.is_baseline
    assert replay("H1", [event.body() for event in desk.events]) == desk.home


def test_after_the_end_a_case_without_a_turn_is_like_any_other_when_anything_befalls_it() -> None:
    desk = from_before(LIVE)
    assert desk.take(Tick(0))[0].at == MONDAY  # as late as it is taken, whatever it says
    desk = from_before(LIVE)
    desk.at = UNTIL + DAY
    first, second = desk.take(desk.command("comment", ANNA, text="still there"))
    assert (first.type, first.at, second.type) == ("worklist-ended", desk.at, "commented")
    assert desk.told() == ["raised"]
    assert desk.case.clock("acknowledge").is_running  # type: ignore[union-attr]


def test_whoever_closes_or_takes_up_a_case_ends_its_wait() -> None:
    for command, data in (("acknowledge", {}), ("close", {"code": "duplicate", "duplicate_of": "H2-1"})):
        desk = Desk(LIVE)
        desk.warn(1, "raised", "yellow")
        desk.send(command, **data)
        desk.later(30 * DAY)
        assert "worklist-ended" not in desk.types()
    reopened = Desk(LIVE)
    reopened.warn(1, "raised", "yellow")
    reopened.send("close", code="duplicate", duplicate_of="H2-1")
    reopened.send("reopen", reason="they are two families")
    reopened.later(30 * DAY)
    assert "worklist-ended" not in reopened.types()
    assert "overdue" in reopened.types()


def test_a_move_on_the_worklist_is_told_to_the_new_community() -> None:
    book = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2),))
    desk = Desk(book)
    desk.warn(1, "raised", "yellow")
    desk.warn(2, "moved", "yellow", community=OTHER)
    assert desk.case.is_baseline
    assert isinstance(desk.alerts[0].alert, Resolve)
    (record,) = desk.alerts[1:]
    assert isinstance(record.alert, Alert)
    assert (record.alert.kind, record.alert.community, record.alert.task) == (
        "moved-in",
        OTHER,
        "acknowledge",
    )
    assert record.alert.do_by == desk.home.next_due
    # Into a community that is not going live it is a case like any other.
    away = Desk(book)
    away.warn(1, "raised", "yellow")
    away.warn(2, "moved", "yellow", community="420102001001")
    assert not away.case.is_baseline
    assert away.told() == ["resolve", "moved-in"]
    assert away.case.clock("acknowledge").is_running  # type: ignore[union-attr]


def test_who_takes_up_a_case_that_moved_on_the_worklist_is_reminded_no_more() -> None:
    book = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2),))
    for command, data in (("acknowledge", {}), ("visit", {"outcome": "absent"})):
        desk = Desk(book)
        desk.warn(1, "raised", "yellow")
        desk.warn(2, "moved", "yellow", community=OTHER)
        told = desk.alerts[-1].alert
        assert isinstance(told, Alert)
        desk.alerts.clear()
        desk.send(command, BEN, **data)
        (record,) = desk.alerts
        assert record.alert == Resolve("H1-1", ("acknowledge",))
        assert record.key == told.district
        assert record.alert.ends(told)


def test_who_loses_a_case_that_moves_on_along_the_worklists_hears_no_more_of_it() -> None:
    book = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2), Baseline("420102", UNTIL, 2)))
    for third in (COMMUNITY, "420102001001"):
        desk = Desk(book)
        desk.warn(1, "raised", "yellow")
        desk.warn(2, "moved", "yellow", community=OTHER)
        desk.told()
        desk.warn(3, "moved", "yellow", community=third)
        before, after = desk.alerts
        assert (before.key, before.alert) == ("420106", Resolve("H1-1"))
        assert isinstance(after.alert, Alert)
        assert (after.alert.kind, after.alert.community) == ("moved-in", third)


def test_a_third_flag_reaches_the_supervisor_also_on_the_worklist() -> None:
    desk = Desk(LIVE)
    for number in (1, 2, 3):
        desk.warn(number)
        if number < 3:
            desk.send("acknowledge")
            desk.send("visit", outcome="refused")
            desk.send("close", code="refused")
        desk.at += HOUR
    assert desk.case.is_baseline
    assert "supervisor street" in desk.told()


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
    desk.at += 24 * HOUR
    desk.warn(3, "upgraded", "orange")
    assert desk.told() == ["upgraded"]
    assert {clock.kind for clock in desk.case.clocks if clock.is_running} == {
        "acknowledge",
        "visit",
        "assess",
        "help",
    }


def test_what_comes_while_the_base_is_loaded_belongs_to_it() -> None:
    """A family's events come one after the other: raised at blue, and at its real level a second later."""
    desk = Desk(LIVE)
    desk.warn(1, "raised", "blue")
    desk.at += 24 * HOUR - 1
    before = desk.case.clock("acknowledge")
    (event,) = desk.warn(2, "upgraded", "red", score=91)
    assert (event.type, event.data["urgency_raised"]) == ("upgraded", True)
    assert desk.told() == []
    assert (desk.case.is_baseline, desk.case.level, desk.case.score) == (True, "red", 91)
    assert not any(clock.is_running for clock in desk.case.clocks)
    after = desk.case.clock("acknowledge")
    assert before is not None
    assert after is not None
    assert after.due <= before.due, "red has one of the first turns"
    assert [one.level for one in worklist([desk.home], LIVE, desk.at)] == ["red"]


def test_the_book_may_let_a_base_settle_longer() -> None:
    book = dataclasses.replace(BOOK, baselines=(Baseline("420106", UNTIL, 2, Span(2, "d")),))
    desk = Desk(book)
    desk.warn(1, "raised", "blue")
    desk.at += 47 * HOUR
    desk.warn(2, "upgraded", "red")
    assert desk.told() == []
    desk.at += DAY
    desk.warn(3, "upgraded", "red")
    assert desk.told() == ["upgraded"]


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
