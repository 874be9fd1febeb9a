"""The state of a household's cases as bytes.

A state is a msgpack array behind one byte, the number of its format. A program that changes what a state
looks like reads both for a version and writes the later one only in the version after that
(:mod:`rules.state_format` says why).

Format 2 says to whom help was delivered (``Measure.person``). It is written at once, and only of a household
with such help: a program that knows format 1 would drop the person, and a breach would take nothing back. It
stops at such a state instead, and goes on with all others.
"""

from __future__ import annotations

from typing import Final

import msgspec

from casework.cases.case import Household
from rules.state_format import NewerFormatError, StateFormatError

FORMAT: Final = 2
"""The latest that this program knows."""

_WITHOUT_PERSONS: Final = 1

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Household).decode


def encode(household: Household) -> bytes:
    """A household's cases as bytes; the same for the same log."""
    return bytes((FORMAT if _names_persons(household) else _WITHOUT_PERSONS,)) + _pack(household)


def decode(raw: bytes) -> Household:
    """A household's cases from their bytes.

    Raises:
        NewerFormatError: a newer program wrote them.
        StateFormatError: they are damaged.
    """
    if not raw or raw[0] == 0 or raw[0] > 0x7F:
        raise StateFormatError("the state of a household's cases cannot be read: it is damaged")
    if raw[0] > FORMAT:
        raise NewerFormatError(
            f"the state of a household's cases has format {raw[0]}, and this program knows {FORMAT}:"
            " a newer program wrote it; run that one"
        )
    try:
        return _unpack(raw[1:])
    except msgspec.DecodeError as error:
        raise StateFormatError("the state of a household's cases cannot be read: it is damaged") from error


def _names_persons(household: Household) -> bool:
    cases = [one for one in (household.case, household.last) if one is not None]
    return any(measure.person is not None for case in cases for measure in case.measures)
