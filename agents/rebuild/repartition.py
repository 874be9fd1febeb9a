"""Another number of partitions for ``household.facts`` or ``person.events``, while no worker runs.

Which partition a household's records go to follows from its id and the number of partitions, so states and
log have to change together. Nothing may be under way: every record of person and household is applied first.
Then the states are laid out anew beside the old ones, the topic and its snapshots are made anew and empty,
snapshots of every household are written at offset 0, and the partitions begin there. From the moment that
the new layout is whole, a run that was interrupted is finished by running it again. The charter says since
when the topics begin anew: their log alone makes no state again.

What numbers on the old log meant ends with it: marks of channels that begin anew (``household.facts-*``) are
forgotten; those of person's channels go on, as everything up to them was applied; intake's are not needed,
as what it may send again changes nothing.

Where ``person.events`` begins anew, its channels do too, and ``household.facts`` holds their old numbers: a
replay of it would take the new ones for repeats. So it begins anew as well, with as many partitions as before
or another number.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import msgspec

from agents.app import StageName, Worker, WorkerConfig, stage_of
from agents.deciding import Stage
from agents.flow import Flow
from agents.household import HouseholdStage
from agents.ledger import Ledger
from agents.ledger.restoring import Place, Restoring, identify, standing
from agents.rebuild.replay import parsed
from agents.rebuild.restore import Progress
from agents.takeovers import MARK, course_of
from agents.ticks import caught_up
from rules import household
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
from streams.timestamps import format_timestamp

_CHUNK: Final = 1_000
#: Below every claim's.
_EPOCH: Final = 1
_PERSON: Final = PERSON_EVENTS + "-"

Remake = Callable[[Mapping[str, int]], Awaitable[None]]
"""Deletes what these stages read and their topics of snapshots, and makes them with so many partitions."""

_TOPICS: Final = {"household": HOUSEHOLD_FACTS, "person": PERSON_EVENTS}


class _Layout(msgspec.Struct):
    """The new partitions of a stage.

    Attributes:
        counts: of each new partition, households by level.
        states: how many there are.
        written: how many of them each new partition got; empty until all are written.
    """

    stage: str
    before: int
    count: int
    day: int | None
    marks: dict[str, str]
    counts: list[dict[str, int]]
    states: int
    written: list[int] = []

    @property
    def topic(self) -> str:
        """Without the prefix on the broker."""
        return _TOPICS[self.stage]

    @property
    def head(self) -> dict[str, str]:
        """Of each partition, beside its offset."""
        return {} if self.day is None else {"day": str(self.day)}


class _Plan(msgspec.Struct):
    """What is written down once the new layout is whole.

    Attributes:
        is_written: topics, snapshots and states are as they are to be; partitions may have been opened, and
            workers may be at work on them.
    """

    layouts: list[_Layout]
    is_written: bool = False


class Repartition:
    """Changes the number of partitions of ``household.facts``, ``person.events`` or both.

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
        self._aside = Ledger(ledger.link, ledger.charter, name=f"{ledger.name}.repartition")
        self._journal = f"{ledger.name}:repartition"
        self._places: dict[tuple[str, str, int], Restoring] = {}
        stage = stage_of("household", config)
        assert isinstance(stage, HouseholdStage)
        self._homes = stage.homes

    async def run(self, *, household: int | None = None, person: int | None = None) -> int:
        """Change it, where a number is given; how many households there are.

        Raises:
            InputError: it has this number already, or one was interrupted that had another number.
            LedgerError: Redis does not hold every partition, or a policy is still being taken over.
            TransportError: what is under way did not come through in time.
        """
        try:
            return await self._run({"household": household, "person": person})
        finally:
            for one in self._places.values():
                await one.close()

    async def _run(self, wanted: Mapping[str, int | None]) -> int:
        await identify(self._ledger)
        found = await self._ledger.link.call("GET", self._journal)
        if found is not None:
            plan = msgspec.json.decode(found, type=_Plan)
            begun = {one.stage: one.count for one in plan.layouts}
            if any(count not in (None, begun.get(stage)) for stage, count in wanted.items()):
                options = " ".join(f"--{stage} {count}" for stage, count in sorted(begun.items()))
                raise InputError(
                    "a change of the number of partitions was interrupted: finish it first with"
                    f" `hearthwatch repartition {options}`"
                )
        else:
            before = await self._numbers()
            changed = {s: n for s, n in wanted.items() if n is not None and n != before[s]}
            if not changed:
                told = [
                    f"{_TOPICS[stage]} has {before[stage]}" for stage, n in wanted.items() if n is not None
                ]
                raise InputError(f"{' and '.join(told)} partitions already")
            await self._drain()
            changed.setdefault("household", before["household"])
            plan = _Plan([await self._lay_out(stage, count, changed) for stage, count in changed.items()])
            await self._write_down(plan)
        if not plan.is_written:
            await self._begin_anew(plan)
            plan.is_written = True
            await self._write_down(plan)
        await self._open(plan)
        return sum(one.states for one in plan.layouts if one.stage == "household")

    async def _write_down(self, plan: _Plan) -> None:
        await self._ledger.link.call("SET", self._journal, msgspec.json.encode(plan))

    async def _started(self, stage: str) -> list[Place]:
        """A stage's partitions, in their order."""
        topic = self._name(_TOPICS[stage])
        found = (one for one in await identify(self._ledger) if (one.stage, one.topic) == (stage, topic))
        return sorted(found, key=lambda one: one.partition)

    async def _numbers(self) -> dict[str, int]:
        return {stage: len(await self._started(stage)) for stage in _TOPICS}

    def _name(self, topic: str) -> str:
        return self._config.topic_prefix + topic

    def _at(self, ledger: Ledger, stage: str, number: int) -> Restoring:
        """One partition, new or aside; the same object each time, because it holds a lock."""
        key = ledger.name, stage, number
        if key not in self._places:
            self._places[key] = Restoring(ledger, Place(stage, self._name(_TOPICS[stage]), number))
        return self._places[key]

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

    async def _lay_out(self, stage: str, count: int, changed: Mapping[str, int]) -> _Layout:
        """Write every state where it will belong, beside what there is."""
        started = await self._started(stage)
        new = [self._at(self._aside, stage, number) for number in range(count)]
        for one in new:
            await one.begin()
        marks: dict[str, tuple[int, int]] = {}
        swept = set()
        days, states = [], 0
        counts: list[dict[str, int]] = [defaultdict(int) for _ in range(count)]
        for place in started:
            here = await standing(self._ledger, place)
            if here is None:
                raise LedgerError(f"{place}: Redis does not hold it; run `hearthwatch rebuild` first")
            course = course_of(parsed(here.marks))
            swept.add((course.swept, course.number))
            for channel, number in parsed(here.marks).items():
                is_kept = channel in (MARK, f"{MARK}/{course.number}")
                if is_kept or (channel.startswith(_PERSON) and "person" not in changed):
                    marks[channel] = max(number, marks.get(channel, number))
            if "day" in here.head:
                days.append(int(here.head["day"]))
            batch: dict[str, bytes] = {}
            async for key, state in self._ledger.scan(place.stage, place.topic, place.partition):
                batch[key] = state
                if len(batch) >= _CHUNK:
                    states += await self._put(stage, new, batch, counts)
                    self._tell(f"Laying out {_TOPICS[stage]}", states, 0)
                    batch = {}
            states += await self._put(stage, new, batch, counts)
        if len(swept) > 1 or any(done < number for done, number in swept):
            raise LedgerError(
                "a policy is still being taken over: start the workers until `hearthwatch policy status` says"
                " that every partition has it"
            )
        return _Layout(
            stage, len(started), count, max(days, default=None),
            {channel: f"{offset} {index}" for channel, (offset, index) in marks.items()},
            [dict(one) for one in counts], states,
        )  # fmt: skip

    async def _put(
        self, stage: str, new: list[Restoring], batch: dict[str, bytes], counts: list[dict[str, int]]
    ) -> int:
        groups: dict[int, dict[str, bytes]] = defaultdict(dict)
        days: dict[int, dict[str, int]] = defaultdict(dict)
        for key, raw in batch.items():
            number = partition_of(key.encode(), len(new))
            groups[number][key] = raw
            if stage != "household":
                continue
            state = household.decode(raw)
            if state.due is not None:
                days[number][key] = state.due
            level = self._homes.level(state)
            if level is not None:
                counts[number][level] += 1
        for number, states in groups.items():
            await new[number].put(states, days[number])
        return len(batch)

    # -- from here on it can only be finished -------------------------------------------------------------
    async def _begin_anew(self, plan: _Plan) -> None:
        self._tell("Making the topics anew", 0, 0)
        layouts = plan.layouts
        for one in layouts:
            for number in range(max(one.before, one.count)):  # whoever still runs is fenced
                await self._at(self._ledger, one.stage, number).begin()
        charter = self._ledger.charter
        # First, so that no rebuild ever takes the new log for all that there was.
        now = format_timestamp(int(time.time()) * 1_000_000)
        await charter.write({f"anew/{self._name(one.topic)}": now for one in layouts})
        await self._remake({one.stage: one.count for one in layouts})
        id = (await charter.read()).ledger
        records: dict[str, str | None] = {
            f"started/{one.stage}/{self._name(one.topic)}/{number}": id if number < one.count else None
            for one in layouts
            for number in range(max(one.before, one.count))
        }
        await charter.write(records)
        for one in layouts:
            producer = OrderedProducer(
                self._config.kafka, topics=[snapshot_topic(one.stage)], prefix=self._config.topic_prefix
            )
            await producer.start()
            try:
                one.written = [await self._write(one, number, producer) for number in range(one.count)]
            finally:
                await producer.stop()

    async def _open(self, plan: _Plan) -> None:
        """Let workers in, where a run before or `hearthwatch rebuild` has not; forget what lies beside."""
        layouts = plan.layouts
        for one in layouts:
            for number in range(one.count):
                restoring = self._at(self._ledger, one.stage, number)
                if await standing(self._ledger, restoring.place) is None:
                    await restoring.resume()
                    if await restoring.written() != one.written[number]:
                        raise LedgerError(
                            f"{restoring.place}: somebody has emptied it since it was written:"
                            " finish `hearthwatch rebuild` first, then this"
                        )
                    await restoring.open(0, one.head, one.marks, one.counts[number])
        for one in layouts:
            for number in range(one.count):
                await self._at(self._aside, one.stage, number).begin()
                await self._at(self._aside, one.stage, number).release()
            for number in range(one.count, one.before):
                await self._at(self._ledger, one.stage, number).release()
        await self._ledger.link.call("DEL", self._journal)

    async def _write(self, layout: _Layout, number: int, producer: OrderedProducer) -> int:
        """One new partition: its snapshots, and its states, which nobody can claim yet; how many they are."""
        restoring = self._at(self._ledger, layout.stage, number)
        await restoring.begin()
        topic = snapshot_topic(layout.stage)
        batch: dict[str, bytes] = {}

        async def put() -> None:
            days = {}
            for key, raw in batch.items():
                value = encode(StateSnapshot(FORMAT, _EPOCH, 0, raw))
                producer.append(topic, state_key(key), value, partition=number)
                if layout.stage == "household":
                    day = household.decode(raw).due
                    if day is not None:
                        days[key] = day
            await producer.send()
            await restoring.put(batch, days)

        async for key, raw in self._aside.scan(layout.stage, self._name(layout.topic), number):
            batch[key] = raw
            if len(batch) >= _CHUNK:
                await put()
                batch = {}
        await put()
        lane = LaneSnapshot(FORMAT, _EPOCH, 0, layout.head, layout.marks, layout.counts[number], time.time())
        producer.append(topic, lane_key(layout.topic, number), encode(lane), partition=number)
        await producer.send()
        self._tell(f"Writing the new partitions of {layout.topic}", number + 1, layout.count)
        return await restoring.written()
