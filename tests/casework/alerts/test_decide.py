"""What is decided about alerts, one rule a test: groups, what replaces or ends an alert, who is told."""

from __future__ import annotations

import pytest

from casework.alerts.alert import Resolve
from casework.alerts.decide import decide
from casework.alerts.intents import Outcome
from casework.alerts.state import State, decode, encode
from rules.state_format import StateFormatError
from tests.casework.alerts.a_district import (
    HERE,
    NOWHERE,
    STREET_ONLY,
    District,
    alert,
    at,
    edited,
    ids,
    routes,
    times,
)

MINUTE, HOUR = 60, 3600


def test_a_burst_of_a_community_is_one_message_after_the_group_wait() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.after(20, alert("H2-1"))
    district.run(29)
    assert not district.sends
    district.run(1)
    assert [ids(send) for send in district.sent()] == [["H1-1", "H2-1"]]
    assert times(district) == [30]
    district.run(2)
    assert district.ends() == {"sent": 2}


def test_the_next_message_of_a_group_waits_for_the_group_interval() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.run(40)
    district.feed(alert("H2-1"))
    district.run(10 * MINUTE)
    assert times(district) == [30, 330]


def test_communities_do_not_wait_for_each_other() -> None:
    district = District()
    district.feed(alert("H1-1"), alert("H2-1", community=STREET_ONLY), alert("H3-1", community=NOWHERE))
    district.run(31)
    assert [(send.team, ids(send)) for send in district.sent()] == [
        ("community", ["H1-1"]),
        ("street", ["H2-1"]),
        ("desk", ["H3-1"]),
    ]


def test_red_never_waits_and_takes_along_what_waits() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.run(3)
    district.feed(alert("H2-1", level="red"))
    assert times(district) == [3]
    assert ids(district.sent()[0]) == ["H2-1", "H1-1"]  # the gravest first


def test_a_level_that_nobody_knows_never_waits() -> None:
    district = District()
    district.feed(alert("H1-1", level="purple"))
    assert times(district) == [0]


def test_an_upgrade_replaces_a_waiting_raise() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.run(5)
    district.feed(alert("H1-2", "upgraded", "red"))
    district.run(HOUR)
    assert [ids(send) for send in district.sent("alerts")] == [["H1-2"]]
    assert district.fates("H1-1") == ["replaced"]
    assert next(one.by for one in district.outcomes if one.alert == "H1-1") == "H1-2"


def test_an_upgrade_replaces_a_raise_that_waits_for_another_attempt() -> None:
    district = District(lambda send, _: "failed" if ids(send) == ["H1-1"] else "sent")
    district.feed(alert("H1-1"))
    district.run(32)
    assert [ids(send) for send in district.sent()] == [["H1-1"]]
    district.feed(alert("H1-2", "upgraded", "red"))
    district.run(HOUR)
    assert [ids(send) for send in district.sent("alerts")] == [["H1-1"], ["H1-2"]]
    assert district.fates("H1-1") == ["replaced"]


def test_what_flies_while_it_is_replaced_is_told_once_if_at_all_and_not_again() -> None:
    district = District()
    district.feed(alert("H1-1", level="red"))
    assert district.fates("H1-1") == []  # it flies
    district.feed(alert("H1-2", "upgraded", "red"))
    district.run(9 * HOUR)
    assert district.fates("H1-1") == ["sent"]
    assert [ids(send) for send in district.sent("repeat")] == [["H1-2"], ["H1-2"]]


def test_a_resolved_case_is_not_told() -> None:
    district = District()
    district.feed(alert("H1-1"), alert("H2-1"))
    district.run(5)
    district.feed(Resolve("H1"))
    district.run(HOUR)
    assert [ids(send) for send in district.sent()] == [["H2-1"]]
    assert district.fates("H1-1") == ["resolved"]


