"""Deadlines: ticks in the logs of cases and alerts, so that a replay lets them pass where the day had them.

In ``clock: wall`` the owner of a partition appends them (:class:`Deadlines`); in ``clock: log`` only
records, :func:`append_case_ticks` and :func:`append_alert_ticks` (behind ``hearthwatch tick --until
DATE``) let time pass. What is due is done once, so a tick that is there twice, or late, changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from faust.types import TP

from agents.flow import At, Flow
from agents.ledger import Ledger
from agents.stage import Engine
from casework.alerts.inputs import encode_due
from casework.alerts.instants import UNANSWERED
from casework.alerts.state import decode
from casework.cases.commands import Tick, encode_record
from streams.errors import TransportError
from streams.producer import OrderedProducer
from streams.records import ALERTS, CASE_COMMANDS, WARNINGS

logger = logging.getLogger(__name__)

CHECK_SECONDS: Final = 1.0
#: A tick that has not moved its household after so long is appended again: the broker's clock may be behind.
AGAIN_SECONDS: Final = 10.0
#: In one look; the next one takes the rest.
MOST: Final = 1_000

#: (stage, what it reads), from warnings on.
STEPS: Final[Sequence[tuple[str, Sequence[str]]]] = (("forward", [WARNINGS]), ("cases", [CASE_COMMANDS]))
#: Likewise, with those who are told.
CASE_STEPS: Final = (*STEPS, ("dispatch", [ALERTS]))


class Deadlines:
    """Appends the ticks of the partitions that a worker owns, by the wall clock.

    Args:
        topic: the stage's log.
        tick: a tick's value, for an instant.
        now: seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        topic: str,
        tick: Callable[[int], bytes],
        *,
        now: Callable[[], float] = time.time,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._engine = engine
        self._topic = topic
        self._tick = tick
        self._now = now
        self._again = again_seconds
        self._appended: dict[TP, dict[str, tuple[int, float]]] = {}

    async def run(self) -> None:
        """Look every second, for ever."""
        while True:
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001 - no broker, no Redis: the next look may find them
                logger.warning("deadlines cannot be told yet: %r", error)
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> int:
        """Append the ticks that are due now; how many they were."""
        engine = self._engine
        lanes = {tp: lane for tp, lane in engine.lanes.items() if not lane.is_dropped}
        for tp in [tp for tp in self._appended if tp not in lanes]:
            del self._appended[tp]
        until = int(self._now() * 1_000_000)
        moment = time.monotonic()
        count = 0
        for tp, lane in lanes.items():
            before = self._appended.get(tp, {})
            waiting: dict[str, tuple[int, float]] = {}
            # Those that are told and not applied yet stay on the index: look behind them.
            found = await engine.ledger.next_due(
                engine.stage.name, tp.topic, tp.partition, until, MOST + len(before)
            )
            for key, due in found:
                told = before.get(key)
                if told is not None and told[0] == due and moment - told[1] < self._again:
                    waiting[key] = told
                    continue
                # Up to the deadline and not up to now: the broker's clock may be a little behind ours.
                engine.producer.append(self._topic, key.encode(), self._tick(due), partition=lane.partition)
                waiting[key] = due, moment
                count += 1
            self._appended[tp] = waiting
        if count:
            await engine.producer.send()
        return count


def case_tick(due: int) -> bytes:
    """A tick of ``case.commands``."""
    return encode_record(Tick(due))


async def append_case_ticks(
    until: int,
    *,
    kafka: Mapping[str, Any],
    ledger: Ledger,
    topic_prefix: str = "",
    timeout_seconds: float = 300.0,
) -> int:
    """Let every deadline up to an instant pass, once all warnings have reached their cases; how many ticks.

    Does nothing where no cases worker has ever started. For ``clock: log``: each tick is stamped with the
    instant, in microseconds since 1970.

    Raises:
        TransportError: the stages did not get through in time (is a worker running?).
        LedgerMissingError: Redis has lost a partition: no worker goes on with it.
    """
    flow = Flow(kafka, ledger, prefix=topic_prefix)
    advice = "are `forward` and `cases` running?"
    async with _ticking(flow, kafka, "cases", CASE_COMMANDS, case_tick(until), until) as ticks:
        if ticks.at:
            async with _in_time(timeout_seconds, "cases", advice):
                await flow.check_held(STEPS)
                await flow.through(STEPS)
                for topic, number in ticks.at:
                    for household, _ in await ledger.next_due("cases", topic, number, until, -1):
                        ticks.append(number, household)
                await ticks.send()
                await flow.through(STEPS)
        return ticks.count


