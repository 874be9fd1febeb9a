"""How many records wait for a worker, while Redis does not answer and nothing is fetched."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from agents.backlog import Backlog
from agents.lanes import Part
from streams.errors import RedisUnavailableError
from tests.agents.rig import Counting, Rig
from tests.agents.test_stage import made, numbered

ONE, TWO = TP("facts", 0), TP("facts", 1)


class Kafka:
    """As much of an app as a backlog looks at."""

    def __init__(self) -> None:
        self.consumer_generation_id = 1
        self.fetched: dict[TP, int] = {ONE: 12, TWO: 9}
        self.ends: dict[TP, int] | None = {ONE: 30, TWO: 9}
        self.assigned = {ONE, TWO}
        self.consumer = SimpleNamespace(
            assignment=lambda: self.assigned, highwater=self.fetched.get, highwaters=self._highwaters
        )

    async def _highwaters(self, *tps: TP) -> dict[TP, int]:
        if self.ends is None:
            raise KafkaConnectionError
        return {tp: self.ends[tp] for tp in tps}


def engine(**reached: int) -> Any:
    lanes = {
        TP("facts", int(name[1:])): SimpleNamespace(claim=SimpleNamespace(next_offset=offset))
        for name, offset in reached.items()
    }
    return SimpleNamespace(lanes=lanes, on_commit=[])


async def test_a_lane_that_is_away_still_waits_and_its_log_still_grows() -> None:
    kafka, at_work = Kafka(), engine(p0=5, p1=9)
    backlog = Backlog(at_work, kafka)
    assert backlog.by_topic() == {"facts": 7}
    for tell in at_work.on_commit:
        tell(SimpleNamespace(tp=ONE), Part(10))
    del at_work.lanes[ONE]  # Redis does not answer: it is to be claimed again
    assert backlog.by_topic() == {"facts": 2}
    await backlog.look()
    assert backlog.by_topic() == {"facts": 20}


async def test_what_others_have_now_is_not_ours_to_count() -> None:
    kafka, at_work = Kafka(), engine(p0=5, p1=9)
    backlog = Backlog(at_work, kafka)
    await backlog.look()
    assert backlog.by_topic() == {"facts": 25}
    kafka.assigned = {TWO}
    del at_work.lanes[ONE]
    assert backlog.by_topic() == {"facts": 0}
    await backlog.look()
    assert backlog.end(ONE) == 12, "what was asked is forgotten"


async def test_a_broker_that_does_not_answer_changes_nothing() -> None:
    kafka, at_work = Kafka(), engine(p0=5)
    backlog = Backlog(at_work, kafka)
    await backlog.look()
    kafka.ends = None
    await backlog.look()
    assert backlog.by_topic() == {"facts": 25}


async def test_before_it_has_joined_its_group_nothing_is_known() -> None:
    kafka = Kafka()
    kafka.consumer_generation_id = 0
    backlog = Backlog(engine(), kafka)
    await backlog.look()
    assert backlog.by_topic() == {}


async def test_lag_grows_while_no_partition_can_be_claimed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a real broker: records come, the ledger is away, and nothing is fetched."""
    made(rig, partitions=1)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.send("in", numbered(40))
    await rig.through("counting", "in", signals)
    topic = rig.prefix + "in"

    async def away(*_: Any) -> None:
        raise RedisUnavailableError("redis does not answer")

    with monkeypatch.context() as outage:
        outage.setattr(worker.ledger, "claim", away)
        lane = worker.engine.lanes[TP(topic, 0)]
        worker.engine.holding.drop(lane, "a test")
        for seen in (300, 600):
            await rig.send("in", numbered(300))
            await worker.backlog.look()
            assert worker.backlog.by_topic() == {topic: seen}
        assert not worker.engine.lanes
    await rig.through("counting", "in", signals)
    await worker.backlog.look()
    assert worker.backlog.by_topic() == {topic: 0}
