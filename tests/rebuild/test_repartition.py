"""Another number of partitions: every household in its place, numbers go on, and a rebuild stands on it."""

from __future__ import annotations

import asyncio

import pytest

from agents.ledger import Ledger
from agents.rebuild.repartition import Repartition
from streams import topics
from streams.errors import InputError
from streams.kafka_clients import Connection
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS
from streams.snapshots import snapshot_topic
from streams.topics import Topic
from tests.agents.rig import Rig
from tests.rebuild.test_rebuild import numbers
from tests.rebuild.town import Town, Towns, contents, some_lines, wipe


class CutShortError(Exception):
    pass


async def repartitioned(town: Town, count: int, *, interrupted: bool = False) -> int:
    rig, ledger = town.rig, await town.rig.ledger()

    async def remake(number: int) -> None:
        names = [HOUSEHOLD_FACTS, snapshot_topic("household")]
        plan = [Topic(rig.prefix + name, number, 1, {}, "") for name in names]
        await asyncio.to_thread(topics.remake, Connection(rig.stack.kafka_bootstrap), plan)
        if interrupted:
            raise CutShortError
        rig.partitions |= dict.fromkeys(names, number)

    work = Repartition(
        rig.config(catalog=town.catalog, policy=town.policy, ledger_topic="none"), ledger, remake=remake
    )
    work._worker = lambda stage: rig.worker(stage, catalog=town.catalog, policy=town.policy)[0]  # type: ignore[method-assign]
    return await work.run(count)


def in_place(found: dict[tuple[str, int], dict[str, bytes]], count: int) -> int:
    """How many households there are; each is in the partition that its key has."""
    homes = {place[1]: states for place, states in found.items() if place[0] == "household"}
    assert sorted(homes) == list(range(count))
    for number, states in homes.items():
        assert all(partition_of(key.encode(), count) == number for key in states)
    return sum(map(len, homes.values()))


async def unlocked(ledger: Ledger) -> None:
    """What was interrupted keeps others out for a minute."""
    _, keys = await ledger.link.call("SCAN", "0", "MATCH", f"*{ledger.name}*:rebuild", "COUNT", 1_000_000)
    if keys:
        await ledger.link.call("DEL", *keys)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("count", [3, 1])
async def test_households_go_to_their_partitions_and_numbers_go_on(
    rig: Rig, towns: Towns, count: int
) -> None:
    town = await towns()
    lines = some_lines()
    await town.publish_all(lines[:-80])
    await town.settled()
    # Some is still under way when the workers stop.
    await town.workers["household"].stop()
    await town.publish_all(lines[-80:], through=("intake", "person"))
    await town.stop()
    with pytest.raises(InputError, match="2 partitions already"):
        await repartitioned(town, 2)
    await unlocked(await rig.ledger())
    with pytest.raises(CutShortError):
        await repartitioned(town, count, interrupted=True)
    await unlocked(await rig.ledger())
    with pytest.raises(InputError, match=f"to {count} partitions was interrupted"):
        await repartitioned(town, 7)
    states = await repartitioned(town, count)
    before = await contents(town)
    assert in_place(before, count) == states > 40
    told = await numbers(town)
    assert sum(map(len, told.values())) > 20
    # The topic is new and empty: all that a rebuild has is the snapshots.
    assert set((await rig.ends(HOUSEHOLD_FACTS)).values()) == {0}
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert sum(one.place.stage == "household" and one.is_from_snapshot for one in done) == count
    assert await contents(town) == before
    await town.start()
    await town.publish_all(some_lines(40, 100, seed=4))
    await town.settled()
    later = await numbers(town)
    assert sum(map(len, later.values())) > sum(map(len, told.values()))
    for household, several in later.items():
        assert several == list(range(1, len(several) + 1)), household
    assert [one.first for one in await town.verify()] == [""] * (2 + count)
