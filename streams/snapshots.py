"""Snapshots on the wire: what a stage knew of one key, or of one partition, when it had read up to an offset.

The topic ``hearthwatch.snapshots.<stage>`` is compacted. Those of stages that keep states have as many
partitions as what the stage reads, and hold each key's snapshot in the partition that the key has there;
those of ``intake`` and ``forward``, which keep none, have one.

A record's key is ``=<key>`` for a state, ``@<topic>/<partition>`` for a partition. Values are msgpack arrays
that begin with :data:`FORMAT`.

A partition's snapshot with offset M is written after that of every key that changed before M; a key's has an
offset of its own, at or after the M of the partition's snapshot that follows it. So a rebuild starts at M,
and passes over records of a key that lie before the key's own offset.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.errors import LedgerError

FORMAT: Final = 1
"""Of the records here; what is in a state has a format of its own."""

SNAPSHOTS: Final = "hearthwatch.snapshots."


def snapshot_topic(stage: str) -> str:
    """The topic of a stage's snapshots."""
    return SNAPSHOTS + stage


class StateSnapshot(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One key's state.

    Attributes:
        epoch: of the claim under which it was taken: later claims have greater ones.
        offset: the state holds every record of the key before it, and none after.
        state: None where nothing was known of the key.
    """

    format: int
    epoch: int
    offset: int
    state: bytes | None


class LaneSnapshot(msgspec.Struct, array_like=True, frozen=True):
    """One partition's progress.

    Attributes:
        offset: M, the offset to read next.
        head, marks, counts: as in the ledger (``agents.ledger.changes.Standing``).
        taken: in seconds since 1970, by the worker's clock; for people only.
    """

    format: int
    epoch: int
    offset: int
    head: dict[str, str]
    marks: dict[str, str]
    counts: dict[str, int]
    taken: float


encode = msgspec.msgpack.Encoder().encode
_decode_state = msgspec.msgpack.Decoder(StateSnapshot).decode
_decode_lane = msgspec.msgpack.Decoder(LaneSnapshot).decode
_first = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode


def state_key(key: str) -> bytes:
    """The record's key of a state."""
    return b"=" + key.encode()


def lane_key(topic: str, partition: int) -> bytes:
    """The record's key of a partition of a topic (its name without the prefix on the broker)."""
    return f"@{topic}/{partition}".encode()


def decode_state(value: bytes) -> StateSnapshot:
    """A state's snapshot.

    Raises:
        LedgerError: a newer program wrote it, or it is none.
    """
    try:
        found = _decode_state(value)
    except msgspec.DecodeError:
        _refuse(value)
        raise
    if found.format != FORMAT:
        _refuse(value)
    return found


def decode_lane(value: bytes) -> LaneSnapshot:
    """A partition's snapshot; raises as :func:`decode_state`."""
    try:
        found = _decode_lane(value)
    except msgspec.DecodeError:
        _refuse(value)
        raise
    if found.format != FORMAT:
        _refuse(value)
    return found


def _refuse(value: bytes) -> None:
    try:
        written = msgspec.msgpack.decode(_first(value)[0], type=int)
    except (msgspec.DecodeError, IndexError):
        raise LedgerError("a snapshot cannot be read: the topic holds something else") from None
    raise LedgerError(
        f"a snapshot has format {written}, and this program knows {FORMAT}: "
        + ("a newer one wrote it; use that" if written > FORMAT else "it is damaged")
    )
