"""A stage that works without a pause keeps Kafka's heartbeats waiting: for how long it may, and what then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from faust.types import TP

from agents.lanes import Lane, Part
from deploy.local import Stack
from streams import kafka_clients
from streams.kafka_clients import Connection
from tests.agents.rig import DEADLINE, Counting, Rig
from tests.agents.test_stage import agrees, made, numbered

HEARTBEATS_IN_A_SESSION = 10
#: The shortest that a broker grants unless told otherwise.
SESSION_SECONDS = 6.0


class Blocking(Counting):
    """Counts, and while it does so for the first time lets nothing else in the loop have a turn."""

    def __init__(self, block: Callable[[], None]) -> None:
        super().__init__()
        self.block = block
        self.blocked = 0

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        if not self.blocked:
            self.blocked += 1
            self.block()
        super().decide(lane, part, read)


@pytest.fixture
async def rig(stack: Stack) -> AsyncIterator[Rig]:
    rig = Rig(stack)
    made(rig, partitions=2)
    try:
        yield rig
    finally:
        await rig.close()


def heartbeats(worker: Any) -> asyncio.Event:
    """Set whenever the broker has taken a heartbeat as that of a member of the group."""
    coordinator = worker.app.consumer._thread._consumer._coordinator
    beat, taken = coordinator._do_heartbeat, asyncio.Event()

    async def watched() -> bool:
        if success := await beat():
            taken.set()
        return bool(success)

    coordinator._do_heartbeat = watched
    return taken


async def test_a_block_longer_than_a_heartbeat_keeps_the_partitions(rig: Rig) -> None:
    """Heartbeats are due every second and the session lasts ten: three seconds without one are no matter."""
    session = 10.0
    stage = Blocking(lambda: time.sleep(3 * session / HEARTBEATS_IN_A_SESSION))
    worker, signals = rig.worker(stage, session_seconds=session)
    await worker.start()
    for number in range(2):
        await signals.wait("claimed", lambda facts, n=number: facts["tp"].partition == n)
    taken = heartbeats(worker)
    lanes, generation = dict(worker.engine.lanes), worker.app.consumer_generation_id
    sent = numbered(400)
    await rig.send("in", sent)
    await rig.through("counting", "in", signals)
    assert stage.blocked == 1
    taken.clear()
    await asyncio.wait_for(taken.wait(), DEADLINE)
    assert worker.app.consumer_generation_id == generation
    assert worker.engine.lanes == lanes, "none was claimed again"
    await agrees(rig, sent)
    assert len(await rig.read("out")) == len(sent), "nothing was repeated"


async def test_a_block_longer_than_the_session_loses_the_partitions_and_no_record(rig: Rig) -> None:
    """The broker counts the worker out; then it joins anew, and claims what it is given."""

    def until_counted_out() -> None:
        with kafka_clients.admin(Connection(rig.stack.kafka_bootstrap)) as admin:
            until = time.monotonic() + DEADLINE
            while admin.describe_groups([worker.group])[worker.group]["members"]:
                assert time.monotonic() < until

    stage = Blocking(until_counted_out)
    worker, signals = rig.worker(stage, session_seconds=SESSION_SECONDS)
    await worker.start()
    for number in range(2):
        await signals.wait("claimed", lambda facts, n=number: facts["tp"].partition == n)
    generation = worker.app.consumer_generation_id
    sent = numbered(400)
    await rig.send("in", sent)
    for number in range(2):
        tp = TP(rig.prefix + "in", number)
        await signals.wait(
            "claimed", lambda facts, tp=tp: facts["tp"] == tp and facts["generation"] > generation
        )
    await rig.through("counting", "in", signals)
    assert worker.failure is None
    await agrees(rig, sent)
