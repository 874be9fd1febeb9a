"""The dispatch stage in this process, on topics of one test, with alerts made by hand."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agents.app import Worker, stage_of
from agents.deadlines import append_alert_ticks
from agents.dispatch import routes_key
from agents.lanes import Lane
from agents.signals import Recorder
from casework.alerts.alert import Alert, Resolve
from casework.alerts.inputs import ROUTES_KEY, Clock, RoutesInForce, decode_record, fold
from casework.alerts.intents import Outcome, Send
from casework.alerts.routes import Routes
from casework.alerts.routes_file import read_routes
from casework.alerts.state import State, encode
from casework.cases.case_events import AlertRecord
from rules.policy import Policy
from streams.records import ALERT_EVENTS, ALERTS
from streams.topics import planned
from tests.agents.rig import DEADLINE, Rig
from tests.casework.alerts.a_district import POLICY
from tests.casework.cases.a_case import CATALOG

__all__ = ["Alerts", "Folded", "routes_key", "routes_text"]

ROUTES = """\
routes: live
version: 1
timezone: Asia/Shanghai
link: https://console.example/cases/{case}
desk: desk
defaults: {language: en, group_wait: 30s, group_interval: 5m, repeats: 0}
channels:
  - id: hook
    kind: webhook
    address: "${HOOK_URL}/hook"
    secret: "${HOOK_SECRET}"
    rate: {messages: 1000, per: 1m}
    retry: {first: 10s, most: 5m, tries: 3}
  - id: other
    kind: webhook
    address: "${HOOK_URL}/other"
    secret: "${HOOK_SECRET}"
    rate: {messages: 1000, per: 1m}
    retry: {first: 10s, most: 5m, tries: 3}
teams:
  - {id: desk, tier: district, for: ["420106"], channels: [other]}
  - {id: community, tier: community, for: ["420106007003"], channels: [hook], next: desk}
"""


def routes_text(*changes: tuple[str, str]) -> str:
    """The routes' text with some parts exchanged, each of which stands there."""
    text = ROUTES
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def routes_of(text: str = ROUTES, policy: Policy = POLICY) -> Routes:
    return read_routes("routes.yaml", policy, text.encode())


@dataclass
class Folded:
    """What a pure pass over the log leads to: states by district, outcomes and messages in order."""

    states: dict[str, bytes] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    sends: list[Send] = field(default_factory=list)


