"""The loop that every stage runs: claim, fetch, load, decide, send, commit; and the next one meanwhile.

A stage (:class:`agents.deciding.Stage`) only decides: records and states in, sends and states out. The
:class:`Engine` does the rest, for each partition in a lane of its own:

* on assignment the partition is claimed in the ledger, which says where it stands, and fenced;
* a part of the log is decoded, missing states are loaded, the stage decides;
* its sends go out in order and are acknowledged, then one fenced commit holds states and offset;
  the next part is decided meanwhile, on states that wait for their commit;
* a refused commit drops the lane with all that it remembers, and the partition is claimed again;
* revocation and shutdown wait for what runs.

What is sent is a pure function of the log, so whoever repeats it after a crash repeats the same bytes under
the same numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Final

from faust.types import TP

from agents.deciding import Monitor, Silent, Stage
from agents.lanes import Lane, Part
from agents.ledger import Claim, FencedError, Ledger, LedgerMissingError, StaleClaimError, Step
from agents.poison import SetAside
from agents.rounds import Rounds
from agents.signals import Signals
from rules.state_format import NewerFormatError
from streams.batches import Consumer
from streams.errors import LedgerError, TransportError
from streams.producer import OrderedProducer
from streams.slices import Batch

logger = logging.getLogger(__name__)

#: Parts of a lane that wait for acks or their commit, before the next one has to wait.
DEPTH: Final = 2
#: A claim that was refused is tried again after this: a rebalance, or an operator, mends it.
RECLAIM_SECONDS: Final = 1.0
LONGEST_RECLAIM_SECONDS: Final = 30.0
DRAIN_SECONDS: Final = 10.0


class Engine:
    """Runs a stage on the partitions that this worker owns; the ``owner`` of its Faust app.

    Args:
        prefix: begins the topics' names on the broker.
        max_part: records in one commit; what the stage says unless given.
        cache_bytes: encoded states that are kept, of all lanes together.
    """

    def __init__(
        self,
        stage: Stage,
        ledger: Ledger,
        producer: OrderedProducer,
        set_aside: SetAside,
        *,
        worker: str,
        prefix: str = "",
        monitor: Monitor | None = None,
        signals: Signals | None = None,
        max_part: int | None = None,
        cache_bytes: int = 134_217_728,
    ) -> None:
        self.stage = stage
        self.ledger = ledger
        self.producer = producer
        self.worker = worker
        self.prefix = prefix
        self.monitor: Monitor = monitor or Silent()
        self.signals = signals or Signals()
        self.max_part = max_part or stage.max_part
        self.cache_bytes = cache_bytes
        self.lanes: dict[TP, Lane] = {}
        self.stopped: dict[TP, str] = {}
        """Partitions that wait for an operator, and why."""
        self._set_aside = set_aside
        self.look: Callable[[], Awaitable[None]] | None = None
        """Finds out what a part that is early has to know."""
        self.on_beyond: Callable[[BaseException], None] | None = None
        """Told that only a newer program can go on: one that is there takes over from whoever leaves."""
        self._consumer: Callable[[], Consumer] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._delays: dict[TP, float] = {}
        self._turn = asyncio.Lock()
        """One lane's work between batches at a time: a midnight of all holds records up by one chunk."""
        self.is_closing = False
        self._drains = 0
        self._is_draining = False
        """From a drain to the next assignment: a claim in between would make a lane that nobody drains."""
        self._rounds = Rounds(self)
        self.on_commit: list[Callable[[Lane, Part], None]] = []
        """Called after each commit."""
        self.on_drain: list[Callable[[], Awaitable[None]]] = []
        """Awaited when partitions are about to be given up, behind the commits that are under way."""
        self.drain_seconds = DRAIN_SECONDS
        """How long that may take, all together."""

    def bind(self, consumer: Callable[[], Consumer]) -> None:
        """Say where the app's consumer is found; it does not exist before the app starts."""
        self._consumer = consumer

    @property
    def consumer(self) -> Consumer:
        """The app's consumer."""
        assert self._consumer is not None, "bind() comes first"
        return self._consumer()

    # -- owning partitions: what the transport asks --------------------------------------------------
    async def claim(self, partitions: Iterable[TP], generation: int) -> Mapping[TP, int]:
        """Take partitions over; the next offset of each that could be.

        None while they are about to be given up: the next assignment claims anew.
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
            claim: Claim = await self.ledger.claim(
                self.stage.name, tp.topic, tp.partition, generation, self.worker
            )
        except (StaleClaimError, TransportError) as error:
            logger.warning("%s-%d is not claimed: %s", tp.topic, tp.partition, error, extra=at(tp))
            self._refused("stale" if isinstance(error, StaleClaimError) else "unavailable", tp)
            self._reclaim_later(tp)
            return None
        except LedgerError as error:
            is_missing = isinstance(error, LedgerMissingError)
            self._refused("missing" if is_missing else "ledger", tp)
            self._stop(tp, str(error))
            if is_missing:  # a rebuild brings it back, and needs no restart of ours
                self._later(tp, self._look_again)
            return None
        if self._drains != drains:
            return None
        lane = Lane(tp, claim, generation, tp.topic.removeprefix(self.prefix))
        if older is not None:
            lane.inherit(older)
            older.is_dropped = True
        self.lanes[tp] = lane
        self.stopped.pop(tp, None)
        return lane

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
        self.signals.emit("claimed", tp=tp, offset=offset, epoch=lane.claim.epoch, generation=lane.generation)
        self.stage.begin(self, lane)
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
        self.signals.emit("drained", lanes=len(lanes), pending=sum(len(lane.pending) for lane in lanes))

    def keep_only(self, partitions: Iterable[TP]) -> None:
        """Forget the lanes of partitions that belong to others now."""
        self._is_draining = False
        kept = set(partitions)
        for tp in [tp for tp in self.lanes if tp not in kept]:
            self.lanes.pop(tp).is_dropped = True
        for tp in [tp for tp in self.stopped if tp not in kept]:
            del self.stopped[tp]
        self._delays.clear()
        self._report()

    # -- the loop ------------------------------------------------------------------------------------
    async def run(self, batches: Any) -> None:
        """Take batches from Faust's stream until it ends."""
        async for batch in batches:
            try:
                await self.take(batch)
            finally:
                self.consumer.taken()

    async def take(self, batch: Batch) -> None:
        """Work through one fetch; its partitions wait for Redis side by side."""
        await self._rounds.take(batch)

    async def between(
        self,
        lane: Lane,
        due: Callable[[], Awaitable[Sequence[str]]],
        decide: Callable[[Part], None],
        *,
        always: bool = False,
        settle: bool = False,
    ) -> bool:
        """Do a chunk of work that no record asked for, between two parts of a lane; False where none is left.

        Args:
            due: keys to work on, as the ledger has them after all commits.
            decide: fills the part, whose ``states`` name the keys that are due (with the state before).
            always: commit also where no key is due; False then means that the lane is not ours any more.
            settle: let nothing else be decided before the commit is through.
        """
        async with self._turn, lane.at_rest():
            if not self.is_live(lane):
                return False
            try:
                keys = await due()
                await self.load(lane, keys)
                if not (keys or always) or not self.is_live(lane):
                    return False
                part = Part(lane.next, states={key: lane.states[key] for key in keys})
                decide(part)
            except Exception as error:  # noqa: BLE001 - judged there
                self.failed(lane, error, lane.next)
                return False
            self.submit([(lane, part)])
            if settle:
                assert part.task is not None, "it was submitted"
                await asyncio.wait([part.task])
                return not lane.is_dropped
        return True

    def is_live(self, lane: Lane) -> bool:
        """Whether a lane is still ours to work on."""
        return not lane.is_dropped and not lane.is_closing and self.lanes.get(lane.tp) is lane

    async def load(self, lane: Lane, keys: Iterable[str]) -> None:
        """Have the states of some keys at hand."""
        missing = [key for key in keys if key not in lane.states]
        if missing:
            values = await self.ledger.load(lane.claim, missing)
            lane.remember(dict(zip(missing, values, strict=True)))

    async def room(self, lane: Lane) -> None:
        """Wait until so few parts of a lane are under way that one more may follow."""
        while len(lane.pending) >= DEPTH:
            first = lane.pending[0].task
            assert first is not None, "a pending part has a task"
            await asyncio.wait([first])

    def submit(self, parts: Sequence[tuple[Lane, Part]]) -> None:
        """Send what parts send, and let their commits follow. Nothing is awaited, so the order is kept."""
        for _, part in parts:
            if part.sends:
                self.producer.extend(part.sends)
        acked = self.producer.send()
        before: set[asyncio.Task[None]] = set()
        # Its share; the others give theirs back with their next part.
        share = self.cache_bytes // max(1, len(self.lanes))
        for lane, part in parts:
            lane.remember(part.states)
            lane.pending.append(part)
            lane.forget(share)
            if lane.tail is not None and not lane.tail.done():
                before.add(lane.tail)
        task = self.spawn(self._finish(parts, acked, before))
        for lane, part in parts:
            part.task = lane.tail = task

    async def _finish(
        self,
        parts: Sequence[tuple[Lane, Part]],
        acked: asyncio.Future[None],
        before: set[asyncio.Task[None]],
    ) -> None:
        try:
            for _, part in parts:
                if part.failures:
                    await self._set_aside.put(part.failures)
            await acked
            for lane, part in parts:
                self.signals.emit("sent", tp=lane.tp, offset=part.next_offset)
            if before:
                await asyncio.wait(before)
            live = [(lane, part) for lane, part in parts if not lane.is_dropped]
            outcomes = await self.ledger.commit_all([(lane.claim, _step(part)) for lane, part in live])
            for (lane, part), error in zip(live, outcomes, strict=True):
                self._ended(lane, part, error)
        except asyncio.CancelledError:
            for lane, _ in parts:
                lane.is_dropped = True  # we are stopping; whoever comes next repeats it
            raise
        except Exception as error:  # noqa: BLE001 - judged there
            for lane, part in parts:
                self.failed(lane, error, part.next_offset)
        finally:
            for lane, part in parts:
                lane.pending.remove(part)
                if part.piece is not None:
                    self.consumer.release(part.piece, part.count)

    def _ended(self, lane: Lane, part: Part, error: Exception | None) -> None:
        """The commit of a part is through, or was refused."""
        if error is None:
            try:
                self._committed(lane, part)
            except Exception as of_a_listener:  # noqa: BLE001 - the other lanes go on
                error = of_a_listener
        if error is not None:
            self.failed(lane, error, part.next_offset)

    def _committed(self, lane: Lane, part: Part) -> None:
        tp = lane.tp
        if self.lanes.get(tp) is lane:
            self.consumer.done(tp, part.next_offset)
            self._delays.pop(tp, None)
        self.monitor.committed(lane, part)
        for tell in self.on_commit:
            tell(lane, part)
        self.signals.emit("committed", tp=tp, offset=part.next_offset, states=len(part.states))

    # -- when it does not go well --------------------------------------------------------------------
    def failed(self, lane: Lane, error: Exception, offset: int) -> None:
        """A part of a lane, or its commit, came to nothing."""
        if isinstance(error, FencedError):
            if not lane.is_dropped:
                self._refused("fenced", lane.tp)
            self.drop(lane, str(error))
        elif isinstance(error, TransportError):
            self.drop(lane, str(error))
        elif isinstance(error, LedgerError):
            self._halt(lane, error)
        else:
            # Not one record's fault, those are set aside: a fault of this program.
            tp = lane.tp
            logger.error(
                "%s-%d: cannot go on at offset %d", tp.topic, tp.partition, offset,
                exc_info=error, extra=at(tp, offset),
            )  # fmt: skip
            self.drop(lane, "the program failed")

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
        self.signals.emit("dropped", tp=tp, why=why)
        self._report()
        if not lane.is_closing:
            self._reclaim_later(lane.tp)

    def _halt(self, lane: Lane, error: LedgerError) -> None:
        """State and log do not fit together: the partition waits for an operator, or for a newer program."""
        lane.is_dropped = True
        if isinstance(error, NewerFormatError) and self.on_beyond is not None:
            self.on_beyond(error)
            return
        why = str(error)
        if self.lanes.get(lane.tp) is lane:
            self._refused("ledger", lane.tp)
            self._stop(lane.tp, why)

    def _stop(self, tp: TP, why: str) -> None:
        lane = self.lanes.pop(tp, None)
        if lane is not None:
            lane.is_dropped = True
        is_told = self.stopped.get(tp) == why
        self.stopped[tp] = why
        self.consumer.halt(tp)
        if is_told:
            return
        logger.error("%s-%d is stopped: %s", tp.topic, tp.partition, why, extra=at(tp))
        self.signals.emit("stopped", tp=tp, why=why)
        self._report()

    def _reclaim_later(self, tp: TP) -> None:
        self._later(tp, self._reclaim)

    def _later(self, tp: TP, what: Callable[[TP], None]) -> None:
        if self.is_closing:
            return
        delay = self._delays.get(tp, RECLAIM_SECONDS)
        self._delays[tp] = min(delay * 2, LONGEST_RECLAIM_SECONDS)
        asyncio.get_running_loop().call_later(delay, what, tp)

    def _reclaim(self, tp: TP) -> None:
        if self.is_closing or self._is_draining or tp in self.lanes or tp in self.stopped:
            return
        if not self.consumer.reclaim(tp):
            self._reclaim_later(tp)

    def _look_again(self, tp: TP) -> None:
        """Claim a partition that Redis had lost; it stays stopped if that is still so."""
        if self.is_closing or self._is_draining or tp not in self.stopped:
            return
        if not self.consumer.reclaim(tp):
            self._later(tp, self._look_again)

    def _refused(self, reason: str, tp: TP) -> None:
        self.monitor.refused(reason)
        self.signals.emit("refused", reason=reason, tp=tp)

    def _report(self) -> None:
        self.monitor.partitions(len(self.lanes), len(self.stopped))

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run something beside the loop; :meth:`close` ends it."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._reap)
        return task

    def _reap(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("work beside the loop failed", exc_info=error)

    async def close(self) -> None:
        """End everything; what is not committed will be repeated."""
        self.is_closing = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def at(tp: TP, offset: int | None = None) -> dict[str, object]:
    """What a log line about a partition has beside its text."""
    found: dict[str, object] = {"topic": tp.topic, "partition": tp.partition}
    return found if offset is None else {**found, "offset": offset}


def _step(part: Part) -> Step:
    return Step(
        part.next_offset, part.states, part.marks, part.next_days, part.day, None, part.counts, part.index
    )
