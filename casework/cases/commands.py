"""What ``case.commands`` holds: warnings passed on, commands of staff, and ticks; read without ever raising.

A record is a JSON object in UTF-8 with a ``kind``; the key is the household. What cannot be read becomes
:class:`Unreadable`, which the step answers with a refusal: nothing of the log is passed over in silence.
"""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Any, Final, Literal, cast

import msgspec

from casework.cases.case import CloseCode, Outcome

Role = Literal["community", "street", "district", "policy", "auditor"]

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
Word = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=2000)]
Yuan = Annotated[int, msgspec.Meta(ge=0, le=10_000_000)]
Code = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6}([0-9]{3}([0-9]{3})?)?$")]
"""A community (12 digits), a street (9) or a district (6)."""
Community = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{12}$")]
Instant = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999_999)]

MAX_BYTES: Final = 262_144
"""The largest record that is read."""


class Actor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who sends a command; the interface has made sure of it.

    Attributes:
        communities: codes whose households they may see; a shorter code stands for all under it.
    """

    id: Id
    role: Role
    communities: Annotated[tuple[Code, ...], msgspec.Meta(max_length=200)] = ()


class Command(msgspec.Struct, frozen=True, tag_field="kind", tag="command", forbid_unknown_fields=True):
    """One command.

    Attributes:
        id: chosen by the sender; sent again, it is answered again and not carried out again.
        case: the case that the sender saw.
        seen_version: its version then.
        time: when it was sent, by the sender's clock; only told on.
        data: by :data:`DATA`.
    """

    id: Id
    household: Id
    case: Id
    command: str
    seen_version: Annotated[int, msgspec.Meta(ge=0)]
    actor: Actor
    time: str = ""
    data: dict[str, Any] = {}

    @property
    def digest(self) -> str:
        """16 hex digits of all but the time: another command under the same id is told apart."""
        told = (self.household, self.case, self.command, self.seen_version, self.actor, self.data)
        return hashlib.sha256(_ordered(told)).hexdigest()[:16]


class WarningData(msgspec.Struct, frozen=True):
    """What a case needs of a warning's ``data`` (docs/reference/warnings.md); the rest is not read."""

    household: Id
    level: Word | None = None
    previous_level: Word | None = None
    score: int = 0
    community: Community | None = None
    because: list[dict[str, Any]] = []
    cause: dict[str, Any] = {}
    reason: str = ""


class WarningBody(msgspec.Struct, frozen=True):
    """The CloudEvent of a warning, as it stands on the topic."""

    id: Id
    type: str
    data: WarningData

    @property
    def number(self) -> int:
        """n of ``<household>-<n>``; 0 where the id is none of a warning."""
        head, _, number = self.id.rpartition("-")
        is_number = number.isascii() and number.isdecimal() and len(number) <= 18
        return int(number) if head == self.data.household and is_number else 0


class WarningPassed(msgspec.Struct, frozen=True, tag_field="kind", tag="warning"):
    """A warning, passed on as it is."""

    body: WarningBody


class Tick(msgspec.Struct, frozen=True, tag_field="kind", tag="tick", forbid_unknown_fields=True):
    """Time has passed: up to this instant."""

    instant: Instant


class Unreadable(msgspec.Struct, frozen=True):
    """A record that is none: refused under an id made of its bytes, without what stands in it."""

    id: str
    why: str


Record = Command | WarningPassed | Tick | Unreadable


# -- the data of each command ------------------------------------------------------------------------
class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No data but a note."""

    note: Text | None = None


class Assign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To whom the case is given."""

    to: Id
    note: Text | None = None


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fact seen at a visit, in the words of the catalogue of events: it goes back as an event."""

    type: Annotated[str, msgspec.Meta(max_length=128)]
    subject: Annotated[str, msgspec.Meta(max_length=80)]
    data: dict[str, Any] = {}


class MakeVisit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A visit: what came of it, and what was seen."""

    outcome: Outcome
    findings: Annotated[tuple[Finding, ...], msgspec.Meta(max_length=20)] = ()
    note: Text | None = None


