"""A policy is activated while events go on, on the real broker (docs/how-to/change-the-policy.md)."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

import agents.takeovers
from agents.app import stage_of
from agents.flow import Flow
from agents.policies import StartAgainError
from agents.takeovers import MARK
from hearthwatch.activation import previewed
from rules import household
from rules.rulebook import Rulebook
from streams.policies import Activation, NotUnderstoodError
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, PERSON_EVENTS, WARNINGS, Activate, Message, encode
from tests.agents.activating import CATALOG, LAXER, POLICY, STRICTER, House, files, killed_in_the_sweep
from tests.agents.rig import DEADLINE, Rig
from tests.agents.test_household_stage import DAY, ill, jobless

HOMES = 300


@pytest.fixture
def house(rig: Rig) -> House:
    """A household worker's topics."""
    return House(rig)


async def send(house: House, messages: Sequence[Message]) -> None:
    await house.rig.send(
        HOUSEHOLD_FACTS, [(message.household.encode(), encode(message)) for message in messages]
    )


def sick(first: int = 0, count: int = HOMES, **more: Any) -> Sequence[Message]:
    """Each household of one with 30 points: below blue (40), above the stricter blue (28)."""
    return [ill(1 + n, person=f"p{n}", **more) for n in range(first, first + count)]


def reasons(warned: dict[str, list[bytes]]) -> Counter[tuple[str, str, int]]:
    found: Counter[tuple[str, str, int]] = Counter()
    for bodies in warned.values():
        for number, body in enumerate(bodies, 1):
            message = json.loads(body)
            assert message["id"] == f"{message['data']['household']}-{number}"
            found[message["type"], message["data"]["reason"], message["data"]["policy"]["version"]] += 1
    return found


async def test_households_are_swept_while_events_go_on(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live is what a single pass of the pure step makes of the log; nobody is visited twice or left out."""
    monkeypatch.setattr(agents.takeovers, "SWEEP_CHUNK", 20)
    _, signals = await house.worker()
    await send(house, sick())
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER)
    late = [jobless(1000 + n, person=f"p{n}", day=DAY + n % 3) for n in range(0, HOMES, 2)]
    for at in range(0, len(late), 10):
        await send(house, late[at : at + 10])
    await house.swept(signals, 2)
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    await house.rig.workers[0].stop()
    warned = await house.warned()
    assert warned == await house.single_pass()
    found = reasons(warned)
    assert found["warning.raised", "policy", 2] + found["warning.raised", "fact", 1] == HOMES
    assert found["warning.raised", "policy", 2] >= HOMES // 2


async def test_warnings_of_events_come_between_those_of_the_sweep(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every third chunk the sweep stands still until an event is through: none waits for its end."""
    monkeypatch.setattr(agents.takeovers, "SWEEP_CHUNK", 20)
    worker, signals = await house.worker()
    await send(house, sick())
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    between = worker.engine.between
    chunks = 0

    async def with_events(lane: Any, due: Any, decide: Any, **more: Any) -> bool:
        nonlocal chunks
        is_live = await between(lane, due, decide, **more)
        if is_live and more.get("always"):
            chunks += 1
            if chunks % 3 == 0:
                await send(house, [ill(5_000 + chunks, person=f"late-{chunks}")])
                await house.rig.through("household", HOUSEHOLD_FACTS, signals)
        return is_live

    monkeypatch.setattr(worker.engine, "between", with_events)
    house.activate(STRICTER)
    await house.swept(signals, 2)
    await worker.stop()
    assert await house.warned() == await house.single_pass()
    runs: dict[int, list[str]] = {}
    for record in await house.rig.read(WARNINGS):
        run = runs.setdefault(record.partition, [])
        reason = json.loads(record.value)["data"]["reason"]
        if run[-1:] != [reason]:
            run.append(reason)
    assert any(run[:6] == ["policy", "fact"] * 3 for run in runs.values()), runs


@pytest.mark.parametrize(("where", "after"), [("visit", 3), ("commit", 2)])
async def test_a_worker_is_killed_during_the_sweep(house: House, where: str, after: int) -> None:
    """SIGKILL before a visit, or after its warnings are out and before its commit: the same warnings once."""
    await send(house, sick())
    house.activate(STRICTER)
    killed = killed_in_the_sweep(house.config(worker="doomed"), where, after)
    assert await killed == -signal.SIGKILL
    before = await house.warned()
    _, signals = await house.worker()
    await house.swept(signals, 2)
    await house.rig.workers[0].stop()
    warned = await house.warned()
    assert warned == await house.single_pass()
    assert reasons(warned) == {("warning.raised", "policy", 2): HOMES}
    for home, bodies in before.items():
        assert warned[home][: len(bodies)] == bodies


async def test_two_that_are_activated_at_once_are_taken_in_the_order_of_the_topic(house: House) -> None:
    worker, signals = await house.worker()
    await send(house, sick(count=40))
    numbers = await asyncio.gather(
        *(asyncio.to_thread(house.activate, policy) for policy in (STRICTER, LAXER, STRICTER))
    )
    assert sorted(numbers) == [2, 3, 4]
    assert worker.activator is not None
    await worker.activator.look()
    for _ in range(5):  # also where nobody has taken it in between
        await worker.activator.bring()
    newest = house.book().newest  # what repeats the one before it is none
    await house.swept(signals, newest)
    await house.rig.workers[0].stop()
    assert await house.warned() == await house.single_pass()
    records = [record.value for record in await house.rig.read(HOUSEHOLD_FACTS)]
    for one in house.book().after(1):
        assert sum(encode_of(one) == value for value in records) == house.partitions


def encode_of(one: Activation) -> bytes:
    return encode(Activate(one.number, one.digest, one.received))


async def test_one_that_is_in_a_log_again_or_late_changes_nothing(house: House) -> None:
    """An owner that was away for a while appends what it had read before: 2 behind 3, and 3 again."""
    _, signals = await house.worker()
    await send(house, sick(count=40))
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    for number, policy in ((2, STRICTER), (3, LAXER)):
        house.activate(policy)
        await house.swept(signals, number)
    await send(house, [jobless(1_000 + n, person=f"p{n}", day=DAY + 1) for n in range(40)])
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    ledger = await house.rig.ledger()

    async def taken() -> list[dict[str, tuple[int, int]]]:
        topic = house.rig.prefix + HOUSEHOLD_FACTS
        marks = [await ledger.marks("household", topic, number) for number in range(house.partitions)]
        return [{name: at for name, at in found.items() if name.startswith(MARK)} for found in marks]

    before = await taken()
    assert all(set(found) == {MARK, f"{MARK}/2", f"{MARK}/3"} for found in before)
    old = [encode_of(one) for one in house.book().after(1)]
    for partition in range(house.partitions):
        again = [(None, value) for value in [*old, old[0]]]
        await house.rig.send(HOUSEHOLD_FACTS, again, partition=partition)
    await send(house, [ill(2_000 + n, person=f"new-{n}", day=DAY + 2) for n in range(40)])
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    assert await taken() == before
    await house.rig.workers[0].stop()
    warned = await house.warned()
    assert warned == await house.single_pass()
    assert not any(home.startswith("~new-") for home in warned), "30 points are nothing under the newest"


async def test_a_second_activation_need_not_wait_for_the_sweep_of_the_first(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agents.takeovers, "SWEEP_CHUNK", 5)
    _, signals = await house.worker()
    await send(house, sick())
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER)
    await signals.wait("activated", lambda facts: facts["number"] == 2)
    house.activate(LAXER)
    await house.swept(signals, 3)
    await house.rig.workers[0].stop()
    warned = await house.warned()
    assert warned == await house.single_pass()
    assert reasons(warned) == {
        ("warning.raised", "policy", 2): HOMES,
        ("warning.cleared", "policy", 3): HOMES,
    }


