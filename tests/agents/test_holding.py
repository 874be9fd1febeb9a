"""Claims that fail are made again, whatever failed and whatever the worker held before."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from streams.errors import RedisUnavailableError
from tests.agents.rig import Counting, Rig
from tests.agents.test_stage import agrees, made, numbered, states


@pytest.mark.parametrize("is_at_rest", [True, False], ids=["at-rest", "in-flight"])
async def test_what_is_refused_after_a_drain_is_claimed_again_once_it_may_be(
    rig: Rig, is_at_rest: bool
) -> None:
    """The lane from before the drain is over then, with what it still has in flight."""
    made(rig)
    sent = numbered(200)
    await rig.send("in", sent)
    first, first_signals = rig.worker(Counting())
    await first.start()
    await rig.through("counting", "in", first_signals)
    before = await states(rig)
    gate = asyncio.Event()
    commit_all = first.ledger.commit_all

    async def held(steps: Any) -> Any:
        await gate.wait()
        return await commit_all(steps)

    more = numbered(200, start=200)
    if not is_at_rest:
        first.ledger.commit_all = held  # type: ignore[method-assign]
        first.engine.holding.drain_seconds = 0
        await rig.send("in", more)
        ends = await rig.ends("in")
        for end in ends.items():
            await first_signals.wait(
                "sent", lambda facts, end=end: (facts["tp"].partition, facts["offset"]) == end
            )
    out = len(await rig.read("out"))
    ledger = await rig.ledger()
    at = [(rig.prefix + "in", number) for number in range(4)]
    for topic, number in at:
        await ledger.claim("counting", topic, number, 1_000_000, "rival")

    # A second worker: all is drained, and the first keeps some of it.
    second, second_signals = rig.worker(Counting())
    since = len(first_signals.seen)
    await second.start()
    await first_signals.wait("drained", lambda facts: (facts["pending"] == 0) is is_at_rest, after=since)
    kept = (await first_signals.wait("refused", lambda facts: facts["reason"] == "stale", after=since))["tp"]
    assert kept not in first.engine.lanes
    since = len(first_signals.seen)
    await first_signals.wait(
        "refused", lambda facts: (facts["reason"], facts["tp"]) == ("stale", kept), after=since
    )
    gate.set()
    if is_at_rest:
        await rig.send("in", more)
    assert await states(rig) == before
    assert len(await rig.read("out")) == out

    await ledger.adopt("counting", at)
    await rig.through("counting", "in", first_signals, second_signals)
    await agrees(rig, sent + more)


@pytest.mark.parametrize(
    "error", [RedisUnavailableError("gone"), KeyError("of the program")], ids=["redis", "program"]
)
async def test_a_claim_that_fails_is_made_again_and_holds_no_other_up(rig: Rig, error: Exception) -> None:
    made(rig, partitions=2)
    sent = numbered(100)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    claim = worker.ledger.claim
    may = asyncio.Event()

    async def failing(stage: str, topic: str, partition: int, *rest: Any) -> Any:
        if partition == 0 and not may.is_set():
            raise error
        return await claim(stage, topic, partition, *rest)

    worker.ledger.claim = failing  # type: ignore[method-assign]
    await worker.start()
    ends = await rig.ends("in")
    await signals.wait("committed", lambda facts: facts["offset"] == ends[1])
    may.set()
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)


async def test_a_lost_ledger_is_looked_for_again_also_after_a_claim_that_failed(rig: Rig) -> None:
    """Redis came back empty, did not answer for a moment, and then was made again."""
    made(rig, partitions=1)
    sent = numbered(10)
    await rig.send("in", sent)
    worker, signals = rig.worker(Counting())
    await worker.start()
    await rig.through("counting", "in", signals)
    await worker.stop()
    ledger = await rig.ledger()
    keys = ledger.keys("counting", rig.prefix + "in", 0)
    kept = [key for key in keys if await ledger.link.call("EXISTS", key)]
    for key in kept:
        await ledger.link.call("RENAME", key, key + ":kept")

    second, signals = rig.worker(Counting())
    claim = second.ledger.claim
    await second.start()
    await signals.wait("stopped")

    async def unavailable(*args: Any) -> Any:
        second.ledger.claim = claim  # type: ignore[method-assign]
        raise RedisUnavailableError("gone")

    second.ledger.claim = unavailable  # type: ignore[method-assign]
    await signals.wait("refused", lambda facts: facts["reason"] == "unavailable")
    for key in kept:
        await ledger.link.call("RENAME", key + ":kept", key)
    more = numbered(10, start=10)
    await rig.send("in", more)
    await rig.through("counting", "in", signals)
    await agrees(rig, sent + more)


@pytest.mark.parametrize("what", ["read", "write"])
async def test_a_charter_whose_connecting_was_cancelled_connects_again(rig: Rig, what: str) -> None:
    """As a rebalance does with the claims that are under way."""
    rig.share_charter()
    charter = rig.charter
    started = {"started/counting/in/0": "x"}

    async def asked() -> None:
        await (charter.read() if what == "read" else charter.write(started))

    try:
        first = asyncio.ensure_future(asked())
        await asyncio.sleep(0)  # one turn: it has begun to connect
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        await asked()
        assert len((await charter.read()).started) == (what == "write")
    finally:
        await charter.close()
