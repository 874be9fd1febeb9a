"""An accepted event, as every stage behind intake sees it."""

from __future__ import annotations

import msgspec

#: A value of a field: integers and booleans as such, money in fen, dates as ``YYYY-MM-DD``, text as text.
Value = int | bool | str


class Event(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One accepted event.

    Attributes:
        type: a type of the catalogue, or a built-in one.
        source: the CloudEvents source, ``<source_root>/<department>``.
        id: the CloudEvents id, 1 to 128 characters.
        subject: the id behind ``person/`` or ``household/``; which of the two follows from the type
            (for ``fact.retracted``: from ``about_person``).
        time: when it happened, in microseconds since 1970-01-01T00:00:00Z.
        received: when it was received, in microseconds since 1970-01-01T00:00:00Z.
        data: the fields that the catalogue names and that are present.
        supersedes: id of the event of the same source that this one corrects or retracts.
        about_person: whether the subject is a person.
    """

    type: str
    source: str
    id: str
    subject: str
    time: int
    received: int
    data: dict[str, Value]
    supersedes: str | None = None
    about_person: bool = True

    @property
    def key(self) -> tuple[int, str, str]:
        """(time, source, id): what orders events about one subject."""
        return (self.time, self.source, self.id)
