"""Making a partition of the ledger again: its states first, and last of all its head.

Without a head nobody can claim a partition, so one that was interrupted half-way is as lost as it was before.
A head that is made again has an epoch above all that were: whoever still works under an older claim stays
refused.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, TypeVar

from agents.ledger.changes import Standing, standing_of
from agents.ledger.errors import LedgerMismatchError
from agents.ledger.founding import check_format
from agents.ledger.ledger import Ledger
from agents.ledger.packing import pack, unpack_all
from agents.redis_link import Argument, Script
from streams.errors import InputError, LedgerError

_T = TypeVar("_T")

CHUNK: Final = 1_000
#: A rebuild that was killed keeps others out for so long.
LOCK_SECONDS: Final = 60

#: KEYS head, marks, counts.
_STANDING: Final = Script(
    "standing",
    """
if redis.call('HEXISTS', KEYS[1], 'commit') == 0 then return {'ABSENT'} end
return {'OK', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])}
""",
)

#: KEYS head, marks, counts, days. As above, and how many keys are due on the partition's day.
_ACCOUNT: Final = Script(
    "account",
    """
local head = redis.call('HMGET', KEYS[1], 'commit', 'day')
if not head[1] then return {'ABSENT'} end
return {'OK', redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3]),
        head[1], head[2] and redis.call('ZCOUNT', KEYS[4], '-inf', head[2]) or 0}
""",
)

#: KEYS head, states, days. ARGV field... . Without a claim, but with the offset that they stand for.
_LOOK: Final = Script(
    "look",
    """
local days = {}
for i = 1, #ARGV do days[i] = redis.call('ZSCORE', KEYS[3], ARGV[i]) end
return {redis.call('HGET', KEYS[1], 'next'), redis.call('HMGET', KEYS[2], unpack(ARGV)), days}
""",
)

#: KEYS lock. ARGV token, seconds. Takes or prolongs it.
_LOCK: Final = Script(
    "lock-rebuild",
    """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
""",
)

#: KEYS head, marks, counts, lock. ARGV token, then counts of arguments for head, marks, counts, then these.
_OPEN: Final = Script(
    "open-rebuilt",
    """
if redis.call('GET', KEYS[4]) ~= ARGV[1] then return 'LOCK' end
if redis.call('HEXISTS', KEYS[1], 'commit') == 1 then return 'THERE' end
local at = 5
for i = 1, 3 do
  local last = at + tonumber(ARGV[i + 1]) - 1
  while at <= last do
    local to = math.min(at + 1999, last)
    redis.call('HSET', KEYS[i], unpack(ARGV, at, to))
    at = to + 1
  end
end
redis.call('DEL', KEYS[4])
return 'OK'
""",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One partition of a stage; the topic as it is called on the broker."""

    stage: str
    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.stage} {self.topic}/{self.partition}"


async def identify(ledger: Ledger) -> set[Place]:
    """Give an empty Redis the identity that the charter has; the partitions that have started.

    Raises:
        LedgerMismatchError: there is no charter, or Redis holds another ledger.
        NewerFormatError: a newer program has worked here.
    """
    charter = await check_format(ledger.charter)
    if charter.ledger is None:
        raise LedgerMismatchError("Kafka holds no ledger: nothing has run here yet")
    key = f"{ledger.name}:identity"
    await ledger.link.call("SET", key, charter.ledger, "NX")
    held = (await ledger.link.call("GET", key)).decode()
    if held.removeprefix("new ") != charter.ledger:
        raise LedgerMismatchError(
            f"Redis holds ledger {held}, Kafka ledger {charter.ledger}: point the settings at the right pair"
        )
    return {Place(*started) for started in charter.started}


async def standing(ledger: Ledger, place: Place) -> Standing | None:
    """Where a partition stands, without a claim; None where Redis does not hold it."""
    keys = ledger.keys(place.stage, place.topic, place.partition)
    reply = await ledger.link.run(_STANDING, [keys[0], keys[2], keys[4]], [])
    return None if reply[0] == b"ABSENT" else standing_of(reply[1], reply[2], reply[3])


@dataclass(frozen=True, slots=True)
class Look:
    """Some keys of a partition at one moment.

    Attributes:
        next_offset: what the partition has read when they are so.
        states: encoded, in the order asked; None for a key without one.
        days: on which each is due next, by the index; None where it is not on it.
    """

    next_offset: int
    states: list[bytes | None]
    days: list[int | None]


async def look(ledger: Ledger, place: Place, keys: list[str]) -> Look:
    """Some keys, at most 2,000, in one step.

    Raises:
        LedgerError: Redis does not hold the partition any more.
    """
    at = ledger.keys(place.stage, place.topic, place.partition)
    reply = await ledger.link.run(_LOOK, [at[0], at[1], at[3]], keys)
    if reply[0] is None:
        raise LedgerError(f"{place} is gone from Redis")
    return Look(
        int(reply[0]), unpack_all(reply[1]), [None if day is None else int(float(day)) for day in reply[2]]
    )


@dataclass(frozen=True, slots=True)
class Account:
    """Where a partition stands, and how it got there.

    Attributes:
        commit: how many commits there were.
        due: keys that have not caught up with the partition's day yet.
    """

    standing: Standing
    commit: int
    due: int


