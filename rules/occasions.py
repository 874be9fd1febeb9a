"""Occasions: why a household is evaluated, as its warnings will say."""

from __future__ import annotations

from rules.warnings import Occasion, Reason
from streams.catalog import REGISTERED, RETRACTED
from streams.events import Event
from streams.records import About, Cause, Message
from streams.records import Fact as FactMessage


def reason_of(event: Event) -> Reason:
    """Why an event has a household evaluated."""
    if event.type == REGISTERED:
        return "registration"
    if event.type == RETRACTED:
        return "retraction"
    return "fact" if event.supersedes is None else "correction"


def occasion(event: Event, kind: str) -> Occasion:
    """The evaluation after an event; ``kind`` is ``person`` or ``household``."""
    cause = {"source": event.source, "id": event.id, "subject": f"{kind}/{event.subject}"}
    return Occasion(reason_of(event), cause, event.received)


def occasion_of(message: Message) -> Occasion:
    """The evaluation after any message to a household."""
    if isinstance(message, About):
        return occasion(message.event, "household")
    if isinstance(message, FactMessage):
        return occasion(message.event, "person")
    return membership(message.cause)


def membership(cause: Cause) -> Occasion:
    """The evaluation after a change of membership."""
    return Occasion(
        "membership", {"source": cause.source, "id": cause.id, "subject": cause.subject}, cause.received
    )
