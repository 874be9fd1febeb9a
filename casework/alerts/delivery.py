"""Messages on their way: by which channel, to whom, when again, and who is told when nobody could be.

A team's channels are tried in order. Each of those on call gets the message by the first channel that takes
it; who cannot be reached by one is tried by the next. If nobody has got it by the last one, the alerts go to
the next team; the district's desk tries again for ever.
"""

from __future__ import annotations

from casework.alerts.alert import LASTING, Alert
from casework.alerts.content import data_of, text_of
from casework.alerts.instants import NEVER, UNANSWERED
from casework.alerts.intents import MessageKind, Result, Send
from casework.alerts.rate import backoff, free_at, take
from casework.alerts.routes import Channel, Team
from casework.alerts.state import Digest, Message, Told
from casework.alerts.waiting import Turn, group_for, held, put, take_out
from streams.timestamps import MINUTE, SECOND

_GRACE = 2 * MINUTE
"""An answer that is so much later than a channel's timeout does not come any more."""


def make(turn: Turn, team: Team, kind: MessageKind, alerts: list[Alert], channel: str | None = None) -> None:
    """Make a message and send it by the team's first channel, or by a certain one."""
    turn.state.made += 1
    message = Message(f"{alerts[0].id}#{turn.state.made}", team.id, kind, alerts)
    message.crew = [member.id for member in turn.routes.on_call(team, turn.now)]
    turn.state.messages[message.id] = message
    for alert in alerts:
        turn.state.places.messages.setdefault(alert.case, set()).add(message.id)
    if channel is None:
        _by_next(turn, message, team, 0)
        return
    recipients = _recipients(turn, turn.routes.channels[channel], message.crew)
    if recipients:
        message.lost = [name for name in message.crew if name not in recipients and recipients != [""]]
        _attempt(turn, message, turn.routes.channels[channel], recipients)
    else:
        _by_next(turn, message, team, team.channels.index(channel) + 1 if channel in team.channels else 0)


def retry(turn: Turn, message: Message) -> None:
    """What is due of a message: another attempt, or an answer that never came."""
    turn.state.lines.tidy_message(message)
    if message.flying:  # whoever was to send it is gone
        message.flying = []
        _settle(turn, message)
        return
    take_out(turn, message)
    if message.id not in turn.state.messages:
        return
    team = turn.team(message.team)
    _hold_back(turn, message, team)
    if not message.alerts:
        del turn.state.messages[message.id]
        return
    crew = [member.id for member in turn.routes.on_call(team, turn.now)]
    channel = turn.routes.channels.get(message.channel)
    if channel is None or channel.id not in team.channels or (crew != message.crew and not message.reached):
        # Others are on call by now, or the routes are others.
        message.crew, message.lost = crew, []
        _by_next(turn, message, team, 0)
        return
    _attempt(turn, message, channel, message.pending)


def settle_result(turn: Turn, result: Result) -> None:
    """Take what came of one recipient."""
    message = turn.state.messages.get(result.message)
    if message is None or message.channel != result.channel or result.member not in message.pending:
        return  # an answer to what was settled before
    turn.state.lines.tidy_message(message)
    if result.outcome == "sent":
        message.pending.remove(result.member)
        if not message.reached:
            message.reached = True
            _told(turn, message)
    elif result.attempt != message.tries or result.member not in message.flying:
        return
    elif result.outcome == "rejected":
        message.pending.remove(result.member)
        if result.member:
            message.lost.append(result.member)
    else:
        message.retry_after = max(message.retry_after, result.retry_after)
    if result.member in message.flying:
        message.flying.remove(result.member)
        if not message.flying:
            _settle(turn, message)
    elif not message.pending and not message.flying:
        _settle(turn, message)


def in_flight(turn: Turn) -> list[Send]:
    """What was decided to be sent and has not been answered: to be sent again after a start."""
    sends = []
    for message in turn.state.messages.values():
        sends += [_send(turn, message, message.channel, member) for member in message.flying]
    return sends


