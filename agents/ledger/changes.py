"""Which keys of a partition have changed since its last snapshot, and what they are now.

Every commit adds the keys that it writes to a set beside the states. A round of snapshots (:func:`begin`)
sets that set aside, takes its keys away in chunks, each with the offset that its states stand for
(:func:`take`), and ends when it is empty. Whoever claims the partition meanwhile begins a round with what is
left, so no change is ever forgotten. All of it is fenced as commits are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from agents.ledger.commits import Claim
from agents.ledger.ledger import Ledger
from agents.ledger.packing import unpack_all
from agents.redis_link import Script

#: KEYS head, states, marks, counts, changed, taking. ARGV epoch. A partition from before changes were kept
#: has all its keys changed.
_BEGIN: Final = Script(
    "begin-snapshot",
    """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'tracked')
if head[1] ~= ARGV[1] then return {'FENCED', head[1]} end
if not head[2] then
  local all = redis.call('HKEYS', KEYS[2])
  for i = 1, #all, 2000 do
    redis.call('SADD', KEYS[5], unpack(all, i, math.min(i + 1999, #all)))
  end
  redis.call('HSET', KEYS[1], 'tracked', '1')
end
if redis.call('EXISTS', KEYS[5]) == 1 then
  if redis.call('EXISTS', KEYS[6]) == 1 then
    redis.call('SUNIONSTORE', KEYS[6], KEYS[6], KEYS[5])
    redis.call('DEL', KEYS[5])
  else
    redis.call('RENAME', KEYS[5], KEYS[6])
  end
end
return {'OK', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[3]),
        redis.call('HGETALL', KEYS[4]), redis.call('SCARD', KEYS[6])}
""",
)

#: KEYS head, states, taking. ARGV epoch, limit, then keys whose snapshots are safe.
_TAKE: Final = Script(
    "take-snapshot",
    """
local head = redis.call('HMGET', KEYS[1], 'epoch', 'next')
if head[1] ~= ARGV[1] then return {'FENCED', head[1]} end
if #ARGV > 2 then redis.call('SREM', KEYS[3], unpack(ARGV, 3)) end
local names = redis.call('SRANDMEMBER', KEYS[3], ARGV[2])
if #names == 0 then return {'OK', head[2], {}, {}} end
return {'OK', head[2], names, redis.call('HMGET', KEYS[2], unpack(names))}
""",
)

#: KEYS head. ARGV epoch, when the round began.
_END: Final = Script(
    "end-snapshot",
    """
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch ~= ARGV[1] then return {'FENCED', epoch} end
redis.call('HSET', KEYS[1], 'snapped', ARGV[2])
return {'OK'}
""",
)

#: What belongs to an owner and not to the partition's progress.
_OWNERS: Final = frozenset({"epoch", "generation", "owner", "nonce", "commit", "next", "tracked", "snapped"})


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a partition stands at one moment, beside its states.

    Attributes:
        next_offset: the offset to read next.
        head: the rest of its progress (day, cursor, ...), as text.
        marks: as text, by channel.
        counts: bounded counters.
        changed: how many keys have changed since the last round.
    """

    next_offset: int
    head: dict[str, str]
    marks: dict[str, str]
    counts: dict[str, int]
    changed: int


@dataclass(frozen=True, slots=True)
class Taken:
    """States as of an offset; None for a key without one."""

    next_offset: int
    states: dict[str, bytes | None]


async def begin(ledger: Ledger, claim: Claim) -> Standing:
    """Begin a round: what has changed up to now is in it.

    Raises:
        FencedError: the partition was claimed by another.
    """
    head, states, marks, _, counts, changed = ledger.keys(claim.stage, claim.topic, claim.partition)
    reply = await ledger.link.run(
        _BEGIN, [head, states, marks, counts, changed, _taking(changed)], [claim.epoch]
    )
    if reply[0] != b"OK":
        raise ledger.refused(claim, reply)
    return standing_of(reply[1], reply[2], reply[3], int(reply[4]))


def standing_of(
    head: Sequence[bytes], marks: Sequence[bytes], counts: Sequence[bytes], changed: int = 0
) -> Standing:
    """Where a partition stands, from the hashes as Redis gives them."""
    fields = _texts(head)
    return Standing(
        int(fields["next"]),
        {name: value for name, value in fields.items() if name not in _OWNERS},
        _texts(marks),
        {name: int(value) for name, value in _texts(counts).items()},
        changed,
    )


async def take(ledger: Ledger, claim: Claim, limit: int, safe: Sequence[str] = ()) -> Taken:
    """Some changed keys of the round with their states; none when the round is over.

    Args:
        safe: keys that were taken before and whose snapshots are acknowledged: they leave the round.

    Raises:
        FencedError: the partition was claimed by another.
    """
    head, states, _, _, _, changed = ledger.keys(claim.stage, claim.topic, claim.partition)
    reply = await ledger.link.run(_TAKE, [head, states, _taking(changed)], [claim.epoch, limit, *safe])
    if reply[0] != b"OK":
        raise ledger.refused(claim, reply)
    found = unpack_all(reply[3])
    return Taken(int(reply[1]), {name.decode(): state for name, state in zip(reply[2], found, strict=True)})


async def end(ledger: Ledger, claim: Claim, began: float) -> None:
    """End a round that began at a moment, in seconds since 1970.

    Raises:
        FencedError: the partition was claimed by another.
    """
    reply = await ledger.link.run(
        _END, [ledger.keys(claim.stage, claim.topic, claim.partition)[0]], [claim.epoch, str(began)]
    )
    if reply[0] != b"OK":
        raise ledger.refused(claim, reply)


async def left_over(ledger: Ledger, claim: Claim) -> float | None:
    """Since when changes that an earlier owner left may be waiting, at worst; None where there are none.

    In seconds since 1970; 0 where there never was a round.
    """
    head, _, _, _, _, changed = ledger.keys(claim.stage, claim.topic, claim.partition)
    if not await ledger.link.call("EXISTS", changed) and not await ledger.link.call(
        "EXISTS", _taking(changed)
    ):
        return None
    snapped = await ledger.link.call("HGET", head, "snapped")
    return 0.0 if snapped is None else float(snapped)


def _taking(changed: str) -> str:
    return changed.removesuffix("changed") + "taking"


def _texts(flat: Sequence[bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in zip(flat[::2], flat[1::2], strict=True)}
