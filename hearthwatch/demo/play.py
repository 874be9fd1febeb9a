"""Plays the timeline on the running pipeline: publish a day, wait until it is through, go on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from agents.flow import Flow
from agents.ticks import append_ticks, steps
from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.demo.tally import Tally
from hearthwatch.demo.timeline import Day, Timeline
from hearthwatch.running import open_ledger
from hearthwatch.settings import Settings
from rules.calendar import Calendar, day_from_text
from rules.policy import Policy
from streams.catalog import Catalog
from streams.errors import TransportError
from streams.outgoing import STRUCTURED, Outgoing, Refused, instant_ms
from streams.publish import Publisher
from streams.records import DEADLETTERS, WARNINGS
from streams.warnings_topic import WarningsFeed

#: How long the days may take, and at least do; behind that, days on which no story speaks go together.
PLAY_SECONDS: Final = 35.0
LEAST_SECONDS: Final = 15.0
#: After its start the demo wants to be at its summary by then, also on a machine that is busy.
END_SECONDS: Final = 75.0
#: How long one wait for the stages may be.
_THROUGH_SECONDS: Final = 60.0
_MOST_MERGED: Final = 15


class FeedThread(threading.Thread):
    """Reads the topic of warnings beside the play."""

    def __init__(self, settings: Settings, tally: Tally) -> None:
        super().__init__(name="warnings-feed", daemon=True)
        self._settings = settings
        self._tally = tally
        self._goal: dict[int, int] | None = None
        self._leave = threading.Event()
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            feed = WarningsFeed(kafka_connection(self._settings), start="beginning")
            try:
                while not self._leave.is_set():
                    self._tally.warned(feed.poll(0.1))
                    goal = self._goal
                    if goal is not None:
                        at = feed.positions()
                        if all(at[number] >= end for number, end in goal.items()):
                            return
            finally:
                feed.close()
        except Exception as error:  # noqa: BLE001 - handed to the play, which raises it
            self.error = error

    def finish(self, goal: dict[int, int], seconds: float) -> None:
        """Read up to the ends of the partitions, then leave.

        Raises:
            TransportError: it took too long, or the broker went away.
        """
        self._goal = goal
        self.join(seconds)
        self._leave.set()
        if self.error is not None:
            raise self.error
        if self.is_alive():
            raise TransportError("the topic of warnings could not be read to its end in time")

    def leave(self) -> None:
        """Leave at once."""
        self._leave.set()
        self.join(5)


class Play:
    """One run of the demo over a pipeline that is ready.

    Args:
        on_day: called after each day.
        began: when the demo was started, by the monotonic clock.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        policy: Policy,
        timeline: Timeline,
        tally: Tally,
        *,
        on_day: Callable[[], None] = lambda: None,
        began: float | None = None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._policy = policy
        self._timeline = timeline
        self._tally = tally
        self._on_day = on_day
        self._end = (time.monotonic() if began is None else began) + END_SECONDS
        self._steps = steps(catalog)
        self._rejected = 0

    async def run(self) -> None:
        """Play to the end.

        Raises:
            TransportError: a server or a stage does not keep up.
        """
        settings = self._settings
        ledger = open_ledger(settings)
        flow = Flow(kafka_arguments(settings), ledger)
        feed = FeedThread(settings, self._tally)
        publisher = await asyncio.to_thread(
            Publisher, kafka_connection(settings), clock="log", linger_ms=0, timeout_seconds=_THROUGH_SECONDS
        )
        try:
            await ledger.open()
            feed.start()
            for day in self._timeline.before:
                await self._live([day], publisher, flow)
            await self._days(publisher, flow)
            # Time goes on after the last event: what only fades or runs out shows itself now.
            await append_ticks(
                day_from_text(self._timeline.until.isoformat()),
                kafka=kafka_arguments(settings),
                ledger=ledger,
                catalog=self._catalog,
                calendar=Calendar(self._policy.timezone),
                timeout_seconds=_THROUGH_SECONDS,
            )
            ends = await flow.ends([WARNINGS])
            await asyncio.to_thread(feed.finish, {number: end for (_, number), end in ends.items()}, 20.0)
            self._tally.reached(self._timeline.until.isoformat(), events=0, days=0, rejected=self._rejected)
            self._on_day()
        finally:
            feed.leave()
            await asyncio.to_thread(publisher.close)
            await flow.close()
            await ledger.close()

    async def _days(self, publisher: Publisher, flow: Flow) -> None:
        days = self._timeline.days
        began = time.monotonic()
        budget = min(PLAY_SECONDS, max(LEAST_SECONDS, self._end - began))
        done = 0
        while done < len(days):
            together = [days[done]]
            is_late = time.monotonic() - began > budget * done / len(days)
            if is_late and not days[done].told:
                for day in days[done + 1 : done + _MOST_MERGED]:
                    if day.told:
                        break
                    together.append(day)
            await self._live(together, publisher, flow)
            done += len(together)

    async def _live(self, days: Sequence[Day], publisher: Publisher, flow: Flow) -> None:
        """Publish some days and wait until they are through."""
        waves = days[0].waves if len(days) == 1 else [[line for day in days for line in day.waves[0]]]
        for wave in waves:
            if wave:
                await asyncio.to_thread(self._publish, wave, publisher)
                await self._through(flow)
        bad = [(day, one) for day in days for one in day.bad]
        if bad:
            for day, one in bad:
                noon = instant_ms(f"{day.label}T12:00:00+08:00")
                record = Outgoing(one.topic, None, one.line, STRUCTURED, noon)
                await asyncio.to_thread(publisher.hand_over(record).get, _THROUGH_SECONDS)
            await self._through(flow)
            self._rejected = sum((await flow.ends([DEADLETTERS])).values())
        events = sum(day.events for day in days) + len(bad)
        self._tally.reached(days[-1].label, events=events, days=len(days), rejected=self._rejected)
        self._on_day()

    def _publish(self, lines: list[bytes], publisher: Publisher) -> None:
        self._tally.publishing(lines)
        for line, refused in zip(lines, publisher.send(lines), strict=True):
            if isinstance(refused, Refused):
                raise TransportError(f"the demo's own line cannot be sent: {refused.message}: {line[:200]!r}")

    async def _through(self, flow: Flow) -> None:
        try:
            async with asyncio.timeout(_THROUGH_SECONDS):
                await flow.through(self._steps)
        except TimeoutError:
            raise TransportError(
                f"the stages did not get through a day in {_THROUGH_SECONDS:.0f} s: see the workers' logs in "
                f"{self._settings.data_dir / 'run'}"
            ) from None
