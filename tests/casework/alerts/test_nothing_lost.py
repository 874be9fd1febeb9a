"""No alert is lost: whatever comes, in whatever order, however the channels behave."""

from __future__ import annotations

import hashlib
from collections import Counter

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casework.alerts.alert import Alert, Resolve
from casework.alerts.decide import decide
from casework.alerts.intents import Outcome, Send, Silenced
from casework.alerts.silences import Silence
from casework.alerts.state import State, decode, encode
from streams.timestamps import HOUR, MINUTE
from tests.casework.alerts.a_district import (
    HERE,
    NOWHERE,
    STREET_ONLY,
    Behaviour,
    District,
    alert,
    at,
    edited,
    ids,
)

ENDS = {"sent", "replaced", "resolved"}
TWO_ON_CALL = edited(("weeks: zhao", "weeks: [[zhao, wang]]"), ("messages: 10", "messages: 2"))
FLOOD = 5_000


def expected(given_: Alert) -> list[str]:
    """The alerts that one input is for dispatch: a move is two."""
    return [f"{given_.id}-out", f"{given_.id}-in"] if given_.kind == "moved" else [given_.id]


def kept(state: State) -> set[str]:
    """Alerts that the state still has to tell."""
    waiting = {one.alert.id for group in state.groups.values() for one in group.waiting}
    digests = {one.id for digest in state.digests.values() for one in digest.alerts}
    messages = {one.id for message in state.messages.values() for one in message.alerts}
    return waiting | digests | messages


def ended(district: District) -> set[str]:
    return {one.alert for one in district.outcomes if one.fate in ENDS}


def named(course: list[tuple[int, object]]) -> dict[str, Alert]:
    """The alerts of a course by the ids under which they end; the first of an id counts."""
    found: dict[str, Alert] = {}
    seen: set[str] = set()
    for _, one in course:
        if isinstance(one, Alert) and one.id not in seen:
            seen.add(one.id)
            kinds = ("moved-out", "moved-in") if one.kind == "moved" else (one.kind,)
            for id, kind in zip(expected(one), kinds, strict=True):
                found[id] = msgspec.structs.replace(one, id=id, kind=kind)  # type: ignore[arg-type]
    return found


def told(district: District) -> Counter[str]:
    return Counter(one.alert for one in district.outcomes if one.fate == "sent" and one.kind != "repeat")


places = st.sampled_from([HERE, STREET_ONLY, "420106007004", NOWHERE, None])


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    kind = draw(st.sampled_from(["raised", "upgraded", "moved", "moved-out", "escalated", "supervisor"]))
    more: dict[str, object] = {}
    if kind == "moved":
        more["previous_community"] = draw(places)
    if kind in ("escalated", "supervisor"):
        more["tier"] = draw(st.sampled_from(["street", "district"]))
    if kind == "escalated":
        more["task"] = draw(st.sampled_from(["acknowledge", "visit", "help"]))
    number = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    level = draw(st.sampled_from(["blue", "red"]))
    return alert(f"H{number[0]}-{number[1]}", kind, level, draw(places), **more)


@st.composite
def silences(draw: st.DrawFn) -> Silenced:
    starts = at("2026-03-02 18:00") + draw(st.integers(0, 20)) * HOUR
    match = draw(st.sampled_from([{"household": "H1"}, {"levels": ("blue",)}, {"community": "420106"}]))
    ends = starts + draw(st.integers(1, 30)) * HOUR
    return Silenced(Silence(draw(st.sampled_from("ab")), "chen", "why", starts, ends, **match))  # type: ignore[arg-type]


answers = st.sampled_from([None, ("acknowledge",), ("visit",), ("acknowledge", "visit")])
resolves = st.builds(Resolve, st.sampled_from(["H1", "H2"]), answers)
inputs = st.one_of(alerts(), alerts(), alerts(), silences(), resolves)
courses = st.lists(st.tuples(st.integers(0, 3 * 3_600), inputs), min_size=1, max_size=14)


def moody(seed: int, heals: int) -> Behaviour:
    """Channels that do anything until they heal; drawn from a hash, so that a run can be had again."""

    def behave(send: Send, now: int) -> str:
        if now >= heals:
            return "sent"
        drawn = hashlib.blake2b(f"{seed}{send.key}{send.member}{send.attempt}{now}".encode()).digest()[0]
        return ("sent", "failed", "failed", "rejected", "lost")[drawn % 5]

    return behave


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.integers(0, 999), st.integers(0, 40))
def test_every_alert_ends_and_until_then_is_kept(
    course: list[tuple[int, object]], seed: int, hours: int
) -> None:
    start = "2026-03-02 18:00"
    district = District(moody(seed, at(start) + hours * HOUR), TWO_ON_CALL, start)
    came: set[str] = set()
    given_ids: set[str] = set()
    for wait, one in course:
        district.run(wait)
        district.feed(one)  # type: ignore[arg-type]
        if isinstance(one, Alert) and one.id not in given_ids:  # a repeat of an id is the first one again
            given_ids.add(one.id)
            came.update(expected(one))
        assert came <= ended(district) | kept(district.state)
    district.run_out()
    assert came == ended(district)
    # Nothing is told that nobody asked for, and what was dropped is not told as well.
    assert set(told(district)) <= came
    others = {one.alert for one in district.outcomes if one.fate in ("replaced", "resolved")}
    assert not others & set(told(district))
    # Being answered is an end only for what asked for just that: not for a household that has gone, for its
    # supervisor, or for another task that is late.
    by_id = named(course)
    resolves = [one for _, one in course if isinstance(one, Resolve)]
    for outcome in district.outcomes:
        if outcome.kind == "repeat" or outcome.fate not in ("replaced", "resolved"):
            continue
        one = by_id[outcome.alert]
        if outcome.fate == "resolved":
            assert one.kind not in ("moved-out", "supervisor")
            assert any(resolve.case == one.case and resolve.ends(one) for resolve in resolves)
        else:
            later = by_id[outcome.by]
            assert one.kind != "moved-out"
            assert one.kind != "supervisor" or later.kind == "supervisor"
            if one.kind == "escalated":
                assert later.kind == "moved-out" or (later.kind, later.task) == ("escalated", one.task)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.integers(0, 999))
