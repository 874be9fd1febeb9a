"""Benchmark (d): from publishing an event to reading its warning, at a fixed rate, everything on one machine.

    .venv/bin/python -m bench.latency [--only RATE] [--seconds 40] [--out FILE] [--picture FILE]

The whole stack shares the machine's cores: broker, Valkey, a worker process for each stage (as
``hearthwatch run`` starts them, by the wall clock, with snapshots), the sender, and a reader of ``warnings``.
The load is open (:mod:`bench.latency_process`): an event counts from the moment at which it was due, so that
what waits because something stalled counts as slow. Every crossing must give its one warning, and no other.

Where the time goes is read afterwards from the broker's append times, which are whole milliseconds:
``life`` (due until appended to ``life.*``), ``intake`` (until ``person.events``), ``person`` (until
``household.facts``), ``household`` (until ``warnings``) and ``reader`` (until it was read).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.app import STAGES, StageName
from agents.flow import Flow
from agents.ticks import steps
from bench import latency_chart
from bench.latency_child import Child
from bench.latency_figures import LEGS, curve, lines, percentiles
from bench.latency_load import MARK, Load, crossing_of
from bench.machine import CATALOG, cpu_seconds, describe, pin, today
from bench.servers import Round, end_on_sigterm, server_pids, servers
from deploy.local import Stack
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.records import (
    HOUSEHOLD_FACTS,
    PERSON_EVENTS,
    WARNINGS,
    decode_household_record,
    decode_person_record,
)

Progress = Callable[[str], None]

PARTITIONS: Final = 8
#: What a worker has by default: a snapshot of what changed, every five minutes.
SNAPSHOT_SECONDS: Final = 300.0
THROUGH_SECONDS: Final = 300.0
#: The first user's.
DISTRICT: Final = 130_000


class _Data(msgspec.Struct):
    cause: dict[str, Any]


class _Warning(msgspec.Struct):
    """What is looked at of a warning."""

    id: str
    data: _Data


_warning = msgspec.json.Decoder(_Warning).decode


@dataclass(frozen=True, slots=True)
class Scenario:
    """One rate.

    Attributes:
        warm_up: seconds at the rate that are not measured; compilers and caches are warm before.
        workers: processes of each stage that has more than one.
        aims: percentile -> milliseconds.
    """

    load: Load
    warm_up: float
    aims: dict[float, float]
    workers: dict[StageName, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The rate as text."""
        return f"{self.load.rate:,} events/s"


