"""The loop of every stage on a real broker and server, shown with a toy stage that counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.app import Worker
from agents.signals import Recorder
from streams.deadletters import MESSAGE, ORIGIN_OFFSET, REASON
from tests.agents.process import Running
from tests.agents.rig import DEADLINE, Counting, Rig


def made(rig: Rig, partitions: int = 4) -> None:
    rig.topics({"in": partitions, "out": 3, "deadletters": 1})


def numbered(count: int, keys: int = 50, start: int = 0) -> list[tuple[bytes, bytes]]:
    return [(b"k%d" % (n % keys), b"v%d" % n) for n in range(start, start + count)]


def counted(records: list[Any]) -> dict[str, int]:
    """Key -> how many different records were sent on, after checking that first occurrences are in order."""
    seen: dict[str, list[bytes]] = {}
    for record in records:
        found = seen.setdefault(record.key.decode(), [])
        if record.value not in found:  # a repeat has the same bytes
            found.append(record.value)
    for key, values in seen.items():
        assert [int(v.rpartition(b" ")[2]) for v in values] == list(range(1, len(values) + 1)), key
    return {key: len(values) for key, values in seen.items()}


async def states(rig: Rig) -> dict[str, int]:
    """Key -> count, as the ledger has it."""
    ledger = await rig.ledger()
    return {
        key: int(state)
        for number in range(rig.partitions["in"])
        async for key, state in ledger.scan("counting", rig.prefix + "in", number)
    }


async def agrees(rig: Rig, sent: list[tuple[bytes, bytes]]) -> None:
    """Every record counts once, in what was sent and in the states."""
    expected = {key.decode(): number for key, number in Counter(key for key, _ in sent).items()}
    assert counted(await rig.read("out")) == expected
    assert await states(rig) == expected


async def test_every_record_is_counted_once_and_sent_in_order(rig: Rig) -> None:
    made(rig)
    sent = numbered(5000)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert len(await rig.read("out")) == len(sent)


async def crash(worker: Worker) -> None:
    """End a worker without letting anything that runs come to its end."""
    await worker.engine.close()
    await worker.stop()


async def test_a_crash_between_send_and_commit_repeats_the_same_bytes(rig: Rig) -> None:
    made(rig, partitions=1)
    sent = numbered(300)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting(), max_part=100)
    commits = 0
    commit = worker.ledger.commit_all

    async def commit_once(*args: Any) -> Any:
        nonlocal commits
        commits += 1
        if commits > 1:
            await asyncio.Event().wait()
        return await commit(*args)

    worker.ledger.commit_all = commit_once  # type: ignore[method-assign]
    await worker.start()
    await signals.wait("sent", lambda facts: facts["offset"] == 200)
    await crash(worker)
    before = [record.value for record in await rig.read("out")]
    assert len(before) >= 200

    second, signals = rig.worker(Counting(), max_part=100)
    await second.start()
    claimed = await signals.wait("claimed")
    assert claimed["offset"] == 100
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    everything = [record.value for record in await rig.read("out")]
    assert len(everything) > len(sent)
    assert set(everything) >= set(before)
    assert len(set(everything)) == len(sent)


async def test_workers_join_and_leave_while_records_flow(rig: Rig) -> None:
    made(rig)
    sent = numbered(2000)
    await rig.send("in", sent)
    first, first_signals = rig.worker(Counting(), max_part=50, max_fetch=100)
    await first.start()
    await first_signals.wait("committed")
    second, second_signals = rig.worker(Counting(), max_part=50, max_fetch=100)
    more = numbered(2000, start=2000)
    await asyncio.gather(second.start(), rig.send("in", more))
    await second_signals.wait("claimed")
    await rig.through("counting", "in", first_signals, second_signals)
    last = numbered(2000, start=4000)
    await asyncio.gather(second.stop(), rig.send("in", last))
    await rig.through("counting", "in", first_signals)
    await agrees(rig, sent + more + last)
    # An orderly change of hands repeats nothing and refuses nothing.
    assert len(await rig.read("out")) == 6000
    assert not [name for name, _ in first_signals.seen + second_signals.seen if name == "refused"]
    assert ("drained", {"lanes": 4, "pending": 0}) in first_signals.seen


async def test_a_killed_process_is_taken_over(rig: Rig) -> None:
    """SIGKILL in the middle of the work; the next worker goes on, and nothing is lost or counted twice."""
    made(rig)
    rig.share_charter()
    sent = numbered(20_000, keys=500)
    await rig.send("in", sent)
    # 6 s: the least that the broker allows until it misses a member.
    with Running(rig.config(max_part=50, max_fetch=200, session_seconds=6.0)) as process:
        ledger = await rig.ledger()
        at = [(rig.prefix + "in", number) for number in range(4)]
        async with asyncio.timeout(DEADLINE):
            while not any(p and p.commit > 2 for p in (await ledger.positions("counting", at)).values()):
                pass
        process.kill()
    behind = sum(p.next_offset if p else 0 for p in (await ledger.positions("counting", at)).values())
    assert behind < len(sent)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_zombies_commit_is_refused(rig: Rig) -> None:
    made(rig, partitions=1)
    sent = numbered(200)
    await rig.send("in", sent[:100])
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    before = await states(rig)

    ledger = await rig.ledger()
    rival = await ledger.claim("counting", rig.prefix + "in", 0, 1_000_000, "rival")
    await rig.send("in", sent[100:])
    await signals.wait("refused", lambda facts: facts["reason"] == "fenced")
    await signals.wait("dropped")
    # It may not claim the partition back either: the rival's generation is newer.
    await signals.wait("refused", lambda facts: facts["reason"] == "stale")
    assert await states(rig) == before
    assert rival.next_offset == 100
    await ledger.commit(rival, next_offset=100)

    # An operator hands the partition back (a group that was made anew counts from 1).
    await ledger.adopt("counting", [(rig.prefix + "in", 0)])
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_small_fetch_is_committed_together_and_a_refusal_stops_one_partition(rig: Rig) -> None:
    made(rig, partitions=2)
    worker, signals = rig.worker(Counting())
    together: list[list[int]] = []
    commit_all = worker.ledger.commit_all

    async def watched(steps: Any) -> Any:
        together.append(sorted(claim.partition for claim, _ in steps))
        return await commit_all(steps)

    worker.ledger.commit_all = watched  # type: ignore[method-assign]
    sent = numbered(200)
    await rig.send("in", sent[:100])
    await worker.start()
    await rig.through("counting", "in", signals)
    assert [0, 1] in together

    ledger = await rig.ledger()
    await ledger.claim("counting", rig.prefix + "in", 0, 1_000_000, "rival")
    seen = len(signals.seen)
    await rig.send("in", sent[100:])
    dropped = await signals.wait("dropped", after=seen)
    assert dropped["tp"].partition == 0
    ends = await rig.ends("in")
    await signals.wait("committed", lambda facts: facts["offset"] == ends[1], after=seen)
    await ledger.adopt("counting", [(rig.prefix + "in", 0)])
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_record_that_the_program_fails_on_is_set_aside(rig: Rig) -> None:
    made(rig, partitions=1)
    await rig.send("in", [(b"k", b"a"), (b"k", b"boom"), (b"k", b"b")], headers=[("h", b"\xff")])
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    assert await states(rig) == {"k": 2}
    assert [r.value for r in await rig.read("out")] == [b"0 0 a 1", b"0 2 b 2"]
    (letter,) = await rig.read("deadletters")
    assert (letter.key, letter.value, letter.headers[0]) == (b"k", b"boom", ("h", b"\xff"))
    headers = dict(letter.headers)
    assert headers[REASON] == b"internal-error"
    assert headers[ORIGIN_OFFSET] == b"1"
    assert b"ValueError" in headers[MESSAGE]
    assert b"a person's name" not in headers[MESSAGE]


async def test_fetching_waits_for_commits(rig: Rig) -> None:
    """Back-pressure: no more records are handed out than ``max_outstanding`` and one fetch."""
    made(rig, partitions=2)
    sent = numbered(2000)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting(), max_outstanding=200, max_fetch=50, max_part=50)
    gate = asyncio.Event()
    commit = worker.ledger.commit_all

    async def later(*args: Any) -> Any:
        await gate.wait()
        return await commit(*args)

    worker.ledger.commit_all = later  # type: ignore[method-assign]
    await worker.start()
    consumer = worker.engine.consumer
    getmany = consumer._getmany
    most = 0
    is_full = asyncio.Event()

    async def watched(*args: Any, **options: Any) -> Any:
        nonlocal most
        found = await getmany(*args, **options)
        most = max(most, consumer.outstanding)
        if not found and consumer.outstanding >= 200:
            is_full.set()  # a fetch that was not made, for want of room
        return found

    consumer._getmany = watched
    async with asyncio.timeout(DEADLINE):
        await is_full.wait()
    assert most <= 250
    gate.set()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert consumer.outstanding == 0


async def test_seeks_in_the_middle_of_fetches_lose_and_double_nothing(rig: Rig) -> None:
    made(rig, partitions=3)
    sent = numbered(6000)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting(), max_fetch=100, max_part=50)
    await worker.start()
    for number in range(12):
        await signals.wait("committed", lambda facts: True)
        tp = sorted(worker.engine.lanes)[number % len(worker.engine.lanes)] if worker.engine.lanes else None
        signals.seen.clear()
        if tp is not None:
            # As after a refused commit, but with everything still in flight.
            worker.engine.holding.drop(worker.engine.lanes[tp], "a test")
            worker.engine.holding.reclaim(tp)
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


@pytest.mark.parametrize("moment", ["before", "while", "after"])
async def test_nothing_is_claimed_between_a_drain_and_the_next_assignment(rig: Rig, moment: str) -> None:
    """A claim that begins or ends there would make a live lane, of a partition that is given away."""
    made(rig, partitions=1)
    sent = numbered(100)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    engine, ledger = worker.engine, worker.ledger
    (tp,) = engine.lanes
    claiming, gate, draining = asyncio.Event(), asyncio.Event(), asyncio.Event()
    claim = ledger.claim

    async def slow(*args: Any) -> Any:
        claiming.set()
        await gate.wait()
        return await claim(*args)

    async def reached() -> None:
        draining.set()
        await gate.wait()

    async def claimed_again() -> None:
        engine.holding.drop(engine.lanes[tp], "a test")
        assert engine.consumer.reclaim(tp)
        while tp in engine.consumer._claiming:
            await asyncio.wait([engine.consumer._claiming[tp]])

    ledger.claim = slow  # type: ignore[method-assign]
    engine.holding.on_drain.append(reached)
    async with asyncio.timeout(DEADLINE):
        if moment == "before":
            again = asyncio.ensure_future(claimed_again())
            await claiming.wait()
        drain = asyncio.ensure_future(engine.holding.drain())
        await draining.wait()
        if moment == "while":
            again = asyncio.ensure_future(claimed_again())  # its turn comes before that of the drain
        gate.set()
        await drain
        if moment == "after":
            again = asyncio.ensure_future(claimed_again())
        await again
    assert not [lane for lane in engine.lanes.values() if engine.holding.is_live(lane)]
    # The next assignment claims it.
    second, second_signals = rig.worker(Counting())
    more = numbered(100, start=100)
    await asyncio.gather(second.start(), rig.send("in", more))
    await rig.through("counting", "in", signals, second_signals)
    await agrees(rig, sent + more)


async def test_a_log_that_is_shorter_than_the_ledger_stops_the_partition(rig: Rig) -> None:
    made(rig, partitions=2)
    await rig.send("in", numbered(10), partition=1)
    ledger = await rig.ledger()
    claim = await ledger.claim("counting", rig.prefix + "in", 0, 0, "before")
    await ledger.commit(claim, next_offset=1000)
    worker, signals = rig.worker(Counting())
    await worker.start()
    stopped = await signals.wait("stopped")
    assert "the ledger stands at offset 1000, but the log ends at 0" in stopped["why"]
    # The other partition goes on.
    await signals.wait("committed", lambda facts: facts["tp"].partition == 1 and facts["offset"] == 10)


async def test_a_lost_ledger_stops_the_partition_and_names_rebuild(rig: Rig) -> None:
    made(rig, partitions=1)
    sent = numbered(10)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await worker.stop()
    ledger = await rig.ledger()
    await ledger.link.call("DEL", *ledger.keys("counting", rig.prefix + "in", 0))
    second, signals = rig.worker(Counting())
    await second.start()
    stopped = await signals.wait("stopped")
    assert "hearthwatch rebuild" in stopped["why"]
    assert len(await rig.read("out")) == len(sent)


async def test_offsets_are_committed_to_kafka_for_lag_monitors(rig: Rig) -> None:
    made(rig, partitions=1)
    await rig.send("in", numbered(20))
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await worker.stop()
    consumer = AIOKafkaConsumer(group_id=worker.group, enable_auto_commit=False, **rig.kafka)
    await consumer.start()
    try:
        assert await consumer.committed(TopicPartition(rig.prefix + "in", 0)) == 20
    finally:
        await consumer.stop()


@pytest.mark.parametrize("name", ["claimed", "never"])
async def test_a_recorder_has_a_deadline(name: str) -> None:
    recorder = Recorder()
    recorder.emit("claimed", at=1)
    if name == "claimed":
        assert await recorder.wait(name) == {"at": 1}
    else:
        with pytest.raises(TimeoutError):
            await recorder.wait(name, timeout=0)
