"""Which partitions a worker holds: claimed, admitted, lost and claimed again, drained, given up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from faust.types import TP

from agents.lanes import Lane, at
from agents.ledger import Claim, LedgerMissingError, StaleClaimError
from rules.state_format import NewerFormatError
from streams.errors import LedgerError, TransportError

if TYPE_CHECKING:  # it imports this module
    from agents.stage import Engine

logger = logging.getLogger(__name__)

#: A claim that was refused is tried again after this: a rebalance, or an operator, mends it.
RECLAIM_SECONDS: Final = 1.0
LONGEST_RECLAIM_SECONDS: Final = 30.0
DRAIN_SECONDS: Final = 10.0


class Holding:
    """The partitions of an engine's worker; the ``owner`` of its Faust app."""

    def __init__(self, engine: Engine) -> None:
        self.lanes: dict[TP, Lane] = {}
        self.stopped: dict[TP, str] = {}
        """Partitions that wait for an operator, and why."""
        self.on_drain: list[Callable[[], Awaitable[None]]] = []
        """Awaited when partitions are about to be given up, behind the commits that are under way."""
        self.drain_seconds = DRAIN_SECONDS
        """How long that may take, all together."""
        self._engine = engine
        self._delays: dict[TP, float] = {}
        self._drains = 0
        self._is_draining = False
        """From a drain to the next assignment: a claim in between would make a lane that nobody drains."""

    # -- what the transport asks ---------------------------------------------------------------------
    async def claim(self, partitions: Iterable[TP], generation: int) -> Mapping[TP, int]:
        """Take partitions over; the next offset of each that could be.

        Nothing is taken over while all are about to be given up: the next assignment claims anew.
        """
        if self._is_draining:
            return {}
        wanted = sorted(partitions)
        lanes = await asyncio.gather(*(self._claim(tp, generation) for tp in wanted))
        self._report()
        return {lane.tp: lane.next for lane in lanes if lane is not None}

    async def _claim(self, tp: TP, generation: int) -> Lane | None:
        older = self.lanes.get(tp)
        drains = self._drains
        try:
            claim: Claim = await self._engine.ledger.claim(
                self._engine.stage.name, tp.topic, tp.partition, generation, self._engine.worker
            )
        except Exception as error:  # noqa: BLE001 - judged there; the claims beside it go on
            self._not_claimed(tp, error, is_given_up=self._drains != drains)
            return None
        if self._drains != drains:  # it is about to be given up, and nobody would wait for this lane
            return None
        lane = Lane(tp, claim, generation, tp.topic.removeprefix(self._engine.prefix))
        if older is not None:
            lane.inherit(older)
            older.is_dropped = True
        self.lanes[tp] = lane
        self.stopped.pop(tp, None)
        return lane

    def _not_claimed(self, tp: TP, error: Exception, *, is_given_up: bool) -> None:
        """A claim came to nothing: have it made again, or stop the partition.

        Args:
            is_given_up: a drain began meanwhile; it waits for the older lane, and the next assignment claims.
        """
        if isinstance(error, LedgerError) and not isinstance(error, StaleClaimError):
            is_missing = isinstance(error, LedgerMissingError)
            self.refused("missing" if is_missing else "ledger", tp)
            self._stop(tp, str(error))
            if is_missing:  # a rebuild brings it back, and needs no restart of ours
                self._later(tp, self._look_again)
            return
        if isinstance(error, StaleClaimError | TransportError):
            logger.warning("%s-%d is not claimed: %s", tp.topic, tp.partition, error, extra=at(tp))
            self.refused("stale" if isinstance(error, StaleClaimError) else "unavailable", tp)
        else:
            logger.error("%s-%d is not claimed", tp.topic, tp.partition, exc_info=error, extra=at(tp))
        if not is_given_up:
            # Nothing is fetched for an older lane any more, and while it stands nobody claims again.
            self._forget(tp)
            self._later(tp, self._look_again if tp in self.stopped else self.reclaim)

    def _forget(self, tp: TP) -> None:
        """Let a lane go: what it has under way is not committed any more."""
        lane = self.lanes.pop(tp, None)
        if lane is not None:
            lane.is_dropped = True

    def admit(self, tp: TP, offset: int, earliest: int, end: int) -> bool:
        """Whether the log fits the claim: deleted records are told, a log that is too short stops it."""
        lane = self.lanes.get(tp)
        if lane is None or lane.is_closing:  # given up meanwhile, or about to be
            return False
        if offset > end:
            self._stop(
                tp,
                f"the ledger stands at offset {offset}, but the log ends at {end}: the topic was made anew "
                "under a used ledger; point the settings at the right pair, or begin anew (embedded: "
                "`hearthwatch local reset`)",
            )
            return False
        if offset < earliest and lane.claim.commit:
            logger.error(
                "%s-%d: offsets %d to %d were deleted before they were read: raise the topic's retention",
                tp.topic, tp.partition, offset, earliest - 1, extra=at(tp, offset),
            )  # fmt: skip
        lane.end = end
        self._engine.signals.emit(
            "claimed", tp=tp, offset=offset, epoch=lane.claim.epoch, generation=lane.generation
        )
        self._engine.stage.begin(self._engine, lane)
        return True

    async def drain(self) -> None:
        """Begin nothing more, and wait for the commits that are under way.

        Until :meth:`keep_only` says what the next assignment leaves us, nothing is claimed either.
        """
        self._is_draining = True
        self._drains += 1
        lanes = list(self.lanes.values())
        for lane in lanes:
            lane.is_closing = True
        self._engine.signals.emit("draining", lanes=len(lanes))
        try:
            async with asyncio.timeout(self.drain_seconds):
                for lane in lanes:
                    async with lane.at_rest():
                        pass
                for settle in self.on_drain:
                    await settle()
        except TimeoutError:
            logger.warning(
                "%d parts were not committed in %d s; they will be repeated",
                sum(len(lane.pending) for lane in lanes), self.drain_seconds,
            )  # fmt: skip
        pending = sum(len(lane.pending) for lane in lanes)
        self._engine.signals.emit("drained", lanes=len(lanes), pending=pending)

    def keep_only(self, partitions: Iterable[TP]) -> None:
        """Forget the lanes of partitions that belong to others now."""
        self._is_draining = False
        kept = set(partitions)
        for tp in [tp for tp in self.lanes if tp not in kept]:
            self._forget(tp)
        for tp in [tp for tp in self.stopped if tp not in kept]:
            del self.stopped[tp]
        self._delays.clear()
        self._report()

    # -- lost, and claimed again ---------------------------------------------------------------------
    def is_live(self, lane: Lane) -> bool:
        """Whether a lane is still ours to work on."""
        return not lane.is_dropped and not lane.is_closing and self.lanes.get(lane.tp) is lane

    def went_on(self, lane: Lane) -> bool:
        """A commit of a lane is through; whether its partition is held by it still."""
        is_held = self.lanes.get(lane.tp) is lane
        if is_held:
            self._delays.pop(lane.tp, None)
        return is_held

    def drop(self, lane: Lane, why: str) -> None:
        """Forget a lane and claim its partition again, unless that has happened already."""
        if lane.is_dropped:
            return
        lane.is_dropped = True
        if self.lanes.get(lane.tp) is not lane:
            return
        del self.lanes[lane.tp]
        tp = lane.tp
        logger.warning("%s-%d: claimed again: %s", tp.topic, tp.partition, why, extra=at(tp, lane.next))
        self._engine.signals.emit("dropped", tp=tp, why=why)
        self._report()
        if not lane.is_closing:
            self._later(tp, self.reclaim)

    def halt(self, lane: Lane, error: LedgerError) -> None:
        """State and log do not fit together: the partition waits for an operator, or for a newer program."""
        lane.is_dropped = True
        if isinstance(error, NewerFormatError) and self._engine.on_beyond is not None:
            self._engine.on_beyond(error)
            return
        why = str(error)
        if self.lanes.get(lane.tp) is lane:
            self.refused("ledger", lane.tp)
            self._stop(lane.tp, why)

    def _stop(self, tp: TP, why: str) -> None:
        self._forget(tp)
        is_told = self.stopped.get(tp) == why
        self.stopped[tp] = why
        self._engine.consumer.halt(tp)
        if is_told:
            return
        logger.error("%s-%d is stopped: %s", tp.topic, tp.partition, why, extra=at(tp))
        self._engine.signals.emit("stopped", tp=tp, why=why)
        self._report()

    def _later(self, tp: TP, what: Callable[[TP], None]) -> None:
        if self._engine.is_closing:
            return
        delay = self._delays.get(tp, RECLAIM_SECONDS)
        self._delays[tp] = min(delay * 2, LONGEST_RECLAIM_SECONDS)
        asyncio.get_running_loop().call_later(delay, what, tp)

    def reclaim(self, tp: TP) -> None:
        """Claim a partition again that was lost, unless that has happened or is not ours to do any more."""
        if self._engine.is_closing or self._is_draining or tp in self.lanes or tp in self.stopped:
            return
        if not self._engine.consumer.reclaim(tp):
            self._later(tp, self.reclaim)

    def _look_again(self, tp: TP) -> None:
        """Claim a partition that Redis had lost; it stays stopped if that is still so."""
        if self._engine.is_closing or self._is_draining or tp not in self.stopped:
            return
        if not self._engine.consumer.reclaim(tp):
            self._later(tp, self._look_again)

    def refused(self, reason: str, tp: TP) -> None:
        """Tell of a claim or a commit that was refused."""
        self._engine.monitor.refused(reason)
        self._engine.signals.emit("refused", reason=reason, tp=tp)

    def _report(self) -> None:
        self._engine.monitor.partitions(len(self.lanes), len(self.stopped))
