"""Another number of partitions for ``household.facts``, while no worker runs.

Which partition a household's records go to follows from its id and the number of partitions, so states and
log have to change together. Nothing may be under way: every record of person and household is applied first.
Then the states are laid out anew beside the old ones, the topic and its snapshots are made anew and empty,
snapshots of every household are written at offset 0, and the partitions begin there. From the moment that
the new layout is whole, a run that was interrupted is finished by running it again.

What numbers on the old log meant ends with it: marks of channels that begin anew (``household.facts-*``) are
forgotten; those of person's channels go on, as everything up to them was applied; intake's are not needed,
as what it may send again changes nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from agents.app import StageName, Worker, WorkerConfig, stage_of
from agents.deciding import Stage
from agents.flow import Flow
from agents.homes import Homes
from agents.household import HouseholdStage
from agents.ledger import Ledger
from agents.ledger.restoring import Place, Restoring, identify, standing
from agents.rebuild.replay import parsed
from agents.rebuild.restore import Progress
from agents.takeovers import MARK, course_of
from agents.ticks import caught_up
from rules import household
from rules.calendar import NEVER
from streams.errors import InputError, LedgerError, TransportError
from streams.partitions import partition_of
from streams.producer import OrderedProducer
from streams.records import HOUSEHOLD_FACTS, PERSON_EVENTS
from streams.snapshots import (
    FORMAT,
    LaneSnapshot,
    StateSnapshot,
    encode,
    lane_key,
    snapshot_topic,
    state_key,
)

_CHUNK: Final = 1_000
#: Below every claim's.
_EPOCH: Final = 1
_PERSON: Final = PERSON_EVENTS + "-"

Remake = Callable[[int], Awaitable[None]]
"""Deletes ``household.facts`` and its topic of snapshots, and makes them with so many partitions."""


class _Plan(msgspec.Struct):
    """What is written down once the new layout is whole."""

    before: int
    count: int
    day: int | None
    marks: dict[str, str]
    counts: list[dict[str, int]]
    states: int


class Repartition:
    """Changes the number of partitions of ``household.facts``.

    Args:
        config: as a worker of this installation has it.
        remake: makes the topics anew.
    """

    def __init__(
        self,
        config: WorkerConfig,
        ledger: Ledger,
        *,
        remake: Remake,
        tell: Progress = lambda what, done, total: None,
        timeout_seconds: float = 600.0,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._remake = remake
        self._tell = tell
        self._timeout = timeout_seconds
        self._topic = config.topic_prefix + HOUSEHOLD_FACTS
        self._aside = Ledger(ledger.link, ledger.charter, name=f"{ledger.name}.repartition")
        self._journal = f"{ledger.name}:repartition"
        self._places: dict[tuple[str, int], Restoring] = {}

    async def run(self, count: int) -> int:
        """Change it; how many households there are.

        Raises:
            InputError: it has this number already, or one was interrupted that had another number.
            LedgerError: Redis does not hold every partition, or a policy is still being taken over.
            TransportError: what is under way did not come through in time.
        """
        await identify(self._ledger)
        found = await self._ledger.link.call("GET", self._journal)
        if found is not None:
            plan = msgspec.json.decode(found, type=_Plan)
            if plan.count != count:
                raise InputError(
                    f"a change to {plan.count} partitions was interrupted: finish it first with"
                    f" `hearthwatch repartition --household {plan.count}`"
                )
        else:
            await self._drain()
            plan = await self._lay_out(count)
            await self._ledger.link.call("SET", self._journal, msgspec.json.encode(plan))
        await self._begin_anew(plan)
        return plan.states

    def _at(self, ledger: Ledger, number: int) -> Restoring:
        """One partition, new or aside; the same object each time, because it holds a lock."""
        if (ledger.name, number) not in self._places:
            place = Place("household", self._topic, number)
            self._places[ledger.name, number] = Restoring(ledger, place)
        return self._places[ledger.name, number]

    # -- until the new layout is whole, nothing is changed ------------------------------------------------
    async def _drain(self) -> None:
        """Apply what person and household have not read yet."""
        self._tell("Applying what is under way", 0, 0)
        steps = [("person", [PERSON_EVENTS]), ("household", [HOUSEHOLD_FACTS])]
        flow = Flow(self._config.kafka, self._ledger, prefix=self._config.topic_prefix)
        workers: list[Worker] = []
        try:
            names: tuple[StageName, ...] = ("person", "household")
            for name in names:
                workers.append(self._worker(stage_of(name, self._config)))
                await workers[-1].start()
            async with asyncio.timeout(self._timeout):
                await flow.through(steps)
                at = await flow.partitions([HOUSEHOLD_FACTS])
                days = [
                    one.day for one in (await flow.positions("household", at)).values() if one and one.day
                ]
                if days:
                    await caught_up(flow, min(days))
        except TimeoutError as error:
            raise TransportError(
                f"what is under way did not come through in {self._timeout:.0f} s: does `hearthwatch status`"
                " name a partition that is stopped?"
            ) from error
        finally:
            for worker in workers:
                await worker.stop()
            await flow.close()

    def _worker(self, stage: Stage) -> Worker:
        return Worker(stage, self._config)

    async def _lay_out(self, count: int) -> _Plan:
        """Write every state where it will belong, beside what there is."""
        started = sorted(
            (one for one in await identify(self._ledger) if one.stage == "household"),
            key=lambda one: one.partition,
        )
        if len(started) == count:
            raise InputError(f"{HOUSEHOLD_FACTS} has {count} partitions already")
        new = [self._at(self._aside, number) for number in range(count)]
        for one in new:
            await one.begin()
        marks: dict[str, tuple[int, int]] = {}
        swept = set()
        days, states = [], 0
        counts: list[dict[str, int]] = [defaultdict(int) for _ in range(count)]
        stage = stage_of("household", self._config)
        assert isinstance(stage, HouseholdStage)
        homes = stage.homes
        for place in started:
            here = await standing(self._ledger, place)
            if here is None:
                raise LedgerError(f"{place}: Redis does not hold it; run `hearthwatch rebuild` first")
            course = course_of(parsed(here.marks))
            swept.add((course.swept, course.number))
            for channel, number in parsed(here.marks).items():
                if channel.startswith(_PERSON) or channel in (MARK, f"{MARK}/{course.number}"):
                    marks[channel] = max(number, marks.get(channel, number))
            if "day" in here.head:
                days.append(int(here.head["day"]))
            batch: dict[str, bytes] = {}
            async for key, state in self._ledger.scan(place.stage, place.topic, place.partition):
                batch[key] = state
                if len(batch) >= _CHUNK:
                    states += await self._put(new, batch, counts, homes)
                    self._tell("Laying out households", states, 0)
                    batch = {}
            states += await self._put(new, batch, counts, homes)
        if len(swept) > 1 or any(done < number for done, number in swept):
            raise LedgerError(
                "a policy is still being taken over: start the workers until `hearthwatch policy status` says"
                " that every partition has it"
            )
        return _Plan(
            len(started), count, max(days, default=None),
            {channel: f"{offset} {index}" for channel, (offset, index) in marks.items()},
            [dict(one) for one in counts], states,
        )  # fmt: skip

    async def _put(
        self, new: list[Restoring], batch: dict[str, bytes], counts: list[dict[str, int]], homes: Homes
    ) -> int:
        groups: dict[int, dict[str, bytes]] = defaultdict(dict)
        days: dict[int, dict[str, int]] = defaultdict(dict)
        for key, raw in batch.items():
            number = partition_of(key.encode(), len(new))
            groups[number][key] = raw
            state = household.decode(raw)
            if state.next_day < NEVER:
                days[number][key] = state.next_day
            level = homes.level(state)
            if level is not None:
                counts[number][level] += 1
        for number, states in groups.items():
            await new[number].put(states, days[number])
        return len(batch)

    # -- from here on it can only be finished -------------------------------------------------------------
    async def _begin_anew(self, plan: _Plan) -> None:
        self._tell("Making the topics anew", 0, 0)
        for number in range(max(plan.before, plan.count)):  # whoever still runs is fenced
            await self._at(self._ledger, number).begin()
        await self._remake(plan.count)
        charter = self._ledger.charter
        id = (await charter.read()).ledger
        records: dict[str, str | None] = {
            f"started/household/{self._topic}/{number}": id if number < plan.count else None
            for number in range(max(plan.before, plan.count))
        }
        await charter.write(records)
        producer = OrderedProducer(
            self._config.kafka, topics=[snapshot_topic("household")], prefix=self._config.topic_prefix
        )
        await producer.start()
        try:
            for number in range(plan.count):
                await self._write(plan, number, producer)
        finally:
            await producer.stop()
        # Before anything can be claimed: if we are interrupted now, `hearthwatch rebuild` does the rest.
        await self._ledger.link.call("DEL", self._journal)
        for number in range(plan.count):
            await self._at(self._ledger, number).open(0, _head(plan), plan.marks, plan.counts[number])
        for number in range(plan.count):
            await self._at(self._aside, number).begin()
            await self._at(self._aside, number).release()
        for number in range(plan.count, plan.before):
            await self._at(self._ledger, number).release()

    async def _write(self, plan: _Plan, number: int, producer: OrderedProducer) -> None:
        """One new partition: its snapshots, and its states, which nobody can claim yet."""
        restoring = self._at(self._ledger, number)
        await restoring.begin()
        topic = snapshot_topic("household")
        batch: dict[str, bytes] = {}

        async def put() -> None:
            days = {}
            for key, raw in batch.items():
                value = encode(StateSnapshot(FORMAT, _EPOCH, 0, raw))
                producer.append(topic, state_key(key), value, partition=number)
                day = household.decode(raw).next_day
                if day < NEVER:
                    days[key] = day
            await producer.send()
            await restoring.put(batch, days)

        async for key, raw in self._aside.scan("household", self._topic, number):
            batch[key] = raw
            if len(batch) >= _CHUNK:
                await put()
                batch = {}
        await put()
        lane = LaneSnapshot(FORMAT, _EPOCH, 0, _head(plan), plan.marks, plan.counts[number], time.time())
        producer.append(topic, lane_key(HOUSEHOLD_FACTS, number), encode(lane), partition=number)
        await producer.send()
        self._tell("Writing the new partitions", number + 1, plan.count)


def _head(plan: _Plan) -> dict[str, str]:
    return {} if plan.day is None else {"day": str(plan.day)}
