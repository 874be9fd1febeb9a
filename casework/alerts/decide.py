"""What dispatch does: fold an input into the state, and say what is to be sent and what became of alerts.

Every alert ends on record: sent, replaced by a later one of its case, resolved, or a duplicate. Until then it
waits (for its group, quiet hours, a silence, a digest), flies, or is passed on to the next team.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import Final

import msgspec

from casework.alerts.alert import LASTING, Alert, Resolve
from casework.alerts.delivery import digest_due, has_room, in_flight, make, make_digest, retry, settle_result
from casework.alerts.intents import Input, Intent, Result, Send, Silenced
from casework.alerts.routes import Routes, Team
from casework.alerts.silences import Silence
from casework.alerts.state import Group, State, Waiting
from casework.alerts.waiting import Turn, drop, held, put
from streams.timestamps import MINUTE

_MOVES: Final = ("moved-in", "moved-out")
_SWEEP: Final = MINUTE
_LEAST_SEEN: Final = 10_000
"""In simulated time, where a week passes in no time: more ids than cases repeat after a crash."""
_MOST_PASSES: Final = 20
"""What is passed on can be due at once for the next team, and so on upwards; no district has more tiers."""


def decide(
    state: State, input: Input, now: int, routes: Routes, *, waits: bool = False, is_more: bool = False
) -> tuple[State, Sequence[Intent]]:
    """Fold one input into the state of one key.

    Pure: no clock, no chance, no network. The state that is given is used up.

    Args:
        now: microseconds since 1970; an earlier instant than the last one counts as that.
        waits: the answer to a message is waited for, however long it takes; otherwise one that does not come
            counts as an attempt that failed.
        is_more: more is decided on this state at once, so that what only it would see is left for the end
            (:meth:`State.settle`); the decisions are the same.

    Returns:
        the state, and what was decided, in order. The intents must not be carried out before the state is
        written down; each :class:`Send` is answered by a :class:`Result`.
    """
    turn = Turn(state, max(now, state.now), routes, waits)
    state.now = turn.now
    state.lines.follow(routes)
    if isinstance(input, Alert):
        _alert(turn, input)
    elif isinstance(input, Resolve):
        if input.case in state.cases:
            drop(
                turn,
                input.case,
                "resolved",
                is_meant=input.ends,
                is_told=lambda alert: alert.kind in LASTING or input.ends(alert),
            )
    elif isinstance(input, Result):
        settle_result(turn, input)
    elif isinstance(input, Silenced):
        _silence(turn, input.silence)
    _run_due(turn)
    if state.now >= state.swept + _SWEEP:
        _forget(turn)
    if not is_more:
        state.settle()
    return state, turn.intents


def unanswered(state: State, routes: Routes) -> Sequence[Send]:
    """What was decided to be sent and has not been answered: to be carried out again after a start."""
    return in_flight(Turn(state, state.now, routes))


def _alert(turn: Turn, alert: Alert) -> None:
    if alert.id in turn.state.seen:
        turn.ended("duplicate", alert)
        return
    turn.state.seen[alert.id] = turn.now
    if alert.kind == "moved":
        out = msgspec.structs.replace(
            alert, id=f"{alert.id}-out", kind="moved-out", community=alert.previous_community
        )
        _add(turn, out, turn.routes.team_of(out.community))
        alert = msgspec.structs.replace(alert, id=f"{alert.id}-in", kind="moved-in")
    elif alert.kind == "moved-out" and alert.previous_community is not None:
        alert = msgspec.structs.replace(alert, community=alert.previous_community)
    _add(turn, alert, turn.routes.team_at(alert.community, alert.tier))


def _add(turn: Turn, alert: Alert, team: Team) -> None:
    """Let an alert wait; it replaces what waits for the same team about the same case."""

    def is_older(other: Alert) -> bool:
        return other.id != alert.id and _says_all_of(alert, other)

    # Most alerts are the first of their case: then nothing has to be looked through.
    if turn.state.cases.pop(alert.case, None) is not None:
        drop(turn, alert.case, "replaced", is_meant=is_older, team=team.id, by=alert.id)
    turn.state.cases[alert.case] = turn.now
    put(turn, alert, team)


def _says_all_of(alert: Alert, other: Alert) -> bool:
    """Whether a team that is told of a later alert of a case need not be told of the one before."""
    if other.kind in LASTING:
        return alert.kind == other.kind == "supervisor"
    if other.kind == "escalated":
        is_gone = alert.kind == "moved-out" and other.tier == "community"
        return is_gone or (alert.kind == "escalated" and alert.task == other.task)
    if alert.kind == "escalated":
        return alert.task in ("acknowledge", other.task)
    are_both_moves = alert.kind in _MOVES and other.kind in _MOVES
    return alert.kind != "supervisor" and not are_both_moves


def _silence(turn: Turn, silence: Silence) -> None:
    """Keep a silence; where it ends earlier than before, what it held waits no longer."""
    turn.state.silences = [one for one in turn.state.silences if one.id != silence.id]
    if silence.ends > turn.now:
        turn.state.silences.append(silence)
    turn.state.settle()
    for key, group in turn.state.groups.items():
        for one in group.waiting:
            if one.silence == silence.id:
                one.until = max(turn.now, silence.ends)
                turn.changed[key] = group


def _run_due(turn: Turn) -> None:
    """Do all that is due."""
    state = turn.state
    for _ in range(_MOST_PASSES):
        turn.settle()
        for group in [one for one in state.groups.values() if one.due <= turn.now]:
            _flush(turn, group)
        for digest in [one for one in state.digests.values() if one.due <= turn.now]:
            digest.due = digest_due(turn, digest)
            if digest.due <= turn.now:
                make_digest(turn, digest)
        for message in [one for one in state.messages.values() if one.due <= turn.now]:
            retry(turn, message)
        turn.settle()
        if all(due > turn.now for due in state.dues()):
            return


def _flush(turn: Turn, group: Group) -> None:
    """Tell what waits of a group, as far as it may be told now, and again what is due to be repeated."""
    team = turn.team(group.team)
    goes: list[Alert] = []
    stays: list[Waiting] = []
    for one in group.waiting:
        if one.until <= turn.now:
            until, silence = held(turn, one.alert, team)
            if until <= turn.now:
                goes.append(one.alert)
                continue
            if silence and silence != one.silence:
                turn.ended("silenced", one.alert, team.id, by=silence)
            one.until, one.silence = until, silence
        stays.append(one)
    group.waiting = stays
    turn.state.lines.forget(group)
    if goes:
        group.last = turn.now
    again = _repeats(turn, group, team)
    turn.changed[group.key] = group
    if goes:
        make(turn, team, "alerts", goes)
    if again:
        make(turn, team, "repeat", again)


def _repeats(turn: Turn, group: Group, team: Team) -> list[Alert]:
    due = [told for told in group.told if told.next <= turn.now]
    if due and not has_room(turn, team):  # a repeat gives way to what is new
        for told in due:
            told.next = turn.now + team.timing.group_interval
        return []
    again = []
    for told in due:
        until, _ = held(turn, told.alert, team)
        if until > turn.now:
            told.next = until
            continue
        again.append(told.alert)
        told.left -= 1
        told.next = turn.now + team.timing.repeat_interval
    group.told = [told for told in group.told if told.left > 0]
    return again


def _forget(turn: Turn) -> None:
    """Drop what makes no difference any more."""
    state, now = turn.state, turn.now
    state.settle()
    state.swept = now
    oldest = _older(state.seen, now - turn.routes.remember)
    if turn.waits:
        oldest = oldest[: max(0, len(state.seen) - _LEAST_SEEN)]
    for id_ in oldest:
        del state.seen[id_]
    expired = _older(state.cases, now - turn.routes.remember)
    held_cases = state.held_cases() if expired else set()
    for case in expired:
        del state.cases[case]
        if case in held_cases:  # a silence, or an outage of days
            state.cases[case] = now
    state.silences = [one for one in state.silences if one.ends > now]
    for key, group in list(state.groups.items()):
        interval = turn.team(group.team).timing.group_interval
        if not group.waiting and not group.told and group.last + interval <= now:
            del state.groups[key]
    for key, digest in list(state.digests.items()):
        channel = turn.routes.channels.get(digest.channel)
        if not digest.alerts and (channel is None or digest.last + channel.rate.digest <= now):
            del state.digests[key]
    for id_, whole_at in list(state.rates.items()):
        if whole_at <= now:
            del state.rates[id_]


def _older(instants: dict[str, int], than: int) -> list[str]:
    """The keys up to an instant, of those that stand in its order."""
    return list(takewhile(lambda key: instants[key] <= than, instants))
