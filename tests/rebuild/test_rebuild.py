"""Redis is disposable: what a rebuild makes of Kafka is what was lost."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from typing import Any

import pytest

import agents.snapshots
from agents.household import HouseholdStage
from agents.rebuild.log import Log
from agents.rebuild.replay import caught_up
from agents.rebuild.snapshot_reader import read_snapshots
from rules import household
from tests.agents.desk import lane_of
from tests.agents.rig import Rig
from tests.rebuild.town import Town, Towns, contents, owing, some_lines, wipe


def differing(town: Town, left: Any, right: Any) -> list[Any]:
    """Keys whose states are not the same bytes once they have caught up with the same day."""
    stage = town.workers["household"].stage
    assert isinstance(stage, HouseholdStage)
    lane = lane_of("household", "household.facts")
    states = [
        state
        for place, several in (*left.items(), *right.items())
        for state in several.values()
        if place[0] == "household"
    ]
    lane.day = max(household.decode(state).day or 0 for state in states)

    def settled(place: tuple[str, int], states: dict[str, bytes]) -> dict[str, bytes | None]:
        return caught_up(stage, lane, dict(states)).states if place[0] == "household" else dict(states)

    assert left.keys() == right.keys()
    out = []
    for place in left:
        ours, theirs = settled(place, left[place]), settled(place, right[place])
        out += [(place, key) for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)]
    return out


async def numbers(town: Town) -> dict[str, list[int]]:
    """The numbers of each household's warnings, as they stand on the topic."""
    out = defaultdict(list)
    for record in await town.warnings():
        body = json.loads(record.value)
        out[body["data"]["household"]].append(int(body["id"].rpartition("-")[2]))
    return out


