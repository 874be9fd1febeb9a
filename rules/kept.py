"""One more fact beside those that are kept of a person, without reading them.

Where a fact is the latest of its type, nothing is to be looked up in the others: they stay as bytes, and the
new one's are put behind them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from streams.events import Event


class _Pieces(msgspec.Struct, array_like=True, gc=False):
    """A :class:`rules.known.Known` whose facts stay as bytes; written down, it is the same."""

    facts: dict[str, list[msgspec.Raw]]
    spent: msgspec.Raw
    kills: msgspec.Raw


class _Begin(msgspec.Struct, array_like=True, gc=False):
    """The beginning of a :class:`rules.known.Fact`."""

    time: int


_pack: Final = msgspec.msgpack.Encoder().encode
_pieces: Final = msgspec.msgpack.Decoder(_Pieces).decode
_begin: Final = msgspec.msgpack.Decoder(_Begin).decode


def append(kept: bytes, event: Event, day: int) -> bytes | None:
    """What is kept after one more fact; None where that cannot be told without reading the facts.

    Args:
        kept: an encoded :class:`rules.known.Known`.
        event: a fact that supersedes none; on ``day``, in the policy's zone, since 1970-01-01.
    """
    id = event.id
    if kept.rfind(id.encode()) >= 0:  # perhaps a repeat, or corrected before it came
        return None
    pieces = _pieces(kept)
    type = event.type
    facts = pieces.facts.get(type)
    time = event.time
    fact = (time, event.source, id, day, event.data)
    if facts is None:
        pieces.facts[type] = [fact]  # type: ignore[list-item]
    elif _begin(facts[-1]).time < time:
        facts.append(fact)  # type: ignore[arg-type]
    else:
        return None
    return _pack(pieces)
