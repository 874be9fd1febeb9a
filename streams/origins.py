"""Where an event stands on Kafka, as warnings and log lines name it: the way back from what came of it.

A warning that an event caused carries the header :data:`ORIGIN`, ``<topic>/<partition>/<offset>`` of the
department's own record; dead letters say the same in the headers of KIP-1034 (``streams.deadletters``). Log
lines have it in fields of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from streams.records import Origin

ORIGIN: Final = "hearthwatch.origin"


def origin_header(origin: Origin) -> tuple[str, bytes]:
    """The header that leads from a warning back to the event."""
    return ORIGIN, f"{origin.topic}/{origin.partition}/{origin.offset}".encode()


def read_origin(headers: Iterable[tuple[str, bytes | None]]) -> Origin | None:
    """The place that a warning's headers name; None where they name none (a midnight), or not so."""
    for name, value in headers:
        if name != ORIGIN or value is None:
            continue
        parts = value.decode("utf-8", "replace").split("/")
        if len(parts) == 3 and all(part.isascii() and part.isdigit() for part in parts[1:]):
            return Origin(parts[0], int(parts[1]), int(parts[2]))
    return None


def fields(topic: str, partition: int, offset: int, origin: Origin | None = None) -> dict[str, object]:
    """What a log line about a record has beside its text (``logging``'s ``extra``)."""
    found: dict[str, object] = {"topic": topic, "partition": partition, "offset": offset}
    if origin is not None:
        found |= origin_fields(origin)
    return found


def origin_fields(origin: Origin) -> dict[str, object]:
    """The department's own record, in a log line."""
    return {
        "origin_topic": origin.topic,
        "origin_partition": origin.partition,
        "origin_offset": origin.offset,
    }
