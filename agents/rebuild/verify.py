"""``hearthwatch rebuild --verify``: the live states against a rebuild in memory, while the stream goes on.

Each look at the ledger gives some states and the offset that they stand for, in one step. The replay is
brought to that offset, both sides catch up with the day there, and have to be the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from agents.household import HouseholdStage
from agents.lanes import Lane
from agents.ledger import Ledger
from agents.ledger.restoring import Place, look, standing
from agents.rebuild.difference import first_difference
from agents.rebuild.replay import Replay, caught_up
from agents.rebuild.restore import Progress, Rebuild
from streams.errors import LedgerError

CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one partition.

    Attributes:
        states: how many were compared.
        differences: how many of them differ.
        first: the first that does, with its field; empty where none does.
    """

    place: Place
    is_from_snapshot: bool
    start: int
    end: int
    states: int
    differences: int = 0
    first: str = ""


async def verify(
    rebuild: Rebuild, ledger: Ledger, place: Place, tell: Progress = lambda what, done, total: None
) -> Verified:
    """Compare one partition; writes and sends nothing.

    Raises:
        LedgerError: Redis does not hold it, or its log is not there any more.
    """
    here = await standing(ledger, place)
    if here is None:
        raise LedgerError(f"{place}: Redis does not hold it; `hearthwatch rebuild` makes it again")
    replay, _ = await rebuild.replay(place)
    check = _Check(rebuild, ledger, place, replay, tell)
    await check.advance(here.next_offset)
    seen: set[str] = set()
    keys: list[str] = []
    async for key, _ in ledger.scan(place.stage, place.topic, place.partition):
        if key in seen:
            continue
        seen.add(key)
        keys.append(key)
        if len(keys) == CHUNK:
            await check.compare(keys)
            keys = []
    await check.compare(keys)
    rest = [key for key in replay.states if key not in seen]
    for at in range(0, len(rest), CHUNK):
        await check.compare(rest[at : at + CHUNK])
    end = await standing(ledger, place)
    if end is not None:
        await check.advance(end.next_offset)
        marks = replay.standing().marks
        if replay.lane.next == end.next_offset and marks != end.marks:
            channel = next(c for c in sorted(marks | end.marks) if marks.get(c) != end.marks.get(c))
            check.found(f"the mark of {channel}: live {end.marks.get(channel)}, rebuilt {marks.get(channel)}")
    return Verified(
        place, replay.is_from_snapshot, replay.start, replay.lane.next,
        check.compared, check.differences, check.first,
    )  # fmt: skip


class _Check:
    def __init__(
        self, rebuild: Rebuild, ledger: Ledger, place: Place, replay: Replay, tell: Progress
    ) -> None:
        self._rebuild = rebuild
        self._ledger = ledger
        self._place = place
        self._replay = replay
        self._tell = tell
        self.compared = 0
        self.differences = 0
        self.first = ""

    async def advance(self, offset: int) -> None:
        """Replay up to an offset."""
        replay, place = self._replay, self._place
        topic = self._rebuild.topic(place)
        if offset < replay.lane.next:
            raise LedgerError(
                f"{place}: it stands at offset {offset}, before the snapshots at {replay.lane.next}:"
                " it was made again meanwhile; verify again"
            )
        total = offset - replay.start
        async for records, after in self._rebuild.log.read(topic, place.partition, replay.lane.next, offset):
            replay.feed(records, after)
            self._tell(f"{place}: replaying", after - replay.start, total)

    async def compare(self, keys: list[str]) -> None:
        """Compare some states."""
        if not keys:
            return
        offset, live = await look(self._ledger, self._place, keys)
        await self.advance(offset)
        rebuilt = {key: self._replay.states[key] for key in keys}
        ours = self._caught_up(keys, live)
        theirs = self._caught_up(keys, rebuilt.values())
        for key in keys:
            self.compared += 1
            if ours[key] != theirs[key]:
                self.found(
                    f"{self._place.stage} {key}: "
                    + first_difference(self._place.stage, ours[key], theirs[key])
                )
        self._tell(f"{self._place}: comparing", self.compared, max(self.compared, len(self._replay.states)))

    def found(self, difference: str) -> None:
        """Count a difference, and keep the first."""
        self.differences += 1
        self.first = self.first or difference

    def _caught_up(self, keys: list[str], states: Iterable[bytes | None]) -> dict[str, bytes | None]:
        """States as of the day and the policy at this point of the log."""
        found = dict(zip(keys, states, strict=True))
        stage, lane = self._replay.stage, self._replay.lane
        if not isinstance(stage, HouseholdStage) or lane.day is None:
            return found
        known: dict[str, bytes | None] = {key: state for key, state in found.items() if state is not None}
        # Counters move with each visit, and these visits are nobody's.
        aside = Lane(lane.tp, lane.claim, lane.generation, lane.topic)
        aside.day, aside.marks, aside.memo = lane.day, lane.marks, stage.course(lane)
        return found | caught_up(stage, aside, known).states