def digest_due(turn: Turn, digest: Digest) -> int:
    """When a digest may be sent."""
    turn.state.lines.tidy_digest(digest)
    channel = turn.routes.channels.get(digest.channel)
    if not digest.alerts:
        return NEVER
    if channel is None:
        return turn.now
    free = free_at(turn.state.rates.get(channel.id, 0), channel.rate, 1)
    if digest.key not in turn.levels:
        turn.levels[digest.key] = {alert.level for alert in digest.alerts}
    is_urgent = any(turn.routes.is_urgent(level) for level in turn.levels[digest.key])
    after = digest.last + channel.rate.digest if digest.last >= 0 and not is_urgent else 0
    return max(free, after, turn.now)


def make_digest(turn: Turn, digest: Digest) -> None:
    """Send a digest, if its channel has room by now."""
    turn.state.lines.tidy_digest(digest)
    team, channel = turn.team(digest.team), turn.routes.channels.get(digest.channel)
    alerts = []
    for alert in digest.alerts:
        if held(turn, alert, team)[0] > turn.now:
            put(turn, alert, team)
        else:
            alerts.append(alert)
    digest.alerts = []
    digest.due = NEVER
    turn.levels.pop(digest.key, None)
    if not alerts:
        return
    if channel is None or channel.id not in team.channels:
        make(turn, team, "digest", alerts)
        return
    crew = [member.id for member in turn.routes.on_call(team, turn.now)]
    recipients = _recipients(turn, channel, crew)
    if not recipients or _allow(turn, channel, len(recipients)):
        digest.last = turn.now
        make(turn, team, "digest", alerts, channel.id)
        return
    digest.alerts = alerts
    digest.due = max(free_at(turn.state.rates.get(channel.id, 0), channel.rate, len(recipients)), turn.now)


def _by_next(turn: Turn, message: Message, team: Team, index: int) -> None:
    """Send a message by the first channel from ``index`` on that reaches somebody and has room."""
    for id_ in team.channels[index:]:
        channel = turn.routes.channels.get(id_)
        if channel is None:
            continue
        names = message.lost if message.reached or message.lost else message.crew
        recipients = _recipients(turn, channel, names)
        if not recipients:
            continue
        if not _allow(turn, channel, len(recipients)):
            if not message.reached:
                _to_digest(turn, message, channel)
            del turn.state.messages[message.id]
            return
        message.lost = [name for name in names if name not in recipients and recipients != [""]]
        message.tries = 0
        _attempt(turn, message, channel, recipients)
        return
    _give_up(turn, message, team)


def _recipients(turn: Turn, channel: Channel, names: list[str]) -> list[str]:
    """Who of some members can be reached by a channel; the channel itself is ""."""
    if not channel.is_personal:
        return [""]
    members = turn.routes.members
    return [name for name in names if name in members and channel.id in members[name].contacts]


def has_room(turn: Turn, team: Team) -> bool:
    """Whether the first channel of a team would take one more message."""
    channel = turn.routes.channels.get(team.channels[0])
    if channel is None:
        return True
    return take(turn.state.rates.get(channel.id, 0), channel.rate, 1, turn.now) is not None


def _allow(turn: Turn, channel: Channel, messages: int) -> bool:
    whole_at = take(turn.state.rates.get(channel.id, 0), channel.rate, messages, turn.now)
    if whole_at is None:
        return False
    turn.state.rates[channel.id] = whole_at
    return True


def _attempt(turn: Turn, message: Message, channel: Channel, recipients: list[str]) -> None:
    message.channel = channel.id
    message.pending = list(recipients)
    message.flying = list(recipients)
    message.tries += 1
    message.retry_after = 0
    message.due = UNANSWERED if turn.waits else turn.now + channel.timeout_seconds * SECOND + _GRACE
    turn.intents += [_send(turn, message, channel.id, member) for member in recipients]


