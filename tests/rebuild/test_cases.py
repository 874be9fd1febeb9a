"""Redis is disposable for cases too: snapshots and the log make the same states, and send no more."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from agents.case_index import open_cases
from agents.ledger.restoring import Place, account, identify
from agents.rebuild.restore import Rebuild, Restored
from agents.rebuild.verify import Verified, verify
from casework.cases import state_format
from casework.cases.case_events import replay
from streams.records import ALERTS, CASE_COMMANDS, CASE_EVENTS
from tests.agents.casework import Cases
from tests.agents.rig import Rig
from tests.casework.cases.a_case import DAY, DISTRICT, HOUR, MONDAY
from tests.rebuild.town import NEVER_BY_ITSELF, wipe


@pytest.fixture
async def cases(rig: Rig) -> AsyncIterator[Cases]:
    cases = Cases(rig, snapshot_seconds=NEVER_BY_ITSELF, snapshot_states=1_000_000)
    await cases.start()
    yield cases
    await cases.close()


async def work(cases: Cases, seed: int, count: int = 30) -> None:
    """Warnings about some households, and what a district's staff does about them."""
    chance = random.Random(seed)
    at = MONDAY + seed * 30 * DAY
    homes = [f"H{chance.randrange(40)}" for _ in range(count)]
    for home in homes:
        kind = "upgraded" if cases.numbers[home] else "raised"
        await cases.warn(home, at, kind=kind, level=chance.choice(["yellow", "orange", "red"]))
    await cases.through()
    for home in homes:
        raw = (await cases.states())[home]
        case = state_format.decode(raw).case
        if case is None:
            continue
        for number, (name, data) in enumerate(
            [("acknowledge", {}), ("visit", {"outcome": "met"}), ("close", {"code": "no-need"})]
        ):
            if chance.random() < 0.7:
                await cases.send(
                    home, name, case.version + number, at=at + HOUR, by=DISTRICT, case=case.id, **data
                )
    await cases.through()
    await cases.tick(at + 10 * DAY)


async def snapshots(cases: Cases) -> None:
    for worker in cases.workers.values():
        assert worker.snapshots is not None
        for lane in list(worker.engine.lanes.values()):
            await worker.snapshots.take(lane)


async def rebuilt(cases: Cases, stage: Any = None, partition: int | None = None) -> list[Restored]:
    rebuild = Rebuild(cases.config(), await cases.rig.ledger())
    try:
        return await rebuild.run(await rebuild.places(stage, partition))
    finally:
        await rebuild.close()


async def verified(cases: Cases) -> list[Verified]:
    ledger = await cases.rig.ledger()
    rebuild = Rebuild(cases.config(), ledger)
    try:
        return [
            await verify(rebuild, ledger, place)
            for place in sorted(await identify(ledger), key=str)
            if place.stage == "cases"
        ]
    finally:
        await rebuild.close()


async def sizes(cases: Cases) -> dict[str, int]:
    topics = (CASE_COMMANDS, CASE_EVENTS, ALERTS)
    return {topic: sum((await cases.rig.ends(topic)).values()) for topic in topics}


async def counted(cases: Cases) -> dict[str, int]:
    """The counters of the first partition."""
    place = Place("cases", cases.rig.prefix + CASE_COMMANDS, 0)
    found = (await account(await cases.rig.ledger(), place)).standing
    return {name: number for name, number in found.counts.items() if number}


async def index(cases: Cases) -> list[str]:
    return await open_cases(await cases.rig.ledger(), range(2), topic_prefix=cases.rig.prefix)


