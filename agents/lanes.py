"""A lane: all that a worker knows of one partition that it owns, and the parts of its log under way."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from faust.types import TP

from agents.ledger import Claim
from streams.producer import Headers, Sending
from streams.records import Origin
from streams.slices import Slice

#: What an entry of the cache costs beside its bytes: the key, the dict's slot, the objects.
_ENTRY_BYTES: Final = 200


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that the program failed on.

    Attributes:
        origin: where the department's record stands; None where not even that can be read.
        topic, partition, offset: the record that was being worked on.
        key, value: of that record.
        household: which household has to do without it, where the stage knows.
    """

    origin: Origin | None
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    error: Exception
    household: bytes | None = None


@dataclass(slots=True, eq=False)
class Part:
    """What follows from some records: the sends, and then one commit.

    Attributes:
        next_offset: the offset after them.
        piece, count: the slice and how many of its records these are; None, 0 between batches.
        sends: in order.
        states: encoded, by key; None deletes.
        next_days: the next day on which a key can change; None for never.
        counts: bounded counters, absolute.
        index: by key, its member of the stage's index before and from now on; None where it has none.
        tallies: what metrics are told when the commit is through, by name and label.
        observed: (histogram, its labels, seconds), for metrics.
        received: when what caused each warning was received, in microseconds since 1970.
        after: what is to be done outside once the commit is through.
        wakes: work between batches may be due after it.
        is_early: it needs what :attr:`agents.stage.Engine.look` finds out, before it can be decided.
        began: on the monotonic clock, for metrics.
        task: brings it to its commit.
    """

    next_offset: int
    piece: Slice | None = None
    count: int = 0
    sends: list[Sending] = field(default_factory=list)
    states: dict[str, bytes | None] = field(default_factory=dict)
    marks: dict[str, tuple[int, int]] = field(default_factory=dict)
    next_days: dict[str, int | None] = field(default_factory=dict)
    day: int | None = None
    counts: dict[str, int] = field(default_factory=dict)
    index: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)
    tallies: Counter[tuple[str, ...]] = field(default_factory=Counter)
    observed: list[tuple[str, tuple[str, ...], float]] = field(default_factory=list)
    received: list[int] = field(default_factory=list)
    after: list[Any] = field(default_factory=list)
    wakes: bool = False
    is_early: bool = False
    began: float = field(default_factory=time.monotonic)
    task: asyncio.Task[None] | None = None


class Lane:
    """One owned partition, from a claim until it is given up.

    Attributes:
        topic, partition: without the prefix that names may have on the broker.
        next: the offset after the last record that was computed (the claim's is the committed one).
        end: the end of the log when it was claimed.
        day, marks, counts: likewise ahead of the claim's.
        states: encoded states by key, None for a key without one; also those that wait for their commit.
        memo: what the stage keeps of the lane beside its states.
        is_dropped: nothing of it may be committed any more.
        is_closing: nothing new may be begun.
    """

    __slots__ = (
        "cached_bytes", "claim", "counts", "day", "end", "generation", "is_closing", "is_dropped", "lock",
        "marks", "memo", "next", "partition", "pending", "states", "sweeping", "tail", "topic", "tp",
    )  # fmt: skip

    def __init__(self, tp: TP, claim: Claim, generation: int, topic: str | None = None) -> None:
        self.tp = tp
        self.topic = tp.topic if topic is None else topic
        self.partition = tp.partition
        self.claim = claim
        self.generation = generation
        self.next = claim.next_offset
        self.end = claim.next_offset
        self.day = claim.day
        self.marks: dict[str, tuple[int, int]] = dict(claim.marks)
        self.counts: dict[str, int] = dict(claim.counts)
        self.states: dict[str, bytes | None] = {}
        self.cached_bytes = 0
        self.pending: deque[Part] = deque()
        self.tail: asyncio.Task[None] | None = None
        self.sweeping: asyncio.Task[None] | None = None
        self.memo: Any = None
        self.lock = asyncio.Lock()
        self.is_dropped = False
        self.is_closing = False

    @property
    def is_settled(self) -> bool:
        """Whether the ledger holds everything that was computed."""
        return not self.pending and not self.is_dropped and not self.claim.is_broken

    @asynccontextmanager
    async def at_rest(self) -> AsyncIterator[None]:
        """Let nothing of the lane be decided meanwhile, from when its commits are through (or refused)."""
        async with self.lock:
            while self.tail is not None and not self.tail.done():
                await asyncio.wait([self.tail])
            yield

    def inherit(self, older: Lane) -> None:
        """Take over the states that an older lane of this worker remembers, if nobody has written since."""
        if older.is_settled and older.claim.commit == self.claim.commit and older.next == self.next:
            self.states = older.states
            self.cached_bytes = older.cached_bytes

    def remember(self, states: Mapping[str, bytes | None]) -> None:
        """Put states into the cache, as the youngest."""
        cache = self.states
        entries = len(cache)
        before = [cache.pop(key, None) for key in states]
        cache.update(states)
        self.cached_bytes += (
            _ENTRY_BYTES * (len(cache) - entries)
            + sum(map(len, filter(None, states.values())))
            - sum(map(len, filter(None, before)))
        )

    def forget(self, limit_bytes: int) -> None:
        """Let go of the oldest states until three quarters of the limit are left, once it is passed.

        States that are not committed yet stay: the ledger does not have them.
        """
        if self.cached_bytes <= limit_bytes:
            return
        kept: set[str] = set()
        for part in self.pending:
            kept.update(part.states)
        for key in list(self.states):
            if self.cached_bytes <= limit_bytes * 3 // 4:
                break
            if key not in kept:
                state = self.states.pop(key)
                self.cached_bytes -= _ENTRY_BYTES + (len(state) if state is not None else 0)


def at(tp: TP, offset: int | None = None) -> dict[str, object]:
    """What a log line about a partition has beside its text."""
    found: dict[str, object] = {"topic": tp.topic, "partition": tp.partition}
    return found if offset is None else {**found, "offset": offset}