@pytest.mark.timeout(240)
@pytest.mark.parametrize("snapshots", ["none", "halfway"])
async def test_a_rebuild_is_byte_identical_and_sends_nothing_that_is_there(
    rig: Rig, towns: Towns, snapshots: str
) -> None:
    town = await towns()
    lines = some_lines()
    await town.publish_all(lines[: len(lines) // 2])
    if snapshots != "none":
        assert await town.snapshots() > 0
    await town.publish_all(lines[len(lines) // 2 :])
    await town.settled()
    await town.stop()
    before, told = await contents(town), await numbers(town)
    assert any(before.values())
    assert sum(map(len, told.values())) > 20
    ends = {topic: await rig.ends(topic) for topic in ("household.facts", "warnings", "deadletters")}
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert {one.place.stage for one in done} == {"intake", "person", "household"}
    assert all(one.is_from_snapshot == (snapshots != "none") for one in done if one.end)
    assert sum(one.sent for one in done) == 0
    assert sum(one.renumbered for one in done) == 0
    assert differing(town, before, await contents(town)) == []
    assert {topic: await rig.ends(topic) for topic in ends} == ends
    # And it goes on: later events lead to the next numbers, and no number comes twice.
    await town.start()
    await town.publish_all(some_lines(40, 100, seed=4))
    await town.settled()
    later = await numbers(town)
    assert sum(map(len, later.values())) > sum(map(len, told.values()))
    for id, several in later.items():
        assert several == list(range(1, len(several) + 1)), id


@pytest.mark.timeout(180)
async def test_snapshots_that_are_taken_while_records_flow_are_as_good(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys whose own offset is ahead of their partition's: their records are passed over on the way."""
    monkeypatch.setattr(agents.snapshots, "CHUNK", 2)  # so that a round lasts
    town = await towns()
    lines = some_lines()
    log = Log(rig.kafka, prefix=rig.prefix)
    publishing = asyncio.ensure_future(town.publish_all(lines))
    ahead: list[str] = []
    while not ahead:
        assert not publishing.done(), "no key changed while a round was on its way"
        await town.snapshots("person", "household")
        for number in range(2):
            kept = await read_snapshots(log, "household", number)
            assert not kept.late
            for lane in kept.lanes.values():
                ahead += [key for key, (offset, _) in kept.states.items() if offset > lane.offset]
    await log.close()
    await publishing
    await town.settled()
    await town.stop()
    before, told = await contents(town), await numbers(town)
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert sum(one.sent for one in done) == 0
    assert differing(town, before, await contents(town)) == []
    assert await numbers(town) == told
    # The same again, from what the workers left of changes without a snapshot.
    await town.start()
    await town.through()
    await town.settled()
    assert await town.snapshots() > 0
    await town.stop()
    before = await contents(town)
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert [one for one in done if one.end != one.start] == []
    assert differing(town, before, await contents(town)) == []


@pytest.mark.timeout(240)
async def test_what_had_not_been_sent_before_the_loss_is_sent(towns: Towns) -> None:
    """The household worker was away all the time, and Redis is lost before it came back."""
    town = await towns()
    await owing(town)
    done = await town.rebuild()
    assert sum(one.sent for one in done if one.place.stage == "household") > 0
    told = await numbers(town)
    assert sum(map(len, told.values())) > 0
    for id, several in told.items():
        assert several == list(range(1, len(several) + 1)), id
    assert [one.differences for one in await town.verify()] == [0] * 4
    # Transfers that were sent now are read by whoever comes next, and nothing is told twice.
    await town.start()
    await town.through()
    await town.settled()
    for id, several in (await numbers(town)).items():
        assert several == list(range(1, len(several) + 1)), id


@pytest.mark.timeout(120)
async def test_a_lost_partition_comes_back_while_the_others_go_on(rig: Rig, towns: Towns) -> None:
    town = await towns()
    await town.publish_all(some_lines())
    await town.settled()
    assert await town.snapshots() > 0
    ledger, topic = await rig.ledger(), rig.prefix + "household.facts"
    before = await contents(town)
    await ledger.link.call("DEL", *ledger.keys("household", topic, 0))
    signals = town.signals["household"]
    more = some_lines(40, 60, seed=5)
    await town.publish_all(more, through=("intake", "person"))
    stopped = await signals.wait("stopped")
    assert "hearthwatch rebuild" in stopped["why"]
    engine = town.workers["household"].engine
    assert [tp.partition for tp in engine.lanes] == [1]
    seen = len(signals.seen)
    done = await town.rebuild()
    assert [(one.place.stage, one.place.partition) for one in done] == [("household", 0)]
    assert done[0].is_from_snapshot
    await town.through()
    assert any(name == "claimed" and facts["tp"].partition == 0 for name, facts in signals.seen[seen:])
    assert len(engine.lanes) == 2
    await town.settled()
    for id, several in (await numbers(town)).items():
        assert several == list(range(1, len(several) + 1)), id
    assert len((await contents(town))["household", 0]) >= len(before["household", 0])
    verified = await town.verify()
    assert [one.first for one in verified] == [""] * 4
    assert all(one.states for one in verified)
    # A state that is not what the log says is found, and named without a personal value.
    key = next(iter(before["household", 1]))
    state = household.decode((await contents(town))["household", 1][key])
    state.warned += 7
    await ledger.link.call("HSET", ledger.keys("household", topic, 1)[1], key, household.encode(state))
    found = [one for one in await town.verify("household") if one.differences]
    assert [one.place.partition for one in found] == [1]
    assert found[0].first.startswith(f"household {key}: warned: live ")
    # And mended, though Redis has the partition: it was named.
    await town.rebuild("household", 1)
    assert [one.first for one in await town.verify("household")] == ["", ""]


@pytest.mark.timeout(120)
async def test_a_number_that_was_sent_is_never_given_again(rig: Rig, towns: Towns) -> None:
    """An earlier version of the program warned once more than this one would."""
    town = await towns(1)
    await town.publish_all(some_lines(60, 600))
    await town.settled()
    await town.stop()
    told = await numbers(town)
    id = max(told, key=lambda one: len(told[one]))
    last = len(told[id])
    body = json.dumps({"id": f"{id}-{last + 1}", "data": {"household": id}}).encode()
    await rig.send("warnings", [(id.encode(), body)])
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert sum(one.renumbered for one in done) == 1
    raw = (await contents(town))["household", 0][id]
    assert household.decode(raw).warned == last + 1
