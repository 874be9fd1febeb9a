"""Another number of partitions: every household in its place, numbers go on, and a rebuild stands on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from agents.ledger import Ledger
from agents.ledger.restoring import Place, Restoring, standing
from agents.rebuild.repartition import Repartition
from agents.rebuild.replay import parsed
from agents.rebuild.restore import Rebuild
from agents.rebuild.verify import verify
from streams import topics
from streams.errors import InputError, LedgerError
from streams.kafka_clients import Connection
from streams.partitions import partition_of
from streams.records import (
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    Activate,
    Tick,
    decode_household_record,
)
from streams.snapshots import snapshot_topic
from streams.topics import Topic
from tests.agents.rig import Rig
from tests.rebuild.test_rebuild import numbers
from tests.rebuild.town import Town, Towns, contents, some_lines, wipe


class CutShortError(Exception):
    pass


async def repartitioned(
    town: Town, count: int | None = None, *, person: int | None = None, interrupted: bool = False
) -> int:
    rig, ledger = town.rig, await town.rig.ledger()
    topic_of = {"household": HOUSEHOLD_FACTS, "person": PERSON_EVENTS}

    async def remake(counts: Mapping[str, int]) -> None:
        numbers = {
            name: number
            for stage, number in counts.items()
            for name in (topic_of[stage], snapshot_topic(stage))
        }
        plan = [Topic(rig.prefix + name, number, 1, {}, "") for name, number in numbers.items()]
        await asyncio.to_thread(topics.remake, Connection(rig.stack.kafka_bootstrap), plan)
        if interrupted:
            raise CutShortError
        rig.partitions |= numbers

    work = Repartition(
        rig.config(catalog=town.catalog, policy=town.policy, ledger_topic="none"), ledger, remake=remake
    )
    work._worker = lambda stage: rig.worker(stage, catalog=town.catalog, policy=town.policy)[0]  # type: ignore[method-assign]
    return await work.run(household=count, person=person)


def in_place(found: dict[tuple[str, int], dict[str, bytes]], count: int, stage: str = "household") -> int:
    """How many keys there are; each is in the partition that belongs to it."""
    homes = {place[1]: states for place, states in found.items() if place[0] == stage}
    assert sorted(homes) == list(range(count))
    for number, states in homes.items():
        assert all(partition_of(key.encode(), count) == number for key in states)
    return sum(map(len, homes.values()))


async def marks(rig: Rig) -> list[dict[str, tuple[int, int]]]:
    """What each partition of the households has of each channel, by the ledger."""
    ledger = await rig.ledger()
    found = []
    for number in range(rig.partitions[HOUSEHOLD_FACTS]):
        here = await standing(ledger, Place("household", rig.prefix + HOUSEHOLD_FACTS, number))
        assert here is not None
        found.append(parsed(here.marks))
    return found


async def last_numbers(rig: Rig) -> list[dict[str, tuple[int, int]]]:
    """The same by the log."""
    found: list[dict[str, tuple[int, int]]] = [{} for _ in range(rig.partitions[HOUSEHOLD_FACTS])]
    for record in await rig.read(HOUSEHOLD_FACTS):
        message = decode_household_record(record.value)
        if not isinstance(message, Tick | Activate):
            found[record.partition][message.channel] = message.number
    return found


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
    with pytest.raises(InputError, match=f"repartition --household {count}`"):
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
    more = some_lines(40, 100, seed=4)
    await town.publish_all(more[:150])
    for ours, theirs in zip(await marks(rig), await last_numbers(rig), strict=True):
        assert {channel: ours[channel] for channel in theirs} == theirs, "transfers were taken for repeats"
    await town.publish_all(more[150:])
    await town.settled()
    later = await numbers(town)
    assert sum(map(len, later.values())) > sum(map(len, told.values()))
    for household, several in later.items():
        assert several == list(range(1, len(several) + 1)), household
    assert [one.first for one in await town.verify()] == [""] * (2 + count)
    await a_log_that_began_anew_is_refused(town, count)


async def a_log_that_began_anew_is_refused(town: Town, count: int) -> None:
    """It begins at offset 0 and seems whole; what a rebuild from it alone makes would be the wrong states."""
    await town.stop()
    before = await contents(town)
    place = Place("household", town.rig.prefix + HOUSEHOLD_FACTS, count - 1)
    ledger = await town.rig.ledger()
    with pytest.raises(LedgerError, match=r"repartition` began it anew at .*leave out --from-log"):
        await town.rebuild("household", place.partition, from_log=True)
    work = Rebuild(town.rig.config(catalog=town.catalog, policy=town.policy), ledger, from_log=True)
    try:
        with pytest.raises(LedgerError, match="the log alone does not hold its states"):
            await verify(work, ledger, place)
    finally:
        await work.close()
    assert await contents(town) == before, "nothing was changed"
    await town.rebuild("person", 0, from_log=True)  # its log has its beginning
    await town.rebuild("household", place.partition)
    assert await contents(town) == before
    # Where the snapshots are gone too, nothing is made from the log.
    one = Topic(town.rig.prefix + snapshot_topic("household"), count, 1, {}, "")
    await asyncio.to_thread(topics.remake, Connection(town.rig.stack.kafka_bootstrap), [one])
    with pytest.raises(LedgerError, match="restore Redis or Kafka from a backup"):
        await town.rebuild("household", place.partition)
    assert await contents(town) == before


@pytest.mark.timeout(180)
@pytest.mark.parametrize("homes", [None, 1])
async def test_persons_go_to_their_partitions_too_and_nothing_is_taken_for_a_repeat(
    rig: Rig, towns: Towns, homes: int | None
) -> None:
    """The numbers of person's channels begin anew: no household may compare them with the old ones."""
    town = await towns()
    lines = some_lines()
    await town.publish_all(lines[:-80])
    await town.settled()
    for stage in ("person", "household"):  # some is still under way
        await town.workers[stage].stop()  # type: ignore[index]
    await town.publish_all(lines[-80:], through=("intake",))
    await town.stop()
    await unlocked(await rig.ledger())
    with pytest.raises(CutShortError):
        await repartitioned(town, homes, person=3, interrupted=True)
    await unlocked(await rig.ledger())
    with pytest.raises(InputError, match=f"repartition --household {homes or 2} --person 3`"):
        await repartitioned(town, person=5)
    states = await repartitioned(town, homes, person=3)
    before = await contents(town)
    assert in_place(before, homes or 2) == states > 40
    assert in_place(before, 3, "person") > 40
    told = await numbers(town)
    await wipe(await rig.ledger())
    done = await town.rebuild()
    assert sum(one.is_from_snapshot for one in done if one.place.stage != "intake") == 3 + (homes or 2)
    assert await contents(town) == before
    await town.start()
    more = some_lines(40, 300, seed=4)
    # Few enough that every new number is below the old ones.
    await town.publish_all(more[:150])
    assert await marks(rig) == await last_numbers(rig), "new numbers were taken for repeats of old ones"
    await town.publish_all(more[150:])
    await town.settled()
    after = await contents(town)
    for topic in (PERSON_EVENTS, HOUSEHOLD_FACTS):
        assert sum((await rig.ends(topic)).values()) > 200, "they have begun anew"
    assert sum(states != before[place] for place, states in after.items()) == len(after)
    later = await numbers(town)
    assert sum(map(len, later.values())) > sum(map(len, told.values()))
    for household, several in later.items():
        assert several == list(range(1, len(several) + 1)), household
    assert [one.first for one in await town.verify()] == [""] * (3 + (homes or 2))


