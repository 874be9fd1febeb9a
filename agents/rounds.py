"""From a fetch to parts that are decided: how an :class:`agents.stage.Engine` takes records."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.lanes import Lane, Part
from streams.batches import SMALL_FETCH
from streams.slices import Batch, Slice

if TYPE_CHECKING:  # it imports this module
    from agents.stage import Engine


@dataclass(slots=True)
class _Begun:
    """A part that was read: what the stage made of it, and the states that are not at hand."""

    lane: Lane
    piece: Slice
    part: Part
    read: Any
    missing: list[str]

    @property
    def must_wait(self) -> bool:
        return bool(self.missing) or self.part.is_early


class Rounds:
    """Takes fetches for an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def take(self, batch: Batch) -> None:
        """Work through one fetch; return when there is room for the next one.

        The parts of a small one are decided together, sent together, and brought to their commits by one
        task: tasks and turns of the loop for each of them would cost more than their records. In a large one
        each partition goes its own way, so that some are sent and committed while others are decided.
        """
        if len(batch) == 1:
            await self._take(batch[0])
            return
        together: Batch = []
        if sum(map(len, batch)) <= min(SMALL_FETCH, self._engine.max_part):
            together = [piece for piece in batch if not self._is_busy(piece)]
        if len(together) == len(batch):
            await self._take_together(batch)
            return
        alone = [self._take(piece) for piece in batch if piece not in together]
        await asyncio.gather(self._take_together(together), *alone)

    def _is_busy(self, piece: Slice) -> bool:
        """Whether work between batches has the lane: nobody else is to wait for that."""
        lane = self._engine.lanes.get(piece.tp)
        return lane is not None and lane.lock.locked()

    async def _take(self, piece: Slice) -> None:
        records = piece.records
        start = piece.start
        for at in range(0, len(records), self._engine.max_part):
            some = records[at : at + self._engine.max_part]
            if not await self._take_some(piece, some, start):
                self._engine.consumer.release(piece, len(records) - at)
                return
            start = some[-1].offset + 1

    async def _take_some(self, piece: Slice, records: Sequence[Any], start: int) -> bool:
        lane = self._engine.lanes.get(piece.tp)
        if lane is None:
            return False
        async with lane.lock:
            begun = self._read(lane, piece, records, start)
            if begun is None or not await self._complete(begun) or not self._decide(begun):
                return False
            self._engine.submit([(lane, begun.part)])
            if begun.part.wakes:
                self._engine.stage.begin(self._engine, lane)
            await self._engine.room(lane)
        return True

    async def _take_together(self, batch: Batch) -> None:
        async with AsyncExitStack() as locks:
            begun: list[_Begun] = []
            for piece in batch:
                lane = self._engine.lanes.get(piece.tp)
                one = None
                if lane is not None:
                    await locks.enter_async_context(lane.lock)
                    one = self._read(lane, piece, piece.records, piece.start)
                if one is None:
                    self._engine.consumer.release(piece, len(piece))
                else:
                    begun.append(one)
            waiting = [one for one in begun if one.must_wait]
            if waiting:
                await asyncio.gather(*map(self._complete, waiting))
            together: list[tuple[Lane, Part]] = []
            for one in begun:
                if not self._engine.holding.is_live(one.lane) or not self._decide(one):
                    self._engine.consumer.release(one.piece, len(one.piece))
                elif one.part.failures:  # these have to be set aside first; nobody else waits for that
                    self._engine.submit([(one.lane, one.part)])
                else:
                    together.append((one.lane, one.part))
            if together:
                self._engine.submit(together)
            for one in begun:
                if one.part.wakes and one.part.task is not None:
                    self._engine.stage.begin(self._engine, one.lane)
                await self._engine.room(one.lane)

    def _read(self, lane: Lane, piece: Slice, records: Sequence[Any], start: int) -> _Begun | None:
        """Begin a part, under the lane's lock; None where it may not be."""
        if not self._engine.holding.is_live(lane) or piece.generation != lane.generation:
            return None
        if start != lane.next:
            self._engine.holding.drop(lane, f"the chain is broken: {start} instead of {lane.next}")
            return None
        part = Part(records[-1].offset + 1, piece, len(records))
        try:
            read, keys = self._engine.stage.read(lane, part, records)
        except Exception as error:  # noqa: BLE001 - judged there
            self._engine.failed(lane, error, start)
            return None
        missing = list(set(keys).difference(lane.states))
        return _Begun(lane, piece, part, read, missing)

    async def _complete(self, begun: _Begun) -> bool:
        """Wait for what a part has to know before it can be decided; False where the lane was lost."""
        if begun.must_wait:
            try:
                await self._engine.load(begun.lane, begun.missing)
                if begun.part.is_early and self._engine.look is not None:
                    await self._engine.look()
            except Exception as error:  # noqa: BLE001 - judged there
                self._engine.failed(begun.lane, error, begun.lane.next)
        return self._engine.holding.is_live(begun.lane)

    def _decide(self, begun: _Begun) -> bool:
        """Let the stage decide a part; False where it could not."""
        lane, part = begun.lane, begun.part
        day = lane.day
        try:
            self._engine.stage.decide(lane, part, begun.read)
        except Exception as error:  # noqa: BLE001 - judged there
            self._engine.failed(lane, error, lane.next)
            return False
        part.wakes = part.wakes or lane.day != day
        lane.next = part.next_offset
        return True
