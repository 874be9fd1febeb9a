"""Alerts that wait: in which group, until when, and what replaces or ends them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field

from casework.alerts.alert import Alert
from casework.alerts.intents import Fate, Intent, MessageKind, Outcome
from casework.alerts.routes import Quiet, Routes, Team, Timing
from casework.alerts.silences import Holding
from casework.alerts.state import NEVER, Group, Message, State, Waiting
from streams.timestamps import SECOND


@dataclass(slots=True)
class Turn:
    """One decision while it is made: the state as it changes, and what was decided so far.

    Attributes:
        waits: for the answer to a message, however long it takes.
        changed: groups of which it is not known any more when they are due (:meth:`settle`); worked out once
            for all that changes in them, because each time looks through all that waits there.
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
        """Work out when the groups that changed are due."""
        for group in self.changed.values():
            group.due = group_due(self.routes, group, self.team(group.team).timing)
        self.changed.clear()

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
    group.waiting.append(Waiting(alert, turn.now, until, silence))


def group_for(turn: Turn, team: Team, alert: Alert) -> Group:
    """The group into which an alert is about to come, of its community for a team; a new one if there is
    none."""
    group = Group(team.id, alert.community or "")
    group = turn.state.groups.setdefault(group.key, group)
    turn.state.places.groups.setdefault(alert.case, set()).add(group.key)
    turn.changed[group.key] = group
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


def group_due(routes: Routes, group: Group, timing: Timing) -> int:
    """When a group has something to tell, or to tell again."""
    due = min((told.next for told in group.told), default=NEVER)
    if group.waiting:
        first = group.waiting[0].since  # they stand in the order in which they came
        together = max(
            first + timing.group_wait, group.last + timing.group_interval if group.last >= 0 else 0
        )
        soonest: dict[str, int] = {}
        for one in group.waiting:
            level = one.alert.level
            if level not in soonest or one.until < soonest[level]:
                soonest[level] = one.until
        for level, until in soonest.items():
            # The highest level waits for nobody; the others wait for each other.
            due = min(due, until if routes.is_urgent(level) else max(until, together))
    return due


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
    state, places = turn.state, turn.state.places
    is_told = is_told or is_meant
    # Comparing cases in place: a call for each alert would be most of the time of this.
    for group in places.of(case, places.groups, state.groups):
        if team is not None and group.team != team:
            continue
        gone = [one.alert for one in group.waiting if one.alert.case == case and is_meant(one.alert)]
        told = [one for one in group.told if one.alert.case != case or not is_told(one.alert)]
        if not gone and len(told) == len(group.told):
            continue
        if gone:
            group.waiting = [
                one for one in group.waiting if one.alert.case != case or not is_meant(one.alert)
            ]
        group.told = told
        turn.changed[group.key] = group
        for alert in gone:
            turn.ended(fate, alert, group.team, by=by)
    for digest in places.of(case, places.digests, state.digests):
        if team is None or digest.team == team:
            for alert in [one for one in digest.alerts if one.case == case and is_meant(one)]:
                turn.ended(fate, alert, digest.team, channel=digest.channel, by=by)
            digest.alerts = [one for one in digest.alerts if one.case != case or not is_meant(one)]
            turn.levels.pop(digest.key, None)
            if not digest.alerts:
                digest.due = NEVER
    for message in places.of(case, places.messages, state.messages):
        if team is None or message.team == team:
            ends = is_told if message.kind == "repeat" else is_meant
            for alert in message.alerts:
                if alert.case == case and ends(alert):
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
