"""A worker's page for Prometheus, probes and ``hearthwatch status``, served from its own event loop.

``/metrics``: Prometheus's text format. ``/healthz``: 200 while the worker is alive. ``/readyz``: JSON (see
:meth:`Outlook.ready`), 200 if it is assigned, has claimed what it was assigned and is connected, else 503.
An answer from the loop itself also says that the loop turns.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from agents.metric_definitions import WAITING
from agents.metrics import CONTENT_TYPE, Labels, StageMetrics
from casework.cases.case import TIERS
from streams.errors import SettingsError

logger = logging.getLogger(__name__)

REQUEST_SECONDS: Final = 5.0
_STATUS: Final = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


class Outlook:
    """What can be seen of a running worker (``agents.app.Worker``) from outside."""

    def __init__(self, worker: Any, metrics: StageMetrics, *, now: Callable[[], float] = time.time) -> None:
        self._worker = worker
        self._now = now
        self._metrics = metrics
        stage = metrics.stage
        series = metrics.series
        series.watch("hearthwatch_lag_records", self._lag)
        series.watch("hearthwatch_households", self._households)
        series.watch("hearthwatch_cases", lambda: self._counted("open/"))
        series.watch("hearthwatch_cases_late", self._late)
        series.watch("hearthwatch_alerts_waiting", self._waiting)
        series.watch("hearthwatch_alert_messages_unsent", self._unsent)
        series.watch("hearthwatch_partition_day", self._days)
        series.watch("hearthwatch_partition_day_age_seconds", self._day_ages)
        series.watch("hearthwatch_effects_waiting", lambda: {(stage,): worker.producer.waiting})
        series.watch(
            "hearthwatch_redis_connected", lambda: {(stage,): float(worker.ledger.link.is_connected)}
        )
        series.watch("hearthwatch_ready", lambda: {(stage,): float(self.ready()["ready"])})

    def ready(self) -> dict[str, Any]:
        """What ``/readyz`` answers.

        ``stage``, ``worker``, ``pid``; ``ready``; ``why`` not, in a few words; ``assigned``, ``owned`` and
        ``stopped`` numbers of partitions; ``lag`` by topic; ``waiting`` for acks; ``events``, worked through
        since the start.
        """
        worker = self._worker
        engine = worker.engine
        assigned = self._assigned()
        why = ""
        if worker.failure is not None:
            why = "it failed and is about to leave"
        elif engine.stopped:
            tp, reason = next(iter(engine.stopped.items()))
            why = f"{tp.topic}-{tp.partition} is stopped: {reason}"
        elif assigned is None:
            why = "it is joining its consumer group"
        elif missing := len(assigned - set(engine.lanes)):
            why = f"{missing} of {len(assigned)} partitions are not claimed yet"
        elif not worker.ledger.link.is_connected:
            why = "Redis does not answer"
        elif any(worker.backlog.end(tp) is None for tp in engine.lanes):
            why = "Kafka has not answered its first fetch yet, so its lag is not known"
        return {
            "stage": self._metrics.stage,
            "worker": worker.config.worker,
            "pid": os.getpid(),
            "ready": not why,
            "why": why,
            "assigned": len(assigned or ()),
            "owned": len(engine.lanes),
            "stopped": len(engine.stopped),
            "lag": {topic: number for (_, topic), number in self._lag().items()},
            "waiting": worker.producer.waiting,
            "events": self._metrics.series.total("hearthwatch_records_total"),
        }

    def _assigned(self) -> set[Any] | None:
        """Partitions that the group gave this worker; None before it joined."""
        app = self._worker.app
        if not app.consumer_generation_id:
            return None
        try:
            return set(app.consumer.assignment())
        except AttributeError:  # its thread has not made the client yet
            return None

    def _lag(self) -> Mapping[Labels, float]:
        stage = self._metrics.stage
        return {(stage, topic): number for topic, number in self._worker.backlog.by_topic().items()}

    def _households(self) -> Mapping[Labels, float]:
        levels: Counter[Labels] = Counter()
        if self._metrics.stage != "household":
            return levels
        for lane in list(self._worker.engine.lanes.values()):
            for level, number in lane.claim.counts.items():
                levels[level,] += number
        return levels

    def _counted(self, kind: str) -> dict[Labels, float]:
        """Counters of the owned partitions of which the name begins so; its other words are the labels."""
        found: dict[Labels, float] = {}
        for lane in list(self._worker.engine.lanes.values()):
            for name, number in lane.claim.counts.items():
                if name.startswith(kind):
                    labels = tuple(name.split("/")[1:])
                    found[labels] = found.get(labels, 0) + number
        return found

    def _late(self) -> Mapping[Labels, float]:
        if self._metrics.stage != "cases":
            return {}
        return {(tier,): 0.0 for tier in TIERS} | self._counted("late/")

    def _waiting(self) -> Mapping[Labels, float]:
        if self._metrics.stage != "dispatch":
            return {}
        return {(why,): 0.0 for why in WAITING} | self._counted("waiting/")

    def _unsent(self) -> Mapping[Labels, float]:
        return {(): 0.0} | self._counted("unsent") if self._metrics.stage == "dispatch" else {}

    def _days(self) -> Mapping[Labels, float]:
        return {
            (tp.topic, str(tp.partition)): lane.claim.day
            for tp, lane in list(self._worker.engine.lanes.items())
            if lane.claim.day is not None
        }

    def _day_ages(self) -> Mapping[Labels, float]:
        """Empty but for a household worker by the wall clock: no other day follows this machine's."""
        worker = self._worker
        if worker.midnights is None:
            return {}
        now = self._now()
        calendar = worker.stage.rules.calendar
        ages: dict[Labels, float] = {}
        for tp, lane in list(worker.engine.lanes.items()):
            if lane.claim.day is None:
                continue
            over = calendar.midnight_of(lane.claim.day + 1) or calendar.midnight_of(lane.claim.day + 2)
            ages[tp.topic, str(tp.partition)] = max(0.0, now - over / 1e6)
        return ages


class MetricsServer:
    """Serves one worker's outlook on a port of its own."""

    def __init__(self, outlook: Outlook, metrics: StageMetrics, *, host: str, port: int) -> None:
        self._outlook = outlook
        self._metrics = metrics
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; returns the port.

        Raises:
            SettingsError: the port is taken.
        """
        try:
            self._server = await asyncio.start_server(self._answer, self._host, self._port, limit=16_384)
        except OSError as error:
            stage = self._metrics.stage
            raise SettingsError(
                f"metrics cannot be served on {self._host}:{self._port} ({error.strerror or error}): choose"
                f" another port with HEARTHWATCH_{stage.upper()}_METRICS_PORT (0: any free one)"
            ) from None
        port: int = self._server.sockets[0].getsockname()[1]
        logger.info("metrics at http://%s:%d/metrics", self._host, port)
        return port

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = self._respond(head)
                reply = (
                    f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(reply.encode() + (b"" if head.startswith(b"HEAD") else body))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has left, or never asked properly
        finally:
            writer.close()

    def _respond(self, head: bytes) -> tuple[int, str, bytes]:
        method, _, rest = head.partition(b" ")
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if method not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"GET only\n"
        if path == b"/metrics":
            return 200, CONTENT_TYPE, self._metrics.series.text()
        if path == b"/healthz":
            return 200, "text/plain", b"alive\n"
        if path == b"/readyz":
            ready = self._outlook.ready()
            return 200 if ready["ready"] else 503, "application/json", orjson.dumps(ready) + b"\n"
        return 404, "text/plain", b"/metrics, /healthz or /readyz\n"
