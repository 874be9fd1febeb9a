"""What is decided about alerts, one rule a test."""

from __future__ import annotations

import pytest

from casework.alerts.alert import Resolve
from casework.alerts.decide import decide, unanswered
from casework.alerts.intents import Outcome, Result, Send
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
    silence,
)

MINUTE, HOUR = 60, 3600


def times(district: District) -> list[float]:
    """Seconds from the start to each message."""
    return [(when - at("2026-03-02 10:00")) / 1_000_000 for when, _ in district.sends]


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


def test_beyond_the_rate_alerts_are_told_in_a_digest() -> None:
    district = District()
    for number in range(14):
        district.feed(alert(f"H{number}-1", community=f"4201060070{number + 10}"))
    district.run(31)
    assert len(district.sent("alerts")) == 10
    assert district.fates("H12-1") == ["digested"]
    district.run(10 * MINUTE)
    digests = district.sent("digest")
    assert sorted(ids(digests[0])) == ["H10-1", "H11-1", "H12-1", "H13-1"]
    assert len(digests) == 1
    assert district.fates("H12-1") == ["digested", "sent"]


def test_digests_of_a_team_are_apart_but_red_does_not_wait_for_that() -> None:
    district = District(text=edited(("messages: 10", "messages: 1")))
    for number in range(3):
        district.after(number * 45, alert(f"H{number}-1", community=f"4201060070{number + 10}"))
    district.run(3 * MINUTE)
    assert [send.kind for send in district.sent()] == ["alerts", "digest"]
    district.feed(alert("H9-1", level="red"))
    district.run(2 * MINUTE)
    red = next(when for when, send in district.sends if "H9-1" in ids(send))
    assert red <= at("2026-03-02 10:04")


def test_the_channels_are_tried_in_order_and_each_until_its_tries_are_used_up() -> None:
    district = District(lambda send, _: "failed" if send.channel == "wecom" else "sent")
    district.feed(alert("H1-1", level="red"))
    district.run(10 * MINUTE)
    assert [(send.channel, send.member, send.attempt) for send in district.sent()] == [
        ("wecom", "li", 1),
        ("wecom", "li", 2),
        ("wecom", "li", 3),
        ("sms", "li", 1),
    ]
    assert len({send.key for send in district.sent()}) == 2  # a key by channel, the same for each attempt
    waits = [later - earlier for earlier, later in zip(times(district), times(district)[1:], strict=False)]
    assert 6 <= waits[0] <= 11
    assert 11 < waits[1] <= 21


def test_what_a_channel_rejects_goes_to_the_next_at_once() -> None:
    district = District(lambda send, _: "rejected" if send.channel == "wecom" else "sent")
    district.feed(alert("H1-1", level="red"))
    district.run(3)
    assert [send.channel for send in district.sent()] == ["wecom", "sms"]


def test_when_nobody_of_a_team_could_be_told_the_next_team_is_and_it_is_put_on_record() -> None:
    district = District(lambda send, _: "rejected" if send.team == "community" else "sent")
    district.feed(alert("H1-1", level="red"))
    district.run(HOUR)
    assert [(send.team, send.channel, send.member) for send in district.sent("alerts")] == [
        ("community", "wecom", "li"),
        ("community", "sms", "li"),
        ("street", "wecom", "zhao"),
    ]
    assert district.fates("H1-1") == ["gave-up", "passed-on", "sent"]
    assert [one.by for one in district.outcomes if one.fate == "passed-on"] == ["street"]


def test_a_team_without_anybody_on_call_passes_on_at_once() -> None:
    text = edited(("weeks: [li, wang]", "weeks: [li, wang]\n      overrides: [{from: 2026-03-02, who: []}]"))
    with pytest.raises(Exception, match="who must name at least one"):
        District(text=text)
    only_sms = edited(("channels: [wecom, sms]\n    next: street", "channels: [sms]\n    next: street"))
    with pytest.raises(Exception, match="`wang` has no contact by any channel of the team: sms"):
        District(text=only_sms)


def test_the_desk_tries_again_until_somebody_is_told() -> None:
    back = at("2026-03-02 13:00")
    district = District(lambda _, now: "sent" if now >= back else "failed")
    district.feed(alert("H1-1", level="red", community=NOWHERE))
    district.run(4 * HOUR)
    assert district.ends() == {"sent": 1}
    assert set(district.fates("H1-1")[:-1]) == {"gave-up"}
    assert len(district.sent()) < 90


