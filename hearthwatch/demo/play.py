"""Plays the timeline on the running pipeline: publish a day, wait until it is through, go on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from agents.deadlines import CASE_STEPS, STEPS, append_alert_ticks
from agents.flow import Flow
from agents.ledger import Ledger
from agents.ticks import append_ticks, steps, ticks
from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.demo.helping import Helped, Helpers, Messages, outcome_of
from hearthwatch.demo.tally import Tally
from hearthwatch.demo.timeline import Day, Timeline, is_of_household
from hearthwatch.desk import Desk
from hearthwatch.running import open_ledger
from hearthwatch.settings import Settings
from rules.calendar import Calendar, day_from_text
from rules.policy import Policy
from streams.catalog import Catalog
from streams.errors import TransportError
from streams.outgoing import STRUCTURED, Outgoing, Refused, instant_ms
from streams.producer import OrderedProducer
from streams.publish import Publisher
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, WARNINGS, encode
from streams.warnings_topic import WarningsFeed

#: How long one wait for the stages may be.
_THROUGH_SECONDS: Final = 60.0
#: Commands whose findings and grants go back to the score, and may lead to another warning.
_TOLD_ON: Final = ("visit", "assess", "deliver")


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


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a play has open: to publish, to see how far the stages are, and to act as staff."""

    publisher: Publisher
    flow: Flow
    helpers: Helpers
    days: OrderedProducer


