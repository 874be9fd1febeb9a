"""Carries out what dispatch has decided to send, and says in its log what came of it.

A message is sent after the commit that holds the decision, and after a look whether the partition is
still ours. What came of it is appended to the log; so if a worker dies in between, the message is decided
and not answered. Whoever takes the partition over first applies all of the log that was there when it
came, because answers may be in it, and then sends what is still unanswered, under the same key: at least
once, and twice only where the answer was lost.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from agents.channels.secrets import missing
from agents.channels.sender import Sender
from agents.dispatch import Delivery, DispatchStage, routes_key
from agents.lanes import Lane, Part, at
from agents.ledger import FencedError
from agents.stage import Engine
from casework.alerts.decide import unanswered
from casework.alerts.inputs import ROUTES_KEY, decode_held, encode_result, encode_routes
from casework.alerts.instants import NEVER, UNANSWERED
from casework.alerts.intents import Result
from casework.alerts.state import decode
from streams.errors import LedgerError, TransportError
from streams.records import ALERTS

logger = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Messages under way by one channel; its rate bounds how many come."""

AGAIN_SECONDS: Final = 1.0
LONGEST_DRAIN_SECONDS: Final = 22.0
"""A worker has 30 s to leave in, and a group waits a minute for its members."""
_OWN_SECONDS: Final = 7.0
"""Beyond a channel's timeout: 5 s in which apprise may overstep it, and the way to the log."""

_Name = tuple[str, str, str]
"""Message, channel, member: one recipient's."""


@dataclass(slots=True)
class _Job:
    """A delivery under way.

    Attributes:
        lane: the latest claim of its partition.
        began: whether it may have left already.
        is_off: it must not leave any more.
        is_answered: the log has its answer.
        is_applied: the state of its district has an answer.
    """

    lane: Lane
    attempt: int
    task: asyncio.Task[None] | None = None
    began: bool = False
    is_off: bool = False
    is_answered: bool = False
    is_applied: bool = False

    @property
    def counts(self) -> bool:
        """Whether it needs no other: it is going to leave, has left, or is answered."""
        is_over = self.task is not None and self.task.done()
        return self.is_answered or not (self.is_off or is_over)

    @property
    def may_leave(self) -> bool:
        """Whether it still is to be sent, from a partition that is not lost or about to be given up."""
        return not (self.is_off or self.lane.is_dropped or self.lane.is_closing)