async def test_what_was_activated_while_nobody_ran_is_taken_at_the_start(house: House) -> None:
    """Also where the command was interrupted after it was sent: what is on the topic holds."""
    worker, signals = await house.worker()
    await send(house, sick(count=10))
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    await worker.stop()
    house.activate(STRICTER)
    _, signals = await house.worker()
    await house.swept(signals, 2)
    assert reasons(await house.warned()) == {("warning.raised", "policy", 2): 10}


async def test_an_older_version_is_activated_again(house: House) -> None:
    _, signals = await house.worker()
    await send(house, sick(count=10))
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER)
    await house.swept(signals, 2)
    assert house.activate(POLICY) == 3
    await house.swept(signals, 3)
    warned = await house.warned()
    assert reasons(warned) == {
        ("warning.raised", "policy", 2): 10,
        ("warning.cleared", "policy", 1): 10,
    }
    (_, cleared) = (json.loads(body) for body in warned["~p0"])
    assert cleared["data"]["cause"] == {"policy": "story", "version": 1}
    received = house.book().activations[-1].received
    assert cleared["time"].startswith(_utc(received))


def _utc(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros // 1_000_000, dt.UTC).isoformat()[:19]


async def test_the_dry_run_foretells_what_happens_and_the_ledger_says_when(house: House) -> None:
    _, signals = await house.worker()
    await send(house, sick(count=60))
    await send(house, [jobless(1000 + n, person=f"p{n}") for n in range(0, 60, 3)])
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    ledger = await house.rig.ledger()
    flow = Flow(house.rig.kafka, ledger, prefix=house.rig.prefix)
    book = house.book()
    new = Rulebook([Activation(1, 0, files(STRICTER), files(STRICTER).digest)])
    foreseen = await previewed(ledger, flow, book, new, lambda what, done, total: None)
    assert foreseen.households == 60
    assert foreseen.communities[None] == {(None, "blue"): 40}
    house.activate(STRICTER)
    await house.swept(signals, 2)
    found = reasons(await house.warned())
    assert found["warning.raised", "policy", 2] == foreseen.changed == foreseen.warnings.total() == 40
    stood = [
        (await ledger.marks("household", house.rig.prefix + HOUSEHOLD_FACTS, partition))["activation"]
        for partition in range(house.partitions)
    ]
    assert stood == [(2, 0)] * house.partitions
    await flow.close()


async def test_the_dry_run_takes_a_household_that_was_not_swept_yet_as_it_will_be() -> None:
    """Partition and ledger are made up: 30 points under the first policy, and the stricter one is taken."""
    book = Rulebook(
        Activation(number, 0, files(policy), files(policy).digest)
        for number, policy in enumerate((POLICY, STRICTER), 1)
    )
    home = household.new("~p0", 1)
    home, _ = household.step(home, ill(1, person="p0"), rules=book.rules(1), day=DAY, offset=0)
    raw = household.encode(home)

    class Kept:
        async def check_held(self, stage: str, at: Any) -> Any:
            return {one: SimpleNamespace(states=1, day=DAY) for one in at}

        async def marks(self, *where: Any) -> Any:
            return {f"{MARK}/2": (DAY, 0), MARK: (1, 0)}

        async def scan(self, *where: Any) -> Any:
            yield "~p0", raw
            yield "~p0", raw  # a scan may give one twice

        async def partitions(self, topics: Any) -> Any:
            return [(topics[0], 0)]

    new = Rulebook([Activation(1, 0, files(LAXER), files(LAXER).digest)])
    foreseen = await previewed(Kept(), Kept(), book, new, lambda what, done, total: None)
    assert foreseen.households == 1
    assert foreseen.changes == {("blue", None): 1}


async def test_a_program_that_does_not_understand_the_policy_stops_without_guessing(house: House) -> None:
    worker, signals = await house.worker()
    await send(house, sick(count=4))
    await house.rig.through("household", HOUSEHOLD_FACTS, signals)
    house.activate(STRICTER, language=99)
    async with asyncio.timeout(DEADLINE):
        await worker.failed.wait()
    assert isinstance(worker.failure, NotUnderstoodError)
    await worker.stop()
    assert await house.warned() == {}
    assert len(await house.rig.read(HOUSEHOLD_FACTS)) == 4, "nothing was appended to the partitions"
    with pytest.raises(NotUnderstoodError, match="run the newer program"):
        stage_of("household", house.rig.config(activations=house.book().activations))


# -- intake ----------------------------------------------------------------------------------------------
NEW_TYPE = (
    CATALOG
    + b"""  - type: health.cured
    departments: [health]
    subject: person
    title: {en: Cured}
    data: {}
"""
)


def cured() -> Iterator[bytes]:
    number = 0
    while True:
        number += 1
        yield json.dumps(
            {
                "specversion": "1.0", "type": "health.cured", "id": f"c{number}", "source": "/wuchang/health",
                "subject": "person/p1", "time": "2024-07-01T00:00:00Z", "data": {},
            }
        ).encode()  # fmt: skip


async def test_intake_goes_by_the_activated_catalogue_from_a_committed_offset_on(house: House) -> None:
    rig = house.rig
    departments = ["health", "medical-insurance", "civil-affairs", "human-resources", "public-security"]
    rig.topics({PERSON_EVENTS: 1, **{f"life.{name}": 1 for name in departments}})
    config = house.config()
    worker, signals = rig.worker(
        stage_of("intake", config),
        catalog=config.catalog, policy=config.policy, activations=config.activations,
    )  # fmt: skip
    await worker.start()
    lines = cured()
    await rig.send("life.health", [(None, next(lines))], timestamp_ms=1_719_800_000_000)
    await rig.through("intake", "life.health", signals)
    house.activate(POLICY, NEW_TYPE)
    await signals.wait("activated", lambda facts: facts["number"] == 2)
    ledger = await rig.ledger()
    async with asyncio.timeout(DEADLINE):
        while (await ledger.marks("intake", rig.prefix + "life.health", 0))["activation"] != (2, 0):
            await worker.activator.bring()  # type: ignore[union-attr]
    await rig.send("life.health", [(None, next(lines))], timestamp_ms=1_719_800_000_000)
    await rig.through("intake", "life.health", signals)
    assert len(await rig.read(PERSON_EVENTS)) == 1
    (rejected,) = await rig.read(DEADLETTERS)
    assert dict(rejected.headers)["__streams.errors.exception"] == b"unknown-type"
    more = NEW_TYPE.replace(b"departments:\n", b"departments:\n  - {id: schools, title: {en: Schools}}\n", 1)
    assert more != NEW_TYPE
    house.activate(POLICY, more)
    async with asyncio.timeout(DEADLINE):
        await worker.failed.wait()
    assert isinstance(worker.failure, StartAgainError)