class Play:
    """One run of the demo over a pipeline that is ready.

    Args:
        messages: what the channels of the routes write down.
        on_day: called after each day.

    Attributes:
        helped: in the end, how the help of each story came out.
    """

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        policy: Policy,
        timeline: Timeline,
        tally: Tally,
        messages: Messages,
        *,
        on_day: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._policy = policy
        self._timeline = timeline
        self._tally = tally
        self._messages = messages
        self._on_day = on_day
        self._steps = steps(catalog)
        self._case_steps = CASE_STEPS if settings.routes is not None else STEPS
        self._calendar = Calendar(policy.timezone)
        self._rejected = 0
        self.helped: tuple[Helped, ...] = ()

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
        days = OrderedProducer(kafka_arguments(settings), topics=[HOUSEHOLD_FACTS])
        try:
            await ledger.open()
            await days.start()
            async with Desk.open(settings) as desk:
                feed.start()
                await self._run(_Reach(publisher, flow, Helpers(desk), days), ledger, feed)
        finally:
            feed.leave()
            await days.stop()
            await asyncio.to_thread(publisher.close)
            await flow.close()
            await ledger.close()

    async def _run(self, reach: _Reach, ledger: Ledger, feed: FeedThread) -> None:
        settings = self._settings
        for quarter in self._timeline.before:
            await self._live(quarter, reach)
        for day in self._timeline.days:
            await self._live(day, reach)
        await self._through(reach.flow)
        # Time goes on after the last event: what only fades or runs out shows itself now.
        await append_ticks(
            day_from_text(self._timeline.until.isoformat()),
            kafka=kafka_arguments(settings),
            ledger=ledger,
            catalog=self._catalog,
            calendar=self._calendar,
            timeout_seconds=_THROUGH_SECONDS,
        )
        await self._worked(reach.flow)
        await self._alert(self._end_of(self._timeline.until.isoformat()), reach.flow)
        ends = await reach.flow.ends([WARNINGS])
        await asyncio.to_thread(feed.finish, {number: end for (_, number), end in ends.items()}, 20.0)
        await self._told(reach.helpers)
        self._tally.reached(self._timeline.until.isoformat(), events=0, days=0, rejected=self._rejected)
        self._on_day()

    async def _live(self, day: Day, reach: _Reach) -> None:
        """Publish a day, week or quarter, and wait until its order is settled; a told day, until judged.

        Two plays have to come to the same warnings. So what arrives in one go is seen on its last day, which
        comes first, for every household: otherwise each event would be seen on the day of whichever arrived
        before it.
        """
        flow = reach.flow
        await self._through(flow)  # the days before it
        await self._dawn(day.last, reach)
        for number, wave in enumerate([*day.waves, []]):
            if number == day.acts_at:
                await self._act(day, reach)
            if wave:
                await self._wave(wave, reach, is_judged=number < day.acts_at)
        for one in day.bad:
            noon = instant_ms(f"{day.label}T12:00:00+08:00")
            record = Outgoing(one.topic, None, one.line, STRUCTURED, noon)
            await asyncio.to_thread(reach.publisher.hand_over(record).get, _THROUGH_SECONDS)
        if day.bad:
            await self._through(flow)
            self._rejected = sum((await flow.ends([DEADLETTERS])).values())
        if day.told:
            await self._through(flow)
            await self._worked(flow)
            await self._alert(self._end_of(day.label), flow)
        self._tally.alerted(self._messages.fresh(), day.label, self._end_of(day.last.isoformat()))
        self._tally.reached(day.label, events=day.events + len(day.bad), days=1, rejected=self._rejected)
        self._on_day()

    async def _wave(self, wave: list[bytes], reach: _Reach, *, is_judged: bool) -> None:
        """Publish lines, and wait until nothing later can overtake them; if asked, until they are judged.

        All persons share a partition, so behind intake their order is settled. What is about a household
        goes past the stage of persons: they wait for one another there.
        """
        is_mixed = any(map(is_of_household, wave))
        if is_mixed:
            await self._reached(reach.flow, self._steps[:2])
        await asyncio.to_thread(self._publish, wave, reach.publisher)
        await self._reached(reach.flow, self._steps if is_judged else self._steps[: 2 if is_mixed else 1])

    async def _dawn(self, last: date, reach: _Reach) -> None:
        """Let a day come in every partition of households."""
        day = day_from_text(last.isoformat())
        for tick in ticks(self._calendar, day - 1, day):
            for _, partition in await reach.flow.partitions([HOUSEHOLD_FACTS]):
                reach.days.append(HOUSEHOLD_FACTS, None, encode(tick), partition=partition)
        await reach.days.send()

    async def _act(self, day: Day, reach: _Reach) -> None:
        """Let staff do what they do on a day, each thing once all before is known to everybody."""
        for staff, act in day.acts:
            await self._worked(reach.flow)
            await self._alert(act.at, reach.flow)
            self._tally.alerted(self._messages.fresh(), day.label, act.at)
            self._tally.acted(await reach.helpers.act(staff, act))
            if act.does in _TOLD_ON or act.suggests:
                await self._worked(reach.flow)
                await self._through(reach.flow)
            if act.suggests:
                await reach.helpers.ask(staff, act)

    async def _worked(self, flow: Flow) -> None:
        """Wait until warnings are cases, and alerts are decided on."""
        await self._reached(flow, self._case_steps)

    def _end_of(self, day: str) -> int:
        midnight = self._calendar.midnight_of(day_from_text(day) + 1)
        assert midnight is not None, "no story has a day that its time zone leaves out"
        return midnight

    async def _alert(self, until: int, flow: Flow) -> None:
        """Let the alerts that are due by an instant be sent: staff act on what they were told."""
        if self._settings.routes is None:
            return
        await append_alert_ticks(
            until,
            kafka=kafka_arguments(self._settings),
            ledger=flow.ledger,
            timeout_seconds=_THROUGH_SECONDS,
        )

    async def _told(self, helpers: Helpers) -> None:
        """See how the help of the stories came out."""
        until = self._timeline.until.isoformat()
        self._tally.alerted(self._messages.fresh(), until, self._end_of(until))
        stories = {story.household: story for story in self._timeline.stories}
        receipts = self._messages.receipts()
        helped = [
            await outcome_of(self._settings, helpers, stories[staff.household], staff, receipts)
            for staff in self._timeline.staff
        ]
        self.helped = tuple(helped)

    def _publish(self, lines: list[bytes], publisher: Publisher) -> None:
        self._tally.publishing(lines)
        for line, refused in zip(lines, publisher.send(lines), strict=True):
            if isinstance(refused, Refused):
                raise TransportError(f"the demo's own line cannot be sent: {refused.message}: {line[:200]!r}")

    async def _through(self, flow: Flow) -> None:
        """Wait until what was published has been judged."""
        await self._reached(flow, self._steps)

    async def _reached(self, flow: Flow, steps: Sequence[tuple[str, Sequence[str]]]) -> None:
        try:
            async with asyncio.timeout(_THROUGH_SECONDS):
                await flow.through(steps)
        except TimeoutError:
            raise TransportError(
                f"the stages did not get through a day in {_THROUGH_SECONDS:.0f} s: see the workers' logs in "
                f"{self._settings.data_dir / 'run'}"
            ) from None
