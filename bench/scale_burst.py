"""Whether a month's end or a midnight of all delays the warnings of others; a part of :mod:`bench.scale`.

A district stands in Redis, and a worker of each stage runs. Probes go in at a steady rate from another
department, about old people living alone who are nobody's kin in the district: each gives one warning, and
counts from the moment at which it was due to be sent until the warning was read. Meanwhile every household's
pension comes in, evenly over some minutes, and later a tick on which every household is due.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.app import STAGES
from agents.ticks import append_ticks, caught_up, steps
from bench.machine import CATALOG, POLICY
from bench.scale_homes import Model, Progress, district, fill, models, name
from bench.scale_load import memory_megabytes
from bench.servers import Round
from bench.stage_children import Process
from deploy.local import Stack
from rules.policy_file import read_policy
from streams.catalog import JOINED, REGISTERED, RETRACTED
from streams.catalog_file import read_catalog
from streams.outgoing import Addresser, Outgoing
from streams.partitions import partition_of
from streams.records import WARNINGS
from streams.topics import MAX_RECORD_BYTES, life_topic

AIM_SECONDS: Final = 1.0
PARTITIONS: Final = 8
PROBES_PER_SECOND: Final = 20
PROBED: Final = 2_000
PHASES: Final = ("quiet before", "month's end", "quiet between", "tick", "quiet after")
THROUGH_SECONDS: Final = 400.0
_CIVIL: Final = "/wuchang/civil-affairs"
_PENSIONS: Final = "/wuchang/human-resources"


@dataclass(frozen=True, slots=True)
class Size:
    """How much. The month's end lasts ``seconds``; the issue asks for ten minutes, fewer are harder."""

    households: int = 130_000
    seconds: float = 240.0
    quiet_seconds: float = 15.0


def _line(id: str, source: str, kind: str, subject: str, time: str, data: str, more: str = "") -> bytes:
    return (
        f'{{"specversion":"1.0","id":"{id}","source":"{source}","type":"{kind}","subject":"{subject}",'
        f'"time":"{time}",{more}"data":{data}}}'
    ).encode()


@dataclass(slots=True)
class Probes:
    """When each probe was due, and when its warning was read; in seconds since 1970."""

    time: str
    due: list[float] = field(default_factory=list)
    read: dict[int, float] = field(default_factory=dict)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    def has_read(self, number: int, moment: float) -> None:
        """The warning of a probe is here; a repeat changes nothing."""
        self.read.setdefault(number, moment)
        self._more.set()

    async def all_read(self) -> None:
        """Wait for the warning of every probe that was sent."""
        while len(self.read) < len(self.due):
            self._more.clear()
            await self._more.wait()

    def registration(self) -> list[bytes]:
        """The old people."""
        lines = []
        for number in range(PROBED):
            home = f"alone{number:05}"
            lines += [
                _line(f"{home}-1", _CIVIL, REGISTERED, f"household/{home}", self.time,
                      '{"community":"420106006002"}'),
                _line(f"{home}-2", _CIVIL, JOINED, f"person/{home}.1", self.time,
                      f'{{"household":"{home}","role":"head","birth":"1950-05-04","sex":"female"}}'),
            ]  # fmt: skip
        return lines

    def line(self, number: int) -> bytes:
        """One: somebody is not reached, or the next time round that is taken back."""
        turn, home = divmod(number, PROBED)
        subject = f"person/alone{home:05}.1"
        if turn % 2 == 0:
            return _line(f"probe-{number}", _CIVIL, "elderly.contact.lost", subject, self.time,
                         '{"missed_days":3}')  # fmt: skip
        return _line(f"probe-{number}", _CIVIL, RETRACTED, subject, self.time, '{"reason":"was away"}',
                     f'"supersedes":"probe-{number - PROBED}",')  # fmt: skip


