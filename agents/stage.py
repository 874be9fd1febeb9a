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
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final

from agents.deciding import Monitor, Silent, Stage
from agents.holding import Holding
from agents.lanes import Lane, Part, at
from agents.ledger import FencedError, Ledger, Step
from agents.poison import SetAside
from agents.rounds import Rounds
from agents.signals import Signals
from streams.batches import Consumer
from streams.errors import LedgerError, TransportError
from streams.producer import OrderedProducer
from streams.slices import Batch

logger = logging.getLogger(__name__)

#: Parts of a lane that wait for acks or their commit, before the next one has to wait.
DEPTH: Final = 2


class Engine:
    """Runs a stage on the partitions that this worker owns.

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
        self.holding = Holding(self)
        """Claims partitions and gives them up."""
        self.lanes, self.stopped = self.holding.lanes, self.holding.stopped
        self._set_aside = set_aside
        self.look: Callable[[], Awaitable[None]] | None = None
        """Finds out what a part that is early has to know."""
        self.on_beyond: Callable[[BaseException], None] | None = None
        """Told that only a newer program can go on: one that is there takes over from whoever leaves."""
        self._consumer: Callable[[], Consumer] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Lock()
        """One lane's work between batches at a time: a midnight of all holds records up by one chunk."""
        self.is_closing = False
        self._rounds = Rounds(self)
        self.on_commit: list[Callable[[Lane, Part], None]] = []
        """Called after each commit."""

    def bind(self, consumer: Callable[[], Consumer]) -> None:
        """Say where the app's consumer is found; it does not exist before the app starts."""
        self._consumer = consumer

    @property
    def consumer(self) -> Consumer:
        """The app's consumer."""
        assert self._consumer is not None, "bind() comes first"
        return self._consumer()

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
            if not self.holding.is_live(lane):
                return False
            try:
                keys = await due()
                await self.load(lane, keys)
                if not (keys or always) or not self.holding.is_live(lane):
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
        if self.holding.went_on(lane):
            self.consumer.done(tp, part.next_offset)
        self.monitor.committed(lane, part)
        for tell in self.on_commit:
            tell(lane, part)
        self.signals.emit("committed", tp=tp, offset=part.next_offset, states=len(part.states))

    # -- when it does not go well --------------------------------------------------------------------
    def failed(self, lane: Lane, error: Exception, offset: int) -> None:
        """A part of a lane, or its commit, came to nothing."""
        if isinstance(error, FencedError):
            if not lane.is_dropped:
                self.holding.refused("fenced", lane.tp)
            self.holding.drop(lane, str(error))
        elif isinstance(error, TransportError):
            self.holding.drop(lane, str(error))
        elif isinstance(error, LedgerError):
            self.holding.halt(lane, error)
        else:
            # Not one record's fault, those are set aside: a fault of this program.
            tp = lane.tp
            logger.error(
                "%s-%d: cannot go on at offset %d", tp.topic, tp.partition, offset,
                exc_info=error, extra=at(tp, offset),
            )  # fmt: skip
            self.holding.drop(lane, "the program failed")

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


def _step(part: Part) -> Step:
    return Step(
        part.next_offset, part.states, part.marks, part.next_days, part.day, None, part.counts, part.index
    )