async def at_rest(towns: Towns) -> Town:
    """A town where all is through, and the workers have left."""
    town = await towns()
    await town.publish_all(some_lines())
    await town.settled()
    await town.stop()
    return town


async def cut_short_at_the_end(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    """Change the households to 3 partitions, until all is written and the first partition opened."""
    opened: list[Place] = []
    open_ = Restoring.open

    async def killed(self: Restoring, *place: Any) -> None:
        if opened:
            raise CutShortError
        opened.append(self.place)
        await open_(self, *place)

    with monkeypatch.context() as fault:
        fault.setattr(Restoring, "open", killed)
        with pytest.raises(CutShortError):
            await repartitioned(town, 3)


@pytest.mark.timeout(180)
async def test_an_interruption_at_the_very_end_is_finished_and_undoes_nothing(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is written and one partition opened, where a worker is at work already."""
    town = await at_rest(towns)
    ledger = await rig.ledger()
    before = {key: raw for states in (await contents(town)).values() for key, raw in states.items()}
    await cut_short_at_the_end(town, monkeypatch)
    claim = await ledger.claim("household", rig.prefix + HOUSEHOLD_FACTS, 0, 1, "w")
    await unlocked(ledger)
    with pytest.raises(InputError, match="repartition --household 3`"):
        await repartitioned(town, 4)
    await unlocked(ledger)
    assert await repartitioned(town, 3) == in_place(await contents(town), 3)
    await ledger.commit(claim, next_offset=0, marks={"c": (1, 1)})  # it is still ours
    assert {key: raw for states in (await contents(town)).values() for key, raw in states.items()} == before
    _, left = await ledger.link.call("SCAN", "0", "MATCH", f"*{ledger.name}*repartition*", "COUNT", 1_000_000)
    assert left == [], "what lay beside, and what was written down, is gone"
    with pytest.raises(InputError, match="3 partitions already"):
        await repartitioned(town, 3)


@pytest.mark.timeout(180)
async def test_a_partition_that_a_killed_rebuild_has_emptied_since_is_not_opened(
    rig: Rig, towns: Towns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody ran `rebuild` after the interruption, and that was killed: states would be lost in silence."""
    town = await at_rest(towns)
    await cut_short_at_the_end(town, monkeypatch)
    ledger = await rig.ledger()
    await unlocked(ledger)
    place = Place("household", rig.prefix + HOUSEHOLD_FACTS, 1)
    emptied = Restoring(ledger, place)
    await emptied.begin()
    await emptied.release()
    with pytest.raises(LedgerError, match="finish `hearthwatch rebuild` first"):
        await repartitioned(town, 3)
    assert await standing(ledger, place) is None
