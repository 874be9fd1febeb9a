"""The charter: Kafka says what the ledger is, so that an empty Redis is told from a new one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from agents.ledger import (
    Charter,
    KafkaCharter,
    Ledger,
    LedgerMismatchError,
    LedgerMissingError,
    MemoryCharter,
)
from agents.ledger.charter import LEDGER_TOPIC
from agents.redis_link import RedisLink
from deploy.local import Stack
from streams import kafka_clients, topics
from streams.errors import BrokerUnavailableError
from streams.kafka_clients import Connection
from tests.ledger.homes import Home
from tests.ledger.test_conformance import STAGE, TOPIC, claim


@pytest.fixture
async def link(valkey: Home) -> AsyncIterator[RedisLink]:
    link = RedisLink(valkey.address)
    yield link
    await link.close()


async def test_the_first_start_founds_a_ledger_that_later_ones_find(link: RedisLink) -> None:
    store = MemoryCharter()
    first, later = Ledger(link, store), Ledger(link, store)
    await first.open()
    await later.open()
    assert first.id == later.id == store.charter.ledger
    assert await link.call("GET", "hearthwatch:identity") == (first.id or "").encode()


async def test_several_first_workers_found_one_ledger(valkey: Home) -> None:
    store = MemoryCharter()
    ledgers = [Ledger(RedisLink(valkey.address), store) for _ in range(6)]
    await asyncio.gather(*(one.open() for one in ledgers))
    assert len({one.id for one in ledgers}) == 1
    await asyncio.gather(*(one.close() for one in ledgers))


class CrashingCharter(MemoryCharter):
    """Fails at its first write, before or after the record is safe."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self.after = after
        self.crashes = 1

    async def write(self, records: Mapping[str, str | None]) -> None:
        if not self.crashes:
            await super().write(records)
            return
        self.crashes -= 1
        if self.after:
            await super().write(records)
        raise BrokerUnavailableError("crash")


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_while_founding_is_no_harm(link: RedisLink, after: bool) -> None:
    store = CrashingCharter(after=after)
    with pytest.raises(BrokerUnavailableError):
        await Ledger(link, store).open()
    ledger = Ledger(link, store)
    await ledger.open()
    assert store.charter.ledger == ledger.id


@pytest.mark.parametrize("after", [False, True])
async def test_a_crash_while_a_partition_starts_is_no_harm(link: RedisLink, after: bool) -> None:
    """Redis is written first: the other way round, a crash would look like a Redis that lost its data."""
    store = CrashingCharter(after=after)
    store.crashes = 0
    ledger = Ledger(link, store)
    await ledger.open()
    store.crashes = 1
    with pytest.raises(BrokerUnavailableError):
        await claim(ledger)
    assert (await claim(Ledger(link, store))).next_offset == 0
    assert ("household", "household.facts", 3) in store.charter.started


async def test_a_redis_that_lost_everything_is_refused(link: RedisLink, valkey: Home) -> None:
    store = MemoryCharter()
    refusals: list[str] = []
    await claim(Ledger(link, store))
    with valkey.admin() as admin:
        admin.flushall()
    with pytest.raises(LedgerMissingError, match=r"1 partitions have started.*hearthwatch rebuild"):
        await Ledger(link, store, on_refusal=refusals.append).open()
    assert refusals == ["missing"]


async def test_who_only_reads_is_told_of_a_loss_and_not_that_nothing_was_there(
    link: RedisLink, valkey: Home
) -> None:
    ledger = Ledger(link, MemoryCharter())
    await claim(ledger)
    await ledger.check_held(STAGE, [(TOPIC, 3), (TOPIC, 4)])  # 4 has never started
    with valkey.admin() as admin:
        admin.flushall()
    await ledger.check_held(STAGE, [(TOPIC, 4)])
    with pytest.raises(
        LedgerMissingError, match=rf"lost its data: {STAGE} {TOPIC}/3 has .*hearthwatch rebuild"
    ):
        await ledger.check_held(STAGE, [(TOPIC, 3), (TOPIC, 4)])


