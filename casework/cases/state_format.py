"""The state of a household's cases as bytes.

Format 1 is a msgpack array behind one byte, the number of the format. A program that changes what a state
looks like reads both for a version and writes the later one only in the version after that
(:mod:`rules.state_format` says why).
"""

from __future__ import annotations

from typing import Final

import msgspec

from casework.cases.case import Household
from rules.state_format import StateFormatError

FORMAT: Final = 1

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Household).decode


def encode(household: Household) -> bytes:
    """A household's cases as bytes; the same for the same log."""
    return bytes((FORMAT,)) + _pack(household)


def decode(raw: bytes) -> Household:
    """A household's cases from their bytes.

    Raises:
        StateFormatError: a newer program wrote them, or they are damaged.
    """
    if not raw or raw[0] == 0 or raw[0] > 0x7F:
        raise StateFormatError("the state of a household's cases cannot be read: it is damaged")
    if raw[0] > FORMAT:
        raise StateFormatError(
            f"the state of a household's cases has format {raw[0]}, and this program knows {FORMAT}:"
            " a newer program wrote it; run that one"
        )
    try:
        return _unpack(raw[1:])
    except msgspec.DecodeError as error:
        raise StateFormatError("the state of a household's cases cannot be read: it is damaged") from error
