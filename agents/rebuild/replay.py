"""Replaying the log of one partition in memory, with the same decisions as the stage that runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from faust.types import TP

from agents.deciding import Stage
from agents.household import HouseholdStage
from agents.lanes import Failure, Lane, Part
from agents.ledger import Claim
from agents.ledger.changes import Standing
from agents.ledger.restoring import Place
from agents.rebuild.snapshot_reader import Kept
from agents.takeovers import MARK, Course
from rules import household
from rules.calendar import NEVER
from streams.producer import Sending
from streams.records import Activate, Tick
from streams.snapshots import LaneSnapshot, lane_key

#: Households are opened once for each of these, so more is faster; and they are all in memory.
PART: Final = 10_000
_SETTLE: Final = 2_000


class _States(dict[str, bytes | None]):
    """States by key; one that is not there is None, as the ledger says it."""

    def __missing__(self, key: str) -> None:
        return None


def parsed(marks: dict[str, str]) -> dict[str, tuple[int, int]]:
    """Marks from the ledger's text."""
    out = {}
    for channel, text in marks.items():
        offset, _, index = text.partition(" ")
        out[channel] = int(offset), int(index)
    return out


@dataclass(slots=True)
class Replayed:
    """What came of some records.

    Attributes:
        sends: in order, whether or not they were sent before.
    """

    sends: list[Sending] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)


class Replay:
    """One partition, from its snapshots (or from nothing) on.

    Attributes:
        lane: as a worker would have it.
        states: all of the partition, encoded.
        days: the next day on which a key can change, where it can.
        changed: keys that have changed since their snapshot.
        start: the offset that the replay began at.
    """

    def __init__(self, stage: Stage, place: Place, topic: str, kept: Kept | None) -> None:
        """Stand where the snapshots do.

        Args:
            topic: without the prefix on the broker.
        """
        self.stage = stage
        self.place = place
        self.states = _States()
        self.days: dict[str, int] = {}
        self.changed: set[str] = set()
        self._ahead: dict[str, int] = {}
        snapshot: LaneSnapshot | None = None
        if kept is not None:
            snapshot = kept.lanes.get(lane_key(topic, place.partition))
        self.lane = _lane(place, topic, snapshot)
        self.start = self.lane.next
        self.is_from_snapshot = snapshot is not None
        if kept is not None and snapshot is not None:
            for key, (offset, state) in kept.states.items():
                if state is not None:
                    self.states[key] = state
                if offset > self.start:
                    self._ahead[key] = offset
        self._reach = max(self._ahead.values(), default=0)
        for key, state in self.states.items():
            assert state is not None
            day = stage.due(state)
            if day is not None:
                self.days[key] = day
        self.lane.states = self.states

    def feed(self, records: Sequence[Any], next_offset: int) -> Replayed:
        """Apply records, the next ones of the log, up to an offset."""
        out = Replayed()
        for run, is_known in self._runs(records):
            if is_known:
                self._pass_over(run)
                continue
            at = 0
            while at < len(run):
                self._step(run[at : at + PART], out)
                at += PART
        self.lane.next = next_offset
        if next_offset >= self._reach:
            self._ahead.clear()
        return out

    def _runs(self, records: Sequence[Any]) -> Iterator[tuple[Sequence[Any], bool]]:
        """Records in order, in runs of those that the snapshot of their key holds, and those to apply."""
        if not self._ahead:
            yield records, False
            return
        run: list[Any] = []
        was_known = False
        for record in records:
            own = self._ahead.get(record.key.decode(), 0) if record.key else 0
            is_known = record.offset < own
            if is_known is not was_known and run:
                yield run, was_known
                run = []
            was_known = is_known
            run.append(record)
        if run:
            yield run, was_known

    def _step(self, records: Sequence[Any], out: Replayed) -> None:
        part = Part(records[-1].offset + 1, None, len(records))
        read, _ = self.stage.read(self.lane, part, records)
        self.stage.decide(self.lane, part, read)
        self.lane.next = part.next_offset
        self._keep(part, out)

    def _pass_over(self, records: Sequence[Any]) -> None:
        """Move marks and day over records whose effects a snapshot holds, and which were sent before it."""
        if not isinstance(self.stage, HouseholdStage):
            return
        lane = self.lane
        read, _ = self.stage.read(lane, Part(records[-1].offset + 1, None, len(records)), records)
        day_of = self.stage.book.rules(self.stage.course(lane).number).calendar.day_of
        for _, message in read:
            if isinstance(message, Tick | Activate):  # they have no key, so they are never passed over
                continue
            lane.marks[message.channel] = message.number
            day = day_of(message.received)
            if lane.day is None or day > lane.day:
                lane.day = day

    def _keep(self, part: Part, out: Replayed) -> None:
        for key, state in part.states.items():
            if state is None:
                self.states.pop(key, None)
            else:
                self.states[key] = state
        self.changed.update(part.states)
        for key, day in part.next_days.items():
            if day is None:
                self.days.pop(key, None)
            else:
                self.days[key] = day
        out.sends += part.sends
        out.failures += part.failures

    def settle(self, tell: Callable[[int], None] = lambda done: None) -> Iterator[Replayed]:
        """Let every household catch up with the lane's day and policy, a few at a time."""
        lane, stage = self.lane, self.stage
        if not isinstance(stage, HouseholdStage):
            return
        course = stage.course(lane)
        number = course.number
        if lane.day is None:  # then there is no household
            self._swept(course)
            return
        due = (
            key
            for key, state in list(self.states.items())
            if self.days.get(key, NEVER) <= lane.day or (state is not None and not _is_under(state, number))
        )
        done = 0
        while keys := list(islice(due, _SETTLE)):
            out = Replayed()
            self._keep(caught_up(stage, lane, {key: self.states[key] for key in keys}), out)
            done += len(keys)
            tell(done)
            yield out
        self._swept(course)

    def _swept(self, course: Course) -> None:
        if course.swept < course.number:
            course.swept = course.number
            self.lane.marks[MARK] = (course.number, 0)

    def standing(self) -> Standing:
        """Where the partition stands, in the ledger's own form."""
        lane = self.lane
        head = {} if lane.day is None else {"day": str(lane.day)}
        if lane.claim.cursor is not None:
            head["cursor"] = str(lane.claim.cursor)
        marks = {channel: f"{offset} {index}" for channel, (offset, index) in lane.marks.items()}
        counts = dict.fromkeys(self.lane.counts, 0) | self.stage.counted(self._there())
        return Standing(lane.next, head, marks, counts, len(self.changed))

    def _there(self) -> Iterator[bytes]:
        return (state for state in self.states.values() if state is not None)

    def members(self) -> Iterator[str]:
        """The members of the stage's index."""
        return (member for state in self._there() if (member := self.stage.member(state)) is not None)


