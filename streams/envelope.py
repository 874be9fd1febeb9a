"""Decoding: a line of a file or a Kafka record becomes an accepted :class:`~streams.events.Event`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from streams.catalog import Catalog
from streams.errors import DecodeError
from streams.events import Event
from streams.fastpath import FastPath
from streams.strictjson import NotJsonError, parse
from streams.verdict import MAX_BYTES, judge

Headers = Sequence[tuple[str, bytes | None]]
"""Kafka headers, in their order; a name may stand more than once."""

_STRUCTURED: Final = b"application/cloudevents+json"

#: Different (type, field) that are counted one by one: senders choose these names, memory does not grow.
MAX_DROPPED: Final = 1000


class Decoder:
    """Decodes events by one catalogue.

    Attributes:
        dropped: how often a field that the catalogue does not name was dropped from an accepted event,
            by (type, field); from 1,000 different ones on, new ones count under the field ``*``.
    """

    dropped: Counter[tuple[str, str]]

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.dropped = Counter()
        self._fast = FastPath(catalog, self._count)

    def line(self, value: bytes) -> Event:
        """Decode a structured event as a file holds it: received at its recordedtime, or its time.

        Args:
            value: the line, without its line feed.

        Raises:
            DecodeError: the contract rejects it.
        """
        return self._fast.structured(value, None, None) or self._structured(value, None, None)

    def record(self, topic: str, value: bytes | None, headers: Headers, timestamp_ms: int) -> Event:
        """Decode a Kafka record, in either content mode.

        Args:
            topic: ``life.<department>``.
            timestamp_ms: the record's timestamp, in milliseconds since 1970: when it was received.

        Raises:
            DecodeError: the contract rejects it.
        """
        received = timestamp_ms * 1000
        attributes = binary_attributes(headers)
        event = None
        if attributes is None:
            if value is not None:
                event = self._fast.structured(value, topic, received)
            return event or self._structured(value, topic, received)
        if value is not None:
            event = self._fast.binary(attributes, value, topic, received)
        return event or self._judge(attributes, _json(value), topic, received)

    def _structured(self, value: bytes | None, topic: str | None, received: int | None) -> Event:
        event = _json(value)
        if not isinstance(event, dict):
            raise DecodeError("not-cloudevent", "$: expected a JSON object")
        return self._judge(event, event.get("data"), topic, received)

    def _judge(
        self, attributes: Mapping[str, object], data: object, topic: str | None, received: int | None
    ) -> Event:
        event, dropped = judge(attributes, data, self.catalog, topic=topic, received=received)
        for name in dropped:
            self._count(event.type, name)
        return event

    def _count(self, type_name: str, field: str) -> None:
        key = (type_name, field)
        if key not in self.dropped and len(self.dropped) >= MAX_DROPPED:
            key = (type_name, "*")
        self.dropped[key] += 1


def binary_attributes(headers: Headers) -> dict[str, str] | None:
    """The attributes in the ``ce_*`` headers, or None where the record is structured.

    Structured is a record whose content-type is ``application/cloudevents+json``, or that has neither a
    content-type nor a ``ce_*`` header. Of a header that stands twice the last one holds; one that is null
    counts as absent, and one that is no UTF-8 as an empty text, which no attribute may be.
    """
    content_type: bytes | None = None
    is_binary = False
    attributes: dict[str, str] = {}
    for name, value in headers:
        if name == "content-type":
            content_type = value
        elif name.startswith("ce_"):
            is_binary = True
            if value is None:
                attributes.pop(name[3:], None)
                continue
            try:
                attributes[name[3:]] = value.decode()
            except UnicodeDecodeError:
                attributes[name[3:]] = ""
    if content_type is None:
        return attributes if is_binary else None
    if content_type == _STRUCTURED:
        return None
    media_type = content_type.partition(b";")[0].strip().lower()
    return None if media_type == _STRUCTURED else attributes


def _json(value: bytes | None) -> object:
    """The parsed value.

    Raises:
        DecodeError: it is too large, or no JSON.
    """
    if value is None:
        raise DecodeError("not-json", "$: expected JSON in UTF-8, but the value is null")
    if len(value) > MAX_BYTES:
        raise DecodeError("too-large", f"$: expected at most {MAX_BYTES} bytes, not {len(value)}")
    try:
        return parse(value)
    except NotJsonError as error:
        raise DecodeError("not-json", f"$: expected JSON in UTF-8, but {error}") from None
