"""A Redis that is not where a quiet partition left it is noticed before the next record."""

from __future__ import annotations

from typing import Any

from agents.app import Worker
from agents.signals import Recorder
from tests.agents.rig import Counting, Rig
from tests.agents.test_stage import agrees, made, numbered


async def kept(rig: Rig) -> dict[str, Any]:
    """The keys of the partition, as Redis dumps them."""
    ledger = await rig.ledger()
    keys = ledger.keys("counting", rig.prefix + "in", 0)
    return {key: await ledger.link.call("DUMP", key) for key in keys}


async def put_back(rig: Rig, dumps: dict[str, Any]) -> None:
    link = (await rig.ledger()).link
    for key, dump in dumps.items():
        await link.call("DEL", key)
        if dump is not None:
            await link.call("RESTORE", key, 0, dump)


async def worked(rig: Rig) -> tuple[Worker, Recorder, dict[str, Any], list[tuple[bytes, bytes]]]:
    """A worker at rest, and the partition as it was half-way."""
    made(rig, partitions=1)
    sent = numbered(200)
    worker, signals = rig.worker(Counting(), max_part=20)
    await worker.start()
    await rig.send("in", sent[:100])
    await rig.through("counting", "in", signals)
    dumps = await kept(rig)
    await rig.send("in", sent[100:])
    await rig.through("counting", "in", signals)
    return worker, signals, dumps, sent


async def test_a_quiet_partition_that_fell_behind_is_made_again(rig: Rig) -> None:
    worker, signals, dumps, sent = await worked(rig)
    await put_back(rig, dumps)
    await worker.standing.check()
    await worker.standing.check()
    await signals.wait("dropped", lambda facts: "commit" in facts["why"])
    await rig.through("counting", "in", signals)
    await agrees(rig, sent)
    assert len(await rig.read("out")) > len(sent)


async def test_a_quiet_partition_that_is_gone_is_stopped(rig: Rig) -> None:
    worker, signals, dumps, _ = await worked(rig)
    await put_back(rig, dict.fromkeys(dumps))
    await worker.standing.check()
    await worker.standing.check()
    stopped = await signals.wait("stopped")
    assert "hearthwatch rebuild" in stopped["why"]


async def test_a_partition_where_nothing_is_wrong_is_left_alone(rig: Rig) -> None:
    worker, signals, _, sent = await worked(rig)
    await worker.standing.check()
    await rig.send("in", numbered(100, start=200))
    await worker.standing.check()
    await rig.through("counting", "in", signals)
    await worker.standing.check()
    await worker.standing.check()
    assert {name for name, _ in signals.seen}.isdisjoint({"refused", "dropped", "stopped"})
    await agrees(rig, sent + numbered(100, start=200))
