"""What dispatch is told: alerts, and that a case needs none any more.

An alert carries codes only: a level, a community, dimensions, a task, an instant. Whatever else a record
holds is not read, so it cannot get into a message.
"""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

from streams.errors import InputError

Kind = Literal["raised", "upgraded", "moved", "moved-in", "moved-out", "escalated", "supervisor", "reopened"]
Tier = Literal["community", "street", "district"]
Task = Literal["acknowledge", "visit", "assess", "help", "papers", "supervise"]

KINDS: Final[tuple[Kind, ...]] = (
    "raised", "upgraded", "moved", "moved-in", "moved-out", "escalated", "supervisor", "reopened",
)  # fmt: skip
TIERS: Final[tuple[Tier, ...]] = ("community", "street", "district")
"""From the nearest to the household upwards."""
TASKS: Final[tuple[Task, ...]] = ("acknowledge", "visit", "assess", "help", "papers", "supervise")

LASTING: Final[tuple[Kind, ...]] = ("moved", "moved-out", "supervisor")
"""Kinds that are told once, whatever becomes of their case meanwhile."""

COMMUNITY: Final = re.compile(r"[0-9]{12}")
PREFIX: Final = re.compile(r"[0-9]{6}|[0-9]{9}|[0-9]{12}")
"""The code of a district, a street or a community."""
DISTRICT_DIGITS: Final = 6
NO_DISTRICT: Final = "district"
"""The key of alerts about households that are in no community."""


class Alert(msgspec.Struct, frozen=True, array_like=True):
    """One thing that somebody has to be told.

    Attributes:
        id: the idempotency key: that of the case event that it comes from.
        community: 12 digits, or None of a household that nobody has registered yet.
        previous_community: of a household that moved: where it was.
        tier: whose desk it is for; ``community`` but for escalations.
        level: a level id of the policy.
        dimensions: the policy's dimension ids that the warning rests on, most points first.
        task: what is to be done.
        do_by: until when, in microseconds since 1970; None where nothing is due.
    """

    id: str
    case: str
    household: str
    kind: Kind
    level: str
    community: str | None = None
    previous_community: str | None = None
    tier: Tier = "community"
    dimensions: tuple[str, ...] = ()
    task: Task = "acknowledge"
    do_by: int | None = None

    @property
    def district(self) -> str:
        """The key under which it is decided: the first six digits of the community."""
        return district_of(self.community)


class Resolve(msgspec.Struct, frozen=True, array_like=True):
    """Something that a case asked for was done: what asks for it and waits, or would be repeated, stops.

    Attributes:
        answers: the tasks that were done; None: everything that the case asked for, as of a closed one.
    """

    case: str
    answers: tuple[Task, ...] | None = None

    def ends(self, alert: Alert) -> bool:
        """Whether nobody need be told of an alert of the case any more.

        That a household has gone, or has to be looked at by a supervisor, is answered by nothing that others
        do. What is late waits for its own task.
        """
        if alert.kind in LASTING:
            return False
        if self.answers is None or alert.task in self.answers:
            return True
        return alert.kind != "escalated" and "acknowledge" in self.answers


def district_of(community: str | None) -> str:
    """The key of the district's alerts: six digits, or ``district`` for no community."""
    return community[:DISTRICT_DIGITS] if community is not None else NO_DISTRICT


class _Read(msgspec.Struct, frozen=True):
    """What is read of a record of the topic ``alerts``; any other field is passed over."""

    kind: str
    case: str
    id: str = ""
    household: str = ""
    level: str = ""
    community: str | None = None
    previous_community: str | None = None
    tier: Tier = "community"
    dimensions: tuple[str, ...] = ()
    task: Task = "acknowledge"
    do_by: int | None = None
    answers: tuple[Task, ...] | None = None


_decode = msgspec.json.Decoder(_Read).decode


def decode_alert(raw: bytes) -> Alert | Resolve:
    """A record of the topic ``alerts``.

    Raises:
        InputError: it is none; the text holds no value of the record.
    """
    try:
        read = _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InputError(
            "an alert must be a JSON object with the fields of docs/reference/alerts.md"
        ) from None
    if not read.case:
        raise InputError("an alert must name its case")
    if read.kind == "resolve":
        return Resolve(read.case, read.answers)
    if read.kind not in KINDS:
        raise InputError(f"an alert's kind must be resolve or one of {', '.join(KINDS)}")
    if not read.id or not read.household or not read.level:
        raise InputError("an alert must have an id, a household and a level")
    for community in (read.community, read.previous_community):
        if community is not None and not COMMUNITY.fullmatch(community):
            raise InputError("an alert's community must have 12 digits")
    return Alert(
        read.id, read.case, read.household, read.kind, read.level, read.community, read.previous_community,
        read.tier, read.dimensions, read.task, read.do_by,
    )  # fmt: skip
