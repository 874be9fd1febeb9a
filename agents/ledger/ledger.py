"""The ledger: state and progress of one partition in one fenced commit."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from agents.ledger.charter import CharterStore
from agents.ledger.commits import Claim, Step, arguments, refusal, took
from agents.ledger.errors import FencedError, LedgerMissingError, StaleClaimError
from agents.ledger.founding import check_format, check_made_with, found
from agents.ledger.packing import unpack, unpack_all
from agents.ledger.scripts import ADOPT, CLAIM, COMMIT, DUE, LOAD, NEXT_DUE, SCAN
from agents.redis_link import Argument, RedisLink

SCAN_COUNT: Final = 500


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition stands, for onlookers."""

    epoch: int
    generation: int
    owner: str
    commit: int
    next_offset: int
    day: int | None
    cursor: int | None
    states: int


class Ledger:
    """State and offsets in Redis.

    Args:
        name: begins every key, so that several systems may share one Redis.
        on_refusal: called with ``fenced``, ``stale`` or ``missing``, for metrics.
    """

    def __init__(
        self,
        link: RedisLink,
        charter: CharterStore,
        *,
        name: str = "hearthwatch",
        on_refusal: Callable[[str], None] | None = None,
    ) -> None:
        self.link = link
        self.charter = charter
        self.name = name
        self.id: str | None = None
        self._on_refusal = on_refusal
        self._opening = asyncio.Lock()
        self._started: set[tuple[str, str, int]] = set()

    # -- the ledger as a whole -----------------------------------------------------------------------
    async def open(self, made_with: Mapping[str, str] | None = None) -> None:
        """Check that Kafka and Redis hold the same ledger; on the first start, found it.

        Args:
            made_with: digests of the files in force (``catalog``, ``policy``); on the first start they are
                written down, later they must be the same.

        Raises:
            LedgerMissingError: partitions have started, but this Redis is empty.
            LedgerMismatchError: Redis and Kafka belong to different ledgers, or a file has changed.
            NewerFormatError: a newer program has worked here.
        """
        try:
            async with self._opening:
                if self.id is None:
                    await check_format(self.charter)
                    self.id = await found(self.link, self.charter, self.name)
                if made_with:
                    await check_made_with(self.charter, made_with)
        except LedgerMissingError:
            self._refuse("missing")
            raise

    async def made_with(self) -> Mapping[str, str]:
        """Digests of the files that the data was made with; empty before the first start."""
        return (await self.charter.read()).made_with

    # -- for the owner of a partition ------------------------------------------------------------------
    async def claim(self, stage: str, topic: str, partition: int, generation: int, owner: str) -> Claim:
        """Take a partition over: from now on every commit under an older claim is refused.

        A partition that never started begins at offset 0. Repeating a claim is safe; each one makes
        the ones before it void, also the same worker's.

        Raises:
            StaleClaimError: a higher generation of the group has claimed it.
            LedgerMissingError: it has started, and Redis does not hold it.
        """
        await self.open()
        keys = self.keys(stage, topic, partition)
        nonce = secrets.token_hex(8)
        args: list[Argument] = [generation, owner, nonce]
        claim_keys = [keys[0], keys[2], keys[4]]
        reply = await self.link.run(CLAIM, claim_keys, [*args, 0])
        started = (stage, topic, partition)
        has_started = None
        if reply[0] == b"ABSENT":
            has_started = await self._has_started(started)
            # Where it has, another worker may have founded it between our two looks.
            reply = await self.link.run(CLAIM, claim_keys, [*args, 0 if has_started else 1])
            if reply[0] == b"ABSENT":
                self._refuse("missing")
                raise LedgerMissingError(
                    f"Redis has lost {stage} {topic}/{partition}, which has started: restore Redis,"
                    " or run `hearthwatch rebuild` to make its state from Kafka again"
                )
        if reply[0] == b"STALE":
            self._refuse("stale")
            raise StaleClaimError(
                f"{stage} {topic}/{partition}: generation {generation} is below {int(reply[1])}, claimed by"
                f" {_text(reply[2])}; if the consumer group was made anew, run `hearthwatch ledger adopt`"
            )
        _, head, marks, counts = reply
        # Only now: had this been written first, a crash here would look like a Redis that lost its data.
        if has_started is False or not await self._has_started(started):
            await self.charter.write({f"started/{stage}/{topic}/{partition}": self.id})
            self._started.add(started)
        return Claim(
            stage, topic, partition, generation, owner,
            epoch=int(head[0]), commit=int(head[1]), next_offset=int(head[2]),
            day=_number(head[3]), cursor=_number(head[4]),
            marks={
                _text(channel) or "": _mark(number)
                for channel, number in zip(marks[::2], marks[1::2], strict=True)
            },
            counts={
                _text(name) or "": int(number) for name, number in zip(counts[::2], counts[1::2], strict=True)
            },
        )  # fmt: skip

    async def _has_started(self, started: tuple[str, str, int]) -> bool:
        """Whether the charter knows the partition; read again only where it did not when last read."""
        if started not in self._started:
            self._started = set((await self.charter.read()).started)
        return started in self._started

    async def load(self, claim: Claim, keys: Sequence[str]) -> list[bytes | None]:
        """The states of some keys, in their order; None where there is none.

        Raises:
            FencedError: the partition was claimed by another; its states are not shown.
        """
        if not keys:
            return []
        at = self.keys(claim.stage, claim.topic, claim.partition)
        reply = await self.link.run(LOAD, [at[0], at[1]], [claim.epoch, *keys])
        if reply[0] != b"OK":
            raise self.refused(claim, reply)
        return unpack_all(state for chunk in reply[1:] for state in chunk)

    async def commit(
        self,
        claim: Claim,
        *,
        next_offset: int,
        states: Mapping[str, bytes | None] = {},
        marks: Mapping[str, tuple[int, int]] = {},
        next_days: Mapping[str, int | None] = {},
        day: int | None = None,
        cursor: int | None = None,
        counts: Mapping[str, int] = {},
        index: Mapping[str, tuple[str | None, str | None]] = {},
    ) -> None:
        """Write states and progress, whole or not at all; one at a time for each claim.

        Args:
            states, marks, ...: see :class:`Step`.

        Raises:
            FencedError: not ours any more, or the partition stands elsewhere (a Redis that lost its last
                seconds): nothing was written; claim again.
            LedgerError: two commits of one claim at once, or a way back in offset or day.
        """
        step = Step(next_offset, states, marks, next_days, day, cursor, counts, index)
        (error,) = await self.commit_all([(claim, step)])
        if error is not None:
            raise error

    async def commit_all(self, steps: Sequence[tuple[Claim, Step]]) -> list[Exception | None]:
        """Commit several partitions, sent in one go; each succeeds or fails by itself.

        All replies are waited for, also that of a node of a cluster that hangs: once noticed, it stops the
        partitions of the other nodes too, so to go on with these would gain the seconds until then.

        Returns:
            For each None, or the error that :meth:`commit` would have raised.
        """
        outcomes: list[Exception | None] = []
        calls: list[tuple[list[Argument], list[Argument]]] = []
        asked: list[tuple[int, Claim, Step]] = []
        for claim, step in steps:
            why_not = refusal(claim, step)
            outcomes.append(why_not)
            if why_not is not None:
                continue
            at = (claim.stage, claim.topic, claim.partition)
            calls.append(([*self.keys(*at), self.index_key(*at)], arguments(claim, step)))
            asked.append((len(outcomes) - 1, claim, step))
            claim.is_broken = True  # until the reply is here; a caller that is cancelled leaves it so
        if calls:
            replies = await self.link.run_all(COMMIT, calls)
            for (number, claim, step), reply in zip(asked, replies, strict=True):
                if isinstance(reply, Exception):
                    outcomes[number] = reply
                elif reply[0] not in (b"OK", b"ALREADY"):
                    outcomes[number] = self.refused(claim, reply)
                else:
                    took(claim, step)
        return outcomes

    async def due(self, claim: Claim, day: int, limit: int) -> list[str]:
        """Keys whose next day is at or before ``day``, earliest first, at most ``limit``.

        Raises:
            FencedError: the partition was claimed by another.
        """
        at = self.keys(claim.stage, claim.topic, claim.partition)
        reply = await self.link.run(DUE, [at[0], at[3]], [claim.epoch, day, limit])
        if reply[0] != b"OK":
            raise self.refused(claim, reply)
        return [key.decode() for key in reply[1]]

    # -- for onlookers ---------------------------------------------------------------------------------
    async def positions(
        self, stage: str, partitions: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], Position | None]:
        """Where each (topic, partition) of a stage stands; None for one that never started."""
        wanted = list(partitions)
        fields = ("epoch", "generation", "owner", "commit", "next", "day", "cursor")

        async def one(topic: str, partition: int) -> Position | None:
            keys = self.keys(stage, topic, partition)
            head, states = await asyncio.gather(
                self.link.call("HMGET", keys[0], *fields), self.link.call("HLEN", keys[1])
            )
            if head[3] is None:
                return None
            return Position(
                int(head[0] or 0), int(head[1] or 0), _text(head[2]) or "", int(head[3]), int(head[4]),
                _number(head[5]), _number(head[6]), int(states),
            )  # fmt: skip

        return dict(zip(wanted, await asyncio.gather(*(one(*at) for at in wanted)), strict=True))

    async def check_held(
        self, stage: str, partitions: Iterable[tuple[str, int]]
    ) -> dict[tuple[str, int], Position | None]:
        """As :meth:`positions`, where Redis has lost none of them: what never began is told from that.

        For who reads without a claim. The charter is read only where Redis lacks one.

        Args:
            partitions: (topic, partition).

        Raises:
            LedgerMissingError: Redis has lost one: what is read there would seem never to have been.
        """
        found = await self.positions(stage, partitions)
        missing = [at for at, position in found.items() if position is None]
        if not missing:
            return found
        started = (await self.charter.read()).started
        lost = [f"{topic}/{number}" for topic, number in missing if (stage, topic, number) in started]
        if lost:
            more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise LedgerMissingError(
                f"Redis has lost its data: {stage} {lost[0]}{more} has started and is not there;"
                " run `hearthwatch rebuild` to make it again from Kafka, or restore Redis"
            )
        return found

    async def read(self, stage: str, topic: str, partition: int, keys: Sequence[str]) -> list[bytes | None]:
        """States as they stand, without a claim: for showing only, never to compute on."""
        if not keys:
            return []
        return unpack_all(await self.link.call("HMGET", self.keys(stage, topic, partition)[1], *keys))

    async def scan(self, stage: str, topic: str, partition: int) -> AsyncIterator[tuple[str, bytes]]:
        """All states of a partition, without a claim, in no order; one may come twice while others write."""
        key = self.keys(stage, topic, partition)[1]
        cursor: Argument = 0
        while True:
            reply = await self.link.run(SCAN, [key], [cursor, SCAN_COUNT])
            for name, state in zip(reply[1][::2], reply[1][1::2], strict=True):
                yield name.decode(), unpack(state)
            cursor = reply[0]
            if int(cursor) == 0:
                return

    async def marks(self, stage: str, topic: str, partition: int) -> dict[str, tuple[int, int]]:
        """The marks of a partition, without a claim: for showing only."""
        flat = await self.link.call("HGETALL", self.keys(stage, topic, partition)[2])
        pairs = flat.items() if isinstance(flat, dict) else zip(flat[::2], flat[1::2], strict=True)
        return {_text(channel) or "": _mark(number) for channel, number in pairs}

    async def overdue(self, stage: str, topic: str, partition: int, day: int) -> int:
        """How many keys have a next day at or before ``day``, without a claim."""
        return int(await self.link.call("ZCOUNT", self.keys(stage, topic, partition)[3], "-inf", str(day)))

    async def next_due(
        self, stage: str, topic: str, partition: int, until: int, limit: int
    ) -> list[tuple[str, int]]:
        """Keys with what they are due at, up to a day or instant, the earliest first; without a claim."""
        flat = await self.link.run(NEXT_DUE, [self.keys(stage, topic, partition)[3]], [until, limit])
        return [(key.decode(), int(float(due))) for key, due in zip(flat[::2], flat[1::2], strict=True)]

    async def members(
        self, stage: str, topic: str, partition: int, first: str, last: str, limit: int = -1
    ) -> list[str]:
        """Members of the index from ``first`` to ``last`` in the order of their bytes, without a claim.

        Args:
            first, last: as ``ZRANGEBYLEX`` has them: with ``[`` or ``(`` before them, or ``-`` and ``+``.
            limit: at most so many; all if negative.
        """
        key = self.index_key(stage, topic, partition)
        return [
            member.decode()
            for member in await self.link.call("ZRANGEBYLEX", key, first, last, "LIMIT", 0, limit)
        ]

    async def adopt(self, stage: str, partitions: Iterable[tuple[str, int]]) -> int:
        """Let any generation of the consumer group claim these again; returns how many had started.

        Run it when a group was deleted or Kafka forgot it: the new group counts from 1.
        """
        done = await asyncio.gather(
            *(self.link.run(ADOPT, [self.keys(stage, *at)[0]], []) for at in partitions)
        )
        return sum(int(one) for one in done)

    async def close(self) -> None:
        """Close the link and the charter."""
        await self.link.close()
        await self.charter.close()

    def keys(self, stage: str, topic: str, partition: int) -> tuple[str, str, str, str, str, str]:
        """Head, states, marks, days, counts, changed keys; the braces keep them in one slot of a cluster."""
        tag = f"{{{self.name}:{stage}:{topic}:{partition}}}"
        return (
            f"{tag}:head", f"{tag}:states", f"{tag}:marks", f"{tag}:days", f"{tag}:counts", f"{tag}:changed",
        )  # fmt: skip

    def index_key(self, stage: str, topic: str, partition: int) -> str:
        """The index that a stage keeps of its states beside them, for onlookers: a sorted set of texts."""
        return f"{{{self.name}:{stage}:{topic}:{partition}}}:index"

    def refused(self, claim: Claim, reply: Sequence[Any]) -> FencedError:
        """The error for a reply that is not ``OK``; the claim is broken from now on."""
        claim.is_broken = True
        self._refuse("fenced")
        found = ", ".join(
            f"{name} {_text(value)}"
            for name, value in zip(("epoch", "commit", "offset"), reply[1:], strict=False)
            if value is not None
        )
        return FencedError(f"{claim} is not ours any more: the ledger stands at {found or 'nothing'}")

    def _refuse(self, reason: str) -> None:
        if self._on_refusal is not None:
            self._on_refusal(reason)


def _text(value: bytes | str | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _mark(value: bytes) -> tuple[int, int]:
    offset, _, index = value.partition(b" ")
    return int(offset), int(index)
