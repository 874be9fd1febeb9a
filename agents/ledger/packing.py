"""States as Redis holds them: compressed, because they are its memory, and most of one is names said again.

A packed state begins with a byte of its own, which begins no state as such (:mod:`rules.state_format`); one
without it is as it was written, so states from before there was packing, or too short for it, stay readable.
A program that knows nothing of it takes that byte for a later format, and leaves.

LZ4 without a dictionary: half the bytes for 2 us, and 0.6 us back (1.7 KB of a household). Zstandard with a
dictionary made from states gives a third for 4 us and 1.4 us, but each dictionary would have to be kept for
as long as a state of its time.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lz4.block import LZ4BlockError
from lz4.block import compress as _compress
from lz4.block import decompress as _decompress

from agents.ledger.errors import LedgerDamagedError

#: `z`: no msgpack array begins with it, and no format of states comes so far.
MARK: Final = b"z"
_MARK: Final = MARK[0]
#: Shorter ones gain nothing: a new person has some 100 bytes.
LEAST_BYTES: Final = 96


def pack(state: bytes) -> bytes:
    """A state as it is stored; itself where that is no longer."""
    if len(state) < LEAST_BYTES and not state.startswith(MARK):
        return state
    packed: bytes = MARK + _compress(state)
    return packed if len(packed) < len(state) or state.startswith(MARK) else state


def unpack(stored: bytes) -> bytes:
    """The state again.

    Raises:
        LedgerDamagedError: it is not what :func:`pack` made.
    """
    if not stored or stored[0] != _MARK:
        return stored
    try:
        state: bytes = _decompress(stored[1:])
    except (LZ4BlockError, ValueError) as error:
        raise LedgerDamagedError("a state in Redis is damaged; run `hearthwatch rebuild`") from error
    return state


def unpack_all(stored: Iterable[bytes | None]) -> list[bytes | None]:
    """Some of them, in order; None stays."""
    return [None if one is None else unpack(one) for one in stored]
