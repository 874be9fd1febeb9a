"""Ticks: local midnights in the log of ``household.facts``, so that a replay has them where the day had them.

In ``clock: wall`` the owner of a partition appends them (:class:`Midnights`); in ``clock: log`` only records
and :func:`append_ticks` (behind ``hearthwatch tick --until DATE``) move the day. A tick that is there twice,
or late, changes nothing: a partition's day never goes back.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from faust.types import TP

from agents.flow import At, Flow
from agents.ledger import Ledger
from agents.stage import Engine
from rules.calendar import Calendar
from streams.catalog import Catalog
from streams.errors import TransportError
from streams.producer import OrderedProducer
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS, Tick, encode
from streams.topics import life_topic

logger = logging.getLogger(__name__)

#: How long after midnight a tick waits for intake and person at most.
PATIENCE_SECONDS: Final = 300.0
CHECK_SECONDS: Final = 5.0
#: A tick that has not moved the day after so long is appended again: it may have been ignored.
AGAIN_SECONDS: Final = 300.0


def steps(catalog: Catalog) -> Sequence[tuple[str, Sequence[str]]]:
    """(stage, what it reads), in the order of the flow."""
    return (
        ("intake", [life_topic(department) for department in catalog.departments]),
        ("person", [PERSON_EVENTS]),
        ("household", [HOUSEHOLD_FACTS]),
    )


def ticks(calendar: Calendar, after: int, until: int) -> Iterator[Tick]:
    """A tick for each midnight behind the day ``after`` up to ``until``; a date that is left out has none."""
    for day in range(after + 1, until + 1):
        midnight = calendar.midnight_of(day)
        if midnight is not None:
            yield Tick(day, midnight)


@dataclass(frozen=True, slots=True)
class Ticked:
    """What :func:`append_ticks` did.

    Attributes:
        ticks: how many records it appended.
        first_day, last_day: of these, since 1970-01-01; None where no clock has started or none was due.
    """

    ticks: int
    first_day: int | None
    last_day: int | None


async def append_ticks(
    until_day: int,
    *,
    kafka: Mapping[str, Any],
    ledger: Ledger,
    catalog: Catalog,
    calendar: Calendar,
    topic_prefix: str = "",
    wait: bool = True,
    timeout_seconds: float = 300.0,
) -> Ticked:
    """Move the day of every household partition to ``until_day``; nothing, if it is later or has not begun.

    Waits first until everything that was published before has come through all stages, so that the ticks
    come behind it; and afterwards, if ``wait``, until every household has caught up.

    Raises:
        TransportError: the stages did not get through in time (is a worker running?).
        LedgerMissingError: Redis has lost a partition: no worker goes on with it.
    """
    flow = Flow(kafka, ledger, prefix=topic_prefix)
    producer = OrderedProducer(kafka, topics=[HOUSEHOLD_FACTS], prefix=topic_prefix)
    try:
        async with asyncio.timeout(timeout_seconds):
            await flow.check_held(steps(catalog))
            await flow.through(steps(catalog))
            at = await flow.partitions([HOUSEHOLD_FACTS])
            found = await flow.positions("household", at)
            days = {one: None if position is None else position.day for one, position in found.items()}
            known = [day for day in days.values() if day is not None]
            if not known:
                return Ticked(0, None, None)
            await producer.start()
            appended: list[int] = []
            for (_, partition), day in days.items():
                # A partition without a record so far has no household that could see the days in between.
                for tick in ticks(calendar, until_day - 1 if day is None else day, until_day):
                    producer.append(HOUSEHOLD_FACTS, None, encode(tick), partition=partition)
                    appended.append(tick.day)
            await producer.send()
            if wait:
                # The zone may leave `until_day` out: then no tick says that it has come.
                while calendar.midnight_of(until_day) is None:
                    until_day -= 1
                await caught_up(flow, until_day)
    except TimeoutError as error:
        raise TransportError(
            f"the stages did not get through in {timeout_seconds:.0f} s: is each of intake, person and "
            "household running? `hearthwatch status` tells"
        ) from error
    finally:
        await producer.stop()
        await flow.close()
    return Ticked(len(appended), min(appended, default=None), max(appended, default=None))


async def caught_up(flow: Flow, day: int) -> None:
    """Wait until every household has seen the ticks up to a day, and what they led to has come through."""
    await flow.through([("household", [HOUSEHOLD_FACTS])])
    delay = 0.02
    while await _behind(flow, await flow.partitions([HOUSEHOLD_FACTS]), day):
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 0.5)


async def _behind(flow: Flow, at: Sequence[At], day: int) -> int:
    """Households whose next day is not behind ``day``."""
    return sum(await asyncio.gather(*(flow.ledger.overdue("household", *one, day) for one in at)))


class Midnights:
    """Appends the ticks of the partitions that a household worker owns, by the wall clock.

    A tick goes out once intake and person are past what was received before that midnight, or after five
    minutes, so that a stage that stands still delays no other household's day.

    Args:
        now: seconds since 1970.
    """

    def __init__(
        self,
        engine: Engine,
        flow: Flow,
        *,
        catalog: Catalog,
        calendar: Calendar,
        now: Callable[[], float] = time.time,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine
        self._flow = flow
        self._intake, self._person, _ = steps(catalog)
        self.calendar = calendar
        self._now = now
        self._patience = patience_seconds
        self._appended: dict[TP, tuple[int, float]] = {}
        # What intake had sent when it was past a midnight: where person has to be.
        self._person_targets: tuple[int, dict[At, int]] | None = None

    def follow(self, catalog: Catalog, calendar: Calendar) -> None:
        """Go by another catalogue's departments and another policy's zone from now on."""
        self._intake, self._person, _ = steps(catalog)
        self.calendar = calendar

    async def run(self) -> None:
        """Look every few seconds, for ever."""
        while True:
            try:
                await self.check()
            except Exception as error:  # noqa: BLE001 - no broker, no Redis: the next look may find them
                logger.warning("midnight cannot be told yet: %r", error)
            await asyncio.sleep(CHECK_SECONDS)

    async def check(self) -> int:
        """Append the ticks that are due now; how many they were."""
        now = self._now()
        today = self.calendar.day_of(int(now * 1_000_000))
        behind = [
            lane
            for lane in self._engine.lanes.values()
            # A partition that has no day yet has no household either.
            if lane.day is not None and self._ticked_until(lane.tp, lane.day, today) < today
        ]
        if not behind:
            return 0
        midnight = self.calendar.midnight_of(today)
        if midnight is None or (
            now - midnight / 1_000_000 < self._patience and not await self._is_upstream_past(today, midnight)
        ):
            return 0
        count = 0
        for lane in behind:
            if lane.is_dropped or lane.day is None:
                continue
            for tick in ticks(self.calendar, self._ticked_until(lane.tp, lane.day, today), today):
                self._engine.producer.append(HOUSEHOLD_FACTS, None, encode(tick), partition=lane.partition)
                count += 1
            self._appended[lane.tp] = (today, time.monotonic())
        await self._engine.producer.send()
        return count

    def _ticked_until(self, tp: TP, day: int, today: int) -> int:
        """The day up to which a partition has its ticks, as far as they can be relied on.

        A tick of a clock that ran ahead is ignored by whoever reads it; once the clock is right again, what
        was appended then counts for nothing.
        """
        last, at = self._appended.get(tp, (day, 0.0))
        if last > today or time.monotonic() - at > AGAIN_SECONDS:
            return day
        return max(day, last)

    async def _is_upstream_past(self, day: int, midnight_us: int) -> bool:
        stage, topics = self._intake
        if self._person_targets is None or self._person_targets[0] != day:
            before = await self._flow.offsets_at(topics, -(-midnight_us // 1000))
            if await self._flow.missing(stage, before):
                return False
            self._person_targets = day, await self._flow.ends(self._person[1])
        return not await self._flow.missing(self._person[0], self._person_targets[1])