def test_an_acknowledgement_ends_what_asked_for_it_and_not_another_task_that_is_late() -> None:
    district = District(start="2026-03-02 23:00")  # blue waits for the morning
    district.feed(
        alert("H1-1"),
        alert("H1-2", "escalated", tier="street", task="visit"),
        alert("H1-3", "escalated", tier="street", task="help"),
        alert("H1-4", "escalated", tier="street", task="acknowledge"),
    )
    district.feed(Resolve("H1", ("acknowledge",)))
    assert (district.fates("H1-1"), district.fates("H1-4")) == (["resolved"], ["resolved"])
    district.run(9 * HOUR)
    (message,) = district.sent("alerts")
    assert (message.team, sorted(ids(message))) == ("street", ["H1-2", "H1-3"])
    district.feed(Resolve("H1", ("visit",)))
    district.run(5 * HOUR)
    assert [ids(send) for send in district.sent("repeat")] == [["H1-3"]]


def test_who_lost_a_household_and_who_supervises_it_hear_of_it_also_when_the_case_was_answered() -> None:
    for answers in (None, ("acknowledge",)):
        district = District(start="2026-03-02 23:00")
        district.feed(
            alert("H1-1", "supervisor", community=STREET_ONLY, tier="street", task="supervise"),
            alert("H1-2", "moved-out", previous_community=HERE),
            alert("H1-3", "moved-in", community=STREET_ONLY),
        )
        district.feed(Resolve("H1", answers))  # type: ignore[arg-type]
        assert district.fates("H1-3") == ["resolved"]
        district.run(9 * HOUR)
        told = {(send.team, one) for send in district.sent("alerts") for one in ids(send)}
        assert told == {("street", "H1-1"), ("community", "H1-2")}
        district.feed(Resolve("H1", answers))  # type: ignore[arg-type]
        assert district.state.held_cases() == set()


def test_what_is_said_of_another_task_or_to_a_supervisor_replaces_nothing() -> None:
    district = District()
    district.feed(
        alert("H1-1", community=NOWHERE),
        alert("H1-2", "supervisor", community=NOWHERE, tier="street", task="supervise"),
        alert("H2-1", "escalated", tier="street", task="visit", community=NOWHERE),
        alert("H2-2", "escalated", tier="street", task="help", community=NOWHERE),
        alert("H2-3", "upgraded", community=NOWHERE),
        alert("H2-4", "escalated", tier="district", task="help", community=NOWHERE),
    )
    district.run(HOUR)
    (message,) = district.sent("alerts")
    assert sorted(ids(message)) == ["H1-1", "H1-2", "H2-1", "H2-3", "H2-4"]
    assert district.fates("H2-2") == ["replaced"]


def test_what_nobody_acknowledges_is_told_again_as_often_as_is_said() -> None:
    district = District()
    district.feed(alert("H1-1"), alert("H2-1"))
    district.run(5 * HOUR)
    district.feed(Resolve("H1"))
    district.run_out()
    assert [(send.kind, ids(send)) for send in district.sent()] == [
        ("alerts", ["H1-1", "H2-1"]),
        ("repeat", ["H1-1", "H2-1"]),
        ("repeat", ["H2-1"]),
    ]
    assert 4 * HOUR <= times(district)[1] <= 4 * HOUR + 40
    assert district.fates("H1-1") == ["sent"]


def test_a_moved_household_is_told_to_both_communities() -> None:
    district = District()
    district.feed(alert("H1-1", community=NOWHERE))
    district.feed(alert("H1-2", "moved", community=HERE, previous_community=NOWHERE))
    district.run(9 * HOUR)
    assert [(send.team, ids(send)) for send in district.sent("alerts")] == [
        ("desk", ["H1-2-out"]),
        ("community", ["H1-2-in"]),
    ]
    assert district.fates("H1-1") == ["replaced"]
    # To who has it no more nothing is left to do.
    assert {send.team for send in district.sent("repeat")} == {"community"}


def test_a_move_within_a_team_tells_of_both_sides() -> None:
    district = District()
    district.feed(alert("H1-1", "moved", community="420106007010", previous_community=STREET_ONLY))
    district.run(MINUTE)
    assert sorted(id for send in district.sent() for id in ids(send)) == ["H1-1-in", "H1-1-out"]


