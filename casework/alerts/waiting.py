"""Alerts that wait: in which group, until when, and what replaces or ends them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from casework.alerts.alert import Alert
from casework.alerts.intents import Fate, Intent, MessageKind, Outcome
from casework.alerts.routes import Quiet, Routes, Team, Timing
from casework.alerts.state import NEVER, Group, Message, State, Waiting
from streams.timestamps import SECOND


@dataclass(slots=True)
class Turn:
    """One decision while it is made: the state as it changes, and what was decided so far.

    Attributes:
        waits: for the answer to a message, however long it takes.
    """

    state: State
    now: int
    routes: Routes
    waits: bool = False
    intents: list[Intent] = field(default_factory=list)

    def team(self, id_: str) -> Team:
        """A team; the district's desk where the routes no longer have it."""
        return self.routes.teams.get(id_) or self.routes.teams[self.routes.desk]

    def ended(
        self,
        fate: Fate,
        alert: Alert,
        team: str = "",
        *,
        channel: str = "",
        by: str = "",
        kind: MessageKind = "alerts",
    ) -> None:
        """Put on record what became of an alert."""
        self.intents.append(
            Outcome(
                fate, alert.id, alert.case, self.now, team, channel, by, kind, alert.household, alert.level
            )
        )


def put(turn: Turn, alert: Alert, team: Team) -> None:
    """Let an alert wait for a team's next message about its community."""
    group = group_of(turn.state, team, alert.community)
    until, silence = held(turn, alert, team)
    if silence:
        turn.ended("silenced", alert, team.id, by=silence)
    group.waiting.append(Waiting(alert, turn.now, until, silence))
    group.due = group_due(turn.routes, group, team.timing)


def group_of(state: State, team: Team, community: str | None) -> Group:
    """The group of a community's alerts for a team; a new one if there is none."""
    key = f"{team.id}/{community or ''}"
    if key not in state.groups:
        state.groups[key] = Group(team.id, community or "")
    return state.groups[key]


def held(turn: Turn, alert: Alert, team: Team) -> tuple[int, str]:
    """Until when an alert has to wait (now: not at all), and the silence that it is for, if it is one."""
    holding = [one for one in turn.state.silences if one.matches(alert, turn.now)]
    if holding:
        last = max(holding, key=lambda one: one.ends)
        return last.ends, last.id
    if team.quiet is None or alert.level not in team.quiet.levels or turn.routes.is_urgent(alert.level):
        return turn.now, ""
    ends = quiet_until(team.quiet, turn.now, turn.routes)
    # What is due before the quiet hours end would be told too late.
    if ends is None or (alert.do_by is not None and alert.do_by <= ends):
        return turn.now, ""
    return ends, ""


def quiet_until(quiet: Quiet, at: int, routes: Routes) -> int | None:
    """When the quiet hours that hold at an instant end; None where none do."""
    local = dt.datetime.fromtimestamp(at // SECOND, routes.zone)
    minute = local.hour * 60 + local.minute
    if quiet.begins < quiet.ends:
        is_quiet, is_tomorrow = quiet.begins <= minute < quiet.ends, False
    else:
        is_quiet, is_tomorrow = minute >= quiet.begins or minute < quiet.ends, minute >= quiet.begins
    if not is_quiet:
        return None
    date = local.date() + dt.timedelta(days=is_tomorrow)
    time = dt.time(quiet.ends // 60, quiet.ends % 60)
    return int(dt.datetime.combine(date, time, routes.zone).timestamp()) * SECOND


def group_due(routes: Routes, group: Group, timing: Timing) -> int:
    """When a group has something to tell, or to tell again."""
    due = min((told.next for told in group.told), default=NEVER)
    if group.waiting:
        first = min(one.since for one in group.waiting)
        together = max(
            first + timing.group_wait, group.last + timing.group_interval if group.last >= 0 else 0
        )
        for one in group.waiting:
            # The highest level waits for nobody; the others wait for each other.
            due = min(due, one.until if routes.is_urgent(one.alert.level) else max(one.until, together))
    return due


def drop(
    turn: Turn, is_meant: Callable[[Alert], bool], fate: Fate, *, team: str | None = None, by: str = ""
) -> None:
    """Take alerts out of all that waits, of one team or of all; they end so.

    What flies at this moment cannot be called back: it is told once, if at all.
    """
    for group in list(turn.state.groups.values()):
        if team is not None and group.team != team:
            continue
        gone = [one.alert for one in group.waiting if is_meant(one.alert)]
        told = [one for one in group.told if not is_meant(one.alert)]
        if not gone and len(told) == len(group.told):
            continue
        group.waiting = [one for one in group.waiting if not is_meant(one.alert)]
        group.told = told
        group.due = group_due(turn.routes, group, turn.team(group.team).timing)
        for alert in gone:
            turn.ended(fate, alert, group.team, by=by)
    for digest in turn.state.digests.values():
        if team is None or digest.team == team:
            for alert in [one for one in digest.alerts if is_meant(one)]:
                turn.ended(fate, alert, digest.team, channel=digest.channel, by=by)
            digest.alerts = [one for one in digest.alerts if not is_meant(one)]
            if not digest.alerts:
                digest.due = NEVER
    for message in list(turn.state.messages.values()):
        if team is None or message.team == team:
            for alert in message.alerts:
                if is_meant(alert):
                    message.over.setdefault(alert.id, (fate, by))
            if not message.flying:
                take_out(turn, message)


def take_out(turn: Turn, message: Message) -> None:
    """Take what was replaced or resolved out of a message that does not fly; without any left it is gone."""
    for alert in message.alerts:
        if alert.id in message.over and message.kind != "repeat" and not message.reached:
            fate, by = message.over[alert.id]
            turn.ended(fate, alert, message.team, channel=message.channel, by=by)
    if message.reached:  # nothing is left to say to whom it has not reached
        if all(alert.id in message.over for alert in message.alerts):
            turn.state.messages.pop(message.id, None)
    else:
        message.alerts = [alert for alert in message.alerts if alert.id not in message.over]
        message.over = {}
        if not message.alerts:
            turn.state.messages.pop(message.id, None)
