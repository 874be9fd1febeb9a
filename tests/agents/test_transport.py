"""The Faust transport: found by its scheme, whole fetches, positions that follow the ledger alone."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import faust.transport
import pytest
from aiokafka.record.default_records import DefaultRecord
from faust.types import TP

import streams.batches
from streams.errors import BrokerUnavailableError
from tests.agents.rig import DEADLINE, Counting, Rig
from tests.agents.test_stage import agrees, made, numbered


def test_faust_finds_the_transport_by_its_scheme() -> None:
    """The entry point of the installed package."""
    assert faust.transport.by_url("batched://127.0.0.1") is streams.batches.Transport


async def test_a_fetch_that_a_seek_overtook_is_dropped_and_made_again(rig: Rig) -> None:
    made(rig, partitions=1)
    sent = numbered(500)
    worker, signals = rig.worker(Counting(), max_part=50, max_fetch=100)
    await worker.start()
    await signals.wait("claimed")
    consumer = worker.engine.consumer
    getmany = consumer._thread.getmany
    tp = TP(rig.prefix + "in", 0)
    overtaken = 0

    async def overtaking(*args: Any, **options: Any) -> Any:
        nonlocal overtaken
        found = await getmany(*args, **options)
        if found and overtaken < 2:
            overtaken += 1
            epoch = worker.engine.lanes[tp].claim.epoch
            worker.engine.holding.drop(worker.engine.lanes[tp], "a test")
            worker.engine.holding.reclaim(tp)
            await signals.wait("claimed", lambda facts: facts["epoch"] > epoch)
            await asyncio.wait(list(consumer._claiming.values()))  # the seek, which follows the claim
        return found

    consumer._thread.getmany = overtaking
    await rig.send("in", sent)
    await rig.through("counting", "in", signals)
    assert overtaken == 2
    assert consumer.overlapped_fetches >= 2
    await agrees(rig, sent)
    assert len(await rig.read("out")) == len(sent)


async def test_a_slice_that_does_not_follow_the_last_one_is_not_computed(rig: Rig) -> None:
    """Should Faust lose a batch on its way, its records are fetched again; none is passed over."""
    made(rig, partitions=1)
    sent = numbered(300)
    stage = Counting()
    worker, signals = rig.worker(stage, max_fetch=100)
    await worker.start()
    await signals.wait("claimed")
    take = worker.engine.take
    lost = asyncio.Event()

    async def losing(batch: Any) -> None:
        if lost.is_set():
            await take(batch)
        lost.set()

    worker.engine.take = losing  # type: ignore[method-assign]
    await rig.send("in", sent[:100])
    await asyncio.wait_for(lost.wait(), DEADLINE)
    await rig.send("in", sent[100:])
    dropped = await signals.wait("dropped")
    assert "the chain is broken" in dropped["why"]
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_records_that_were_fetched_and_given_to_nobody_are_fetched_again(rig: Rig) -> None:
    """As when a fetch returns between the seek of a rebalance and the seat that it leads to."""
    made(rig, partitions=1)
    sent = numbered(500)
    worker, signals = rig.worker(Counting(), max_fetch=100)
    await worker.start()
    await signals.wait("claimed")
    consumer = worker.engine.consumer
    getmany = consumer._thread.getmany
    swallowed = 0

    async def swallowing(*args: Any, **options: Any) -> Any:
        nonlocal swallowed
        found = await getmany(*args, **options)
        if found and swallowed < 2:
            swallowed += 1
            return {}
        return found

    consumer._thread.getmany = swallowing
    await rig.send("in", sent)
    await rig.through("counting", "in", signals)
    assert swallowed == 2
    await agrees(rig, sent)
    assert len(await rig.read("out")) == len(sent)
    assert consumer.offset_gaps == 0


async def test_a_claim_that_finds_no_server_is_made_again(rig: Rig) -> None:
    made(rig, partitions=2)
    sent = numbered(100)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    claim = worker.ledger.claim
    failed = 0

    async def failing(*args: Any) -> Any:
        nonlocal failed
        if failed < 2:
            failed += 1
            raise BrokerUnavailableError("no broker, in a test")
        return await claim(*args)

    worker.ledger.claim = failing  # type: ignore[method-assign]
    await worker.start()
    await signals.wait("refused", lambda facts: facts["reason"] == "unavailable")
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_topics_beginning_may_be_gone(rig: Rig) -> None:
    """Offsets that retention has deleted before the first start are passed over."""
    made(rig, partitions=1)
    sent = numbered(100)
    await rig.send("in", sent)
    from kafka.admin import KafkaAdminClient
    from kafka.structs import TopicPartition

    admin = KafkaAdminClient(bootstrap_servers=rig.stack.kafka_bootstrap)
    try:
        admin.delete_records({TopicPartition(rig.prefix + "in", 0): 40})
    finally:
        admin.close()
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent[40:])
    assert worker.engine.consumer.offset_gaps == 1


async def test_a_topic_that_the_broker_did_not_know_of_at_the_assignment_is_found(rig: Rig) -> None:
    """A broker that has just been restarted may leave a topic out: its partitions must not wait long."""
    rig.topics({"out": 3, "deadletters": 1})
    worker, signals = rig.worker(Counting())
    await worker.start()
    subscription = worker.engine.consumer._thread._ensure_consumer()._subscription
    if subscription.subscription.assignment is None:
        await asyncio.wait_for(subscription.wait_for_assignment(), DEADLINE)
    assert not subscription.assigned_partitions()
    rig.topics({"in": 2})
    sent = numbered(100)
    await rig.send("in", sent)
    await signals.wait("claimed", timeout=DEADLINE)
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_restart_under_the_same_name_with_one_more_topic_is_given_it(rig: Rig) -> None:
    """As intake is started again for a catalogue that has a new department."""
    rig.topics({"in": 2, "more": 2, "out": 3, "deadletters": 1})
    first, signals = rig.worker(Counting(), instance="static")
    await first.start()
    await signals.wait("claimed")
    await first.stop()
    stage = Counting()
    stage.topics = ("in", "more")
    second, signals = rig.worker(stage, instance="static")
    await second.start()
    await rig.send("more", numbered(100))
    await rig.through("counting", "more", signals)
    assert {tp.topic for tp in second.engine.lanes} == {rig.prefix + "in", rig.prefix + "more"}


@pytest.mark.parametrize("partitions", [1, 12])
async def test_one_message_stands_for_one_fetch(rig: Rig, partitions: int) -> None:
    """All partitions of a fetch travel together, so that many partitions do not mean many messages."""
    made(rig, partitions=partitions)
    sent = numbered(600, keys=200)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    batches: list[int] = []
    take = worker.engine.take

    async def noting(batch: Any) -> None:
        batches.append(len(batch))
        await take(batch)

    worker.engine.take = noting  # type: ignore[method-assign]
    await worker.start()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert sum(batches) >= partitions
    assert max(batches) > 1 or partitions == 1


async def test_what_comes_while_a_small_batch_is_worked_on_comes_as_one(rig: Rig) -> None:
    """Not one batch for each fetch that the broker would have answered meanwhile."""
    made(rig, partitions=1)
    worker, signals = rig.worker(Counting())
    batches: list[list[int]] = []
    take = worker.engine.take
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(batch: Any) -> None:
        batches.append([record.offset for piece in batch for record in piece.records])
        begun.set()
        await go_on.wait()
        await take(batch)

    worker.engine.take = slow  # type: ignore[method-assign]
    await worker.start()
    await signals.wait("claimed")
    sent = numbered(6)
    await rig.send("in", sent[:1])
    await asyncio.wait_for(begun.wait(), DEADLINE)
    for one in sent[1:]:
        await rig.send("in", [one])
    go_on.set()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert batches == [[0], [1, 2, 3, 4, 5]]


async def test_records_are_handed_out_as_they_were_read(rig: Rig) -> None:
    """Without the object that aiokafka makes of each: two thirds of a microsecond, for every stage."""
    made(rig, partitions=1)
    worker, signals = rig.worker(Counting())
    kinds: set[type] = set()
    take = worker.engine.take

    async def noting(batch: Any) -> None:
        kinds.update(type(record) for piece in batch for record in piece.records)
        await take(batch)

    worker.engine.take = noting  # type: ignore[method-assign]
    await worker.start()
    sent = numbered(20)
    await rig.send("in", sent)
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert kinds == {DefaultRecord}


async def test_the_broker_keeps_a_session_for_its_fetches(rig: Rig) -> None:
    """So that a record of one partition does not cost a word about each of the others."""
    made(rig, partitions=12)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await signals.wait("claimed")
    sent = numbered(100)
    for one in (sent[:50], sent[50:]):
        await rig.send("in", one)
        await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    sessions = worker.engine.consumer._thread._consumer._fetcher._client._sessions
    assert [session.id for session in sessions.values()] != [0]


async def test_a_worker_fetches_without_a_thread(rig: Rig) -> None:
    """Kafka's consumer is at work in the loop of the stage."""
    made(rig, partitions=1)
    sent = numbered(20)
    await rig.send("in", sent)
    threads = set(threading.enumerate())
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    assert not set(threading.enumerate()) - threads
    await agrees(rig, sent)
