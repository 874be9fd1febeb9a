"""A rebuild relies on nothing that may be wrong or gone, and sets nothing aside twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiokafka import TopicPartition

import agents.household
from agents.rebuild.log import Log
from agents.rebuild.snapshot_reader import read_snapshots
from streams import kafka_clients
from streams.deadletters import INTERNAL_ERROR, REASON
from streams.errors import LedgerError
from streams.kafka_clients import Connection
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS
from streams.snapshots import FORMAT, StateSnapshot, encode, snapshot_topic, state_key
from tests.agents.rig import Rig
from tests.rebuild.test_rebuild import differing
from tests.rebuild.test_repartition import unlocked
from tests.rebuild.town import Town, Towns, contents, owing, some_lines, wipe

pytestmark = pytest.mark.timeout(240)
HOMES = snapshot_topic("household")


def shorten(rig: Rig, topic: str, partition: int, before: int) -> None:
    """Delete the beginning of a log, as retention does."""
    with kafka_clients.admin(Connection(rig.stack.kafka_bootstrap)) as admin:
        admin.delete_records({TopicPartition(rig.prefix + topic, partition): before})


async def at_rest(towns: Towns, *, with_snapshots: bool) -> Town:
    """A town that has stopped, with or without snapshots, and some log behind them."""
    town = await towns()
    lines = some_lines()
    await town.publish_all(lines[:-60])
    if with_snapshots:
        assert await town.snapshots() > 0
    await town.publish_all(lines[-60:])
    await town.settled()
    await town.stop()
    return town


async def test_a_snapshot_that_came_late_is_not_relied_on(rig: Rig, towns: Towns) -> None:
    """A worker that had lost the partition wrote it, and a later one of the same household may be gone."""
    town = await at_rest(towns, with_snapshots=True)
    before = await contents(town)
    log = Log(rig.kafka, prefix=rig.prefix)
    kept = await read_snapshots(log, "household", 0)
    await log.close()
    key, (offset, _) = next(iter(kept.states.items()))
    epoch = next(iter(kept.lanes.values())).epoch
    stale = encode(StateSnapshot(FORMAT, epoch - 1, offset + 1, None))
    await rig.send(HOMES, [(state_key(key), stale)], partition=0)
    await wipe(await rig.ledger())
    done = await town.rebuild("household")
    assert [(one.place.partition, one.is_from_snapshot) for one in done] == [(0, False), (1, True)]
    assert sum(one.sent for one in done) == 0
    await town.rebuild()
    assert differing(town, before, await contents(town)) == []
    # Where the log has lost its beginning there is nothing else to begin at.
    shorten(rig, HOUSEHOLD_FACTS, 0, 1)
    await wipe(await rig.ledger())
    with pytest.raises(LedgerError, match=f"one of them {key}.*restore Redis or Kafka from a backup"):
        await town.rebuild("household")


async def test_what_the_log_has_lost_is_asked_of_snapshots_alone(rig: Rig, towns: Towns) -> None:
    town = await at_rest(towns, with_snapshots=True)
    before = await contents(town)
    for topic in ("person.events", HOUSEHOLD_FACTS):
        for number in range(2):
            shorten(rig, topic, number, 10)
    await wipe(await rig.ledger())
    with pytest.raises(LedgerError, match="no snapshot, but the log has offsets 10 to"):
        await town.rebuild(from_log=True)
    await unlocked(await rig.ledger())
    done = await town.rebuild()
    assert sum(one.sent for one in done) == 0
    assert differing(town, before, await contents(town)) == []


async def test_without_snapshots_a_log_without_its_beginning_is_refused(rig: Rig, towns: Towns) -> None:
    """Also where snapshots end before what the log still has: they are older than its retention."""
    town = await at_rest(towns, with_snapshots=False)
    shorten(rig, HOUSEHOLD_FACTS, 0, 1)
    await wipe(await rig.ledger())
    with pytest.raises(LedgerError, match="no snapshot, but the log has offsets 1 to"):
        await town.rebuild("household", 0)


async def test_snapshots_older_than_the_log_are_refused(rig: Rig, towns: Towns) -> None:
    town = await at_rest(towns, with_snapshots=True)
    end = (await rig.ends(HOUSEHOLD_FACTS))[0]
    shorten(rig, HOUSEHOLD_FACTS, 0, end)
    await wipe(await rig.ledger())
    with pytest.raises(
        LedgerError, match=rf"the snapshots end at offset \d+, but the log has offsets {end} to"
    ):
        await town.rebuild("household", 0)


async def test_what_the_program_fails_on_is_set_aside_once_however_often_it_is_replayed(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody had worked on it before the loss: the rebuild sets it aside. The next rebuild does not again."""
    event = next(one for one in map(json.loads, some_lines()) if one["type"] == "health.hospital.admitted")
    step = agents.household.household.step

    def broken(state: Any, message: Any, *more: Any, **options: Any) -> Any:
        if getattr(getattr(message, "event", None), "id", None) == event["id"]:
            raise ZeroDivisionError
        return step(state, message, *more, **options)

    monkeypatch.setattr(agents.household.household, "step", broken)
    town = await towns()
    await owing(town)
    for _ in range(2):
        await town.rebuild()
        letters = [
            one for one in await rig.read(DEADLETTERS) if dict(one.headers)[REASON] == INTERNAL_ERROR.encode()
        ]
        assert [json.loads(one.value)["id"] for one in letters] == [event["id"]]
        assert [one.first for one in await town.verify()] == [""] * 4
        await wipe(await rig.ledger())