class Sender:
    """Sends lines one by one, as a department does."""

    def __init__(self, at: Round) -> None:
        self._at = at
        limits = dict.fromkeys(map(life_topic, at.catalog.departments), MAX_RECORD_BYTES)
        self._address = Addresser(limits, clock="log").address
        self.producer = AIOKafkaProducer(acks="all", enable_idempotence=True, linger_ms=0, **at.kafka)

    async def send(self, line: bytes) -> None:
        """One line; its acknowledgement is not waited for."""
        out = self._address(line)
        assert isinstance(out, Outgoing), out
        partition = partition_of(out.key or b"", self._at.partitions[out.topic])
        await self.producer.send(
            self._at.prefix + out.topic, out.value, key=out.key, partition=partition,
            timestamp_ms=out.timestamp_ms, headers=out.headers,
        )  # fmt: skip

    async def evenly(
        self, count: int | None, rate: float, line: Callable[[int], bytes], due: list[float] | None = None
    ) -> None:
        """So many lines at a rate, or until cancelled; what is late is sent at once."""
        began = time.time()
        number = 0
        while count is None or number < count:
            moment = began + number / rate
            if (wait := moment - time.time()) > 0.001:
                await asyncio.sleep(wait)
            if due is not None:
                due.append(moment)
            await self.send(line(number))
            number += 1


async def _read(at: Round, probes: Probes, is_there: asyncio.Event) -> None:
    consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **at.kafka)
    await consumer.start()
    try:
        consumer.assign(
            [TopicPartition(at.prefix + WARNINGS, number) for number in range(at.partitions[WARNINGS])]
        )
        is_there.set()
        while True:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                now = time.time()
                for record in records:
                    if b'"probe-' in record.value:
                        id = orjson.loads(record.value)["data"]["cause"]["id"]
                        probes.has_read(int(id.removeprefix("probe-")), now)
    finally:
        await consumer.stop()


def _all_due(households: Any) -> tuple[int, list[Model]]:
    """The day on which most are due, and those that are."""
    first = households.today
    days = Counter(model.due for model in models(households, first) if model.due and model.due > first)
    day = days.most_common(1)[0][0]
    return day, [model for model in models(households, day - 1) if model.due == day]


