"""What is decided about alerts that have to wait, one rule a test: quiet hours and silences."""

from __future__ import annotations

import pytest

from tests.casework.alerts.a_district import (
    NOWHERE,
    District,
    alert,
    at,
    ids,
    silence,
)

MINUTE, HOUR = 60, 3600


def test_in_quiet_hours_blue_waits_for_the_morning_and_red_does_not() -> None:
    district = District(start="2026-03-02 23:00")
    district.feed(alert("H1-1"), alert("H2-1", level="red"))
    district.run(10 * HOUR)
    assert [(when, ids(send)) for when, send in district.sends if send.kind == "alerts"] == [
        (at("2026-03-02 23:00"), ["H2-1"]),
        (at("2026-03-03 07:30"), ["H1-1"]),
    ]


def test_quiet_hours_that_begin_while_a_group_waits_hold_it() -> None:
    district = District(start="2026-03-02 21:59:50")
    district.feed(alert("H1-1"))
    district.run(12 * HOUR)
    assert [when for when, send in district.sends if send.kind == "alerts"] == [at("2026-03-03 07:30")]


def test_what_is_due_before_the_quiet_hours_end_does_not_wait() -> None:
    district = District(start="2026-03-02 23:00")
    district.feed(alert("H1-1", do_by=at("2026-03-03 01:00")))
    district.run(MINUTE)
    assert [ids(send) for send in district.sent()] == [["H1-1"]]


def test_what_is_late_already_waits_for_the_morning() -> None:
    """A day's deadline ends at midnight."""
    district = District(start="2026-03-03 00:00")
    late = at("2026-03-03 00:00")
    district.feed(alert("H1-1", "escalated", task="visit", do_by=late))
    district.feed(alert("H2-1", "escalated", level="red", task="visit", do_by=late))
    district.run(12 * HOUR)
    told = [(when, ids(send)) for when, send in district.sends if send.kind == "alerts"]
    assert next(when for when, some in told if "H2-1" in some) < at("2026-03-03 00:05")
    assert [when for when, some in told if "H1-1" in some] == [at("2026-03-03 07:30")]


def test_a_retry_does_not_break_into_quiet_hours() -> None:
    district = District(
        lambda _, now: "failed" if now < at("2026-03-02 22:00") else "sent", start="2026-03-02 21:59:25"
    )
    district.feed(alert("H1-1"))
    district.run(12 * HOUR)
    assert [at("2026-03-02 21:59:55"), at("2026-03-03 07:30")] == [
        when for when, send in district.sends if send.kind == "alerts"
    ]
    assert district.ends() == {"sent": 1}


def test_a_silence_is_put_on_record_and_what_it_held_is_told_when_it_ends() -> None:
    district = District()
    district.feed(silence(ends="2026-03-02 12:00", household="H1"))
    district.feed(alert("H1-1", level="red"), alert("H2-1"))
    district.run(HOUR)
    assert [ids(send) for send in district.sent()] == [["H2-1"]]
    assert district.fates("H1-1") == ["silenced"]
    district.run(HOUR + MINUTE)
    assert [ids(send) for send in district.sent("alerts")] == [["H2-1"], ["H1-1"]]


@pytest.mark.parametrize("match", [{"community": "420106007"}, {"levels": ("blue",)}, {"household": "H1"}])
def test_a_silence_matches_a_place_a_level_or_a_household(match: dict[str, object]) -> None:
    district = District()
    district.feed(silence(**match))
    district.feed(alert("H1-1"), alert("H2-1", level="red", community=NOWHERE))
    district.run(HOUR)
    assert [ids(send) for send in district.sent()] == [["H2-1"]]


def test_a_silence_that_comes_while_an_alert_waits_holds_it_and_its_early_end_frees_it() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.feed(silence(household="H1"))
    district.run(HOUR)
    assert not district.sent()
    district.feed(silence(household="H1", ends="2026-03-02 11:00"))
    district.run(1)
    assert [ids(send) for send in district.sent()] == [["H1-1"]]
    assert not district.state.silences


def test_a_silence_also_holds_repeats() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.run(MINUTE)
    district.feed(silence(household="H1", ends="2026-03-02 20:00"))
    district.run(9 * HOUR + 58 * MINUTE)
    assert len(district.sent()) == 1
    district.run(2 * MINUTE)
    assert [send.kind for send in district.sent()] == ["alerts", "repeat"]
