"""What an event calls itself, read without judging it.

For events that the program failed on: whatever was wrong in the reading of them is not asked here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streams.envelope import Headers, binary_attributes
from streams.timestamps import parse_timestamp

_KINDS: Final = ("person", "household")


@dataclass(frozen=True, slots=True)
class Named:
    """An event by its names.

    Attributes:
        kind: ``person`` or ``household``; ``subject`` is the id behind it.
        time: in microseconds since 1970.
        household: where a membership event says that the person belongs; None where it names none.
    """

    type: str
    source: str
    id: str
    kind: str
    subject: str
    time: int
    household: str | None

    @property
    def key(self) -> tuple[int, str, str]:
        """What orders registry events about one subject."""
        return self.time, self.source, self.id

    @property
    def about_household(self) -> str | None:
        """The household that the event is about; None where it is about a person."""
        return self.subject if self.kind == "household" else None


def named(value: bytes | None, headers: Headers) -> Named | None:
    """The names in a record of a department, in either content mode; None where it does not say them all."""
    attributes: Mapping[str, object] | None = binary_attributes(headers)
    try:
        body = json.loads(value or b"")
    except (ValueError, RecursionError):
        return None
    if attributes is None:
        if not isinstance(body, dict):
            return None
        attributes, data = body, body.get("data")
    else:
        data = body
    texts = [attributes.get(name) for name in ("type", "source", "id", "subject", "time")]
    if not all(map(_is_text, texts)):
        return None
    type_, source, id_, subject, time = map(str, texts)
    kind, _, id_of_subject = subject.partition("/")
    instant = parse_timestamp(time)
    if kind not in _KINDS or not id_of_subject or instant is None:
        return None
    household = data.get("household") if isinstance(data, dict) else None
    where = str(household) if _is_text(household) else None
    return Named(type_, source, id_, kind, id_of_subject, instant, where)


def _is_text(value: object) -> bool:
    """Whether it is text that UTF-8 has: JSON can escape half of a pair of surrogates."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
