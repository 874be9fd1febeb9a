"""The format of states as bytes, so that programs of two versions can run side by side.

Format 1 is a bare msgpack array, whose first byte is 0x90 or above. A later format begins with a byte that
is its number, below 0x80. A program that changes what states look like reads both for a version, and writes
the later one only in the version after that: then no worker of a rolling upgrade meets what it cannot read.
One that does, after a version was left out, leaves instead of guessing. The charter says which format may
have been written, so that it need not meet one to know (:func:`agents.ledger.founding.check_format`).
"""

from __future__ import annotations

from typing import Final

from streams.errors import LedgerError

FORMAT: Final = 1
"""The latest that this program knows. Any change of what ``encode`` writes raises it: an older program would
drop what it does not know."""

WRITES: Final = 1
"""The one that ``encode`` writes: :data:`FORMAT`, or the one before it for a version."""

_FIRST_OF_AN_ARRAY: Final = 0x90


class StateFormatError(LedgerError):
    """A state is in a format of a newer program, or is none."""


class NewerFormatError(StateFormatError):
    """There are states that only a newer program can read."""


def unreadable(raw: bytes, what: str) -> StateFormatError:
    """Why these bytes cannot be read as a state of ``what``."""
    written = raw[0] if raw else _FIRST_OF_AN_ARRAY
    if FORMAT < written < 0x80:
        return NewerFormatError(
            f"a {what}'s state has format {written}, and this program knows {FORMAT}:"
            " a newer program wrote it; run that one"
        )
    return StateFormatError(f"a {what}'s state cannot be read: it is damaged; run `hearthwatch rebuild`")