async def append_alert_ticks(
    until: int,
    *,
    kafka: Mapping[str, Any],
    ledger: Ledger,
    topic_prefix: str = "",
    timeout_seconds: float = 300.0,
) -> int:
    """Let all that dispatch has due up to an instant happen, and be answered; how many ticks that took.

    Does nothing where no dispatch worker has ever started. For ``clock: log``: each tick is stamped with the
    instant, in microseconds since 1970. Another attempt by a channel that failed is due later than that.

    Raises:
        TransportError: dispatch, or a channel, did not get through in time.
        LedgerMissingError: Redis has lost a partition.
    """
    flow = Flow(kafka, ledger, prefix=topic_prefix)
    advice = "is `dispatch` running, and do its channels answer?"
    async with _ticking(flow, kafka, "dispatch", ALERTS, encode_due(until), until) as ticks:
        if ticks.at:
            async with _in_time(timeout_seconds, "alerts", advice):
                while due := await _due_alerts(flow, ticks.at, until):
                    for number, key in due:
                        ticks.append(number, key)
                    await ticks.send()
        return ticks.count


class _Ticks:
    """Ticks for the log of a stage, all of them alike.

    Attributes:
        at: the log's partitions; none where the stage has never started.
        count: how many were appended.
    """

    def __init__(
        self, producer: OrderedProducer, topic: str, at: Sequence[At], tick: bytes, until: int
    ) -> None:
        self.at = at
        self.count = 0
        self._producer = producer
        self._topic = topic
        self._tick = tick
        self._stamp = max(0, -(-until // 1000))  # never before the instant

    def append(self, partition: int, key: str) -> None:
        """Append the tick for a key."""
        self._producer.append(
            self._topic, key.encode(), self._tick, partition=partition, timestamp=self._stamp
        )
        self.count += 1

    async def send(self) -> None:
        """Send what was appended."""
        await self._producer.send()


@asynccontextmanager
async def _ticking(
    flow: Flow, kafka: Mapping[str, Any], stage: str, topic: str, tick: bytes, until: int
) -> AsyncIterator[_Ticks]:
    """Connect to append ticks to a stage's log; the flow is closed at the end too."""
    producer = OrderedProducer(kafka, topics=[topic], prefix=flow.prefix)
    try:
        at = await flow.partitions([topic])
        await flow.check_held([(stage, [topic])])
        if any((await flow.positions(stage, at)).values()):
            await producer.start()
        else:
            at = []
        yield _Ticks(producer, topic, at, tick, until)
    finally:
        await producer.stop()
        await flow.close()


@asynccontextmanager
async def _in_time(seconds: float, what: str, advice: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise TransportError(
            f"{what} did not get through in {seconds:.0f} s: {advice} `hearthwatch status` tells"
        ) from error


async def _due_alerts(flow: Flow, at: Sequence[At], until: int) -> list[tuple[int, str]]:
    """Partitions and districts with something due, once nothing is under way any more."""
    delay = 0.02
    while True:
        await flow.through(CASE_STEPS[-1:])
        found: list[tuple[int, str]] = []
        flies = False
        for topic, number in at:
            keys = await flow.ledger.next_due("dispatch", topic, number, UNANSWERED, -1)
            found += [(number, key) for key, due in keys if due <= until]
            raws = await flow.ledger.read("dispatch", topic, number, [key for key, _ in keys])
            flies = flies or any(raw is not None and decode(raw).is_flying for raw in raws)
        if not flies:
            return found
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 0.5)