def test_without_a_community_the_desk_is_told() -> None:
    district = District()
    district.feed(alert("H1-1", community=None))
    district.run(MINUTE)
    assert [send.team for send in district.sent()] == ["desk"]


@pytest.mark.parametrize(
    ("tier", "team"), [("community", "community"), ("street", "street"), ("district", "desk")]
)
def test_an_escalation_goes_to_its_tier(tier: str, team: str) -> None:
    district = District()
    district.feed(alert("H1-1", "escalated", tier=tier))
    district.run(MINUTE)
    assert [send.team for send in district.sent()] == [team]


def test_an_alert_that_comes_twice_is_told_once() -> None:
    district = District()
    district.feed(alert("H1-1"))
    district.run(MINUTE)
    district.feed(alert("H1-1"))
    district.run(HOUR)
    assert len(district.sent()) == 1
    assert district.fates("H1-1") == ["sent", "duplicate"]


def test_in_simulated_time_a_week_does_not_make_a_repeat_new(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that dies repeats its last alerts; of the log's own time a year may have passed since them."""
    monkeypatch.setattr("casework.alerts.decide._LEAST_SEEN", 3)
    state, now = State(), 0
    for number in (1, 2, 3, 4):
        now = at(f"2026-0{number}-20 10:00")
        decide(state, alert(f"H{number}-1"), now, routes(), waits=True)
    decide(state, Resolve("H9"), now + MINUTE * 1_000_000, routes(), waits=True)
    assert list(state.seen) == ["H2-1", "H3-1", "H4-1"]
    _, intents = decide(state, alert("H2-1"), now + HOUR * 1_000_000, routes(), waits=True)
    assert [one.fate for one in intents if isinstance(one, Outcome)][:1] == ["duplicate"]
    # By the wall clock a week is a week.
    decide(state, Resolve("H9"), now + 2 * HOUR * 1_000_000, routes())
    assert list(state.seen) == ["H4-1"]


def test_routes_that_lose_a_team_or_a_channel_lose_no_alert() -> None:
    district = District(lambda send, _: "failed" if send.team == "community" else "sent")
    district.feed(alert("H1-1", level="red"))
    district.run(2)
    rota = 'rota:\n      starts: 2026-01-05\n      handover: "08:30"\n      weeks: [li, wang]\n'
    was, becomes = (f"channels: [{one}]\n    next: street\n" for one in ("wecom, sms", "hook"))
    fewer = edited((f"{was}    {rota}", becomes))
    district.routes = District(text=fewer).routes
    district.behaviour = lambda _, __: "sent"
    district.run(MINUTE)
    assert district.sent()[-1].channel == "hook"
    assert district.ends() == {"sent": 1}


def test_a_state_with_nothing_left_to_do_is_small() -> None:
    district = District()
    district.feed(*(alert(f"H{number}-1") for number in range(50)))
    district.run_out()
    district.feed(Resolve("H9"))
    district.run(8 * 86_400)
    district.feed(Resolve("H9"))
    left = district.state
    assert (left.groups, left.digests, left.messages, left.rates, left.seen) == ({}, {}, {}, {}, {})


def test_a_state_of_a_newer_program_is_refused() -> None:
    raw = encode(State(now=5))
    assert decode(raw).now == 5
    with pytest.raises(StateFormatError, match="format 2"):
        decode(b"\x02" + raw[1:])
    for damaged in (b"", raw[:-1], b"\x00" + raw[1:], raw[1:]):
        with pytest.raises(StateFormatError, match="damaged"):
            decode(damaged)


def test_the_community_of_the_tests_is_the_communitys_teams() -> None:
    assert District().routes.team_of(HERE).id == "community"


def test_a_supervisor_is_told_once() -> None:
    """Nothing that others do answers it, so nothing would end its repeats."""
    district = District(start="2026-03-02 10:00")
    district.feed(alert("H1-2", "supervisor", tier="street", task="supervise"))
    district.run(2 * HOUR)
    district.feed(Resolve("H1-1"))
    district.run(24 * HOUR)
    assert [ids(send) for send in district.sent()] == [["H1-2"]]
