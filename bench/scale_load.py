"""What an event costs the household stage among few and among many households; a part of :mod:`bench.scale`.

Facts about two kinds of household: some that are at hand in the worker's memory (``HOT`` of them, always the
same), and some that never are, because the worker's cache holds only few of the others. So the share of hits
is the same however many households there are, and what a miss costs is the difference between two shares.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from agents.flow import Flow
from bench.machine import CATALOG, POLICY, places
from bench.scale_homes import Model, Progress, district, fill, models, name
from bench.servers import Round, server_cpu
from bench.stage_children import Process
from deploy.local import Stack
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.events import Event
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS, Fact, Origin, encode

SIZES: Final = (10_000, 100_000, 500_000, 2_000_000)
AIM_SPREAD: Final = 1.2
PARTITIONS: Final = 8
HOT: Final = 3_000
SHARES: Final = (0.9, 0.7)
ROUNDS: Final = 3
CACHE_BYTES: Final = 16 * 1_048_576
#: A second worker among most households, with another bound of its memory.
LARGE_CACHE_BYTES: Final = 64 * 1_048_576
BASE_MEGABYTES: Final = 150
#: What a worker may take beside its states: the program, the records of a fetch, what waits to be sent.
THROUGH_SECONDS: Final = 300.0


class Facts:
    """Facts about copies, each event new."""

    def __init__(self, given: Sequence[Model], count: int, day_start_us: int) -> None:
        self._models = given
        self._count = count
        self._received = day_start_us
        self._number = 0
        self._chance = random.Random(1)
        self._cold = self._colds()

    def _colds(self) -> Iterator[int]:
        """All that are not hot, in an order without a pattern, again and again."""
        span = self._count - HOT
        stride = 611_953  # a prime: every remainder comes once before one comes again
        assert span % stride
        at = 0
        while True:
            at = (at + stride) % span
            yield HOT + at

    def records(self, count: int, hit_share: float) -> Iterator[tuple[int, bytes, bytes]]:
        """(partition, key, value)."""
        for _ in range(count):
            chance = self._chance
            number = chance.randrange(HOT) if chance.random() < hit_share else next(self._cold)
            yield self._record(number)

    def warm_up(self) -> Iterator[tuple[int, bytes, bytes]]:
        """Every hot household once."""
        return map(self._record, range(HOT))

    def _record(self, number: int) -> tuple[int, bytes, bytes]:
        self._number += 1
        model = self._models[number % len(self._models)]
        id = name(number)
        suffix, _, n = model.persons[self._number % len(model.persons)]
        at = self._received + self._number * 1_000
        event = Event(
            "insurance.bill.settled", "/wuchang/medical-insurance", f"s{self._number:07}", id + suffix,
            at, at, {"self_paid_yuan": 12_300, "inpatient": False},
        )  # fmt: skip
        record = Fact(
            id,
            "person.events-0",
            (self._number, 0),
            Origin("life.medical-insurance", 0, self._number),
            n,
            event,
        )
        key = id.encode()
        return partition_of(key, PARTITIONS), key, encode(record)


async def measure(stack: Stack, sizes: Sequence[int], records: int, say: Progress) -> dict[str, Any]:
    """CPU of an event at each size, and of a miss; resident memory of the workers."""
    catalog = read_catalog(CATALOG)
    policy = read_policy(POLICY, catalog)
    run = district(3_000, 46_000, catalog, policy)
    assert run.today is not None
    given = models(run, run.today)
    midnight = run.rules.calendar.midnight_of(run.today)
    assert midnight is not None
    rows = []
    for number, size in enumerate(sizes):
        at = Round(stack, catalog, f"s{number}.", household_partitions=PARTITIONS)
        ledger = at.ledger()
        try:
            say(f"{size:,} households into Redis")
            await ledger.open()
            await fill(ledger, given, size, prefix=at.prefix, partitions=PARTITIONS, day=run.today, say=say)
            facts = Facts(given, size, midnight)
            rows.append({"households": size, **await _size(at, facts, records, say)})
            if size == max(sizes):
                rows[-1]["with_large_cache"] = await _large(at, facts, records, say)
        finally:
            for partition in range(PARTITIONS):
                keys = ledger.keys("household", at.prefix + HOUSEHOLD_FACTS, partition)
                await ledger.link.call("DEL", *keys)
            await ledger.close()
    costs = [row["us"]["0.9"] for row in rows]
    return {
        "hit_shares": list(SHARES),
        "hot_households": HOT,
        "cache_megabytes": CACHE_BYTES // 1_048_576,
        "sizes": rows,
        "greatest_to_least": round(max(costs) / min(costs), 2),
        "aim": AIM_SPREAD,
    }


async def _size(at: Round, facts: Facts, records: int, say: Progress) -> dict[str, Any]:
    process = Process("household", at, 10**9, 10**9, places()[0], cache_bytes=CACHE_BYTES)
    flow = at.flow()
    us: dict[float, list[float]] = {share: [] for share in SHARES}
    servers: dict[float, list[float]] = {share: [] for share in SHARES}
    try:
        await process.ready()
        await _through(at, flow, [*facts.warm_up(), *facts.records(records, SHARES[0])])
        marks = 0
        for _ in range(ROUNDS):
            for share in SHARES:
                some = list(facts.records(records, share))
                before = server_cpu(at.stack)["valkey"]
                process.mark()
                await _through(at, flow, some)
                process.mark()
                marks += 2
                servers[share].append((server_cpu(at.stack)["valkey"] - before) * 1e6 / records)
        rss = memory_megabytes(process.pid)
        samples = [sample for sample in await process.stop() if sample.name == "mark"]
    finally:
        process.kill()
        await flow.close()
        await flow.ledger.close()
    assert len(samples) == marks
    parts: list[float] = []
    for index in range(0, marks, 2):
        first, last = samples[index : index + 2]
        done = last.records - first.records
        assert done == records, f"{done} of {records}"
        used = last.user + last.system - first.user - first.system
        us[SHARES[index // 2 % len(SHARES)]].append(used * 1e6 / done)
        parts.append(done / max(1, last.parts - first.parts))
    medians = {share: median(values) for share, values in us.items()}
    most, least = SHARES
    row = {
        "us": {str(share): round(value, 1) for share, value in medians.items()},
        "all_us": {str(share): [round(value, 1) for value in values] for share, values in us.items()},
        "valkey_us": {str(share): round(median(values), 1) for share, values in servers.items()},
        "miss_us": round((medians[least] - medians[most]) / (most - least), 1),
        "records_per_part": round(median(parts)),
        "resident_megabytes": rss,
    }
    say(f"{row['us']['0.9']} us an event at nine hits in ten, {row['miss_us']} us a miss, {rss} MB")
    return row


async def _large(at: Round, facts: Facts, records: int, say: Progress) -> dict[str, Any]:
    """A worker that meets only households it has not at hand, until its cache has been full for long."""
    process = Process("household", at, 10**9, 10**9, places()[0], cache_bytes=LARGE_CACHE_BYTES)
    flow = at.flow()
    try:
        await process.ready()
        # Some 2 KB each with what holds them.
        await _through(at, flow, list(facts.records(max(records, 3 * LARGE_CACHE_BYTES // 2_000), 0.0)))
        rss = memory_megabytes(process.pid)
        await process.stop()
    finally:
        process.kill()
        await flow.close()
        await flow.ledger.close()
    megabytes = LARGE_CACHE_BYTES // 1_048_576
    say(f"with {megabytes} MB for states: {rss} MB")
    return {
        "cache_megabytes": megabytes,
        "resident_megabytes": rss,
        "bound_megabytes": megabytes + BASE_MEGABYTES,
    }


async def _through(at: Round, flow: Flow, records: Sequence[tuple[int, bytes, bytes]]) -> None:
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, max_batch_size=262_144, **at.kafka)
    await producer.start()
    topic = at.prefix + HOUSEHOLD_FACTS
    try:
        waiting = [
            await producer.send(topic, value, key=key, partition=partition)
            for partition, key, value in records
        ]
        await asyncio.gather(*waiting)
    finally:
        await producer.stop()
    async with asyncio.timeout(THROUGH_SECONDS):
        await flow.through([("household", [HOUSEHOLD_FACTS])])


def memory_megabytes(pid: int) -> int:
    """The most memory that a process has had resident so far."""
    text = Path(f"/proc/{pid}/status").read_text("utf-8")
    line = next(line for line in text.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) // 1024