class Assess(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How hard it is, and why: a difficulty of the book, causes of the catalogue of assistance."""

    level: Word
    causes: Annotated[tuple[Word, ...], msgspec.Meta(max_length=20)] = ()
    note: Text | None = None


class OfMeasure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A measure to propose or approve."""

    measure: Word
    amount_yuan: Yuan | None = None
    note: Text | None = None


class Deliver(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Help that has reached the household.

    Attributes:
        person: to whom, where the measure is for one person.
        under_commitment: at once, without approval, because the household committed itself.
    """

    measure: Word
    amount_yuan: Yuan | None = None
    person: Id | None = None
    under_commitment: bool = False
    note: Text | None = None


class Refer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """To which department or organisation the household is sent, for what."""

    to: Word
    measure: Word | None = None
    note: Text | None = None


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A remark."""

    text: Text


class Commit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A step of notification and commitment.

    Attributes:
        papers: what is to be brought; named when it is offered or signed.
        allows_checks: the applicant allows the departments to be asked; nothing is signed without.
        reason: why it is broken or waived.
    """

    step: Literal["offer", "sign", "fulfil", "break", "waive"]
    papers: Annotated[tuple[Text, ...], msgspec.Meta(max_length=20)] = ()
    allows_checks: bool = False
    reason: Text | None = None


class Close(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a case is closed.

    Attributes:
        source: the department whose data were wrong; with ``data-wrong`` only.
        duplicate_of: the other case; with ``duplicate`` only.
    """

    code: CloseCode
    source: Word | None = None
    duplicate_of: Id | None = None
    note: Text | None = None


class Reopen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a closed case goes on."""

    reason: Text


DATA: Final[dict[str, type[msgspec.Struct]]] = {
    "acknowledge": Nothing,
    "assign": Assign,
    "visit": MakeVisit,
    "assess": Assess,
    "propose": OfMeasure,
    "approve": OfMeasure,
    "deliver": Deliver,
    "refer": Refer,
    "commit": Commit,
    "comment": Comment,
    "close": Close,
    "reopen": Reopen,
}
"""Command -> its data."""

_QUOTED: Final = re.compile(r"Invalid (?:enum )?value '.*'", re.DOTALL)
_WHERE: Final = re.compile(r" - at `\$(\.(findings|actor|data|body)|\[[0-9]+\])+`$")
_ordered = msgspec.json.Encoder(order="deterministic").encode
_read = msgspec.json.Decoder(Command | WarningPassed | Tick).decode
_write = msgspec.json.Encoder().encode


def decode_record(raw: bytes | None) -> Record:
    """A record's value; :class:`Unreadable` where it is none."""
    raw = raw or b""
    name = f"record-{hashlib.sha256(raw).hexdigest()[:24]}"
    if len(raw) > MAX_BYTES:
        return Unreadable(name, f"expected at most {MAX_BYTES} bytes, not {len(raw)}")
    try:
        return cast(Record, _read(raw))
    except (msgspec.DecodeError, RecursionError) as error:  # ValidationError is one; its text holds no value
        return Unreadable(name, _without_values(error))
    except UnicodeDecodeError:
        return Unreadable(name, "expected JSON in UTF-8")


def encode_record(record: Command | WarningPassed | Tick) -> bytes:
    """A record's value, as :func:`decode_record` reads it."""
    return _write(record)


def read_data(command: Command) -> msgspec.Struct | str:
    """The data of a command, or what is wrong with it."""
    kind = DATA.get(command.command)
    if kind is None:
        return f"there is no such command; one of: {', '.join(DATA)}"
    try:
        return msgspec.convert(command.data, kind, strict=True)
    except msgspec.ValidationError as error:
        known = ", ".join(field.name for field in msgspec.structs.fields(kind))
        return _without_values(error, f"; it takes: {known}")


def _without_values(error: Exception, known: str = "") -> str:
    """An error's text without what was sent: msgspec quotes a choice that is none, and a field's name.

    Args:
        known: what there would be, for a field that is not known.
    """
    text = str(error)
    if "contains unknown field" in text:  # nothing of its name: it may be anybody's
        where = _WHERE.search(text)
        return "expected no other fields, and found a field that is not known" + (
            where[0] if where else known
        )
    return _QUOTED.sub("a value that is none of the choices", text)[:300]