def caught_up(stage: HouseholdStage, lane: Lane, states: dict[str, bytes | None]) -> Part:
    """A part in which these households have caught up with the lane's day and policy."""
    part = Part(lane.next, states=dict(states))
    stage.catch_up(lane, part)
    return part


def _is_under(state: bytes, number: int) -> bool:
    from rules.state import is_under

    return is_under(state, number)


def _lane(place: Place, topic: str, snapshot: LaneSnapshot | None) -> Lane:
    head = {} if snapshot is None else snapshot.head
    claim = Claim(
        place.stage, place.topic, place.partition, 0, "rebuild", epoch=0, commit=0,
        next_offset=0 if snapshot is None else snapshot.offset,
        day=int(head["day"]) if "day" in head else None,
        cursor=int(head["cursor"]) if "cursor" in head else None,
        marks={} if snapshot is None else parsed(snapshot.marks),
        counts={} if snapshot is None else dict(snapshot.counts),
    )  # fmt: skip
    return Lane(TP(place.topic, place.partition), claim, 0, topic)


def keep_numbers(replay: Replay, warned: Mapping[str, int]) -> int:
    """Never give a warning's number away twice, also where this program would have warned less often.

    Another version of the program may have sent what the topic has; a consumer that keeps the last id of a
    household would miss the next warning if its number were taken.
    """
    count = 0
    for key, raw in list(replay.states.items()):
        last = warned.get(key, 0)
        if not last or raw is None:
            continue
        state = household.decode(raw)
        if state.warned < last:
            state.warned = last
            replay.states[key] = household.encode(state)
            replay.changed.add(key)
            count += 1
    return count
