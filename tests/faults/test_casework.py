"""Forward and cases die at each moment: no warning, command or deadline is lost, and none counts twice."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agents.app import StageName
from casework.cases import state_format
from casework.cases.commands import Command, encode_record
from casework.workdays import Span
from deploy.local import Stack
from streams.records import CASE_COMMANDS, CASE_EVENTS, WARNINGS
from tests.agents.casework import Cases, warning_body
from tests.casework.cases.a_case import ANNA, BOOK, DAY, DISTRICT, HOUR, MONDAY, STREET
from tests.faults.audit import audited
from tests.faults.site import Site, load, opened
from tests.faults.test_workers import MOMENTS
from tests.faults.worker import Fault

pytestmark = pytest.mark.timeout(240)

HOMES = [f"H{number}" for number in range(40)]


@pytest.fixture
async def cases(site: Site) -> AsyncIterator[Cases]:
    """The desk, over workers in processes of their own."""
    cases = Cases(site.rig, create=False)
    yield cases
    await cases.close()


async def warn(cases: Cases, count: int, seed: int) -> None:
    """Warnings, some of them twice, as after a crash of the household stage."""
    chance = random.Random(seed)
    for number in range(count):
        home = chance.choice(HOMES)
        cases.numbers[home] += 1
        kind = "raised" if cases.numbers[home] == 1 else chance.choice(["upgraded", "lowered"])
        at = MONDAY + number * HOUR
        body = warning_body(home, cases.numbers[home], at, kind=kind, level=chance.choice(["orange", "red"]))
        twice = [(home.encode(), body)] * chance.choice([1, 1, 2])
        await cases.rig.send(WARNINGS, twice)


async def command(cases: Cases, count: int, seed: int) -> None:
    """Commands about cases, two officers at once, and some sent again."""
    chance = random.Random(seed)
    steps = [
        ("acknowledge", {}), ("visit", {"outcome": "met"}), ("comment", {"text": "seen"}),
        ("assess", {"level": "severe", "causes": []}), ("close", {"code": "no-need"}),
    ]  # fmt: skip
    for number in range(count):
        home, (name, data) = chance.choice(HOMES), chance.choice(steps)
        seen = chance.randrange(1, 8)
        for who in (ANNA, STREET, DISTRICT)[: chance.choice([1, 2])]:
            one = Command(f"{who.id}{seed}-{number}", home, f"{home}-1", name, seen, who, "", data)
            for _ in range(chance.choice([1, 1, 2])):
                await cases.append(home, encode_record(one), MONDAY + number * HOUR)


async def at_rest(site: Site, cases: Cases) -> None:
    try:
        await cases.through()
    except TimeoutError:
        pytest.fail("\n".join(f"--- {one.name}\n{one.last_lines()}" for one in site.running))


@pytest.mark.parametrize("stage", ["forward", "cases"])
async def test_a_stage_of_cases_survives_a_death_at_each_moment(
    site: Site, cases: Cases, stage: StageName
) -> None:
    """kill -9 before, during and after a commit, between sending and commit, and during a claim."""
    other: StageName = "cases" if stage == "forward" else "forward"
    site.start(other)
    if stage == "cases":  # so that commands find cases
        await warn(cases, 150, 5)
        flow = await cases.flow()
        async with asyncio.timeout(60):
            await flow.reached("forward", await flow.ends([WARNINGS]))
    working = asyncio.ensure_future(asyncio.wait([  # what comes in goes on meanwhile
        asyncio.ensure_future(warn(cases, 300, 1)), asyncio.ensure_future(command(cases, 300, 2)),
    ]))  # fmt: skip
    for moment in MOMENTS:
        victim = site.start(stage, Fault(moment), instance="static", max_part=10)
        assert (await victim.fault())["moment"] == moment
    await working
    site.start(stage, instance="static")
    await at_rest(site, cases)
    assert await cases.tick(MONDAY + 40 * DAY) > 0
    folded = await cases.audit()
    # Every warning was taken, and none twice.
    for home, number in cases.numbers.items():
        assert state_format.decode(folded.states[home]).warned == number
    told = Counter(
        msgspec.json.decode(body)["type"] for some in folded.events.values() for body in some.values()
    )
    assert told["case.opened"] >= len(folded.states)
    # While forward was away the commands found no case: they were refused, each of them.
    needed = (
        ["refused", "overdue"] if stage == "forward" else ["refused", "repeated", "acknowledged", "overdue"]
    )
    assert all(told[f"case.{one}"] for one in needed), told


async def test_two_officers_at_once_while_the_owner_dies(site: Site, cases: Cases) -> None:
    """One of two commands on the same version is done, the other is stale, whoever carries them out."""
    site.start("forward")
    first = site.start("cases", instance="static")
    for home in HOMES:
        await cases.warn(home, MONDAY)
    await at_rest(site, cases)
    await first.leave()
    victim = site.start("cases", Fault("sent", 2), instance="static", max_part=7)
    sending = asyncio.ensure_future(asyncio.wait([
        asyncio.ensure_future(cases.send(home, "acknowledge", 1, at=MONDAY + HOUR, by=who))
        for home in HOMES
        for who in (ANNA, STREET)
    ]))  # fmt: skip
    await victim.fault()
    victim = site.start("cases", Fault("commit-answered", 2), instance="static", max_part=7)
    await victim.fault()
    await sending
    site.start("cases", instance="static")
    await at_rest(site, cases)
    await cases.audit()
    for home, events in (await cases.events()).items():
        types = [event["type"] for event in events]
        assert types == ["case.opened", "case.acknowledged", "case.refused"], home
        assert events[2]["data"]["details"]["reason"] == "stale"
    raw = await cases.rig.read(CASE_EVENTS)
    assert len(raw) > 3 * len(HOMES), "the deaths led to repeats, which a reader tells by their ids"


async def test_a_death_when_deadlines_come_by_the_wall_clock(own_stack: Stack, tmp_path: Path) -> None:
    """All ticks are in the log, or some; whoever takes over adds what is missing, and none counts twice."""
    rules = {
        level: dataclasses.replace(one, within={**one.within, "acknowledge": Span(0, "h")})
        for level, one in BOOK.levels.items()
    }
    book = dataclasses.replace(BOOK, levels=rules)
    async with opened(Site(own_stack, tmp_path, clock="wall")) as site:
        site.create()
        cases = Cases(site.rig, book=book, clock="wall", create=False)
        try:
            site.start("forward")
            for home in HOMES:
                await cases.warn(home, MONDAY)
            for fault in (Fault("deadlines-sent"), Fault("sent", 2), Fault("commit-answered", 2)):
                victim = site.start("cases", fault, instance="static", max_part=7, casebook=book)
                await victim.fault()
            last = site.start("cases", instance="static", max_part=7, casebook=book)
            async with asyncio.timeout(60):
                while True:
                    seen = len(last.signals.seen)
                    told = Counter(one["type"] for some in (await cases.events()).values() for one in some)
                    if told["case.overdue"] == len(HOMES):
                        break
                    await last.signals.wait("committed", after=seen)
            await at_rest(site, cases)
            await cases.audit()
            for home, events in (await cases.events()).items():
                assert [event["type"] for event in events] == ["case.opened", "case.overdue"], home
        finally:
            await cases.close()


async def test_a_zombie_that_lost_its_partition_writes_nothing(site: Site, cases: Cases) -> None:
    """A worker that hangs until another has taken over is fenced when it wakes."""
    site.start("forward")
    zombie = site.start("cases", Fault("sent", 2, "stop"), max_part=10)
    working = asyncio.ensure_future(warn(cases, 120, 3))
    at = (await zombie.fault())["tp"]
    rival = site.start("cases")
    await rival.signals.wait("committed", lambda facts: facts["tp"] == at)
    zombie.send(signal.SIGCONT)
    refused = await zombie.signals.wait("refused", lambda facts: facts["tp"] == at)
    assert refused["reason"] == "fenced"
    await working
    await command(cases, 40, 4)
    await at_rest(site, cases)
    await cases.audit()


async def test_what_departments_send_becomes_cases_while_all_stages_die(site: Site, cases: Cases) -> None:
    """The whole way, with a death of each stage; then every warning of the topic is in its case."""
    deaths: list[tuple[StageName, str, int]] = [
        ("intake", "sent", 2), ("person", "commit-answered", 2), ("household", "sent", 2),
        ("forward", "sent", 1), ("cases", "commit-answered", 1),
    ]  # fmt: skip
    await site.publish_while_dying(load(60, 900), deaths)
    await audited(site)
    await at_rest(site, cases)
    folded = await cases.audit()
    last: dict[str, int] = {}
    for record in await site.rig.read(WARNINGS):
        number = int(msgspec.json.decode(record.value)["id"].rpartition("-")[2])
        last[record.key.decode()] = max(number, last.get(record.key.decode(), 0))
    assert last
    assert {id: state_format.decode(raw).warned for id, raw in folded.states.items()} == last
    assert await cases.rig.read(CASE_COMMANDS)