class Deliveries:
    """Sends for the partitions of ``alerts`` that a worker owns.

    Args:
        environment: where secrets come from.
        sender: of tests.
    """

    def __init__(
        self,
        engine: Engine,
        stage: DispatchStage,
        *,
        environment: Mapping[str, str] = os.environ,
        sender: Sender | None = None,
    ) -> None:
        self._engine = engine
        self._stage = stage
        self._environment = environment
        self._sender = sender
        self._session: aiohttp.ClientSession | None = None
        self._jobs: dict[_Name, _Job] = {}
        """Until their answer is applied; one that is answered may still look unanswered in the ledger."""
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._behind: dict[Lane, int] = {}
        """Lanes that have not applied all of the log as they found it, and where it ended."""
        engine.on_commit.append(self.committed)
        engine.holding.on_drain.append(self.settled)
        # Who leaves waits for the answers to what has left, so that nobody sends it again.
        longest = max((one.timeout_seconds for one in stage.routes.channels.values()), default=0)
        needed = min(longest + _OWN_SECONDS, LONGEST_DRAIN_SECONDS)
        engine.holding.drain_seconds = max(engine.holding.drain_seconds, needed)
        stage.begun = self.begun

    async def start(self) -> None:
        """Get ready to send; tell which secrets are missing: until they are set their channels fail."""
        for what in missing(self._stage.routes, self._environment):
            logger.error("a channel of the routes cannot be used: %s", what)
        if self._sender is None:
            self._session = aiohttp.ClientSession()
            self._sender = Sender(self._stage.routes, self._environment, self._session)

    async def close(self) -> None:
        """Let go of connections; what is under way was waited for before (:meth:`settled`)."""
        if self._session is not None:
            await self._session.close()

    # -- what there is to send -------------------------------------------------------------------------
    def begun(self, lane: Lane) -> None:
        """A lane was claimed."""
        if lane.next < lane.end:
            self._behind[lane] = lane.end
        else:
            self._engine.spawn(self._resume(lane))

    def committed(self, lane: Lane, part: Part) -> None:
        """A part is through: send what it decided, once no answer to that can be in the log any more."""
        is_behind = lane in self._behind
        for one in part.after:
            if isinstance(one, Result):
                self._applied(one)
            elif not is_behind:
                self._start(lane, one)
        if part.next_offset >= self._behind.get(lane, NEVER):
            self._engine.spawn(self._resume(lane))
            del self._behind[lane]
        for lost in [one for one in self._behind if one.is_dropped]:
            del self._behind[lost]

    async def _resume(self, lane: Lane) -> None:
        """Send what was decided before our time and is not answered; then let our own routes hold."""
        engine, tp = self._engine, lane.tp
        while not lane.is_dropped:
            try:
                # Or an answer could be applied meanwhile, and what is found is from before it.
                async with lane.at_rest():
                    in_log = await self._send_unanswered(lane)
            except FencedError:
                return  # the next commit finds out for itself
            except (TransportError, LedgerError) as error:
                logger.warning("%s-%d: cannot see what is unanswered yet: %s", tp.topic, tp.partition, error)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            await self._announce(lane, in_log)
            engine.signals.emit("resumed", tp=tp)
            return

    async def _send_unanswered(self, lane: Lane) -> bytes | None:
        """Start what the ledger holds as unanswered; the routes that it holds, if any."""
        ledger, stage, tp = self._engine.ledger, self._stage, lane.tp
        # Whatever flies is due some time, so it has its place there.
        found = await ledger.next_due(stage.name, tp.topic, tp.partition, UNANSWERED, -1)
        keys = [key for key, _ in found]
        held = [routes_key(lane)] if ROUTES_KEY in lane.marks else []
        raws = await ledger.load(lane.claim, [*keys, *held])
        in_log = raws[-1] if held else None
        routes = stage.read_state(in_log) if held else stage.routes
        for key, raw in zip(keys, raws, strict=False):
            if raw is not None:
                state = decode(raw)
                for send in unanswered(state, routes):
                    self._start(lane, Delivery(key, send, state.now))
        return in_log

    async def _announce(self, lane: Lane, in_log: bytes | None) -> None:
        """Write into the log that our own routes hold from here on, unless those that it has are they.

        Also where it has some that do not fit the policy any more, for which our own stand in.
        """
        own = self._stage.routes
        is_known = in_log is not None and decode_held(in_log).digest == own.digest
        if is_known or not own.text or lane.is_closing:
            return
        # In simulated time this says nothing about the time.
        stamp = 0 if self._stage.clock == "log" else None
        record = encode_routes(own.digest, own.text)
        producer = self._engine.producer
        producer.append(ALERTS, ROUTES_KEY.encode(), record, partition=lane.partition, timestamp=stamp)
        await producer.send()

    def _start(self, lane: Lane, delivery: Delivery) -> None:
        if lane.is_dropped or lane.is_closing:
            return  # whoever claims it next sends it
        send = delivery.send
        name = (send.message, send.channel, send.member)
        older = self._jobs.get(name)
        if older is not None and older.counts:
            if older.attempt >= send.attempt:
                older.lane = lane  # it may have been claimed again
                return
            older.is_off = True  # it waits so long that it counts as failed
        job = self._jobs[name] = _Job(lane, send.attempt)
        job.task = self._engine.spawn(self._carry_out(delivery, name, job))
        job.task.add_done_callback(lambda _: self._ended(name, job))

    def _ended(self, name: _Name, job: _Job) -> None:
        if self._jobs.get(name) is job and (job.is_applied or not job.is_answered):
            del self._jobs[name]

    def _applied(self, result: Result) -> None:
        """The ledger knows what came of an attempt."""
        name = (result.message, result.channel, result.member)
        job = self._jobs.get(name)
        if job is None or job.attempt > result.attempt:
            return
        job.is_off = job.is_applied = True
        if job.is_answered:
            del self._jobs[name]

    # -- sending ---------------------------------------------------------------------------------------
    async def _carry_out(self, delivery: Delivery, name: _Name, job: _Job) -> None:
        send, engine, tp = delivery.send, self._engine, job.lane.tp
        assert self._sender is not None, "start() comes first"
        slots = self._slots.setdefault(send.channel, asyncio.Semaphore(AT_ONCE))
        async with slots:
            if not await self._is_ours(job):
                return  # whoever has the partition now sends it
            job.began = True
            engine.signals.emit("delivering", tp=tp, key=send.key, member=send.member)
            try:
                result = await self._sender.send(send)
            except Exception as error:  # noqa: BLE001 - of a service's own code; its text may hold an address
                logger.error("a message by %s failed in the program: %s", send.channel, type(error).__name__)
                result = Result(*name, send.attempt, "failed", "program")
        engine.signals.emit("delivered", tp=tp, key=send.key, member=send.member)
        if result.outcome != "sent":
            logger.warning(
                "a message by %s: %s, %s", send.channel, result.outcome, result.reason, extra=at(tp)
            )
        stamp = delivery.at // 1000 if self._stage.clock == "log" else None
        engine.producer.append(
            ALERTS, delivery.key.encode(), encode_result(result), partition=tp.partition, timestamp=stamp
        )
        await engine.producer.send()
        job.is_answered = True
        engine.signals.emit("answered", tp=tp, key=send.key, member=send.member)

    async def _is_ours(self, job: _Job) -> bool:
        """Ask the ledger, so that a worker that has hung while another took over sends nothing."""
        while job.may_leave:
            lane = job.lane
            try:
                await self._engine.ledger.load(lane.claim, [ROUTES_KEY])  # no state has this key
            except FencedError:
                if job.lane is lane:
                    return False
            except (TransportError, LedgerError) as error:
                logger.warning("messages wait for the ledger: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return job.may_leave
        return False

    async def settled(self) -> None:
        """Call off what has not left, and wait for the answers to what has: before partitions are given up.

        Whoever comes next finds the answers in the log, and sends the rest.
        """
        for job in self._jobs.values():
            job.is_off = job.is_off or not job.began
        while True:
            left = [job.task for job in self._jobs.values() if job.began and job.task is not None]
            under_way = [task for task in left if not task.done()]
            if not under_way:
                break
            await asyncio.wait(under_way)
        # The next claim reads the log's end after these answers.
        self._jobs.clear()
