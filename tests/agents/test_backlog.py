"""How many records wait for a worker, while Redis does not answer and nothing is fetched."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from agents.backlog import Backlog
from agents.lanes import Part
from agents.ledger import StaleClaimError
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

    with monkeypatch.context() as outage:
        outage.setattr(worker.ledger, "claim", _away)
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


async def test_a_partition_that_was_never_claimed_counts_from_where_the_ledger_has_it(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker has just started, and every claim is refused: nobody else would tell what waits there."""
    made(rig, partitions=1)
    first, signals = rig.worker(Counting())
    await first.start()
    await rig.send("in", numbered(40))
    await rig.through("counting", "in", signals)
    await first.stop()
    await rig.send("in", numbered(300))
    topic = rig.prefix + "in"
    worker, _ = rig.worker(Counting())
    asked = asyncio.Event()

    async def refused(*_: Any) -> None:
        asked.set()
        raise StaleClaimError("a newer generation has it")

    monkeypatch.setattr(worker.ledger, "claim", refused)
    await worker.start()
    async with asyncio.timeout(60):
        await asked.wait()
    await worker.backlog.look()
    assert not worker.engine.lanes
    assert worker.backlog.by_topic() == {topic: 300}
    # Whoever has it still goes on meanwhile.
    rival = await rig.ledger()
    await rival.commit(await rival.claim("counting", topic, 0, 99, "rival"), next_offset=240)
    await worker.backlog.look()
    assert worker.backlog.by_topic() == {topic: 100}
    # Redis answers nothing any more: what is known stays, and the log still grows.
    monkeypatch.setattr(worker.ledger, "positions", _away)
    await rig.send("in", numbered(5))
    await worker.backlog.look()
    assert worker.backlog.by_topic() == {topic: 105}


async def test_a_partition_that_redis_has_lost_waits_with_all_of_its_log(rig: Rig) -> None:
    made(rig, partitions=1)
    first, signals = rig.worker(Counting())
    await first.start()
    await rig.send("in", numbered(40))
    await rig.through("counting", "in", signals)
    await first.stop()
    topic = rig.prefix + "in"
    ledger = await rig.ledger()
    await ledger.link.call("DEL", *ledger.keys("counting", topic, 0))
    worker, signals = rig.worker(Counting())
    await worker.start()
    assert "hearthwatch rebuild" in (await signals.wait("stopped"))["why"]
    await worker.backlog.look()
    assert worker.backlog.by_topic() == {topic: 40}


async def _away(*_: Any) -> None:
    raise RedisUnavailableError("redis does not answer")
