"""A Faust transport that hands an agent whole fetches: broker ``batched://``.

Faust passes records one by one, 230 to 290 us each. Here one Faust message stands for one fetch: its value is
a *batch*, a list of :class:`~streams.slices.Slice`, one for each partition that had records. Where a
partition starts, and how far it is, is asked of the app's :class:`~streams.slices.PartitionOwner`, not of
Kafka's committed offsets, which are kept up to date for lag monitors only. Faust's own bookkeeping of acks is
not used (topics say ``acks=False``).

Only subclasses, nothing is patched. What each override is there for stands beside it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import faust
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError
from faust.serializers.codecs import Codec
from faust.transport.consumer import ensure_TP
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage

from streams.fetching import SMALL_FETCH, Fetching
from streams.slices import Batch, PartitionOwner, Seat, Slice

__all__ = ["SMALL_FETCH", "BatchApp", "Consumer", "Producer", "Transport", "Untouched"]

logger = logging.getLogger(__name__)

#: How long a batch may be worked on before the next one is asked for all the same.
PATIENCE_SECONDS: Final = 10.0


class Untouched(Codec):
    """Lets a batch through Faust's decoding as it is."""

    def _loads(self, s: Any) -> Any:
        return s

    def _dumps(self, s: Any) -> Any:
        return s


class BatchApp(faust.App):
    """A Faust app on the ``batched://`` transport.

    Args:
        owner: see :class:`PartitionOwner`.
        kafka: arguments of aiokafka's clients (``bootstrap_servers``, ``security_protocol``, ...).
        consumer: further arguments of its consumer.
        max_outstanding: records that may be handed out and not done, before fetching stops.
        on_failure: called when the app cannot go on.
    """

    def __init__(
        self,
        *args: Any,
        owner: PartitionOwner,
        kafka: Mapping[str, Any],
        consumer: Mapping[str, Any] | None = None,
        max_outstanding: int = 20_000,
        on_failure: Callable[[BaseException], None] | None = None,
        **options: Any,
    ) -> None:
        self.owner = owner
        self.kafka_options = dict(kafka)
        self.consumer_options = dict(consumer or {})
        self.max_outstanding = max_outstanding
        self._on_failure = on_failure
        # aiokafka's sticky assignor keeps what it knows in the class: two groups in one process need two.
        self.partition_assignor = type("GroupAssignor", (StickyPartitionAssignor,), {})
        super().__init__(*args, **options)

    def _crash(self, reason: BaseException) -> None:
        # Faust's worker would end the process; whoever runs the app decides.
        super()._crash(reason)
        if self._on_failure is not None:
            self._on_failure(reason)

    def _create_directories(self) -> None:
        """None: there are no tables."""


class _NoReadOffsets(dict[TP, int | None]):
    """Faust drops a message below the offset that it read last. A batch of several partitions has no offset
    of its own, and after a seek back such a drop would be silent; the chain of slices is checked instead.
    """

    def __getitem__(self, tp: TP) -> int | None:
        return None


