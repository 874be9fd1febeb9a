"""When a round of snapshots is due, what it holds, and that the stream goes on beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from faust.types import TP

from agents.lanes import Lane
from agents.snapshots import Snapshots
from streams.errors import BrokerUnavailableError
from streams.producer import OrderedProducer
from streams.snapshots import decode_lane, decode_state, lane_key, snapshot_topic, state_key
from tests.agents.rig import Counting, Rig
from tests.agents.test_stage import made, numbered

TOPIC = snapshot_topic("counting")
INTERVAL, MOST = 300.0, 50
BEGAN = 1_700_000_000.0


class Site:
    """One worker on one partition, and snapshots by a clock that the test sets."""

    def __init__(self, rig: Rig, producer: OrderedProducer) -> None:
        self.rig = rig
        self.now = BEGAN
        self.producer = producer

    async def start(self) -> None:
        self.worker, self.signals = self.rig.worker(Counting())
        self.snapshots = Snapshots(
            self.worker.engine,
            self.producer,
            interval_seconds=INTERVAL,
            most_states=MOST,
            now=lambda: self.now,
        )
        await self.worker.start()
        await self.signals.wait("claimed")

    async def send(self, count: int, keys: int = 10) -> None:
        """Send records, and wait until they are committed."""
        await self.rig.send("in", numbered(count, keys))
        await self.rig.through("counting", "in", self.signals)

    @property
    def lane(self) -> Lane:
        return self.worker.engine.lanes[TP(self.rig.prefix + "in", 0)]

    async def kept(self) -> tuple[dict[bytes, tuple[int, bytes | None]], int | None]:
        """The latest snapshot of each key, with its offset; the offset of the partition's own."""
        states, offset = {}, None
        for record in await self.rig.read(TOPIC):
            if record.key == lane_key("in", 0):
                offset = decode_lane(record.value).offset
            else:
                found = decode_state(record.value)
                states[record.key] = found.offset, found.state
        return states, offset


@pytest.fixture
async def site(rig: Rig) -> AsyncIterator[Site]:
    made(rig, partitions=1)
    rig.topics({TOPIC: 1})
    producer = OrderedProducer(rig.kafka, topics=[TOPIC], prefix=rig.prefix)
    await producer.start()
    site = Site(rig, producer)
    await site.start()
    yield site
    await producer.stop()


async def test_a_change_waits_for_an_interval_and_no_longer(site: Site) -> None:
    assert await site.snapshots.check() == 0, "nothing has changed"
    await site.send(40)
    site.now += INTERVAL - 1
    assert await site.snapshots.check() == 0
    assert site.snapshots.ages() == {("in", "0"): INTERVAL - 1}
    assert await site.kept() == ({}, None)
    site.now += 1
    assert await site.snapshots.check() == 1
    assert await site.kept() == ({state_key(f"k{n}"): (40, b"4") for n in range(10)}, 40)
    assert site.snapshots.ages() == {("in", "0"): 0.0}
    site.now += 10 * INTERVAL
    assert await site.snapshots.check() == 0, "nothing has changed since"
    await site.send(1)
    site.now += INTERVAL
    assert await site.snapshots.check() == 1
    states, offset = await site.kept()
    assert (states[state_key("k0")], states[state_key("k1")], offset) == ((41, b"5"), (40, b"4"), 41)


async def test_many_changes_do_not_wait_for_the_interval(site: Site) -> None:
    await site.send(MOST - 1, keys=MOST)
    assert await site.snapshots.check() == 0
    await site.send(1)
    assert await site.snapshots.check() == 1
    assert (await site.kept())[1] == MOST


async def test_a_clock_that_was_set_back_holds_no_snapshot_up(site: Site) -> None:
    await site.send(5)
    assert await site.snapshots.check() == 0
    site.now -= 365 * 86_400
    assert await site.snapshots.check() == 1


async def test_what_an_earlier_owner_left_waits_for_an_interval_too(site: Site) -> None:
    await site.send(5)
    await site.worker.stop()
    await site.start()
    assert await site.snapshots.check() == 0
    site.now += INTERVAL
    assert await site.snapshots.check() == 1
    states, offset = await site.kept()
    assert (len(states), offset) == (5, 5)


async def test_the_stream_goes_on_during_a_round(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka takes no snapshot for as long as it takes; commits follow each other meanwhile."""
    await site.send(40)
    site.now += INTERVAL
    asked, gate = asyncio.Event(), asyncio.Event()
    send = site.producer.send

    async def slow() -> None:
        asked.set()
        await gate.wait()
        await send()

    monkeypatch.setattr(site.producer, "send", slow)
    checking = asyncio.ensure_future(site.snapshots.check())
    async with asyncio.timeout(60):
        await asked.wait()
    await site.send(30)
    assert not checking.done()
    gate.set()
    assert await checking == 1
    states, offset = await site.kept()
    assert offset == 40, "a rebuild begins before what came during the round"
    assert {state for _, state in states.values()} == {b"4"}
    # And what came meanwhile is in the next round.
    site.now += INTERVAL
    assert await site.snapshots.check() == 1
    assert (await site.kept())[1] == 70


async def test_a_round_that_kafka_did_not_take_is_due_at_once_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.send(40)
    site.now += INTERVAL

    async def away() -> None:
        raise BrokerUnavailableError("no broker")

    with monkeypatch.context() as outage:
        outage.setattr(site.producer, "send", away)
        with pytest.raises(BrokerUnavailableError):
            await site.snapshots.check()
    assert site.snapshots.ages() == {("in", "0"): INTERVAL}
    assert await site.snapshots.check() == 1
    states, offset = await site.kept()
    assert (len(states), offset) == (10, 40)


async def test_who_lost_the_partition_takes_no_snapshot_of_it(site: Site) -> None:
    await site.send(40)
    lane = site.lane
    site.now += INTERVAL
    rival = await site.rig.ledger()
    taken: Any = await rival.claim("counting", lane.tp.topic, 0, 99, "rival")
    assert not await site.snapshots.take(lane)
    assert await site.kept() == ({}, None)
    # Nothing is forgotten: the rival's own round has it all.
    assert taken.epoch > lane.claim.epoch
    assert await rival.link.call("SCARD", rival.keys("counting", lane.tp.topic, 0)[5]) == 10