def test_two_members_on_call_are_both_told_and_a_retry_is_for_who_was_not() -> None:
    text = edited(("weeks: zhao", "weeks: [[li, zhao]]"))
    district = District(
        lambda send, _: "failed" if (send.member, send.attempt) == ("zhao", 1) else "sent", text=text
    )
    district.feed(alert("H1-1", level="red", community=STREET_ONLY))
    district.run(MINUTE)
    assert [(send.member, send.attempt) for send in district.sent()] == [("li", 1), ("zhao", 1), ("zhao", 2)]
    assert district.fates("H1-1") == ["sent"]


def test_who_has_no_contact_by_the_first_channel_is_told_by_the_next() -> None:
    text = edited(
        ("weeks: zhao", "weeks: [[wang, zhao]]"),
        ("[wecom, sms]\n    next: desk", "[sms, wecom]\n    next: desk"),
    )
    district = District(text=text)
    district.feed(alert("H1-1", level="red", community=STREET_ONLY))
    district.run(MINUTE)
    assert [(send.channel, send.member) for send in district.sent()] == [("sms", "zhao"), ("wecom", "wang")]


def half_told(until: str, start: str = "2026-03-02 10:00") -> District:
    """Two are on call, and only the first is reached before an instant."""
    text = edited(("weeks: zhao", "weeks: [[li, zhao]]"))
    district = District(
        lambda send, now: "failed" if send.member == "zhao" and now < at(until) else "sent", text, start
    )
    district.feed(alert("H1-1", community=STREET_ONLY))
    district.run(32)
    assert [send.member for send in district.sent()] == ["li", "zhao"]
    return district


def test_who_was_not_reached_is_not_told_of_what_is_resolved_by_then() -> None:
    district = half_told("2026-03-02 11:00")
    district.feed(Resolve("H1"))
    district.run(2 * HOUR)
    assert len(district.sent()) == 2
    assert not district.state.messages


def test_who_was_not_reached_is_not_told_in_quiet_hours_when_somebody_knows() -> None:
    district = half_told("2026-03-02 22:00", "2026-03-02 21:59:25")
    district.run(HOUR)
    assert len(district.sent()) == 2
    assert district.fates("H1-1") == ["sent"]


def test_a_repeat_that_failed_is_not_tried_again_in_quiet_hours() -> None:
    begins = at("2026-03-02 21:59:55")
    district = District(lambda _, now: "sent" if now < begins else "failed", start="2026-03-02 17:59:26")
    district.feed(alert("H1-1"))
    district.run(5 * HOUR)
    assert [(send.kind, send.attempt) for send in district.sent()] == [("alerts", 1), ("repeat", 1)]
    assert not district.state.messages


def test_after_a_handover_a_retry_goes_to_who_is_on_call_then() -> None:
    district = District(
        lambda send, _: "failed" if send.member == "li" else "sent", start="2026-03-09 08:29:55"
    )
    assert district.routes.on_call(district.routes.teams["community"], district.now)[0].id == "li"
    district.feed(alert("H1-1", level="red"))
    district.run(MINUTE)
    assert [send.member for send in district.sent()] == ["li", "wang"]


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


def test_an_answer_that_never_comes_is_given_up_for_lost_and_the_message_sent_again() -> None:
    district = District(lambda send, _: "lost" if send.attempt == 1 else "sent")
    district.feed(alert("H1-1", level="red"))
    assert [send.key for send in unanswered(district.state, district.routes)] == ["H1-1#1@wecom"]
    district.run(5 * MINUTE)
    assert [send.attempt for send in district.sent()] == [1, 2]
    assert district.ends() == {"sent": 1}
    assert not unanswered(district.state, district.routes)


def test_an_answer_of_a_channel_that_was_left_or_of_an_attempt_before_changes_nothing() -> None:
    district = District(lambda send, _: "rejected" if send.channel == "wecom" else "lost")
    district.feed(alert("H1-1", level="red"))
    district.run(3)
    by_sms = district.sent()[-1]
    assert by_sms.channel == "sms"
    before = encode(State(messages=district.state.messages))
    for channel, attempt, outcome in (("wecom", 1, "sent"), ("wecom", 1, "failed"), ("sms", 9, "rejected")):
        district.feed(Result(by_sms.message, channel, "li", attempt, outcome))  # type: ignore[arg-type]
        assert encode(State(messages=district.state.messages)) == before
    district.feed(Result("no such message", "sms", "li", 1, "sent"))
    district.feed(Result(by_sms.message, "sms", "nobody", 1, "sent"))
    assert encode(State(messages=district.state.messages)) == before
    assert len(district.sent()) == 2


def test_what_is_unanswered_is_the_same_bytes_again() -> None:
    district = District(lambda _, __: "lost")
    district.feed(alert("H1-1", level="red"))
    first = district.sent()[0]
    again: Send = unanswered(district.state, district.routes)[0]
    assert again == first


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