class Consumer(driver.Consumer):
    """Fetches batches and keeps positions."""

    app: BatchApp

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._read_offset = _NoReadOffsets()
        self._seats: dict[TP, Seat] = {}
        self._done: dict[TP, int] = {}
        self._outstanding = 0
        self._seeks = 0
        self._room = asyncio.Event()
        self._untaken = False
        self._taken = asyncio.Event()
        self._handed_out_at = 0.0
        self._claimed_generation: int | None = None
        self._claiming: dict[TP, asyncio.Task[None]] = {}
        self.overlapped_fetches = 0
        """Slices that were fetched while a seek was under way, and dropped."""
        self.offset_gaps = 0
        """Slices that did not begin where the one before ended: compaction, or data lost to retention."""

    def _new_consumer_thread(self) -> Fetching:
        return Fetching(self, loop=self.loop, beacon=self.beacon)

    # -- where to start -----------------------------------------------------------------------------

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Start what was assigned; Faust calls this when it resumes after an assignment.

        It also calls it, with the old generation, when a fetch returns during a revocation: nothing may be
        claimed then, or the commits that are under way would be refused.
        """
        generation = self.app.consumer_generation_id
        if generation == self._claimed_generation:
            return {}
        self._claimed_generation = generation
        assigned = self.assignment()
        self.app.owner.keep_only(assigned)
        for old in self._claiming.values():
            old.cancel()
        self._claiming.clear()
        for tp in list(self._seats):
            self._unseat(tp)
        task = self._begin(assigned)
        if task is not None:
            # Faust gives this 90 s and then ends the worker; a claim waits for Redis as long as it takes.
            await asyncio.wait([task], timeout=5.0)
        return {}

    def reclaim(self, tp: TP) -> bool:
        """Go back to where the owner's next claim says that this partition stands.

        Returns:
            False if a claim is under way already, whose end is not known: ask again later.
        """
        self._unseat(tp)
        return tp not in self.assignment() or self._begin({tp}) is not None

    def halt(self, tp: TP) -> None:
        """Fetch nothing of a partition until :meth:`reclaim` or the next assignment."""
        self._unseat(tp)
        self.pause_partitions({tp})

    def _begin(self, tps: Iterable[TP]) -> asyncio.Task[None] | None:
        wanted = {tp for tp in tps if tp not in self._claiming}
        if not wanted:
            return None
        self.pause_partitions(wanted)
        task = asyncio.ensure_future(self._claim_and_seek(wanted, self.app.consumer_generation_id))
        self._claiming.update(dict.fromkeys(wanted, task))
        task.add_done_callback(self._claim_ended)
        return task

    def _claim_ended(self, task: asyncio.Task[None]) -> None:
        for tp in [tp for tp, one in self._claiming.items() if one is task]:
            del self._claiming[tp]
        if not task.cancelled() and task.exception() is not None:
            logger.error("partitions could not be started", exc_info=task.exception())

    async def _claim_and_seek(self, tps: set[TP], generation: int) -> None:
        offsets = dict(await self.app.owner.claim(tps, generation))
        delay = 0.1
        while offsets and generation == self.app.consumer_generation_id:
            try:
                await self._sit(offsets)
            except (TimeoutError, KafkaError, OSError) as error:
                if isinstance(error, IllegalStateError):  # revoked meanwhile
                    return
                logger.warning("kafka does not answer (%r); seeking again", error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                return

    async def _sit(self, offsets: Mapping[TP, int]) -> None:
        earliest = await self.earliest_offsets(*offsets)
        ends = await self.highwaters(*offsets)
        good = {tp: at for tp, at in offsets.items() if self.app.owner.admit(tp, at, earliest[tp], ends[tp])}
        if not good:
            return
        await self.seek_wait(good)
        self._seeks += 1
        for tp, at in good.items():
            self._unseat(tp)
            self._seats[tp] = Seat(tp, at, self._seeks)
        self.taken()  # what was handed out before may have been thrown away
        self.resume_partitions(good)

    def _unseat(self, tp: TP) -> None:
        seat = self._seats.pop(tp, None)
        if seat is not None:
            self._outstanding -= seat.outstanding
            self._make_room()

    # -- fetching -----------------------------------------------------------------------------------

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Mapping[TP, list[Batch]]:  # noqa: ASYNC109
        if self._outstanding >= self.app.max_outstanding:
            self._room.clear()
            try:
                await asyncio.wait_for(self._room.wait(), timeout)
            except TimeoutError:
                return {}
        if self._untaken:
            try:
                await asyncio.wait_for(self._taken.wait(), timeout)
            except TimeoutError:
                if self.loop.time() - self._handed_out_at < PATIENCE_SECONDS:
                    return {}
                self._untaken = False  # the owner waits for Redis; who polls too seldom leaves the group
        seeks = self._seeks
        fetched = await super()._getmany(active_partitions, timeout)
        batch: Batch = []
        again: dict[TP, int] = {}
        count = 0
        generation = self.app.consumer_generation_id
        for kafka_tp, records in fetched.items():
            tp = ensure_TP(kafka_tp)
            seat = self._seats.get(tp)
            if not records or seat is None:
                continue
            if seat.seeked > seeks or records[0].offset < seat.position:
                self.overlapped_fetches += 1
                again[tp] = seat.position
                continue
            if records[0].offset > seat.position:
                # Nothing is between; or a fetch returned between a seek and its seat and was given to nobody,
                # and Kafka's position went on. Only what a second fetch passes over as well is not there.
                if seat.gap != records[0].offset:
                    seat.gap = records[0].offset
                    again[tp] = seat.position
                    continue
                self.offset_gaps += 1
            seat.gap = None
            part = Slice(seat, records, generation)
            seat.position = part.next
            seat.outstanding += len(records)
            count += len(records)
            batch.append(part)
        self._outstanding += count
        if again:
            await self._seek_again(again)
        if batch and count < SMALL_FETCH:
            self._untaken = True
            self._handed_out_at = self.loop.time()
            self._taken.clear()
        return {batch[0].tp: [batch]} if batch else {}

    async def _seek_again(self, offsets: Mapping[TP, int]) -> None:
        """A fetch that overlapped a seek may have moved Kafka's position: put it where it belongs."""
        try:
            await self.seek_wait(offsets)
        except (TimeoutError, KafkaError, OSError) as error:
            logger.warning("seek of %d partitions failed (%r); claiming them again", len(offsets), error)
            for tp in offsets:
                self.reclaim(tp)
            return
        self._seeks += 1
        for tp in offsets:
            seat = self._seats.get(tp)
            if seat is not None:
                seat.seeked = self._seeks

    def _to_message(self, tp: TP, record: Batch) -> ConsumerMessage:
        last = record[0].records[-1]
        value: Any = record
        return ConsumerMessage(
            tp.topic, tp.partition, last.offset, last.timestamp / 1000, last.timestamp_type,
            None, None, value, None, 0, 0, tp, generation_id=record[0].generation,
        )  # fmt: skip

    def on_buffer_full(self, tp: TP) -> None:
        """Nothing: ``max_outstanding`` holds fetching back. Faust would sleep for a second."""

    def on_buffer_drop(self, tp: TP) -> None:
        """Nothing: see :meth:`on_buffer_full`."""

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Nothing: gaps of offsets only matter to Faust's acks."""

    # -- progress -----------------------------------------------------------------------------------

    def taken(self) -> None:
        """The owner has decided, or dropped, the whole batch that was handed out last."""
        self._untaken = False
        self._taken.set()

    def done(self, tp: TP, next_offset: int) -> None:
        """The owner has committed everything before ``next_offset``."""
        self._done[tp] = next_offset

    def release(self, part: Slice, count: int) -> None:
        """``count`` records of a slice need no more room, whether they were committed or dropped."""
        seat = part.seat
        if self._seats.get(part.tp) is seat:
            seat.outstanding -= count
            self._outstanding -= count
        self._make_room()

    def _make_room(self) -> None:
        if self._outstanding < self.app.max_outstanding:
            self._room.set()

    @property
    def outstanding(self) -> int:
        """Records that were handed out and are not done."""
        return self._outstanding

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        # What Faust commits to Kafka: our progress instead of its acks.
        return (tp for tp in list(self._done) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        return self._done.get(tp)

    # -- leaving ------------------------------------------------------------------------------------

    async def wait_empty(self) -> None:
        """Revocation and shutdown: finish what runs, then tell Kafka how far we are."""
        await self.app.owner.drain()
        await self.commit_and_end_transactions()

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Give partitions up."""
        await super().on_partitions_revoked(revoked)
        for tp in revoked:
            self._done.pop(tp, None)
            self._unseat(tp)

    async def on_stop(self) -> None:
        """Stop what still waits for Redis or Kafka, then leave."""
        for task in list(self._claiming.values()):
            task.cancel()
        await super().on_stop()


class Producer(driver.Producer):
    """Connects to nothing: stages send with :class:`streams.producer.OrderedProducer`."""

    async def on_start(self) -> None:
        """Nothing to start."""

    async def on_stop(self) -> None:
        """Nothing to stop."""

    async def flush(self) -> None:
        """Nothing to flush."""


class Transport(driver.Transport):
    """Found by Faust under the scheme ``batched``."""

    Consumer = Consumer
    Producer = Producer