async def measure(stack: Stack, size: Size, say: Progress) -> dict[str, Any]:
    """Delays of the probes in each phase."""
    catalog = read_catalog(CATALOG)
    run = district(3_000, 46_000, catalog, read_policy(POLICY, catalog))
    day, given = _all_due(run)
    calendar = run.rules.calendar
    midnight = calendar.midnight_of(day - 1)
    assert midnight is not None
    noon = datetime.fromtimestamp(midnight / 1e6 + 12 * 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = Round(stack, catalog, "b.", life_partitions=4, person_partitions=PARTITIONS,
               household_partitions=PARTITIONS)  # fmt: skip
    flow = at.flow()
    probes = Probes(noon)
    sender = Sender(at)
    begins: list[float] = []
    with ExitStack() as end:
        await flow.ledger.open()
        say(f"{size.households:,} households into Redis, all due on one day ({len(given)} models)")
        await fill(flow.ledger, given, size.households, prefix=at.prefix, partitions=PARTITIONS, day=day - 1,
                   with_persons=True, say=say)  # fmt: skip
        workers = {}
        for stage in STAGES:
            workers[stage] = Process(stage, at, 10**9, 10**9, sorted(os.sched_getaffinity(0)))
            end.callback(workers[stage].kill)
            await workers[stage].ready()
        await sender.producer.start()
        is_there = asyncio.Event()
        tasks = [asyncio.ensure_future(_read(at, probes, is_there))]
        try:
            await is_there.wait()
            await at.publish(probes.registration())
            async with asyncio.timeout(THROUGH_SECONDS + size.seconds):
                await flow.through(steps(catalog))
                tasks.append(
                    asyncio.ensure_future(sender.evenly(None, PROBES_PER_SECOND, probes.line, probes.due))
                )

                def begin(phase: int) -> None:
                    say(PHASES[phase])
                    begins.append(time.time())

                begin(0)
                await asyncio.sleep(size.quiet_seconds)
                begin(1)

                def pension(number: int) -> bytes:
                    model = given[number % len(given)]
                    subject = f"person/{name(number)}{model.persons[0][0]}"
                    data = f'{{"monthly_yuan":{300_000 + number % 1_000}}}'
                    return _line(
                        f"pension-{number}", _PENSIONS, "pension.payment.changed", subject, noon, data
                    )

                await sender.evenly(size.households, size.households / size.seconds, pension)
                await sender.producer.flush()
                month_seconds = time.time() - begins[1]
                begin(2)
                await asyncio.sleep(size.quiet_seconds)
                begin(3)
                workers["household"].mark()
                done = await append_ticks(day, kafka=at.kafka, ledger=flow.ledger, catalog=catalog,
                                          calendar=calendar, topic_prefix=at.prefix, wait=False)  # fmt: skip
                appended = time.time()
                await caught_up(flow, day)
                tick_seconds = time.time() - appended
                workers["household"].mark()
                begin(4)
                await asyncio.sleep(size.quiet_seconds)
                begins.append(time.time())
                tasks[1].cancel()
                await sender.producer.flush()
                await flow.through(steps(catalog))
                await probes.all_read()
            # A commit is in the ledger a moment before its worker has counted it, so the count is taken here.
            workers["household"].mark()
            resident = {stage: memory_megabytes(worker.pid) for stage, worker in workers.items()}
            marks = [one for one in await workers["household"].stop() if one.name == "mark"]
            first, last, end = marks
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await sender.producer.stop()
            await flow.close()
            await flow.ledger.close()
    for result in results:
        if isinstance(result, Exception):
            raise result
    phases = _phases(probes, begins)
    usual = phases[PHASES[0]]["p50_ms"]
    return {
        "households": size.households,
        "probes": len(probes.due),
        "probes_per_second": PROBES_PER_SECOND,
        "pensions_per_second": round(size.households / month_seconds),
        "month_end_seconds": round(month_seconds, 1),
        "tick_records": done.ticks,
        "tick_seconds": round(tick_seconds, 1),
        "caught_up": end.caught_up - first.caught_up,
        "tick_cpu_us": round(
            (last.user + last.system - first.user - first.system) * 1e6 / size.households, 1
        ),
        "phases": phases,
        "worst_delay_seconds": {
            phase: round((phases[phase]["max_ms"] - usual) / 1000, 3) for phase in ("month's end", "tick")
        },
        "aim_seconds": AIM_SECONDS,
        "resident_megabytes": resident,
        "series": _series(probes, begins[0]),
        "begins": [round(moment - begins[0], 1) for moment in begins],
    }


def _phases(probes: Probes, begins: Sequence[float]) -> dict[str, dict[str, float]]:
    out = {}
    for number, phase in enumerate(PHASES):
        delays = sorted(
            (probes.read[at] - due) * 1000
            for at, due in enumerate(probes.due)
            if begins[number] <= due < begins[number + 1]
        )
        out[phase] = {
            "probes": len(delays),
            "p50_ms": round(median(delays), 1),
            "p99_ms": round(delays[min(len(delays) - 1, int(len(delays) * 0.99))], 1),
            "max_ms": round(delays[-1], 1),
        }
    return out


def _series(probes: Probes, start: float) -> list[list[float]]:
    """(second, worst delay in it, in milliseconds), for the picture."""
    worst: dict[int, float] = {}
    for at, due in enumerate(probes.due):
        second = int(due - start)
        worst[second] = max(worst.get(second, 0.0), (probes.read[at] - due) * 1000)
    return [[second, round(delay, 1)] for second, delay in sorted(worst.items()) if second >= 0]