class Alerts:
    """Topics, workers of ``dispatch``, and what stands on the topics in the end."""

    def __init__(
        self,
        rig: Rig,
        *,
        clock: Clock = "log",
        partitions: int = 1,
        create: bool = True,
        text: str = ROUTES,
        policy: Policy = POLICY,
        **options: Any,
    ) -> None:
        self.rig = rig
        self.clock: Clock = clock
        self.policy = policy
        self.options = options
        self.routes = routes_of(text, policy)
        plan = planned(
            CATALOG, clock=clock, life_partitions=1, case_partitions=2, alerts_partitions=partitions
        )
        topics = [
            one
            for one in plan
            if one.name in (ALERTS, ALERT_EVENTS, "deadletters") or one.name.endswith(".dispatch")
        ]
        if create:
            rig.topics(
                {one.name: one.partitions for one in topics}, {one.name: one.settings for one in topics}
            )
        self.workers: list[Worker] = []
        self.numbers: defaultdict[str, int] = defaultdict(int)

    def config(self, **changes: Any) -> Any:
        return self.rig.config(**self._files(**changes))

    def _files(self, **changes: Any) -> dict[str, Any]:
        files = {"catalog": CATALOG, "policy": self.policy, "clock": self.clock, "routes": self.routes}
        return {**files, **self.options, **changes}

    def worker(self, **changes: Any) -> tuple[Worker, Recorder]:
        """A worker that is not started."""
        return self.rig.worker(stage_of("dispatch", self.config(**changes)), **self._files(**changes))

    async def start(self, **changes: Any) -> Recorder:
        worker, signals = self.worker(**changes)
        self.workers.append(worker)
        await worker.start()
        return signals

    async def stop(self) -> None:
        """All workers leave, as on SIGTERM."""
        for worker in self.workers:
            await worker.stop()
            self.rig.workers.remove(worker)
        self.workers.clear()

    async def say(self, at: int, *inputs: Alert | Resolve, key: str = "420106") -> None:
        """Append alerts, as cases do, at an instant in microseconds since 1970."""
        records = [(key.encode(), AlertRecord(key, one).body()) for one in inputs]
        await self.append(at, *(value for _, value in records), key=key)

    async def append(self, at: int, *values: bytes, key: str = "420106") -> None:
        """Append records to ``alerts``."""
        await self.rig.send(ALERTS, [(key.encode(), value) for value in values], timestamp_ms=at // 1000)

    async def tick(self, until: int) -> int:
        """Let all that is due up to an instant happen, and be answered."""
        return await append_alert_ticks(
            until,
            kafka=self.rig.kafka,
            ledger=await self.rig.ledger(),
            topic_prefix=self.rig.prefix,
            timeout_seconds=DEADLINE,
        )

    async def states(self) -> dict[str, bytes]:
        """What the ledger holds of districts."""
        ledger = await self.rig.ledger()
        found: dict[str, bytes] = {}
        for number in range(self.rig.partitions[ALERTS]):
            scan = ledger.scan("dispatch", self.rig.prefix + ALERTS, number)
            found |= {key: raw async for key, raw in scan if not key.startswith(ROUTES_KEY)}
        return found

    async def log(self) -> list[tuple[str, int, Any]]:
        """Keys, instants and records of the log."""
        records = await self.rig.read(ALERTS)
        return [
            ((one.key or b"").decode(), one.timestamp * 1000, decode_record(one.value)) for one in records
        ]

    async def fold(self) -> Folded:
        """What one pure pass over the log leads to."""
        folded = Folded()
        for number in range(self.rig.partitions[ALERTS]):
            routes, states = self.routes, dict[str, State]()
            for record in [one for one in await self.rig.read(ALERTS) if one.partition == number]:
                key, read = record.key.decode(), decode_record(record.value)
                if isinstance(read, RoutesInForce):
                    routes = routes_of(read.text, self.policy)
                    continue
                state = states.get(key, State())
                states[key], intents = fold(state, read, record.timestamp * 1000, routes, self.clock)
                folded.outcomes += [one for one in intents if isinstance(one, Outcome)]
                folded.sends += [one for one in intents if isinstance(one, Send)]
            folded.states |= {key: encode(state) for key, state in states.items()}
        return folded

    async def events(self) -> list[dict[str, Any]]:
        """First occurrences on ``alert.events``; a repeat has the same bytes."""
        found: dict[str, bytes] = {}
        for record in await self.rig.read(ALERT_EVENTS):
            event = msgspec.json.decode(record.value)
            assert found.setdefault(event["id"], record.value) == record.value
            assert event["subject"] == f"household/{record.key.decode()}"
        return [msgspec.json.decode(raw) for raw in found.values()]

    async def audit(self) -> Folded:
        """Everything is as one pure pass over the log has it: nothing lost, doubled or invented."""
        folded = await self.fold()
        assert await self.states() == folded.states
        told = sorted((one["type"], one["data"]["alert"], one["time"]) for one in await self.events())
        assert len(told) == len(folded.outcomes)
        assert [one[:2] for one in told] == sorted(
            (f"alert.{one.fate}", one.alert) for one in folded.outcomes
        )
        return folded


def told(requests: Sequence[Any]) -> list[str]:
    """Ids of the alerts in what a web server was sent, by message key once."""
    by_key = {one.headers["Idempotency-Key"]: json.loads(one.body) for one in requests}
    return [alert["id"] for body in by_key.values() for alert in body["alerts"]]


async def committed(signals: Recorder, lane: Lane) -> None:
    """Wait until a lane has applied everything that was read."""
    async with asyncio.timeout(DEADLINE):
        while lane.claim.next_offset < lane.next:
            await signals.wait("committed", after=len(signals.seen))
