"""Carries out what dispatch has decided to send, and says in its log what came of it.

A message is sent after the commit that holds the decision, and after a look whether the partition is
still ours. What came of it is appended to the log; so if a worker dies in between, the message is decided
and not answered. Whoever takes the partition over first applies all of the log that was there when it
came, because answers may be in it, and then sends again what is still unanswered, under the same key: at
least once, and twice only where the answer was lost.
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
from agents.lanes import Lane, Part
from agents.ledger import FencedError
from agents.stage import Engine, at
from casework.alerts.decide import unanswered
from casework.alerts.inputs import ROUTES_KEY, encode_result, encode_routes
from casework.alerts.intents import Result
from casework.alerts.routes import Routes
from casework.alerts.state import NEVER, UNANSWERED, decode
from streams.errors import LedgerError, TransportError
from streams.records import ALERTS

logger = logging.getLogger(__name__)

AT_ONCE: Final = 16
"""Messages under way by one channel; its rate bounds how many come."""

AGAIN_SECONDS: Final = 1.0

_Name = tuple[str, str, str]
"""Message, channel, member: one recipient's."""


@dataclass(slots=True)
class _Job:
    """A delivery under way.

    Attributes:
        began: whether it may have left already.
    """

    attempt: int
    task: asyncio.Task[None] | None = None
    began: bool = False


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
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._behind: dict[Lane, int] = {}
        """Lanes that have not applied all of the log as it was when they were claimed, and where that ended."""
        engine.on_commit.append(self.committed)
        engine.on_drain.append(self.settled)
        stage.begun = self.begun

    async def start(self) -> None:
        """Get ready to send; tell which secrets are missing: messages by their channels fail until they are set."""
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
        """A part is through: send what it decided."""
        for delivery in part.after:
            self._start(lane, delivery)
        if part.next_offset >= self._behind.get(lane, NEVER):
            self._engine.spawn(self._resume(lane))
            del self._behind[lane]
        for lost in [one for one in self._behind if one.is_dropped]:
            del self._behind[lost]

    async def _resume(self, lane: Lane) -> None:
        """Send what was decided before our time and is not answered; then let our own routes hold."""
        engine, stage, tp = self._engine, self._stage, lane.tp
        while not lane.is_dropped:
            try:
                # Whatever flies is due some time, so it has its place there.
                found = await engine.ledger.next_due(stage.name, tp.topic, tp.partition, UNANSWERED, -1)
                keys = [key for key, _ in found]
                held = [routes_key(lane)] if ROUTES_KEY in lane.marks else []
                raws = await engine.ledger.load(lane.claim, [*keys, *held])
            except FencedError:
                return  # the next commit finds out for itself
            except (TransportError, LedgerError) as error:
                logger.warning("%s-%d: cannot see what is unanswered yet: %s", tp.topic, tp.partition, error)
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            routes = stage.routes if not held else stage.read_state(raws[-1])
            for key, raw in zip(keys, raws, strict=False):
                if raw is not None:
                    state = decode(raw)
                    for send in unanswered(state, routes):
                        self._start(lane, Delivery(key, send, state.now))
            await self._announce(lane, routes)
            engine.signals.emit("resumed", tp=tp)
            return

    async def _announce(self, lane: Lane, holding: Routes) -> None:
        """Write into the log that our own routes hold from here on, unless they do."""
        own = self._stage.routes
        is_known = holding.digest == own.digest and ROUTES_KEY in lane.marks
        if is_known or not own.text:
            return
        # In simulated time this says nothing about the time.
        stamp = 0 if self._stage.clock == "log" else None
        record = encode_routes(own.digest, own.text)
        producer = self._engine.producer
        producer.append(ALERTS, ROUTES_KEY.encode(), record, partition=lane.partition, timestamp=stamp)
        await producer.send()

    def _start(self, lane: Lane, delivery: Delivery) -> None:
        send = delivery.send
        name = (send.message, send.channel, send.member)
        older = self._jobs.get(name)
        if older is not None:
            if older.attempt >= send.attempt:
                return  # it was claimed again, and is under way
            if not older.began and older.task is not None:
                older.task.cancel()  # it waits so long that it counts as failed
        job = self._jobs[name] = _Job(send.attempt)
        job.task = self._engine.spawn(self._carry_out(lane, delivery, job))
        job.task.add_done_callback(lambda _: self._forget(name, job))

    def _forget(self, name: _Name, job: _Job) -> None:
        if self._jobs.get(name) is job:
            del self._jobs[name]

    # -- sending ---------------------------------------------------------------------------------------
    async def _carry_out(self, lane: Lane, delivery: Delivery, job: _Job) -> None:
        send, engine = delivery.send, self._engine
        assert self._sender is not None, "start() comes first"
        slots = self._slots.setdefault(send.channel, asyncio.Semaphore(AT_ONCE))
        async with slots:
            if not await self._is_ours(lane):
                return  # whoever has the partition now sends it
            job.began = True
            engine.signals.emit("delivering", tp=lane.tp, key=send.key, member=send.member)
            try:
                result = await self._sender.send(send)
            except Exception as error:  # noqa: BLE001 - of a service's own code; its text may hold an address
                logger.error("a message by %s failed in the program: %s", send.channel, type(error).__name__)
                result = Result(send.message, send.channel, send.member, send.attempt, "failed", "program")
        engine.signals.emit("delivered", tp=lane.tp, key=send.key, member=send.member)
        if result.outcome != "sent":
            logger.warning(
                "message %s by %s: %s, %s", send.message, send.channel, result.outcome, result.reason,
                extra=at(lane.tp),
            )  # fmt: skip
        stamp = delivery.at // 1000 if self._stage.clock == "log" else None
        engine.producer.append(
            ALERTS, delivery.key.encode(), encode_result(result), partition=lane.partition, timestamp=stamp
        )
        await engine.producer.send()
        engine.signals.emit("answered", tp=lane.tp, key=send.key, member=send.member)

    async def _is_ours(self, lane: Lane) -> bool:
        """Ask the ledger, so that a worker that has hung while another took over sends nothing."""
        while not lane.is_dropped:
            try:
                await self._engine.ledger.load(lane.claim, [ROUTES_KEY])  # no state has this key
            except FencedError:
                return False
            except (TransportError, LedgerError) as error:
                logger.warning("messages wait for the ledger: %s", error)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return True
        return False

    async def settled(self) -> None:
        """Wait until nothing is under way: before partitions are given up, so that their log has the answers."""
        while self._jobs:
            await asyncio.wait([job.task for job in self._jobs.values() if job.task is not None])
