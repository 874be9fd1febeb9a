"""The stages of cases in this process, on topics of one test, and a desk that sends commands to them."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from agents.app import StageName, Worker, stage_of
from agents.cases import CAUSE
from agents.deadlines import STEPS, append_case_ticks
from agents.flow import Flow
from agents.signals import Recorder
from casework.cases import state_format
from casework.cases.book import Book
from casework.cases.case import Household, new
from casework.cases.commands import Actor, Command, decode_record, encode_record
from casework.cases.step import step
from rules.calendar import instant_text
from streams.catalog import SUBJECT_ID
from streams.partitions import partition_of
from streams.records import ALERTS, CASE_COMMANDS, CASE_EVENTS, WARNINGS
from streams.topics import planned
from tests.agents.rig import DEADLINE, Rig
from tests.casework.cases.a_case import ANNA, BOOK, CATALOG, COMMUNITY, POLICY

#: In the order of the flow.
RUN: tuple[StageName, ...] = ("forward", "cases")


def warning_body(
    household: str,
    number: int,
    at: int,
    *,
    kind: str = "raised",
    level: str | None = "orange",
    community: str | None = COMMUNITY,
    score: int = 60,
) -> bytes:
    """A record of ``warnings``, as the household stage writes them."""
    because = [{"indicator": "hospital-bills", "dimension": "economy", "tier": "household", "points": 20}]
    data = {
        "household": household,
        "level": level,
        "previous_level": None,
        "score": score,
        "community": community,
        "because": because,
        "cause": {"source": "/wuchang/health", "id": "e1", "subject": "person/p1"},
        "reason": "fact",
    }
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "type": f"warning.{kind}",
            "source": "hearthwatch/wuchang",
            "subject": f"household/{household}",
            "id": f"{household}-{number}",
            "time": instant_text(at),
            "data": data,
        }
    )


@dataclass(frozen=True)
class Folded:
    """What a pure pass over the log leads to: states, events by household and id, bodies of the rest."""

    states: dict[str, bytes]
    events: dict[str, dict[str, bytes]]
    alerts: list[bytes]
    feedback: list[bytes]


class Cases:
    """Topics, workers of ``forward`` and ``cases``, and what stands on the topics in the end."""

    def __init__(
        self,
        rig: Rig,
        *,
        book: Book = BOOK,
        clock: str = "log",
        partitions: int = 2,
        create: bool = True,
        **options: Any,
    ) -> None:
        self.rig = rig
        self.book = book
        self.clock = clock
        self.options = options
        plan = planned(
            CATALOG,
            clock=clock,  # type: ignore[arg-type]
            life_partitions=1,
            warnings_partitions=2,
            case_partitions=partitions,
            alerts_partitions=2,
        )
        wanted = {WARNINGS, CASE_COMMANDS, CASE_EVENTS, ALERTS, "deadletters", f"life.{book.department}"}
        topics = [one for one in plan if one.name in wanted or one.name.endswith((".forward", ".cases"))]
        if create:
            rig.topics(
                {one.name: one.partitions for one in topics}, {one.name: one.settings for one in topics}
            )
        self.workers: dict[StageName, Worker] = {}
        self.signals: dict[StageName, Recorder] = {}
        self._flow: Flow | None = None
        self.numbers: defaultdict[str, int] = defaultdict(int)
        self.sent = 0

    def config(self, **changes: Any) -> Any:
        files = {"catalog": CATALOG, "policy": POLICY, "clock": self.clock, "casebook": self.book}
        return self.rig.config(**{**files, **self.options, **changes})

    async def start(self, *stages: StageName) -> None:
        for name in stages or RUN:
            files = {"catalog": CATALOG, "policy": POLICY, "clock": self.clock, "casebook": self.book}
            self.workers[name], self.signals[name] = self.rig.worker(
                stage_of(name, self.config()), **{**files, **self.options}
            )
        await asyncio.gather(*(self.workers[name].start() for name in stages or RUN))

    async def flow(self) -> Flow:
        if self._flow is None:
            self._flow = Flow(self.rig.kafka, await self.rig.ledger(), prefix=self.rig.prefix)
        return self._flow

    async def warn(self, household: str, at: int, **more: Any) -> None:
        self.numbers[household] += 1
        body = warning_body(household, self.numbers[household], at, **more)
        await self.rig.send(WARNINGS, [(household.encode(), body)])

    async def send(
        self, household: str, name: str, seen: int, *, at: int, by: Actor = ANNA, case: str = "", **data: Any
    ) -> str:
        """Append a command; its id."""
        self.sent += 1
        id = f"c{self.sent}"
        command = Command(id, household, case or f"{household}-1", name, seen, by, "", data)
        await self.append(household, encode_record(command), at)
        return id

    async def append(self, household: str, value: bytes, at: int) -> None:
        """Append a record to ``case.commands``."""
        await self.rig.send(CASE_COMMANDS, [(household.encode(), value)], timestamp_ms=at // 1000)

    async def through(self) -> None:
        """Wait until everything has come through both stages."""
        async with asyncio.timeout(DEADLINE):
            await (await self.flow()).through(STEPS)

    async def tick(self, until: int) -> int:
        """Let deadlines up to an instant pass."""
        return await append_case_ticks(
            until,
            kafka=self.rig.kafka,
            ledger=await self.rig.ledger(),
            topic_prefix=self.rig.prefix,
            timeout_seconds=DEADLINE,
        )

    async def events(self) -> dict[str, list[dict[str, Any]]]:
        """First occurrences on ``case.events`` by household, in order."""
        found: dict[str, dict[str, dict[str, Any]]] = {}
        for record in await self.rig.read(CASE_EVENTS):
            event = msgspec.json.decode(record.value)
            found.setdefault(record.key.decode(), {}).setdefault(event["id"], event)
        return {household: list(events.values()) for household, events in found.items()}

    async def alerts(self) -> list[dict[str, Any]]:
        """First occurrences on ``alerts``."""
        found: dict[tuple[bytes, bytes], dict[str, Any]] = {}
        for record in await self.rig.read(ALERTS):
            cause = dict(record.headers)["hearthwatch.cause"]
            found.setdefault((record.key, cause), msgspec.json.decode(record.value))
        return list(found.values())

    async def states(self) -> dict[str, bytes]:
        """What the ledger holds."""
        return {id: raw async for id, raw in scanned(self.rig, self.rig.partitions[CASE_COMMANDS])}

    async def fold(self) -> Folded:
        """What one pure pass over the log leads to."""
        homes: dict[str, Household] = {}
        events: dict[str, dict[str, bytes]] = {}
        alerts: list[bytes] = []
        feedback: list[bytes] = []
        for record in await self.rig.read(CASE_COMMANDS):
            id = (record.key or b"").decode()
            if re.fullmatch(f"~?{SUBJECT_ID}", id) is None:
                continue  # it is set aside
            homes[id], effects = step(
                homes.get(id, new(id)),
                decode_record(record.value),
                at=record.timestamp * 1000,
                book=self.book,
            )
            for event in effects.events:
                events.setdefault(id, {}).setdefault(event.id, event.body())
            alerts += [alert.body() for alert in effects.alerts]
            feedback += [sent.body for sent in effects.feedback]
        empty = {id for id, home in homes.items() if home == new(id)}
        states = {id: state_format.encode(home) for id, home in homes.items() if id not in empty}
        return Folded(states, events, alerts, feedback)

    async def audit(self) -> Folded:
        """Everything is as one pure pass over the log has it: nothing lost, nothing doubled or invented.

        What stands on a topic twice has the bytes of the first, and first occurrences are in order.
        """
        folded = await self.fold()
        assert await self.states() == folded.states
        events: dict[str, dict[str, bytes]] = {}
        for record in await self.rig.read(CASE_EVENTS):
            body = msgspec.json.decode(record.value)
            first = events.setdefault(record.key.decode(), {}).setdefault(body["id"], record.value)
            # Of a command that is sent again and again the answer is the same, but for its time.
            assert first == record.value or body["type"] in ("case.repeated", "case.refused")
        assert {id: list(some.items()) for id, some in events.items()} == {
            id: list(some.items()) for id, some in folded.events.items()
        }
        alerts: dict[tuple[int, str, int, int], bytes] = {}
        for record in await self.rig.read(ALERTS):
            if CAUSE not in dict(record.headers):
                continue  # of dispatch itself
            topic, number, offset, place = dict(record.headers)[CAUSE].decode().split("/")
            cause = record.partition, f"{topic}/{number}", int(offset), int(place)
            assert alerts.setdefault(cause, record.value) == record.value
        channels = {cause[:2] for cause in alerts}
        for channel in channels:  # first occurrences are in order, for whoever keeps the last one of each
            numbers = [cause[2:] for cause in alerts if cause[:2] == channel]
            assert numbers == sorted(numbers)
        assert sorted(alerts.values()) == sorted(folded.alerts)
        told = {msgspec.json.decode(one.value)["id"]: one.value for one in await self.feedback()}
        assert sorted(told.values()) == sorted(folded.feedback)
        return folded

    async def feedback(self) -> list[Any]:
        """Records of the department of cases that come from cases."""
        ours = re.compile(rb'"id":"[^"]*-[0-9]+-(level|help|[0-9]+)"')
        return [one for one in await self.rig.read(f"life.{self.book.department}") if ours.search(one.value)]

    async def close(self) -> None:
        if self._flow is not None:
            await self._flow.close()


async def scanned(rig: Rig, partitions: int) -> Any:
    """States of the ledger, all partitions."""
    ledger = await rig.ledger()
    for number in range(partitions):
        async for one in ledger.scan("cases", rig.prefix + CASE_COMMANDS, number):
            yield one


def partition_for(household: str, count: int) -> int:
    """Where a household's records are."""
    return partition_of(household.encode(), count)


def households(count: int) -> Sequence[str]:
    return [f"H{number}" for number in range(count)]


def ids(events: Iterable[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("case.") for event in events]