async def account(ledger: Ledger, place: Place) -> Account:
    """All of a partition but its states, in one step; raises as :func:`look`."""
    at = ledger.keys(place.stage, place.topic, place.partition)
    reply = await ledger.link.run(_ACCOUNT, [at[0], at[2], at[4], at[3]], [])
    if reply[0] == b"ABSENT":
        raise LedgerError(f"{place} is gone from Redis")
    return Account(standing_of(reply[1], reply[2], reply[3]), int(reply[4]), int(reply[5]))


async def indexed(ledger: Ledger, place: Place) -> AsyncIterator[str]:
    """Keys on the index of days, some perhaps twice."""
    key = ledger.keys(place.stage, place.topic, place.partition)[3]
    cursor = b"0"
    while True:
        cursor, pairs = await ledger.link.call("ZSCAN", key, cursor, "COUNT", CHUNK)
        for name, _ in pairs:
            yield name.decode()
        if int(cursor) == 0:
            return


class Restoring:
    """Writes one partition anew, and keeps other rebuilds away from :meth:`begin` until it is through.

    Others may be written before it is opened, which takes minutes: the lock is prolonged meanwhile.

    Raises:
        InputError: another rebuild is at work on it.
    """

    def __init__(self, ledger: Ledger, place: Place) -> None:
        self._ledger = ledger
        self.place = place
        self._keys = ledger.keys(place.stage, place.topic, place.partition)
        self._index = ledger.index_key(place.stage, place.topic, place.partition)
        self._lock = self._keys[0].removesuffix("head") + "rebuild"
        self._token = secrets.token_hex(8)
        self._keeping: asyncio.Task[None] | None = None

    async def release(self) -> None:
        """Let others rebuild the partition at once, and not after a minute."""
        await self.close()
        await self._ledger.link.call("DEL", self._lock)

    async def close(self) -> None:
        """Prolong the lock no more; unless the partition was opened, it holds for up to a minute yet."""
        keeping, self._keeping = self._keeping, None
        if keeping is not None:
            keeping.cancel()
            await asyncio.wait([keeping])

    async def _keep(self) -> None:
        """Prolong the lock until cancelled; where another has it, opening the partition will say so."""
        with suppress(InputError):
            while True:
                await asyncio.sleep(LOCK_SECONDS / 4)
                await self._hold()

    async def resume(self) -> None:
        """Go on with a partition that a run before has written; it only has to be opened."""
        await self._hold()
        if self._keeping is None:
            self._keeping = asyncio.ensure_future(self._keep())

    async def begin(self) -> None:
        """Take the partition away from whoever has it, and empty it."""
        await self.resume()
        head, states, marks, days, counts, changed = self._keys
        # The head in one step with the rest: no commit can come in between.
        taking = changed.removesuffix("changed") + "taking"
        await self._ledger.link.call(
            "UNLINK", head, states, marks, days, counts, changed, taking, self._index
        )

    async def _hold(self) -> None:
        if not await self._ledger.link.run(_LOCK, [self._lock], [self._token, LOCK_SECONDS]):
            raise InputError(
                f"{self.place}: another rebuild is at work, or was killed less than {LOCK_SECONDS} s ago"
            )

    async def put(
        self,
        states: Mapping[str, bytes],
        days: Mapping[str, int],
        changed: Iterable[str] = (),
        index: Iterable[str] = (),
    ) -> None:
        """Write states, their next days, which of them have no snapshot yet, and members of the index."""
        link = self._ledger.link
        for pairs in _chunks(states.items()):
            await self._hold()
            await link.call(
                "HSET", self._keys[1], *(part for key, state in pairs for part in (key, pack(state)))
            )
        for due in _chunks(days.items()):
            await self._hold()
            await link.call("ZADD", self._keys[3], *(part for key, day in due for part in (day, key)))
        for keys in _chunks(changed):
            await self._hold()
            await link.call("SADD", self._keys[5], *keys)
        for members in _chunks(index):
            await self._hold()
            await link.call("ZADD", self._index, *(part for member in members for part in (0, member)))

    async def written(self) -> int:
        """How many states the partition has."""
        return int(await self._ledger.link.call("HLEN", self._keys[1]))

    async def open(
        self,
        next_offset: int,
        head: Mapping[str, str],
        marks: Mapping[str, str],
        counts: Mapping[str, int],
    ) -> None:
        """Let the partition be claimed from now on."""
        whole = {
            "epoch": str(time.time_ns() // 1_000_000),
            "generation": "0",
            "owner": "rebuilt",
            "commit": "1",
            "next": str(next_offset),
            "tracked": "1",
            **head,
        }
        groups: list[Mapping[str, Any]] = [whole, marks, counts]
        flat: list[Argument] = [part for group in groups for pair in group.items() for part in pair]
        await self.close()  # first, or the lock might be taken once more behind this
        reply = await self._ledger.link.run(
            _OPEN,
            [self._keys[0], self._keys[2], self._keys[4], self._lock],
            [self._token, *(2 * len(group) for group in groups), *flat],
        )
        if reply != b"OK":
            raise LedgerError(f"{self.place} was rebuilt by another meanwhile")


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    rest = iter(items)
    while chunk := list(islice(rest, CHUNK)):
        yield chunk
