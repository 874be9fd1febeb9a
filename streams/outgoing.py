"""From a line of a file to a record for Kafka: topic, key, value, headers and timestamp.

Nothing is judged here that the broker can take: a bad event goes out as it stands, and the pipeline
dead-letters it with its reason. Only a line that names no topic, or that is too large for it, stays behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from streams.timestamps import parse_fast
from streams.topics import LIFE, Clock

Mode = Literal["structured", "binary"]

STRUCTURED: Final = [("content-type", b"application/cloudevents+json")]
#: Kafka's overhead of a batch of one record: 61 bytes of header, and at most 21 of varints.
_BATCH_OVERHEAD: Final = 82
_DEPARTMENT: Final = re.compile(r"[a-z][a-z0-9-]*")
_ATTRIBUTE: Final = re.compile(r"[a-z0-9]{1,64}")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record that is ready to be sent.

    Attributes:
        key: the subject, so that the events of one subject stay in order; None where there is none.
        timestamp_ms: milliseconds since 1970, or None to leave it to the broker.
    """

    topic: str
    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int | None

    @property
    def size(self) -> int:
        """The largest size, in bytes, that a batch of this record alone can have."""
        headers = sum(len(name.encode()) + len(value) + 10 for name, value in self.headers)
        return _BATCH_OVERHEAD + len(self.key or b"") + len(self.value) + headers


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that cannot go to Kafka.

    Attributes:
        reason: `not-json`, `not-cloudevent`, `no-topic` or `too-large`.
        message: one sentence.
    """

    reason: str
    message: str


class _Head(msgspec.Struct, gc=False):
    """The attributes that address an event."""

    source: str | None = None
    subject: str | None = None
    time: str | None = None
    recordedtime: str | None = None


_head = msgspec.json.Decoder(_Head).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_text = msgspec.json.Decoder(str).decode


class Addresser:
    """Turns lines into records.

    Args:
        limits: topics that exist, with the bytes that a record batch may have there.
        mode: `binary` puts the attributes into headers where that changes nothing about the event; a line
            that it would change (an `id` that is a number, say) goes out in structured mode.
        clock: in `log` the record's timestamp is `recordedtime`, or `time`.
        topic: send every line there, whatever its source says.
    """

    def __init__(
        self,
        limits: Mapping[str, int],
        *,
        mode: Mode = "structured",
        clock: Clock = "wall",
        topic: str | None = None,
    ) -> None:
        self._limits = limits
        self._binary = mode == "binary"
        self._clock = clock
        self._topic = topic
        # A line without a time of its own must not move the log's clock before it is dead-lettered.
        self._last_ms = 0

    def address(self, line: bytes) -> Outgoing | Refused:
        """The record of one line (without its line end), or why there is none."""
        head = _head_of(line)
        if isinstance(head, Refused):
            if self._topic is None:
                return head
            head = _Head()
        topic = self._topic_of(head)
        if isinstance(topic, Refused):
            return topic
        value, headers = line, STRUCTURED
        if self._binary:
            value, headers = binary(line) or (line, STRUCTURED)
        outgoing = Outgoing(
            topic, head.subject.encode() if head.subject else None, value, headers, self._timestamp(head)
        )
        most = self._limits[topic]
        if outgoing.size > most:
            return Refused(
                "too-large", f"the record has {outgoing.size:,} bytes; {topic} takes at most {most:,}"
            )
        return outgoing

    def _topic_of(self, head: _Head) -> str | Refused:
        if self._topic is not None:
            return self._topic
        if not head.source:
            return Refused("no-topic", "$.source is missing or no text: expected the department's source")
        department = head.source.rpartition("/")[2]
        topic = LIFE + department
        if not _DEPARTMENT.fullmatch(department) or topic not in self._limits:
            return Refused(
                "no-topic", f"$.source names no department: there is no topic {LIFE}<its last part>"
            )
        return topic

    def _timestamp(self, head: _Head) -> int | None:
        if self._clock == "wall":
            return None
        instant = instant_ms(head.recordedtime or head.time)
        if instant is not None:
            # Kafka has no timestamps before 1970.
            self._last_ms = max(0, instant)
        return self._last_ms


def binary(line: bytes) -> tuple[bytes, list[tuple[str, bytes]]] | None:
    """The same event in binary mode: (body, headers), or None where it would not be the same."""
    try:
        members = _members(line)
        body = members.pop("data")
        content_type = b"application/json"
        headers: list[tuple[str, bytes]] = []
        for name, raw in members.items():
            if bytes(raw) == b"null":
                continue
            if not _ATTRIBUTE.fullmatch(name) or name == "data_base64":
                return None
            text = _text(raw).encode()
            if name == "datacontenttype":
                if text.lower().startswith(b"application/cloudevents"):
                    return None
                content_type = text
            else:
                headers.append((f"ce_{name}", text))
    except (msgspec.DecodeError, KeyError, RecursionError, UnicodeError):
        return None
    if bytes(body) == b"null" or not headers:
        return None
    return bytes(body), [("content-type", content_type), *headers]


def instant_ms(text: str | None) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 time, cut off; None where it is none."""
    instant = parse_fast(text) if text else None
    return None if instant is None else instant // 1000


def _head_of(line: bytes) -> _Head | Refused:
    try:
        return _head(line)
    except msgspec.ValidationError:
        return _lenient(line)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Refused("not-json", f"the line is no JSON, so it names no topic: {error}")


def _lenient(line: bytes) -> _Head | Refused:
    """The attributes of a line where some are of the wrong kind: those count as absent."""
    try:
        members = _members(line)
    except msgspec.ValidationError:
        return Refused("not-cloudevent", "$ is no JSON object, so it names no topic")
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Refused("not-json", f"the line is no JSON, so it names no topic: {error}")
    found: dict[str, str | None] = {}
    for name in ("source", "subject", "time", "recordedtime"):
        try:
            found[name] = _text(members.get(name, b"null"))
        except (msgspec.DecodeError, UnicodeError):
            found[name] = None
    return _Head(**found)