def _send(turn: Turn, message: Message, channel: str, member: str) -> Send:
    team = turn.team(message.team)
    language = turn.routes.members[member].language if member in turn.routes.members else None
    return Send(
        key=f"{message.id}@{channel}",
        message=message.id,
        kind=message.kind,
        team=message.team,
        channel=channel,
        member=member,
        attempt=message.tries,
        text=text_of(message.alerts, message.kind, turn.routes, language or team.language),
        data=data_of(message.id, message.alerts, message.kind, team, turn.routes),
    )


def _settle(turn: Turn, message: Message) -> None:
    """An attempt is over: done, again, by the next channel, or given up."""
    take_out(turn, message)
    if message.id not in turn.state.messages:
        return
    team, channel = turn.team(message.team), turn.routes.channels.get(message.channel)
    # The desk's later rounds are one attempt by each channel.
    tries = 1 if message.rounds else channel.retry.tries if channel is not None else 0
    if message.pending and channel is not None and message.tries < tries:
        wait = max(backoff(channel.retry, f"{message.id}@{channel.id}", message.tries), message.retry_after)
        message.due = turn.now + wait
        return
    message.lost += [name for name in message.pending if name]
    message.pending = []
    if message.reached and not message.lost:
        del turn.state.messages[message.id]
        return
    after = team.channels.index(message.channel) + 1 if message.channel in team.channels else 0
    _by_next(turn, message, team, after)


def _told(turn: Turn, message: Message) -> None:
    """Somebody has got a message: its alerts are told, and told again unless acknowledged."""
    team = turn.team(message.team)
    for alert in message.alerts:
        turn.ended("sent", alert, message.team, channel=message.channel, kind=message.kind)
        # What nothing ends is told once.
        is_done = message.kind == "repeat" or alert.id in message.over or alert.kind in LASTING
        if not is_done and team.timing.repeats:
            group = group_for(turn, team, alert)
            told = Told(alert, turn.now + team.timing.repeat_interval, team.timing.repeats)
            group.told.append(told)
            if not turn.state.lines.was_told(group, told):
                turn.changed[group.key] = group


def _to_digest(turn: Turn, message: Message, channel: Channel) -> None:
    """A message is beyond a channel's rate: its alerts wait for the team's digest there."""
    if message.kind == "repeat":
        return  # it was told before; what still is not acknowledged is overdue, and escalates
    digest = Digest(message.team, channel.id)
    digest = turn.state.digests.setdefault(digest.key, digest)
    turn.state.lines.tidy_digest(digest)
    digest.alerts += message.alerts
    if digest.key in turn.levels:
        turn.levels[digest.key].update(alert.level for alert in message.alerts)
    for alert in message.alerts:
        turn.state.places.digests.setdefault(alert.case, set()).add(digest.key)
        turn.ended("digested", alert, message.team, channel=channel.id)
    digest.due = digest_due(turn, digest)


def _hold_back(turn: Turn, message: Message, team: Team) -> None:
    """What must wait by now leaves a message; it waits again unless somebody was told of it before."""
    was_told = message.reached or message.kind == "repeat"
    goes = []
    for alert in message.alerts:
        if held(turn, alert, team)[0] > turn.now:
            if not was_told:
                put(turn, alert, team)
        else:
            goes.append(alert)
    message.alerts = goes


def _give_up(turn: Turn, message: Message, team: Team) -> None:
    """No channel of a team is left for a message."""
    if message.reached or message.kind == "repeat":
        if not message.reached:
            for alert in message.alerts:
                turn.ended("gave-up", alert, team.id, channel=message.channel, kind=message.kind)
        del turn.state.messages[message.id]
        return
    for alert in message.alerts:
        turn.ended("gave-up", alert, team.id, channel=message.channel, kind=message.kind)
    after = turn.routes.next_of(team)
    if after is None:
        last = turn.routes.channels.get(message.channel) or next(iter(turn.routes.channels.values()))
        message.rounds += 1
        message.channel, message.pending, message.lost = "", [], []
        message.due = turn.now + backoff(last.retry, message.id, 40 + message.rounds)
        return
    for alert in message.alerts:
        turn.ended("passed-on", alert, team.id, by=after.id)
        put(turn, alert, after)
    del turn.state.messages[message.id]
