"""The topic ``audit``: who read or changed what, chained so that a rewrite shows.

Every process that writes is a writer with a name of its own. It numbers its records from 1, and each holds
the SHA-256 of the one before; its first, ``opened``, that of the record at the end of the topic, if there is
one. The header ``sha256`` is the record's own. The topic has one partition, from which nothing is ever
deleted, so its offsets have no gaps. Together: a record that was changed, taken out or put in is found by
:class:`Check`.

Who can rewrite the broker's disk can also reckon all hashes anew; so the head (:attr:`Check.head`) is worth
noting elsewhere now and then: a rewritten log has another one at that place.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

AUDIT: Final = "audit"
DIGEST_HEADER: Final = "sha256"
#: Far above the largest record: the ids of a whole page of cases.
MAX_AUDIT_BYTES: Final = 1_048_576

Kind = Literal["opened", "read", "change"]


class Who(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who did it.

    Attributes:
        id: the person's or program's id.
        role: as the interface knows it.
        token: the id of the token that was shown, never the token; "" on a command line.
        communities: whose cases they may see; none of those who see no household, and on a command line.
    """

    id: str
    role: str
    token: str = ""
    communities: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What happened.

    Attributes:
        kind: ``opened`` is the writer's own, and first.
        what: what was read or changed, by one word: ``case``, ``cases``, ``household``, ...
        result: ``ok``, ``not-found``, ``forbidden``, ..; of a command first ``sent``, then what came of it.
        who: None of ``opened``.
        by: how: the route or the command.
        request: id of the request; the command's id, of a command.
        why: the purpose that was given, if any.
        case, households: of whom; the ids in the order in which they were shown.
        rows: how many cases, warnings or events were shown.
        query: the filters of a list.
    """

    kind: Kind
    what: str
    result: str
    who: Who | None = None
    by: str = ""
    request: str = ""
    why: str = ""
    case: str | None = None
    households: tuple[str, ...] = ()
    rows: int = 0
    query: dict[str, str] = {}


class Anchor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A record that stood at the end of the topic when a writer began."""

    offset: int
    sha256: str


class AuditRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One record of the topic.

    Attributes:
        number: from 1 for each writer.
        previous: SHA-256 of the writer's record before, in hex; "" of its first.
        anchor: of its first, unless the topic was empty.
        time: UTC, by the writer's clock (RFC 3339); the record's own timestamp is the broker's.
    """

    writer: str
    number: int
    previous: str
    time: str
    entry: Entry
    anchor: Anchor | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AuditRecord).decode


def digest(raw: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(raw).hexdigest()


def decode_audit(raw: bytes | None) -> AuditRecord | None:
    """A record's value; None for what is none."""
    try:
        return _decode(raw or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


class Chain:
    """One writer's records, in the order in which they go out.

    Args:
        writer: a name that nobody else has or had.
        anchor: the record at the end of the topic, or None of an empty one.
    """

    def __init__(self, writer: str, anchor: Anchor | None) -> None:
        self.writer = writer
        self._anchor = anchor
        self._number = 0
        self._previous = ""

    def encode(self, entry: Entry, time: str) -> tuple[bytes, list[tuple[str, bytes | None]]]:
        """The next record: its value and headers."""
        self._number += 1
        anchor = self._anchor if self._number == 1 else None
        raw = _encode(AuditRecord(self.writer, self._number, self._previous, time, entry, anchor))
        self._previous = digest(raw)
        return raw, [(DIGEST_HEADER, self._previous.encode())]


class Fault(msgspec.Struct, frozen=True):
    """Something that the topic cannot hold if nobody has touched it."""

    offset: int
    message: str


class Check:
    """Follows the topic from its first record and finds what does not fit.

    Attributes:
        faults: in the order of the topic.
        records: how many were seen.
        writers: writer -> number of its last record.
        head: the last record: its offset and SHA-256.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.records = 0
        self.writers: dict[str, int] = {}
        self.head: Anchor | None = None
        self._last: dict[str, str] = {}
        self._seen: set[tuple[str, int, bytes]] = set()
        self._by_offset: list[bytes] = []

    def take(self, offset: int, raw: bytes | None, headers: Mapping[str, bytes]) -> AuditRecord | None:
        """Take the next record; give it decoded, or None if it is none."""
        raw = raw or b""
        expected = len(self._by_offset)
        if offset != expected:
            gone = f"record {expected}" if offset == expected + 1 else f"records {expected} to {offset - 1}"
            self._fault(offset, f"{gone} before it is missing")
            self._by_offset += [b""] * (offset - expected)
        own = hashlib.sha256(raw).digest()
        self._by_offset.append(own)
        self.records += 1
        self.head = Anchor(offset, own.hex())
        if headers.get(DIGEST_HEADER) != own.hex().encode():
            self._fault(offset, "its bytes are not those that its header tells the SHA-256 of")
        record = decode_audit(raw)
        if record is None:
            self._fault(offset, "it is no audit record")
            return None
        self._chained(offset, record, own)
        return record

    def _chained(self, offset: int, record: AuditRecord, own: bytes) -> None:
        name, number = record.writer, record.number
        if (name, number, own) in self._seen:
            return  # the broker's answer was lost, and the same bytes were sent again
        self._seen.add((name, number, own))
        last = self.writers.get(name, 0)
        if number != last + 1:
            self._fault(offset, f"it is number {number} of {name}, expected number {last + 1}")
        elif record.previous != self._last.get(name, ""):
            self._fault(offset, f"it follows another number {last} of {name} than stands there")
        elif number == 1 and not self._is_anchored(offset, record.anchor):
            self._fault(offset, f"it begins {name} after a record that does not stand there")
        self.writers[name] = number
        self._last[name] = own.hex()

    def _is_anchored(self, offset: int, anchor: Anchor | None) -> bool:
        if anchor is None:
            return True  # two that begin on an empty topic at once: one of them is second
        return 0 <= anchor.offset < offset and self._by_offset[anchor.offset].hex() == anchor.sha256

    def stands(self, head: Anchor) -> bool:
        """Whether a head that was noted earlier still stands where it stood."""
        return 0 <= head.offset < len(self._by_offset) and self._by_offset[head.offset].hex() == head.sha256

    def _fault(self, offset: int, message: str) -> None:
        self.faults.append(Fault(offset, message))


def as_plain(record: AuditRecord) -> dict[str, Any]:
    """A record as plain values."""
    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain
