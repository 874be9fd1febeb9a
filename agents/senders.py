"""When each department was last heard of: from what intake fetches, and after a start from the log itself."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from agents.lanes import Lane, Part
from agents.metrics import Labels, StageMetrics
from agents.stage import Engine
from streams.catalog import Catalog
from streams.topics import LIFE

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
_READ_SECONDS: Final = 20.0


class Senders:
    """The broker's time of the latest record of every ``life.*`` partition that this worker owns.

    Intake notes it as it works (:meth:`seen`). What came before the worker started is read back from Kafka,
    one record for each partition, so that a restart does not make a silent department look alive.
    """

    def __init__(self, kafka: Mapping[str, Any], engine: Engine, metrics: StageMetrics) -> None:
        self._kafka = dict(kafka)
        self._engine = engine
        self._latest: dict[TP, float | None] = {}
        self._series = metrics.series
        self._series.watch("hearthwatch_department_last_event_timestamp_seconds", self._by_department)
        metrics.on_commit(self.seen)

    def expect(self, catalog: Catalog) -> None:
        """Tell for how long each department may be silent, by the catalogue that holds now."""
        self._series.clear("hearthwatch_department_silent_after_seconds")
        for department in catalog.departments.values():
            if department.silent_after_days is not None:
                self._series.set(
                    "hearthwatch_department_silent_after_seconds",
                    (department.id,),
                    department.silent_after_days * 86_400,
                )

    def seen(self, lane: Lane, part: Part) -> None:
        """Note the newest record of what was committed."""
        if part.piece is not None:
            at = part.piece.records[-1].timestamp / 1000
            self._latest[lane.tp] = max(at, self._latest.get(lane.tp) or 0.0)

    async def run(self) -> None:
        """Read back what is not known yet, whenever partitions were given to us."""
        while True:
            unknown = [tp for tp in self._engine.lanes if tp not in self._latest]
            if unknown:
                try:
                    async with asyncio.timeout(_READ_SECONDS):
                        await self._read_back(unknown)
                except (KafkaError, OSError, TimeoutError) as error:
                    logger.warning("cannot read when departments last sent: %r; again", error)
            for tp in [tp for tp in self._latest if tp not in self._engine.lanes]:
                del self._latest[tp]
            await asyncio.sleep(LOOK_SECONDS)

    async def _read_back(self, unknown: list[TP]) -> None:
        consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="latest", **self._kafka)
        try:
            await consumer.start()
            wanted = [TopicPartition(tp.topic, tp.partition) for tp in unknown]
            consumer.assign(wanted)
            first, end = await asyncio.gather(
                consumer.beginning_offsets(wanted), consumer.end_offsets(wanted)
            )
            missing = {tp for tp in wanted if first[tp] < end[tp]}
            for tp in wanted:
                if tp in missing:
                    consumer.seek(tp, end[tp] - 1)
                else:  # nothing there, or nothing any more
                    consumer.pause(tp)
                    self._latest.setdefault(TP(tp.topic, tp.partition), None)
            while missing:
                for tp, records in (await consumer.getmany(timeout_ms=1_000)).items():
                    # A part that was committed meanwhile knows better.
                    self._latest.setdefault(TP(tp.topic, tp.partition), records[-1].timestamp / 1000)
                    missing.discard(tp)
                    consumer.pause(tp)
        finally:
            await consumer.stop()

    def _by_department(self) -> Mapping[Labels, float]:
        latest: dict[Labels, float] = {}
        for tp, lane in list(self._engine.lanes.items()):
            at = self._latest.get(tp)
            if at is not None:
                labels = (lane.topic.removeprefix(LIFE),)
                latest[labels] = max(at, latest.get(labels, 0.0))
        return latest
