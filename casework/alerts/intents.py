"""What dispatch decides on, and what it decides: inputs and intents.

An intent to send is written down in the commit before it is carried out, and what came of it is an input
again. Instants are microseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from casework.alerts.alert import Alert, Resolve
from casework.alerts.silences import Silence

MessageKind = Literal["alerts", "digest", "repeat"]
Fate = Literal[
    "sent", "replaced", "resolved", "silenced", "digested", "passed-on", "gave-up", "duplicate"
]  # fmt: skip
FATES: Final[tuple[Fate, ...]] = (
    "sent", "replaced", "resolved", "silenced", "digested", "passed-on", "gave-up", "duplicate",
)  # fmt: skip


class Result(msgspec.Struct, frozen=True, array_like=True):
    """What came of sending a message to one recipient.

    Attributes:
        message, channel, member, attempt: as in the :class:`Send`.
        outcome: ``sent``; ``failed``, where trying again may help; ``rejected``, where it does not.
        reason: a code such as ``timeout`` or ``http-503``, for metrics and logs; never their own words.
        retry_after: the other side asks to wait so long, in microseconds.
    """

    message: str
    channel: str
    member: str
    attempt: int
    outcome: Literal["sent", "failed", "rejected"]
    reason: str = ""
    retry_after: int = 0


class Silenced(msgspec.Struct, frozen=True, array_like=True):
    """A silence was made, or ended early (its ``ends`` is then the end that holds)."""

    silence: Silence


class Wake(msgspec.Struct, frozen=True, array_like=True):
    """Nothing but time went by."""


Input = Alert | Resolve | Result | Silenced | Wake


@dataclass(frozen=True, slots=True)
class Text:
    """A message in one language: plain text."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Send:
    """Send this to one recipient.

    Attributes:
        key: the idempotency key; the same for each attempt by the same channel.
        member: its contact by the channel; empty where the channel itself is the recipient.
        data: the message for programs: codes, counts and instants only.
    """

    key: str
    message: str
    kind: MessageKind
    team: str
    channel: str
    member: str
    attempt: int
    text: Text
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an alert, for the record and the metrics.

    Attributes:
        team: whose desk it was on; empty of a duplicate.
        channel: by which it was sent, or digested for.
        by: the alert that replaced it, the silence that holds it, or the team that it was passed on to.
    """

    fate: Fate
    alert: str
    case: str
    at: int
    team: str = ""
    channel: str = ""
    by: str = ""
    kind: MessageKind = "alerts"
    household: str = ""
    level: str = ""


Intent = Send | Outcome
