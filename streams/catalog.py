"""The catalogue: who may send what.

A :class:`Catalog` is what the YAML file of docs/reference/catalog.md says, checked and frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

Kind = Literal["integer", "money", "boolean", "date", "text", "choice"]
SubjectKind = Literal["person", "household"]

#: Types that every catalogue has (see docs/reference/events.md).
REGISTERED = "registry.household.registered"
JOINED = "registry.member.joined"
LEFT = "registry.member.left"
RETRACTED = "fact.retracted"
BUILT_IN = (REGISTERED, JOINED, LEFT, RETRACTED)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of ``data``.

    Attributes:
        least, greatest: bounds in the stored unit (money: fen, otherwise as written), inclusive.
        max_length: of a text, in code points.
        pattern: of a text, for ``re.fullmatch`` with ``re.ASCII``.
        of: the values of a choice.
    """

    name: str
    kind: Kind
    required: bool = False
    least: Fraction | None = None
    greatest: Fraction | None = None
    max_length: int = 200
    pattern: str | None = None
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventType:
    """One event type: its senders, its subject and its fields."""

    type: str
    departments: tuple[str, ...]
    subject: SubjectKind
    title: dict[str, str] = field(default_factory=dict)
    """Language (``en``, ``zh``) to title."""
    data: dict[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Department:
    """One sender; its topic is ``life.<id>``, its source ``<source_root>/<id>``."""

    id: str
    title: dict[str, str] = field(default_factory=dict)
    silent_after_days: int | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """A whole catalogue.

    Attributes:
        id: the value of the key ``catalog``.
        registry: ids of the departments that may send the registry types.
        keep_days: an event of a catalogue type has effect while today - its day < keep_days.
        digest: SHA-256 of the file, in hex.
    """

    id: str
    version: int
    source_root: str
    departments: dict[str, Department]
    registry: tuple[str, ...]
    keep_days: int
    events: dict[str, EventType]
    digest: str = ""

    def source_of(self, department: str) -> str:
        """The CloudEvents ``source`` of a department."""
        return f"{self.source_root}/{department}"