async def test_a_redis_that_was_lost_before_anything_started_is_used(link: RedisLink, valkey: Home) -> None:
    store = MemoryCharter()
    first = Ledger(link, store)
    await first.open()
    with valkey.admin() as admin:
        admin.flushall()
    again = Ledger(link, store)
    await again.open()
    assert again.id == first.id


async def test_a_kafka_that_was_emptied_under_a_used_redis_is_refused(link: RedisLink) -> None:
    await claim(Ledger(link, MemoryCharter()))
    with pytest.raises(LedgerMismatchError, match="Kafka holds no ledger"):
        await Ledger(link, MemoryCharter()).open()


async def test_the_redis_of_another_ledger_is_refused(link: RedisLink, valkey: Home) -> None:
    one, other = MemoryCharter(), MemoryCharter()
    await claim(Ledger(link, one))
    other.charter = Charter(ledger="another")
    with pytest.raises(LedgerMismatchError, match=r"Redis holds ledger \w+, Kafka ledger another"):
        await Ledger(link, other).open()


async def test_another_policy_or_catalogue_than_the_data_was_made_with_is_refused(link: RedisLink) -> None:
    store = MemoryCharter()
    await Ledger(link, store).open({"catalog": "c" * 64, "policy": "p" * 64})
    await Ledger(link, store).open({"catalog": "c" * 64, "policy": "p" * 64, "clock": "log"})
    for what in ("catalog", "policy"):
        made_with = {"catalog": "c" * 64, "policy": "p" * 64, what: "x" * 64}
        with pytest.raises(LedgerMismatchError, match=rf"another {what} .*local reset"):
            await Ledger(link, store).open(made_with)
    with pytest.raises(LedgerMismatchError, match=r"the clock `log`, not `wall`"):
        await Ledger(link, store).open({"clock": "wall"})
    assert await Ledger(link, store).made_with() == {"catalog": "c" * 64, "policy": "p" * 64, "clock": "log"}


# -- in Kafka -----------------------------------------------------------------------------------------


@pytest.fixture
def charters(stack: Stack, request: pytest.FixtureRequest) -> Callable[[], KafkaCharter]:
    """Charters of one new compacted topic."""
    name = f"ledger-{abs(hash(request.node.name))}"
    connection = Connection(stack.kafka_bootstrap)
    topics.create(connection, [topics.Topic(name, 1, 1, {"cleanup.policy": "compact"}, "a test's")])
    return lambda: KafkaCharter({"bootstrap_servers": stack.kafka_bootstrap}, topic=name)


async def test_a_charter_in_kafka_is_read_by_others_up_to_its_end(
    charters: Callable[[], KafkaCharter],
) -> None:
    writer, reader = charters(), charters()
    assert (await reader.read()).ledger is None
    await writer.write({"ledger": "L1", "made-with/policy": "p"})
    for partition in range(20):
        await writer.write({f"started/household/household.facts/{partition}": "L1"})
        assert ("household", "household.facts", partition) in (await reader.read()).started
    await writer.write({"made-with/policy": None})
    charter = await charters_read(charters)
    assert (charter.ledger, charter.made_with, len(charter.started)) == ("L1", {}, 20)
    await writer.close()
    await reader.close()


async def charters_read(charters: Callable[[], KafkaCharter]) -> Charter:
    fresh = charters()
    try:
        return await fresh.read()
    finally:
        await fresh.close()


async def test_a_broker_that_does_not_answer_is_said_in_one_line() -> None:
    store = KafkaCharter({"bootstrap_servers": "127.0.0.1:1"}, timeout_seconds=5)
    with pytest.raises(BrokerUnavailableError, match=r"no Kafka broker answers at 127\.0\.0\.1:1 "):
        await store.read()
    await store.close()


def test_the_charter_and_the_plan_of_topics_mean_the_same_topic() -> None:
    assert LEDGER_TOPIC == topics.LEDGER
    assert kafka_clients is not None
