"""``hearthwatch rebuild``: lost partitions of the ledger, made again from snapshots and the log behind them.

Household partitions come first: each is replayed up to the end that its log has now, its states are written,
then what it would have sent and is not on the topics yet goes out, and only then may a worker claim it.
Those of the other stages that keep states follow likewise. Those of intake and forward, which keep nothing,
go on at their last snapshot: what they send again changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from agents.app import ALL_STAGES, StageName, WorkerConfig, stage_of
from agents.cases import CasesStage
from agents.deciding import Stage
from agents.dispatch import DispatchStage
from agents.forward import ForwardStage
from agents.household import HouseholdStage
from agents.intake import Intake
from agents.lanes import Failure
from agents.ledger import Ledger
from agents.ledger.changes import Standing
from agents.ledger.restoring import Place, Restoring, identify, standing
from agents.person import PersonStage
from agents.poison import SetAside
from agents.rebuild.causes import TOPICS, SentBefore
from agents.rebuild.log import Log
from agents.rebuild.replay import Replay, keep_numbers
from agents.rebuild.sent import Marks, Missing, last_marks, last_warnings, not_set_aside
from agents.rebuild.snapshot_reader import Kept, read_snapshots
from streams.errors import InputError, LedgerError
from streams.producer import OrderedProducer, Sending
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS
from streams.snapshots import LaneSnapshot, lane_key, snapshot_topic

logger = logging.getLogger(__name__)

Progress = Callable[[str, int, int], None]
"""What is going on, steps done, steps in all (0: not known)."""

#: Household partitions come first: they know what has reached them from the others.
_ORDER: Final[tuple[StageName, ...]] = ("household", "person", "cases", "dispatch", "intake", "forward")


WITHOUT_STATES: Final = frozenset(
    stage.name
    for stage in (Intake, PersonStage, HouseholdStage, ForwardStage, CasesStage, DispatchStage)
    if not stage.keeps_states
)
"""Stages that only know how far they are: they go on at their last snapshot."""


@dataclass(frozen=True, slots=True)
class Restored:
    """One partition that was made again.

    Attributes:
        start, end: the records from ``start`` up to ``end`` were replayed; before them there were snapshots.
        states: how many there are.
        sent: records that were missing on the topics.
        renumbered: households of which the topic has more warnings than this program would have sent.
    """

    place: Place
    is_from_snapshot: bool
    start: int
    end: int
    states: int
    sent: int = 0
    renumbered: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Open:
    """A partition whose states are written and whose head waits for what it has to send."""

    restoring: Restoring
    standing: Standing
    is_from_snapshot: bool
    start: int
    states: int
    began: float
    renumbered: int = 0
    sends: list[Sending] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


async def lost(ledger: Ledger, started: Collection[Place]) -> list[Place]:
    """Partitions that have started and that Redis does not hold, in order."""
    missing = [place for place in started if await standing(ledger, place) is None]
    return sorted(missing, key=_rank)


def _rank(place: Place) -> tuple[int, str, int]:
    return ALL_STAGES.index(place.stage), place.topic, place.partition


class Rebuild:
    """Makes partitions again.

    Args:
        config: as a worker of this installation has it.
        from_log: pass snapshots of states over; the log must still have its beginning, and a topic that
            `hearthwatch repartition` began anew has not.
        tell: shows how far it is.
    """

    def __init__(
        self,
        config: WorkerConfig,
        ledger: Ledger,
        *,
        from_log: bool = False,
        tell: Progress = lambda what, done, total: None,
    ) -> None:
        self._config = config
        self._ledger = ledger
        self._from_log = from_log
        self._tell = tell
        self.log = Log(config.kafka, prefix=config.topic_prefix)
        self._producer: OrderedProducer | None = None
        self._set_aside: SetAside | None = None
        self._stages: dict[StageName, Stage] = {}
        self._restoring: list[Restoring] = []

    def topic(self, place: Place) -> str:
        """A partition's topic without the prefix."""
        return place.topic.removeprefix(self._config.topic_prefix)

    def stage(self, name: StageName) -> Stage:
        """The stage that decides in a replay."""
        if name not in self._stages:
            self._stages[name] = stage_of(name, self._config)
        return self._stages[name]

    async def places(self, stage: StageName | None = None, partition: int | None = None) -> list[Place]:
        """What is to be rebuilt: the partition that is named, or else what Redis has lost.

        Raises:
            InputError: there is no such partition, or it never started.
        """
        started = [place for place in await identify(self._ledger) if stage in (None, place.stage)]
        if partition is None:
            return await lost(self._ledger, started)
        named = [place for place in started if place.partition == partition]
        if not named:
            raise InputError(
                f"no partition {partition} of {stage or 'any stage'} has started: nothing to rebuild"
            )
        return sorted(named, key=_rank)

    async def run(self, places: Sequence[Place]) -> list[Restored]:
        """Make partitions again, whether Redis has them or not.

        Raises:
            LedgerError: their log has lost its beginning, and there is no snapshot to begin at.
            TransportError: a server does not answer.
        """
        await self._connect(places)
        done: list[Restored] = []
        warned: dict[str, int] = {}
        if any(place.stage == "household" for place in places):
            self._tell("Reading warnings", 0, 0)
            warned = await last_warnings(self.log)
        lost_facts = {place.partition for place in places if place.stage == "household"}
        marks: dict[int, Marks] = {}
        for name in _ORDER:
            mine = [place for place in places if place.stage == name]
            if not mine:
                continue
            if name in WITHOUT_STATES:
                done += await self._without_states(name, mine)
                continue
            if name == "person":
                await self._all_marks(marks, lost_facts)
            opened = []
            for place in mine:
                if name in ("household", "person"):
                    missing = None if name == "household" else self._missing(marks)
                    opened.append(await self._replay(place, warned, marks, missing))
                else:
                    opened.append(await self._replay(place, {}, marks, None))
            if name in TOPICS:
                for one in opened:
                    await self._only_missing(one)
            if name == "household":
                await self._all_marks(marks, lost_facts)
                missing = Missing(warned, [marks[number] for number in sorted(marks)])
                for one in opened:
                    channel = f"{HOUSEHOLD_FACTS}-{one.restoring.place.partition}"
                    one.sends = missing.of(one.sends, channel, one.standing.next_offset)
            for one in opened:
                done.append(await self._finish(one))
        return done

    async def _connect(self, places: Sequence[Place]) -> None:
        """A producer for all that these stages send."""
        names = {place.stage for place in places if place.stage not in WITHOUT_STATES}
        topics = {DEADLETTERS}.union(*(self.stage(name).sends_to for name in names))  # type: ignore[arg-type]
        config = self._config
        self._producer = OrderedProducer(config.kafka, topics=sorted(topics), prefix=config.topic_prefix)
        self._set_aside = SetAside(config.kafka, self._producer, prefix=config.topic_prefix)
        await self._producer.start()

    async def _only_missing(self, opened: _Open) -> None:
        """Of what a partition of cases or dispatch would send, keep what is not on the topics yet."""
        place = opened.restoring.place
        sent = SentBefore(self.log, TOPICS[place.stage], f"{self.topic(place)}/{place.partition}")
        await sent.look()
        opened.sends = sent.missing(opened.sends)

    def _missing(self, marks: Mapping[int, Marks]) -> Missing:
        return Missing({}, [marks[number] for number in sorted(marks)])

    async def _all_marks(self, marks: dict[int, Marks], lost_facts: Collection[int]) -> None:
        """What every partition of ``household.facts`` holds, where that is not known yet."""
        topic = self._config.topic_prefix + HOUSEHOLD_FACTS
        for number in range(await self.log.count(HOUSEHOLD_FACTS)):
            if number not in marks:
                place = Place("household", topic, number)
                trust = number not in lost_facts
                marks[number] = await last_marks(self.log, self._ledger, place, trust_ledger=trust)

    # -- one partition ---------------------------------------------------------------------------------
    async def replay(self, place: Place) -> tuple[Replay, int]:
        """A replay that stands at its beginning, and the end that the log has now.

        Raises:
            LedgerError: what it would have to read is not there any more, or the topic began anew after it
                had been used, and there is no snapshot to begin at.
        """
        topic = self.topic(place)
        kept: Kept | None = None
        if not self._from_log:
            self._tell(f"{place}: reading snapshots", 0, 0)
            kept = await read_snapshots(self.log, place.stage, place.partition)
        first, end = await self.log.bounds(topic, place.partition)
        if kept is not None and kept.late:
            logger.warning(
                "%s: snapshots of %d keys came late: replaying the whole log", place, len(kept.late)
            )
            if first > 0:
                raise LedgerError(
                    f"{place}: the snapshots of {len(kept.late)} keys, one of them {min(kept.late)}, were"
                    " written by a worker that had lost the partition, and the log has lost its beginning:"
                    " restore Redis or Kafka from a backup"
                )
            kept = None
        stage = self.stage(place.stage)  # type: ignore[arg-type]
        replay = Replay(stage, place, topic, kept)
        if not replay.is_from_snapshot:
            await self._whole(place)
        if not first <= replay.start <= end:
            what = f"the snapshots end at offset {replay.start}" if replay.is_from_snapshot else "no snapshot"
            raise LedgerError(
                f"{place}: {what}, but the log has offsets {first} to {end}:"
                " restore Redis or Kafka from a backup"
            )
        return replay, end

    async def _whole(self, place: Place) -> None:
        """Refuse a log that begins at offset 0 and does not hold what was before."""
        since = (await self._ledger.charter.read()).anew.get(place.topic)
        if since is not None:
            fix = (
                "leave out --from-log: `hearthwatch rebuild` goes by the snapshots"
                if self._from_log
                else "no snapshot that can be relied on holds them: restore Redis or Kafka from a backup"
            )
            raise LedgerError(
                f"{place}: the log alone does not hold its states: `hearthwatch repartition` began it anew at"
                f" {since}, with the states in snapshots; {fix}"
            )

    async def _replay(
        self, place: Place, warned: dict[str, int], marks: dict[int, Marks], missing: Missing | None
    ) -> _Open:
        began = time.monotonic()
        restoring = self._at(place)
        replay, end = await self.replay(place)
        channel = f"{self.topic(place)}-{place.partition}"
        opened = _Open(restoring, replay.standing(), replay.is_from_snapshot, replay.start, 0, began)
        # Warnings are judged at once: there may be hundreds of thousands that were sent long ago.
        known = missing or Missing(warned, [{} for _ in range(await self.log.count(HOUSEHOLD_FACTS))])
        what, total = f"{place}: replaying", end - replay.start

        def keep(sends: list[Sending], failures: list[Failure]) -> None:
            opened.sends += known.of(sends, channel, replay.lane.next)
            opened.failures += failures

        self._tell(what, 0, total)
        async for records, after in self.log.read(self.topic(place), place.partition, replay.start, end):
            out = replay.feed(records, after)
            keep(out.sends, out.failures)
            self._tell(what, after - replay.start, total)
        for out in replay.settle(lambda done: self._tell(f"{place}: catching up", done, 0)):
            keep(out.sends, out.failures)
        if place.stage == "household":
            marks[place.partition] = dict(replay.lane.marks)
            opened.renumbered = keep_numbers(replay, warned)
        opened.standing = replay.standing()
        opened.states = len(replay.states)
        self._tell(f"{place}: writing", 0, 0)
        states = {key: state for key, state in replay.states.items() if state is not None}
        # Not before: where the partition is there, its owner goes on until all is known to be well.
        await restoring.begin()
        await restoring.put(states, replay.days, replay.changed, replay.members())
        return opened

    async def _finish(self, opened: _Open) -> Restored:
        """Send what is missing; then let the partition be claimed."""
        place, at = opened.restoring.place, opened.standing
        assert self._producer is not None, "run() has connected it"
        assert self._set_aside is not None
        self._tell(f"{place}: sending {len(opened.sends)} records", 0, 0)
        failures = await not_set_aside(self.log, opened.failures)
        if failures:
            await self._set_aside.put(failures)
        self._producer.extend(opened.sends)
        await self._producer.send()
        await opened.restoring.open(at.next_offset, at.head, at.marks, at.counts)
        return Restored(
            place, opened.is_from_snapshot, opened.start, at.next_offset, opened.states,
            len(opened.sends) + len(failures), opened.renumbered, time.monotonic() - opened.began,
        )  # fmt: skip

    async def _without_states(self, name: StageName, places: Sequence[Place]) -> list[Restored]:
        # Also with from_log: there is nothing to replay, and without one it sends everything again.
        lanes: dict[bytes, LaneSnapshot] = {}
        for number in range(await self.log.count(snapshot_topic(name))):
            lanes |= (await read_snapshots(self.log, name, number)).lanes
        done = []
        for place in places:
            began = time.monotonic()
            restoring = self._at(place)
            await restoring.begin()
            topic = self.topic(place)
            lane = lanes.get(lane_key(topic, place.partition))
            if lane is None:
                start, _ = await self.log.bounds(topic, place.partition)
                await restoring.open(start, {}, {}, {})
            else:
                start = lane.offset
                await restoring.open(start, lane.head, lane.marks, {})
            seconds = time.monotonic() - began
            done.append(Restored(place, lane is not None, start, start, 0, seconds=seconds))
        return done

    def _at(self, place: Place) -> Restoring:
        restoring = Restoring(self._ledger, place)
        self._restoring.append(restoring)
        return restoring

    async def close(self) -> None:
        """Let go of the connections, and of what was not finished."""
        for restoring in self._restoring:
            await restoring.close()
        if self._producer is not None:
            await self._producer.stop()
        if self._set_aside is not None:
            await self._set_aside.close()
        await self.log.close()


def as_json(restored: Restored) -> dict[str, Any]:
    """For machines."""
    return {
        **msgspec.to_builtins(restored.place),
        **{
            name: getattr(restored, name)
            for name in ("is_from_snapshot", "start", "end", "states", "sent", "renumbered", "seconds")
        },
    }
