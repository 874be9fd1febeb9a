"""Snapshots of what changed, beside the stream: a rebuild needs them and the log behind them.

A round begins for a partition that has gone on for some time, or has changed many states. It reads changed
states from the ledger as they are committed, a few at a time, and sends them to the stage's compacted topic;
when all are acknowledged, the partition's own snapshot follows, with the offset M at which the round began.
Only committed states are read, and a commit follows the acknowledgement of what its records led to; so
whoever begins at a snapshot owes nobody anything from before it.

A worker that lost its partition cannot take another one's states as its own: reading is fenced. What it had
read before may still arrive late, as the older state that it is; :mod:`streams.snapshots` has the claim's
epoch beside each state, by which a rebuild tells.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from faust.types import TP

from agents.lanes import Lane, Part
from agents.ledger import Claim, FencedError, changes
from agents.signals import Signals
from agents.stage import Engine
from streams.errors import LedgerError, TransportError
from streams.partitions import partition_of
from streams.producer import OrderedProducer
from streams.snapshots import FORMAT, LaneSnapshot, StateSnapshot, encode, lane_key, snapshot_topic, state_key

logger = logging.getLogger(__name__)

#: States in one reading: the loop stands still for 1 to 2 ms, and 200 KB are under way.
CHUNK: Final = 200
LOOK_SECONDS: Final = 1.0


@dataclass(slots=True)
class _Waiting:
    """What a lane has changed since its last round.

    Attributes:
        since: when the first of it was committed, in seconds since 1970; None where there is nothing.
        began: likewise, of what the round under way is about.
        states: how many states, repeats counted.
        is_looked_at: whether it is known what an earlier owner left.
    """

    lane: Lane
    since: float | None = None
    began: float | None = None
    states: int = 0
    is_looked_at: bool = False


class Snapshots:
    """Takes snapshots of the partitions that a worker owns.

    Args:
        producer: of its own, knows the stage's topic of snapshots; it is not started here.
        interval_seconds: how long a change waits for a snapshot.
        most_states: a round begins earlier where so many states have been written.
        now: in seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        producer: OrderedProducer,
        *,
        interval_seconds: float,
        most_states: int,
        now: Callable[[], float] = time.time,
        signals: Signals | None = None,
    ) -> None:
        self._engine = engine
        self._producer = producer
        self._interval = interval_seconds
        self._most = most_states
        self._now = now
        self._signals = signals or engine.signals
        self._topic = snapshot_topic(engine.stage.name)
        self._waiting: dict[TP, _Waiting] = {}
        engine.on_commit.append(self.committed)

    def committed(self, lane: Lane, part: Part) -> None:
        """A part of a lane was committed."""
        waiting = self._of(lane)
        waiting.states += len(part.states)
        if waiting.since is None:
            waiting.since = self._now()

    def _of(self, lane: Lane) -> _Waiting:
        waiting = self._waiting.get(lane.tp)
        if waiting is None or waiting.lane is not lane:
            waiting = self._waiting[lane.tp] = _Waiting(lane)
        return waiting

    def ages(self) -> Mapping[tuple[str, ...], float]:
        """For how long changes of each owned partition have been waiting, by topic and partition."""
        now = self._now()
        out: dict[tuple[str, ...], float] = {}
        for lane in self._engine.lanes.values():
            waiting = self._waiting.get(lane.tp)
            since = None if waiting is None or waiting.lane is not lane else _first(waiting)
            out[lane.topic, str(lane.partition)] = 0.0 if since is None else max(0.0, now - since)
        return out

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            try:
                await self.check()
            except (TransportError, LedgerError) as error:
                logger.warning("no snapshot was taken: %s", error)
            except Exception:
                logger.exception("no snapshot was taken")
            await asyncio.sleep(LOOK_SECONDS)

    async def check(self) -> int:
        """Take the rounds that are due, one after the other; how many they were."""
        lanes = list(self._engine.lanes.values())
        for tp in [tp for tp, waiting in self._waiting.items() if waiting.lane.is_dropped]:
            del self._waiting[tp]
        done = 0
        for lane in lanes:
            if lane.is_dropped:
                continue
            waiting = self._of(lane)
            if not waiting.is_looked_at:
                await self._look_back(waiting)
            if self._is_due(waiting):
                done += await self.take(lane)
        return done

    def _is_due(self, waiting: _Waiting) -> bool:
        if waiting.since is None:
            return False
        waited = self._now() - waiting.since
        # A clock that was set back would let it wait for as long again.
        return not 0 <= waited < self._interval or waiting.states >= self._most

    async def _look_back(self, waiting: _Waiting) -> None:
        """Whoever had the partition before may have left changes without a snapshot."""
        since = await changes.left_over(self._engine.ledger, waiting.lane.claim)
        waiting.is_looked_at = True
        if since is not None:
            now = self._now()
            # Nobody knows since when they wait; where there never was a round, they count from now.
            since = min(since, now) if since else now
            waiting.since = since if waiting.since is None else min(since, waiting.since)

    async def take(self, lane: Lane) -> bool:
        """One round; False where the partition was lost meanwhile."""
        waiting = self._of(lane)
        waiting.began, waiting.since = _first(waiting), None
        before, waiting.states = waiting.states, 0
        try:
            await self._round(lane, waiting)
        except FencedError as error:
            # The next commit finds out for itself, and reclaims.
            logger.info("%s-%d: a snapshot was given up: %s", lane.tp.topic, lane.tp.partition, error)
            return False
        finally:
            if waiting.began is not None:  # it was not finished
                waiting.since, waiting.began = waiting.began, None
                waiting.states += before
        return True

    async def _round(self, lane: Lane, waiting: _Waiting) -> None:
        ledger = self._engine.ledger
        # Of its own, so that a refusal here does not break the lane's.
        claim = Claim(
            lane.claim.stage, lane.claim.topic, lane.claim.partition, lane.claim.generation,
            lane.claim.owner, epoch=lane.claim.epoch, commit=0, next_offset=0,
        )  # fmt: skip
        began = self._now()
        standing = await changes.begin(ledger, claim)
        taken = await changes.take(ledger, claim, CHUNK)
        count = 0
        while taken.states:
            for key, state in taken.states.items():
                # One that was emptied stays as empty: a null value has no offset, and a late one of a worker
                # that is not the owner any more would take a later snapshot away unseen.
                value = encode(StateSnapshot(FORMAT, claim.epoch, taken.next_offset, state))
                self._producer.append(self._topic, state_key(key), value, partition=lane.partition)
            count += len(taken.states)
            await self._producer.send()
            taken = await changes.take(ledger, claim, CHUNK, list(taken.states))
        lane_record = LaneSnapshot(
            FORMAT, claim.epoch, standing.next_offset, standing.head, standing.marks, standing.counts, began
        )
        self._append_lane(lane, lane_record)
        await self._producer.send()
        await changes.end(ledger, claim, began)
        waiting.began = None
        self._signals.emit("snapshot", tp=lane.tp, offset=standing.next_offset, states=count)

    def _append_lane(self, lane: Lane, record: LaneSnapshot) -> None:
        key = lane_key(lane.topic, lane.partition)
        # Partitions without states are small: their snapshots share a topic's partitions by their key.
        count = self._producer.partitions(self._topic)
        partition = lane.partition if self._engine.stage.keeps_states else partition_of(key, count)
        self._producer.append(self._topic, key, encode(record), partition=partition)


def _first(waiting: _Waiting) -> float | None:
    known = [moment for moment in (waiting.began, waiting.since) if moment is not None]
    return min(known, default=None)
