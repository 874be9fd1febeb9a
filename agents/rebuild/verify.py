"""``hearthwatch rebuild --verify``: the live ledger against a rebuild in memory, while the stream goes on.

Each look at the ledger gives some states and the offset that they stand for, in one step. The replay is
brought to that offset, both sides catch up with the day there, and have to be the same bytes. Afterwards
everything else that the ledger holds of the partition is compared likewise: day, marks, and how many
households are at each level. On which day a key is due next is compared with its own state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from agents.household import HouseholdStage
from agents.lanes import Lane
from agents.ledger import Ledger
from agents.ledger.restoring import Account, Place, account, indexed, look, standing
from agents.rebuild.difference import first_difference
from agents.rebuild.replay import Replay, caught_up, parsed
from agents.rebuild.restore import Progress, Rebuild
from agents.takeovers import MARK, course_of
from streams.errors import LedgerError

CHUNK: Final = 500
#: Levels can be counted once every household has caught up: so often, and so long apart, is it looked for.
_LOOKS: Final = 100
_LOOK_SECONDS: Final = 0.2
#: An index that is written all the time is looked at so often, and then believed.
_INDEX_LOOKS: Final = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of one partition.

    Attributes:
        states: how many were compared.
        differences: how many of them, and of what is kept beside them, differ.
        first: the first that does, with its field; empty where none does.
        is_counted: whether the households of each level could be compared: not while a day or a policy is
            being brought to them, and not where workers stopped in the middle of that.
    """

    place: Place
    is_from_snapshot: bool
    start: int
    end: int
    states: int
    differences: int = 0
    first: str = ""
    is_counted: bool = True


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
    rest = {key for key in replay.states if key not in seen}
    rest.update([key async for key in indexed(ledger, place) if key not in seen])
    left = sorted(rest)
    for at in range(0, len(left), CHUNK):
        await check.compare(left[at : at + CHUNK])
    is_counted = await check.balance()
    await check.index()
    return Verified(
        place, replay.is_from_snapshot, replay.start, replay.lane.next,
        check.compared, check.differences, check.first, is_counted,
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
        found = await look(self._ledger, self._place, keys)
        await self.advance(found.next_offset)
        rebuilt = {key: self._replay.states[key] for key in keys}
        ours = self._caught_up(keys, found.states)
        theirs = self._caught_up(keys, rebuilt.values())
        for key, live, day in zip(keys, found.states, found.days, strict=True):
            self.compared += 1
            name, stage = self._place.stage, self._replay.stage
            if ours[key] != theirs[key]:
                self.found(f"{name} {key}: " + first_difference(stage, ours[key], theirs[key]))
            elif day != (due := None if live is None else stage.due(live)):
                self.found(f"{name} {key}: due at {day} by the index, at {due} by its state")
        self._tell(f"{self._place}: comparing", self.compared, max(self.compared, len(self._replay.states)))

    def found(self, difference: str) -> None:
        """Count a difference, and keep the first."""
        self.differences += 1
        self.first = self.first or difference

    def _caught_up(self, keys: list[str], states: Iterable[bytes | None]) -> dict[str, bytes | None]:
        """States as of the day and the policy at this point of the log."""
        found = dict(zip(keys, states, strict=True))
        stage, lane = self._replay.stage, self._replay.lane
        if not isinstance(stage, HouseholdStage):
            # Written anew, in case that a program of another version wrote one of them.
            return {key: None if raw is None else stage.anew(raw) for key, raw in found.items()}
        if lane.day is None:
            return found
        known: dict[str, bytes | None] = {key: state for key, state in found.items() if state is not None}
        # Counters move with each visit, and these visits are nobody's.
        aside = Lane(lane.tp, lane.claim, lane.generation, lane.topic)
        aside.day, aside.marks, aside.memo = lane.day, lane.marks, stage.course(lane)
        return found | caught_up(stage, aside, known).states

    async def balance(self) -> bool:
        """Compare all that the ledger holds beside states; False where levels cannot be counted now."""
        found = await account(self._ledger, self._place)
        looks = 0
        while not (is_settled := _is_settled(found)) and looks < _LOOKS:
            await asyncio.sleep(_LOOK_SECONDS)
            again = await account(self._ledger, self._place)
            looks = looks + 1 if again.commit != found.commit else looks + 10  # nobody seems to be at work
            found = again
        live = found.standing
        await self.advance(live.next_offset)
        if is_settled:
            for _ in self._replay.settle():
                pass
        ours = self._replay.standing()
        self._same("", live.head, ours.head)
        marks, rebuilt = dict(live.marks), dict(ours.marks)
        if not is_settled:
            marks.pop(MARK, None)
            rebuilt.pop(MARK, None)
        self._same("the mark of ", marks, rebuilt)
        if is_settled:
            what = "households at level " if isinstance(self._replay.stage, HouseholdStage) else "count of "
            self._same(what, _without_zeros(live.counts), _without_zeros(ours.counts))
        return is_settled

    async def index(self) -> None:
        """Compare the stage's index with the states beside it, if nothing is written meanwhile."""
        ledger, place, stage = self._ledger, self._place, self._replay.stage
        at = (place.stage, place.topic, place.partition)
        for _ in range(_INDEX_LOOKS):
            before = await account(ledger, place)
            members = set(await ledger.members(*at, "-", "+"))
            wanted = {
                member async for _, state in ledger.scan(*at) if (member := stage.member(state)) is not None
            }
            if (await account(ledger, place)).commit == before.commit:
                if members != wanted:
                    count = len(members ^ wanted)
                    self.found(f"{place.stage}: {count} entries of the index are not those of the states")
                return
            await asyncio.sleep(_LOOK_SECONDS)

    def _same(self, what: str, live: Mapping[str, Any], rebuilt: Mapping[str, Any]) -> None:
        for name in sorted(live.keys() | rebuilt.keys()):
            if live.get(name) != rebuilt.get(name):
                self.found(f"{what}{name}: live {live.get(name)}, rebuilt {rebuilt.get(name)}")


def _is_settled(found: Account) -> bool:
    """Whether every household has caught up with the partition's day and policy."""
    course = course_of(parsed(found.standing.marks))
    return not found.due and course.swept >= course.number


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {level: number for level, number in counts.items() if number}