@pytest.mark.parametrize("with_snapshots", [True, False])
async def test_a_lost_redis_is_made_again_to_the_byte(cases: Cases, with_snapshots: bool) -> None:
    await work(cases, 1)
    if with_snapshots:
        await snapshots(cases)
    await work(cases, 2)
    before, members, topics = await cases.states(), await index(cases), await sizes(cases)
    assert members
    for worker in cases.workers.values():
        await worker.stop()
    cases.rig.workers.clear()
    ledger = await cases.rig.ledger()
    at = (f"{cases.rig.prefix}{CASE_COMMANDS}", 0)
    due = await ledger.next_due("cases", *at, 2**52, -1)
    counts = await counted(cases)
    await wipe(ledger)
    assert await cases.states() == {}
    done = await rebuilt(cases)
    assert {one.place.stage for one in done} == {"forward", "cases"}
    assert [one.is_from_snapshot for one in done if one.place.stage == "cases"] == [with_snapshots] * 2
    assert (await cases.states(), await index(cases)) == (before, members)
    assert await ledger.next_due("cases", *at, 2**52, -1) == due
    assert await counted(cases) == counts
    # Everything had been sent: nothing is sent again.
    assert await sizes(cases) == topics
    # And it goes on from there. Forward may pass warnings on again: they are taken once.
    await cases.start()
    await work(cases, 3)
    await cases.audit()


async def test_what_was_not_sent_before_the_loss_is_sent_by_the_rebuild(cases: Cases) -> None:
    await work(cases, 1)
    await snapshots(cases)
    for worker in cases.workers.values():
        await worker.stop()
    cases.rig.workers.clear()
    # A command is in the log, and Redis is gone before anybody has read it.
    homes = {id: state_format.decode(raw) for id, raw in (await cases.states()).items()}
    home = next(home for home in homes.values() if home.case is not None)
    assert home.case is not None
    version = home.case.version
    at = home.at + HOUR
    await cases.send(home.id, "comment", version, at=at, by=DISTRICT, case=home.case.id, text="seen")
    await wipe(await cases.rig.ledger())
    topics = await sizes(cases)
    done = await rebuilt(cases)
    assert sum(one.sent for one in done) >= 1
    assert (await sizes(cases))[CASE_EVENTS] >= topics[CASE_EVENTS] + 1
    assert (await cases.events())[home.id][-1]["type"] == "case.commented"
    await cases.audit()


async def test_a_verify_finds_a_state_and_an_index_that_were_changed(cases: Cases) -> None:
    await work(cases, 1)
    await snapshots(cases)
    await work(cases, 2)
    assert [(one.differences, one.first) for one in await verified(cases)] == [(0, ""), (0, "")]
    ledger = await cases.rig.ledger()
    place = Place("cases", cases.rig.prefix + CASE_COMMANDS, 0)
    keys = ledger.keys(place.stage, place.topic, 0)
    states = {id: raw async for id, raw in ledger.scan(place.stage, place.topic, 0)}
    id, raw = next((id, raw) for id, raw in states.items() if state_format.decode(raw).case is not None)
    home = state_format.decode(raw)
    home.score += 1
    await ledger.link.call("HSET", keys[1], id, state_format.encode(home))
    found = {one.place.partition: one for one in await verified(cases)}
    assert found[0].first.startswith(f"cases {id}: score: live {home.score}")
    assert (found[0].differences, found[1].differences) == (1, 0)
    await ledger.link.call("HSET", keys[1], id, raw)
    (member,) = [one for one in await index(cases) if f"|{id}|" in one]
    await ledger.link.call("ZREM", ledger.index_key(place.stage, place.topic, 0), member)
    found = {one.place.partition: one for one in await verified(cases)}
    assert found[0].first == "cases: 1 entries of the index are not those of the states"
    # A rebuild of this partition alone puts it right, while its worker runs.
    await rebuilt(cases, "cases", 0)
    assert [one.differences for one in await verified(cases)] == [0, 0]


async def test_the_record_alone_gives_every_state(cases: Cases) -> None:
    await work(cases, 1)
    await work(cases, 2)
    bodies: dict[str, list[bytes]] = {}
    for record in await cases.rig.read(CASE_EVENTS):
        bodies.setdefault(record.key.decode(), []).append(record.value)
    assert {id: state_format.encode(replay(id, some)) for id, some in bodies.items()} == await cases.states()
