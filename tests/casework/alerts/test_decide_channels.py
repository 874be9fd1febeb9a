"""What is decided about messages, one rule a test: rates and digests, channels, recipients, attempts."""

from __future__ import annotations

import pytest

from casework.alerts.alert import Resolve
from casework.alerts.decide import unanswered
from casework.alerts.intents import Result, Send
from casework.alerts.state import State, encode
from tests.casework.alerts.a_district import (
    NOWHERE,
    STREET_ONLY,
    District,
    alert,
    at,
    edited,
    ids,
    times,
)

MINUTE, HOUR = 60, 3600


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