def scenarios(seconds: float = 40.0, warm_up: float = 30.0, households: int = DISTRICT) -> list[Scenario]:
    """The two that are promised.

    Args:
        households: of the district. With too few each gets dozens of bills within a minute, and what is
            measured is households that do not exist.
    """
    homes = {"households": households, "alone": min(2_000, max(1, households // 3))}
    return [
        Scenario(Load(1_000, warm_up + seconds, every=10, **homes), warm_up, {50.0: 20.0, 99.0: 50.0}),
        Scenario(
            Load(10_000, warm_up + seconds, every=50, **homes),
            warm_up,
            {99.0: 100.0},
            workers={"household": 2},
        ),
    ]


class Place(Round):
    """Topics by the wall clock, all with the same number of partitions."""

    def __init__(self, stack: Stack, catalog: Catalog, prefix: str, partitions: int) -> None:
        super().__init__(
            stack, catalog, prefix, clock="wall", life_partitions=partitions, person_partitions=partitions,
            household_partitions=partitions, warnings_partitions=partitions,
        )  # fmt: skip


@contextmanager
def running(at: Place, scenario: Scenario, profile: str | None) -> Iterator[dict[str, Child]]:
    """The workers."""
    with ExitStack() as stack:
        found = {}
        for stage in STAGES:
            for number in range(1, scenario.workers.get(stage, 1) + 1):
                name = f"{stage}-{number}"
                order = {
                    "stage": stage, "name": name, "kafka": at.stack.kafka_bootstrap,
                    "redis": at.stack.redis_url, "prefix": at.prefix, "snapshot_seconds": SNAPSHOT_SECONDS,
                }  # fmt: skip
                found[name] = Child("worker", order, f"{profile}.{name}" if profile else None)
                stack.callback(found[name].stop)
        yield found


class Reader:
    """Reads ``warnings`` as it grows, and looks at the clock."""

    def __init__(self, at: Place) -> None:
        self._topic = at.prefix + WARNINGS
        self._partitions = at.partitions[WARNINGS]
        self._consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5_000, **at.kafka
        )
        self.seen: list[tuple[float, Any]] = []
        """When each record was read, in seconds since 1970, and the record."""
        self._crossings = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    async def start(self) -> None:
        """Be there before the first warning that counts."""
        await self._consumer.start()
        tps = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        self._consumer.assign(tps)
        await self._consumer.seek_to_end(*tps)
        for tp in tps:
            await self._consumer.position(tp)

    async def run(self) -> None:
        """Read until cancelled."""
        mark = f'"{MARK}'.encode()
        while True:
            for records in (await self._consumer.getmany(timeout_ms=1_000)).values():
                now = time.time()
                self.seen += [(now, record) for record in records]
                self._crossings += sum(mark in record.value for record in records)
            if self._wanted and self._crossings >= self._wanted:
                self._reached.set()

    async def has_seen(self, crossings: int) -> None:
        """Wait until so many warnings of crossings were read, repeats among them."""
        self._wanted = crossings
        if self._crossings < crossings:
            await self._reached.wait()

    async def stop(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


class Measure:
    """One scenario."""

    def __init__(self, at: Place, scenario: Scenario, progress: Progress) -> None:
        self.at = at
        self.scenario = scenario
        self.progress = progress
        self.flow: Flow = at.flow()
        self.steps = dict(steps(at.catalog))

    async def run(self, profile: str | None) -> dict[str, Any]:
        """Register, load, read; the figures."""
        load = self.scenario.load
        try:
            with running(self.at, self.scenario, profile) as workers:
                self.progress(f"registering {load.households + load.alone:,} households")
                registration, _ = load.lines(self.at.catalog)
                await self.at.publish(registration)
                async with asyncio.timeout(THROUGH_SECONDS):
                    await self.flow.through([(stage, self.steps[stage]) for stage in STAGES])
                return await self._loaded(workers)
        finally:
            await self.flow.close()
            await self.flow.ledger.close()

    async def _loaded(self, workers: dict[str, Child]) -> dict[str, Any]:
        load = self.scenario.load
        order = {
            "load": asdict(load), "kafka": self.at.stack.kafka_bootstrap, "prefix": self.at.prefix,
            "life_partitions": PARTITIONS,
        }  # fmt: skip
        sender = Child("sender", order)
        reader = Reader(self.at)
        await reader.start()
        reading = asyncio.ensure_future(reader.run())
        try:
            self.progress("the sender makes its events")
            assert (await sender.line(THROUGH_SECONDS)).strip() == "ready"
            self.progress(f"{load.rate:,} events/s for {load.seconds:.0f} s")
            pids = {name: child.pid for name, child in workers.items()}
            pids |= server_pids(self.at.stack) | {"sender": sender.pid, "reader": os.getpid()}
            sender.tell("")
            await asyncio.sleep(self.scenario.warm_up + 0.5)
            used = {name: cpu_seconds(pid) for name, pid in pids.items()}
            commits = await self._commits()
            since = time.monotonic()
            await asyncio.sleep(max(0.5, load.seconds - self.scenario.warm_up - 1.0))
            passed = time.monotonic() - since
            cpu = {name: (cpu_seconds(pid) - used[name]) / passed for name, pid in pids.items()}
            commits = {
                stage: round((n - commits[stage]) / passed) for stage, n in (await self._commits()).items()
            }
            sent = json.loads(await sender.line(THROUGH_SECONDS))
            async with asyncio.timeout(THROUGH_SECONDS):
                await reader.has_seen(load.crossings)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await reader.stop()
            sender.stop()
        self.progress("reading where the time went")
        return {
            **await self._figures(reader.seen, sent),
            "cores_used": {k: round(v, 3) for k, v in cpu.items()},
            "commits_per_second": commits,
        }

    async def _commits(self) -> dict[str, int]:
        """How many commits each stage has made, by the ledger."""
        out = {}
        for stage in STAGES:
            at = await self.flow.partitions(self.steps[stage])
            found = await self.flow.positions(stage, at)
            out[str(stage)] = sum(one.commit for one in found.values() if one is not None)
        return out

    async def _figures(self, seen: Sequence[tuple[float, Any]], sent: dict[str, Any]) -> dict[str, Any]:
        load = self.scenario.load
        person, facts = await asyncio.gather(self._appended(PERSON_EVENTS), self._appended(HOUSEHOLD_FACTS))
        first = int(self.scenario.warm_up * load.rate)
        total: list[float] = []
        legs: dict[str, list[float]] = {leg: [] for leg in LEGS}
        ids: dict[int, set[str]] = {}
        repeats = others = 0
        for read_at, record in seen:
            warning = _warning(record.value)
            number = crossing_of(warning.data.cause.get("id", ""))
            if number is None:
                others += 1
                continue
            known = ids.setdefault(number, set())
            if known:
                repeats += 1
            known.add(warning.id)
            if number < first or len(known) > 1:
                continue
            due = sent["began"] + number / load.rate
            received, person_at = person[number]
            at = (due, received, person_at, facts[number][1], record.timestamp / 1000, read_at)
            total.append((read_at - due) * 1000)
            for leg, (begin, end) in zip(LEGS, pairwise(at), strict=True):
                legs[leg].append((end - begin) * 1000)
        total.sort()
        return {
            "events": load.events,
            "crossings": load.crossings,
            "measured": len(total),
            "warned_once": sum(len(known) == 1 for known in ids.values()),
            "repeats": repeats,
            "other_warnings": others,
            "ms": percentiles(total),
            "legs_ms": {leg: percentiles(sorted(values)) for leg, values in legs.items()},
            "aims_ms": {f"p{key:g}": value for key, value in self.scenario.aims.items()},
            "cdf": [[round(value, 2), share] for value, share in curve(total)],
            "sender": {
                "events_per_second": round(load.events / sent["seconds"]),
                "late_p99_ms": round(sent["late_p99"] * 1000, 2),
                "late_max_ms": round(sent["late_max"] * 1000, 2),
            },
        }

    async def _appended(self, topic: str) -> dict[int, tuple[float, float]]:
        """Crossing -> when its event was received (appended to ``life.*``), and first appended to a topic."""
        decode: Callable[[bytes], Any] = (
            decode_person_record if topic == PERSON_EVENTS else decode_household_record
        )
        mark = MARK.encode()
        out: dict[int, tuple[float, float]] = {}
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=20_000, **self.at.kafka
        )
        await consumer.start()
        try:
            tps = [TopicPartition(self.at.prefix + topic, number) for number in range(PARTITIONS)]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        if mark in record.value:
                            event = decode(record.value).event
                            number = crossing_of(event.id)
                            assert number is not None, event.id
                            out.setdefault(number, (event.received / 1e6, record.timestamp / 1000))
        finally:
            await consumer.stop()
        return out


def measure(wanted: Sequence[Scenario], progress: Progress, profile: str | None = None) -> dict[str, Any]:
    """Run scenarios, each on servers of its own.

    Args:
        profile: beginning of the paths that profiles of the workers are written to.
    """
    catalog = read_catalog(CATALOG)
    out: dict[str, Any] = {}
    for number, scenario in enumerate(wanted, start=1):
        with servers(progress) as stack:
            for pid in server_pids(stack).values():
                pin(pid, sorted(os.sched_getaffinity(0)))
            at = Place(stack, catalog, f"l{number}.", PARTITIONS)
            figures = asyncio.run(Measure(at, scenario, progress).run(profile))
        out[scenario.name] = {
            "rate": scenario.load.rate,
            "seconds": scenario.load.seconds,
            "warm_up_seconds": scenario.warm_up,
            "workers": {stage: scenario.workers.get(stage, 1) for stage in STAGES},
            "partitions": PARTITIONS,
            **figures,
        }
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", type=int, help="one rate")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--warm-up", type=float, default=30.0)
    parser.add_argument("--households", type=int, default=DISTRICT, help="of the district")
    parser.add_argument("--profile", help="write cProfile files of the workers to PATH.<worker>")
    parser.add_argument("--out", type=Path, help="write the result there, as JSON")
    parser.add_argument("--picture", type=Path, help="draw it there, as SVG")
    given = parser.parse_args()
    end_on_sigterm()
    wanted = [
        one
        for one in scenarios(given.seconds, given.warm_up, given.households)
        if given.only in (None, one.load.rate)
    ]
    result = measure(wanted, lambda what: print(what, file=sys.stderr), given.profile)
    about = {"benchmark": "latency", "date": today(), **describe()}
    if given.out is not None:
        given.out.write_text(json.dumps({**about, "scenarios": result}, indent=1) + "\n", "utf-8")
    if given.picture is not None:
        given.picture.write_text(latency_chart.draw(about, result), "utf-8")
    for line in lines(result):
        print(line)


if __name__ == "__main__":
    main()
