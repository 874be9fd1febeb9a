"""Dead letters: rejected events, byte for byte, with why and whence in their headers (KIP-1034).

A dead letter has the key, the value and the headers of the rejected record, and five headers more. Numbers
in them are decimal text. It may be repeated: topic, partition and offset name it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

ORIGIN_TOPIC: Final = "__streams.errors.topic"
ORIGIN_PARTITION: Final = "__streams.errors.partition"
ORIGIN_OFFSET: Final = "__streams.errors.offset"
REASON: Final = "__streams.errors.exception"
MESSAGE: Final = "__streams.errors.message"
HEADERS: Final = (ORIGIN_TOPIC, ORIGIN_PARTITION, ORIGIN_OFFSET, REASON, MESSAGE)
HOUSEHOLD: Final = "hearthwatch.household"
"""The last header of an `internal-error` whose stage knows the household that does without it."""

#: The live system's own reason: an accepted event that the program failed on, set aside for a later try.
INTERNAL_ERROR: Final = "internal-error"


def dead_letter_headers(
    headers: Sequence[tuple[str, bytes | None]],
    *,
    topic: str,
    partition: int,
    offset: int,
    reason: str,
    message: str,
    household: bytes | None = None,
) -> list[tuple[str, bytes | None]]:
    """The headers of a dead letter: those of the rejected record in their order, then the five of KIP-1034.

    Headers of these names that were there already are replaced: their new ones stand at the end.

    Args:
        topic, partition, offset: where the rejected record stands.
        reason: such as ``bad-data``.
        message: one sentence with the JSON path of the fault and what was expected.
        household: which household has to do without the event.
    """
    return [
        *(header for header in headers if header[0] not in HEADERS),
        (ORIGIN_TOPIC, topic.encode()),
        (ORIGIN_PARTITION, str(partition).encode()),
        (ORIGIN_OFFSET, str(offset).encode()),
        (REASON, reason.encode()),
        (MESSAGE, message.encode(errors="replace")),
        *([] if household is None else [(HOUSEHOLD, household)]),
    ]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record of the topic ``deadletters``, as an operator reads it.

    Attributes:
        partition, offset: where the dead letter itself stands.
        timestamp_ms: when it was written there, in milliseconds since 1970.
        reason, message: why the event was rejected; empty in a record that is no dead letter.
        origin: topic, partition and offset of the rejected record; None in a record that is no dead letter.
        key, value, headers: of the rejected record.
        household: which has to do without the event, after an `internal-error` whose stage knew it.
    """

    partition: int
    offset: int
    timestamp_ms: int
    reason: str
    message: str
    origin: tuple[str, int, int] | None
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    household: str | None = None

    def as_row(self, *, values: bool = False) -> dict[str, Any]:
        """For JSON output; key, value and other headers, which are personal, only with ``values``.

        Text that is no UTF-8 is shown with its bytes escaped.
        """
        origin = self.origin
        row: dict[str, Any] = {
            "partition": self.partition,
            "offset": self.offset,
            "timestamp_ms": self.timestamp_ms,
            "reason": self.reason,
            "message": self.message,
            "origin": None if origin is None else dict(zip(_ORIGIN_KEYS, origin, strict=True)),
            "bytes": None if self.value is None else len(self.value),
            "household": self.household,
        }
        if values:
            row["key"] = _shown(self.key)
            row["value"] = _shown(self.value)
            row["headers"] = [[name, _shown(value)] for name, value in self.headers]
        return row


_ORIGIN_KEYS: Final = ("topic", "partition", "offset")


def read_dead_letter(
    *,
    partition: int,
    offset: int,
    timestamp_ms: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> DeadLetter:
    """Take a record of ``deadletters`` apart; never fails, whatever was written there."""
    ours = {name: value or b"" for name, value in headers if name in HEADERS}
    household = None
    # A sender may use the name too; that header belongs to the event.
    if ours.get(REASON) == INTERNAL_ERROR.encode() and headers[-1][0] == HOUSEHOLD:
        *headers, (_, last) = headers
        household = (last or b"").decode(errors="replace")
    return DeadLetter(
        partition,
        offset,
        timestamp_ms,
        ours.get(REASON, b"").decode(errors="replace"),
        ours.get(MESSAGE, b"").decode(errors="replace"),
        _origin(ours),
        key,
        value,
        tuple(header for header in headers if header[0] not in HEADERS),
        household,
    )


def _origin(ours: Mapping[str, bytes]) -> tuple[str, int, int] | None:
    topic, partition, offset = (ours.get(name, b"") for name in HEADERS[:3])
    if not topic or not _is_number(partition) or not _is_number(offset):
        return None
    return topic.decode(errors="replace"), int(partition), int(offset)


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) < 20


def _shown(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="backslashreplace")
