"""How many records wait for a worker, also while it can work on none of them.

The consumer says how far a log went at its last fetch. It does not fetch a partition that has not been
claimed, nor any while too many records wait for their commits: then, when it matters most, that figure stands
still. So the broker is asked every few seconds as well. Where a partition stands that cannot be claimed, the
ledger is asked likewise; and it is remembered, because Redis may be what does not answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust.types import TP

from agents.lanes import Lane, Part
from streams.errors import HearthwatchError

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 5.0


class Backlog:
    """The lag of the partitions that a worker was assigned.

    Args:
        engine: whose lanes say how far each partition is (``agents.stage.Engine``).
        app: whose consumer knows Kafka (:class:`streams.batches.BatchApp`); it need not have started.
    """

    def __init__(self, engine: Any, app: Any, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._engine = engine
        self._app = app
        self._look_seconds = look_seconds
        self._ends: dict[TP, int] = {}
        self._reached: dict[TP, int] = {}
        engine.on_commit.append(self._committed)

    def _committed(self, lane: Lane, part: Part) -> None:
        self._reached[lane.tp] = part.next_offset

    def end(self, tp: TP) -> int | None:
        """The offset after the last record of a partition, as far as is known; None: not at all yet."""
        try:
            fetched: int | None = self._app.consumer.highwater(tp)
        except (AttributeError, AssertionError):  # revoked this moment
            fetched = None
        asked = self._ends.get(tp)
        if fetched is None or asked is None:
            return fetched if asked is None else asked
        return max(fetched, asked)

    def by_topic(self) -> Mapping[str, int]:
        """Records that are not committed, of each topic, by its name on the broker.

        A partition that was never claimed is in it from the first :meth:`look` on that Redis answered.
        """
        lanes = self._engine.lanes
        self._note()
        lag: Counter[str] = Counter()
        for tp in {*lanes, *(self._reached.keys() & self._assigned())}:
            end = self.end(tp)
            lag[tp.topic] += max(0, (end or 0) - self._reached[tp])
        return lag

    async def run(self) -> None:
        """Ask every few seconds, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(self._look_seconds)

    async def look(self) -> None:
        """Ask the broker once how far the logs go, and forget the partitions that others have now."""
        self._note()
        assigned = self._assigned()
        if assigned:
            try:
                async with asyncio.timeout(self._look_seconds):
                    self._ends.update(await self._app.consumer.highwaters(*assigned))
            except (KafkaError, OSError, TimeoutError, AttributeError) as error:
                logger.debug("kafka does not say how far the logs go: %r", error)
            if unclaimed := assigned - self._engine.lanes.keys():
                await self._ask(unclaimed)
        for known in (self._ends, self._reached):
            for tp in [tp for tp in known if tp not in assigned and tp not in self._engine.lanes]:
                del known[tp]

    async def _ask(self, unclaimed: set[TP]) -> None:
        """Ask the ledger where partitions stand that are not claimed; another worker may have them yet."""
        engine, consumer = self._engine, self._app.consumer
        try:
            async with asyncio.timeout(self._look_seconds):
                found = await engine.ledger.positions(engine.stage.name, sorted(unclaimed))
                # It never began, or Redis has lost it: as far as anybody knows all of its log waits.
                new = [tp for tp in unclaimed if found[tp] is None and tp not in self._reached]
                first = await consumer.earliest_offsets(*new) if new else {}
        except (HearthwatchError, KafkaError, OSError, TimeoutError, AttributeError) as error:
            logger.debug("nobody says how far the partitions are that are not claimed: %r", error)
            return
        for tp in unclaimed - engine.lanes.keys():
            place = found[tp]
            if place is not None:
                self._reached[tp] = place.next_offset
            elif tp in first:
                self._reached[tp] = first[tp]

    def _note(self) -> None:
        for tp, lane in self._engine.lanes.items():
            self._reached[tp] = lane.claim.next_offset

    def _assigned(self) -> set[TP]:
        if not self._app.consumer_generation_id:  # it has not joined its group, and may have no client yet
            return set()
        try:
            return set(self._app.consumer.assignment())
        except AttributeError:
            return set()
