"""Warnings of others, while a district is busy: who sends the events for them, and how long they take.

Probes go in at a steady rate from another department, about old people living alone who are nobody's kin in
the district: each gives one warning, and counts from the moment at which it was due to be sent until the
warning was read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Final

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.flow import Flow
from agents.ticks import steps
from bench.servers import Round
from streams.catalog import JOINED, REGISTERED, RETRACTED
from streams.outgoing import Addresser, Outgoing
from streams.partitions import partition_of
from streams.records import WARNINGS
from streams.topics import MAX_RECORD_BYTES, life_topic

PROBES_PER_SECOND: Final = 20
PROBED: Final = 2_000
_CIVIL: Final = "/wuchang/civil-affairs"


def line_of(id: str, source: str, kind: str, subject: str, time: str, data: str, more: str = "") -> bytes:
    """An event as a department sends it."""
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
                line_of(f"{home}-1", _CIVIL, REGISTERED, f"household/{home}", self.time,
                      '{"community":"420106006002"}'),
                line_of(f"{home}-2", _CIVIL, JOINED, f"person/{home}.1", self.time,
                      f'{{"household":"{home}","role":"head","birth":"1950-05-04","sex":"female"}}'),
            ]  # fmt: skip
        return lines

    def line(self, number: int) -> bytes:
        """One: somebody is not reached, or the next time round that is taken back."""
        turn, home = divmod(number, PROBED)
        subject = f"person/alone{home:05}.1"
        if turn % 2 == 0:
            return line_of(f"probe-{number}", _CIVIL, "elderly.contact.lost", subject, self.time,
                         '{"missed_days":3}')  # fmt: skip
        return line_of(f"probe-{number}", _CIVIL, RETRACTED, subject, self.time, '{"reason":"was away"}',
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


async def read(at: Round, probes: Probes, is_there: asyncio.Event) -> None:
    """Read warnings until cancelled, and tell the probes which are theirs."""
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


@asynccontextmanager
async def probing(
    at: Round, flow: Flow, probes: Probes, sender: Sender, seconds: float
) -> AsyncIterator[None]:
    """Probes go in evenly until the block ends, and then the warnings of all are waited for.

    Args:
        sender: is started, and stopped.
        seconds: how long all of it may take.
    """
    await sender.producer.start()
    is_there = asyncio.Event()
    tasks = [asyncio.ensure_future(read(at, probes, is_there))]
    try:
        await is_there.wait()
        await at.publish(probes.registration())
        async with asyncio.timeout(seconds):
            await flow.through(steps(at.catalog))
            sending = asyncio.ensure_future(sender.evenly(None, PROBES_PER_SECOND, probes.line, probes.due))
            tasks.append(sending)
            yield
            sending.cancel()
            await sender.producer.flush()
            await flow.through(steps(at.catalog))
            await probes.all_read()
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        await sender.producer.stop()
    for result in results:
        if isinstance(result, Exception):
            raise result


def by_phase(probes: Probes, phases: Sequence[str], begins: Sequence[float]) -> dict[str, dict[str, float]]:
    """How long warnings took of the probes due in each phase; ``begins`` also has the end of the last."""
    out = {}
    for number, phase in enumerate(phases):
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


def series(probes: Probes, start: float) -> list[list[float]]:
    """(second, worst delay in it, in milliseconds), for the picture."""
    worst: dict[int, float] = {}
    for at, due in enumerate(probes.due):
        second = int(due - start)
        worst[second] = max(worst.get(second, 0.0), (probes.read[at] - due) * 1000)
    return [[second, round(delay, 1)] for second, delay in sorted(worst.items()) if second >= 0]
