"""Redis is disposable: what a rebuild makes of Kafka is what was lost."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from agents.household import HouseholdStage
from agents.rebuild.replay import caught_up
from rules import household
from tests.agents.desk import lane_of
from tests.agents.rig import Rig
from tests.rebuild.town import Town, Towns, contents, some_lines, wipe


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
