"""The catalogue: who may send what.

A :class:`Catalog` is what the YAML file of docs/reference/catalog.md says, checked and frozen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal

Kind = Literal["integer", "money", "boolean", "date", "text", "choice"]
SubjectKind = Literal["person", "household"]

#: Types that every catalogue has (see docs/reference/events.md).
REGISTERED = "registry.household.registered"
JOINED = "registry.member.joined"
LEFT = "registry.member.left"
RETRACTED = "fact.retracted"
BUILT_IN = (REGISTERED, JOINED, LEFT, RETRACTED)

#: The ``<id>`` of a subject ``person/<id>`` or ``household/<id>``: a pseudonym.
SUBJECT_ID: Final = "[A-Za-z0-9._-]{1,64}"


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

    def senders(self, type_name: str) -> tuple[str, ...]:
        """The departments that may send a type, built-in types included.

        Raises:
            KeyError: there is no such type.
        """
        if type_name == RETRACTED:  # every department, about its own facts
            return tuple(self.departments)
        if type_name in BUILT_IN_TYPES:
            return self.registry
        return self.events[type_name].departments


def _built_in(type_name: str, subject: SubjectKind, en: str, zh: str, *fields: Field) -> EventType:
    return EventType(type_name, (), subject, {"en": en, "zh": zh}, {field.name: field for field in fields})


#: The fields of the built-in types. Who sends them says the catalogue: :meth:`Catalog.senders`. The subject
#: of ``fact.retracted`` is that of the fact, a person or a household.
BUILT_IN_TYPES: Final[dict[str, EventType]] = {
    type_.type: type_
    for type_ in (
        _built_in(
            REGISTERED,
            "household",
            "Household registered",
            "家庭登记",
            Field("community", "text", required=True, pattern="[0-9]{12}"),
            Field("address_ref", "text"),
        ),
        _built_in(
            JOINED,
            "person",
            "Joined a household",
            "加入家庭",
            Field("household", "text", required=True, max_length=64, pattern=SUBJECT_ID),
            Field(
                "role",
                "choice",
                required=True,
                of=("head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other"),
            ),
            Field("birth", "date"),
            Field("sex", "choice", of=("female", "male")),
        ),
        _built_in(
            LEFT,
            "person",
            "Left the household",
            "离开家庭",
            Field("reason", "choice", required=True, of=("moved", "died", "other")),
        ),
        _built_in(RETRACTED, "person", "Fact retracted", "事实撤回", Field("reason", "text", required=True)),
    )
}