def test_with_channels_that_work_every_alert_is_told_at_most_once(
    course: list[tuple[int, object]], seed: int
) -> None:
    district = District(text=TWO_ON_CALL, start="2026-03-02 18:00")
    for wait, one in course:
        district.run(wait)
        district.feed(one)  # type: ignore[arg-type]
    district.run_out()
    assert set(told(district).values()) <= {1}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(courses, st.integers(0, 999))
def test_a_replay_gives_the_same_bytes_and_the_same_intents(
    course: list[tuple[int, object]], seed: int
) -> None:
    start = "2026-03-02 18:00"
    district = District(moody(seed, at(start) + 20 * HOUR), TWO_ON_CALL, start)
    for wait, one in course:
        district.run(wait)
        district.feed(one)  # type: ignore[arg-type]
    district.run(40 * 3_600)
    again = State()  # not written down and read back in between, as a program that was never killed
    sends, outcomes = [], []
    for input, now in district.log:
        again, intents = decide(again, input, now, district.routes)
        sends += [intent for intent in intents if isinstance(intent, Send)]
        outcomes += [intent for intent in intents if isinstance(intent, Outcome)]
    assert encode(again) == encode(district.state)
    assert encode(decode(encode(again))) == encode(again)
    assert sends == district.sent()
    assert outcomes == district.outcomes


def test_a_flood_makes_few_messages_that_account_for_every_alert() -> None:
    district = District(reread=False)
    for number in range(FLOOD):  # in one minute; every tenth is red
        community = f"4201060{number % 14 + 1:02}{number % 140:03}"
        level = "red" if number % 10 == 0 else "blue"
        district.after(number * 60 / FLOOD, alert(f"F{number}-1", level=level, community=community))
    over = district.now + MINUTE
    district.run(2 * 3_600)
    sends, outcomes = district.sends, district.outcomes

    first = [(when, send) for when, send in sends if send.kind != "repeat"]
    named = [id for _, send in first for id in ids(send)]
    assert sorted(named) == sorted(f"F{number}-1" for number in range(FLOOD))
    assert sum(send.data["count"] for _, send in first) == FLOOD
    fates = Counter(one.fate for one in outcomes if one.kind != "repeat")
    assert fates["sent"] == FLOOD
    assert fates["digested"] > 4_000
    assert len(first) < 200
    # In any span no more than the channels' rates allow: at once what a minute allows, then as it refills.
    for channel, rate in (("hook", 30), ("wecom", 10), ("sms", 10)):
        times = [when for when, send in sends if send.channel == channel]
        for index, when in enumerate(times):
            within = sum(1 for other in times[index:] if other < when + MINUTE)
            assert within <= 2 * rate, channel
    # Red goes out in the minute of the flood and the one after it.
    assert all(when <= over + 2 * MINUTE for when, send in first if "F0-1" in ids(send))
    # What a person reads stays short.
    assert max(len(send.text.body) for _, send in first) < 20_000


def test_channels_that_are_down_for_an_hour_lose_nothing_and_are_not_hammered() -> None:
    back = at("2026-03-02 11:00")
    district = District(lambda _, now: "sent" if now >= back else "failed")
    came = []
    for number in range(120):  # one each half a minute, while all is down
        one = alert(f"H{number}-1", level="blue", community=f"42010600700{number % 5 + 1}")
        came.append(one.id)
        district.after(number * 30, one)
    district.run(4 * 3_600 - 60)
    assert set(told(district)) == set(came)
    before = sum(1 for when, _ in district.sends if when < back)
    assert before < 1_200  # ten a message, over three teams' channels
    late = max(one.at for one in district.outcomes if one.fate == "sent" and one.kind != "repeat")
    assert late < back + 30 * MINUTE


def test_one_channel_down_for_an_hour_is_gone_round() -> None:
    back = at("2026-03-02 11:00")
    district = District(lambda send, now: "failed" if send.channel == "wecom" and now < back else "sent")
    district.feed(*(alert(f"H{number}-1", level="red", community=HERE) for number in range(3)))
    district.run(600)
    assert set(told(district)) == {"H0-1", "H1-1", "H2-1"}
    assert {one.channel for one in district.outcomes if one.fate == "sent"} == {"sms"}
