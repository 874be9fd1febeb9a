"""What dispatch remembers of a district, and how it is written down.

msgpack arrays in an order that follows from the inputs alone, so that a replay gives the same bytes, behind
one byte, the number of the format. :mod:`rules.state_format` says how a program comes to another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Final, TypeVar

import msgspec

from casework.alerts.alert import Alert
from casework.alerts.instants import NEVER
from casework.alerts.intents import Fate, MessageKind
from casework.alerts.lines import Lines
from casework.alerts.silences import Silence
from rules.state_format import NewerFormatError, StateFormatError

FORMAT: Final = 1
"""The latest that this program knows, and the one that it writes."""

Thing = TypeVar("Thing")


class Waiting(msgspec.Struct, array_like=True):
    """An alert that nobody has been told of yet.

    Attributes:
        since: when it came to this team.
        until: not before: the end of quiet hours or of a silence.
        silence: the silence that holds it; empty: none.
    """

    alert: Alert
    since: int
    until: int
    silence: str = ""


class Told(msgspec.Struct, array_like=True):
    """An alert that was told and that nobody has acknowledged.

    Attributes:
        next: when it is told again.
        left: how often it still is.
    """

    alert: Alert
    next: int
    left: int


class Group(msgspec.Struct, array_like=True):
    """The alerts of one community for one team.

    Attributes:
        last: when a message of it was last made; negative: never.
        due: when there is something to do, or :data:`NEVER`.
    """

    team: str
    community: str
    waiting: list[Waiting] = []
    told: list[Told] = []
    last: int = -1
    due: int = NEVER

    @property
    def key(self) -> str:
        """Where it stands in :attr:`State.groups`."""
        return f"{self.team}/{self.community}"


class Digest(msgspec.Struct, array_like=True):
    """Alerts beyond a channel's rate, for one team.

    Attributes:
        last: when a digest of it was last made; negative: never.
    """

    team: str
    channel: str
    alerts: list[Alert] = []
    last: int = -1
    due: int = NEVER

    @property
    def key(self) -> str:
        """Where it stands in :attr:`State.digests`."""
        return f"{self.team}/{self.channel}"


class Message(msgspec.Struct, array_like=True):
    """A message on its way.

    Attributes:
        crew: the members on call when it was first tried.
        pending: recipients that have not got it by this channel and may yet; the channel itself is "".
        flying: those of them who are being sent to.
        lost: members that did not get it by this channel, for the next one.
        reached: somebody has got it.
        tries: attempts by this channel so far.
        rounds: how often all channels of the last team failed.
        due: the next attempt; while it flies, when it is given up for lost.
        retry_after: how long the other side asked to wait.
        over: ids of alerts that were replaced or resolved while they flew, to (how, by what): they are told
            once, if at all.
    """

    id: str
    team: str
    kind: MessageKind
    alerts: list[Alert]
    channel: str = ""
    crew: list[str] = []
    pending: list[str] = []
    flying: list[str] = []
    lost: list[str] = []
    reached: bool = False
    tries: int = 0
    rounds: int = 0
    due: int = NEVER
    retry_after: int = 0
    over: dict[str, tuple[Fate, str]] = {}


class Places:
    """Where something of a case may be, so that not all that waits is looked through for it.

    Follows from a state and is not written down. What has left a place may still stand here.

    Attributes:
        groups, digests, messages: of each case the keys in the state's field of that name.
    """

    def __init__(self, state: State) -> None:
        self.groups: dict[str, set[str]] = {}
        self.digests: dict[str, set[str]] = {}
        self.messages: dict[str, set[str]] = {}
        for key, group in state.groups.items():
            for waits in group.waiting:
                self.groups.setdefault(waits.alert.case, set()).add(key)
            for told in group.told:
                self.groups.setdefault(told.alert.case, set()).add(key)
        for key, digest in state.digests.items():
            for alert in digest.alerts:
                self.digests.setdefault(alert.case, set()).add(key)
        for key, message in state.messages.items():
            for alert in message.alerts:
                self.messages.setdefault(alert.case, set()).add(key)

    @staticmethod
    def of(case: str, index: Mapping[str, set[str]], things: Mapping[str, Thing]) -> list[Thing]:
        """What of ``things`` may hold something of a case, in their own order."""
        keys = index.get(case, set()) & things.keys()
        if len(keys) < 2:
            return [things[key] for key in keys]
        return [thing for key, thing in things.items() if key in keys]


class State(msgspec.Struct, array_like=True, dict=True):
    """All that dispatch remembers of one key.

    Attributes:
        now: the latest instant that it has decided at.
        made: number of messages so far.
        groups: by ``<team>/<community>``; digests: by ``<team>/<channel>``; messages: by id.
        rates: channel id to when its allowance is whole again (:mod:`casework.alerts.rate`).
        seen: ids of alerts that came, to when, the oldest first.
        cases: cases of which anything may be here, to when something came of them, the oldest first.
        swept: when what makes no difference any more was dropped last.
    """

    now: int = 0
    made: int = 0
    groups: dict[str, Group] = {}
    digests: dict[str, Digest] = {}
    messages: dict[str, Message] = {}
    rates: dict[str, int] = {}
    silences: list[Silence] = []
    seen: dict[str, int] = {}
    cases: dict[str, int] = {}
    swept: int = 0

    def dues(self) -> Iterator[int]:
        """All instants at which there is something to do; before :meth:`settle` perhaps too early."""
        for group in self.groups.values():
            yield group.due
        for digest in self.digests.values():
            yield digest.due
        for message in self.messages.values():
            yield message.due

    @property
    def is_flying(self) -> bool:
        """Whether a message has been sent to somebody, and it is not known what came of it."""
        return any(message.flying for message in self.messages.values())

    @cached_property
    def places(self) -> Places:
        """Where cases may be; whoever puts an alert somewhere notes it there."""
        return Places(self)

    @cached_property
    def lines(self) -> Lines:
        """What a row of decisions shares."""
        return Lines()

    def settle(self) -> None:
        """Do what a row of decisions left for its end (``is_more`` of ``decide``)."""
        if "lines" in self.__dict__:
            self.lines.settle()

    def held_cases(self) -> set[str]:
        """The cases of which anything is here."""
        found: set[str] = set()
        for group in self.groups.values():
            found.update(one.alert.case for one in group.waiting)
            found.update(one.alert.case for one in group.told)
        for digest in self.digests.values():
            found.update(one.case for one in digest.alerts)
        for message in self.messages.values():
            found.update(one.case for one in message.alerts)
        return found


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(State).decode


def next_due(state: State) -> int:
    """When dispatch has to be woken, if nothing else comes; :data:`NEVER` where nothing waits."""
    state.settle()
    return min(state.dues(), default=NEVER)


def encode(state: State) -> bytes:
    """A state as bytes; the same for the same inputs."""
    state.settle()
    return bytes((FORMAT,)) + _pack(state)


def decode(raw: bytes) -> State:
    """A state from its bytes.

    Raises:
        NewerFormatError: a newer program wrote them.
        StateFormatError: they are damaged.
    """
    if FORMAT < (raw[0] if raw else 0) < 0x80:
        raise NewerFormatError(
            f"the state of a district's alerts has format {raw[0]}, and this program knows {FORMAT}:"
            " a newer program wrote it; run that one"
        )
    try:
        if raw[:1] == bytes((FORMAT,)):
            return _unpack(raw[1:])
    except msgspec.DecodeError:
        pass
    raise StateFormatError("the state of a district's alerts cannot be read: it is damaged")
