"""Alerts that wait: in which group, until when, and what replaces or ends them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from casework.alerts.alert import Alert
from casework.alerts.instants import NEVER
from casework.alerts.intents import Fate, Intent, MessageKind, Outcome
from casework.alerts.routes import Quiet, Routes, Team
from casework.alerts.silences import Holding
from casework.alerts.state import Group, Message, State, Waiting
from streams.timestamps import SECOND


@dataclass(slots=True)
class Turn:
    """One decision while it is made: the state as it changes, and what was decided so far.

    Attributes:
        waits: for the answer to a message, however long it takes.
        changed: groups of which it is not known any more when they are due (:meth:`settle`); worked out once
            for all that changes in them, because each time looks through all that waits there. What only
            comes or goes is kept up by the state's lines.
        levels: of the alerts in digests, by the digest's key, as far as they have been looked through.
        holding: the silences of this instant, once they are asked for.
    """

    state: State
    now: int
    routes: Routes
    waits: bool = False
    intents: list[Intent] = field(default_factory=list)
    changed: dict[str, Group] = field(default_factory=dict)
    levels: dict[str, set[str]] = field(default_factory=dict)
    holding: Holding | None = None

    def team(self, id_: str) -> Team:
        """A team; the district's desk where the routes no longer have it."""
        return self.routes.teams.get(id_) or self.routes.teams[self.routes.desk]

    def settle(self) -> None:
        """Work out when the groups that changed are due, and those that may be due by now."""
        for group in self.changed.values():
            self.state.lines.tighten(group)
        self.changed.clear()
        self.state.lines.tighten_due(self.now)

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
    group = group_for(turn, team, alert)
    until, silence = held(turn, alert, team)
    if silence:
        turn.ended("silenced", alert, team.id, by=silence)
    one = Waiting(alert, turn.now, until, silence)
    group.waiting.append(one)
    if not turn.state.lines.waits(group, one):
        turn.changed[group.key] = group


def group_for(turn: Turn, team: Team, alert: Alert) -> Group:
    """The group into which an alert is about to come, of its community for a team; a new one if there is
    none."""
    group = Group(team.id, alert.community or "")
    group = turn.state.groups.setdefault(group.key, group)
    turn.state.places.groups.setdefault(alert.case, set()).add(group.key)
    return group


def held(turn: Turn, alert: Alert, team: Team) -> tuple[int, str]:
    """Until when an alert has to wait (now: not at all), and the silence that it is for, if it is one."""
    if turn.state.silences:
        if turn.holding is None:
            turn.holding = Holding(turn.state.silences, turn.now)
        silence = turn.holding.of(alert)
        if silence is not None:
            return silence.ends, silence.id
    if team.quiet is None or alert.level not in team.quiet.levels or turn.routes.is_urgent(alert.level):
        return turn.now, ""
    ends = quiet_until(team.quiet, turn.now, turn.routes)
    if ends is None:
        return turn.now, ""
    # What is due before the quiet hours end would be told too late. What is late is so already, mostly by the
    # midnight at which a day's deadline ends: that waits for the morning.
    is_due = alert.do_by is not None and alert.do_by <= ends
    return (turn.now if is_due and alert.kind != "escalated" else ends), ""


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


def drop(
    turn: Turn,
    case: str,
    fate: Fate,
    *,
    is_meant: Callable[[Alert], bool] = lambda alert: True,
    is_told: Callable[[Alert], bool] | None = None,
    team: str | None = None,
    by: str = "",
) -> None:
    """Take alerts of a case out of all that waits, of one team or of all; they end so.

    Args:
        is_meant: which are not told.
        is_told: which are not told again; None: the same.

    What flies at this moment cannot be called back: it is told once, if at all.
    """
    state, places, lines = turn.state, turn.state.places, turn.state.lines
    is_told = is_told or is_meant
    for group in places.of(case, places.groups, state.groups):
        if team is not None and group.team != team:
            continue
        gone = lines.take_waiting(group, case, is_meant)
        if (lines.take_told(group, case, is_told) or gone) and not lines.loosen(group):
            turn.changed[group.key] = group
        for alert in gone:
            turn.ended(fate, alert, group.team, by=by)
    for digest in places.of(case, places.digests, state.digests):
        if team is None or digest.team == team:
            line = lines.of_digest(digest)
            for alert in line.take(case, is_meant):
                turn.ended(fate, alert, digest.team, channel=digest.channel, by=by)
            turn.levels.pop(digest.key, None)
            if not line:
                digest.due = NEVER
    for message in places.of(case, places.messages, state.messages):
        if team is None or message.team == team:
            _drop_of(turn, message, case, fate, is_told if message.kind == "repeat" else is_meant, by)


def _drop_of(
    turn: Turn, message: Message, case: str, fate: Fate, is_meant: Callable[[Alert], bool], by: str
) -> None:
    """Take alerts of a case out of a message, or note that they have ended while it flies."""
    line = turn.state.lines.of_message(message)
    if not (message.flying or message.reached or message.over):
        for alert in line.take(case, is_meant):
            if message.kind != "repeat":
                turn.ended(fate, alert, message.team, channel=message.channel, by=by)
        if not line:
            turn.state.messages.pop(message.id, None)
        return
    for alert in line.of(case):
        if is_meant(alert):
            message.over.setdefault(alert.id, (fate, by))
    if not message.flying:
        take_out(turn, message)


def take_out(turn: Turn, message: Message) -> None:
    """Take what was replaced or resolved out of a message that does not fly; without any left it is gone."""
    if not message.reached:
        turn.state.lines.tidy_message(message)
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
