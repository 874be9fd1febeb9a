"""A worker in a process of its own that tells its moments, and at an agreed one stops or kills itself.

It runs what ``hearthwatch worker`` runs. The moments beyond those of :mod:`agents.signals`:

* ``decided``: nothing of a part is sent yet; ``moving``, ``moved``: ``decided`` and ``sent`` of a part with a
  release or a transfer;
* ``claim-asked``, ``commit-asked``: a script is on its way to Redis; ``claim-answered``, ``commit-answered``:
  it has run, and nothing else knows;
* ``sweep-chunk``: some households have caught up with a day, and nothing of it is sent yet;
* ``ticks-sent``, ``deadlines-sent``; ``redis-retry``, ``kafka-retry``, and for each reason ``redis-lost`` and
  the like.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

import agents.household
import agents.process
from agents.app import StageName, Worker, WorkerConfig
from agents.deadlines import Deadlines
from agents.household import HouseholdStage
from agents.lanes import Lane, Part
from agents.metrics import StageMetrics
from agents.redis_link import RedisLink, Script
from agents.signals import Signals
from agents.snapshots import Snapshots
from agents.stage import Engine
from agents.surroundings import Surroundings
from agents.ticks import Midnights
from casework.cases.book_file import DEFAULT, read_book
from rules import household, person
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.records import (
    HOUSEHOLD_FACTS,
    PassingRecord,
    Release,
    decode_household_record,
    decode_person_record,
    encode,
)

ROOT = Path(__file__).parents[2]
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(frozen=True, slots=True)
class Fault:
    """At the ``nth`` time of a moment (counted from 1) the process kills or stops itself."""

    moment: str
    nth: int = 1
    action: Literal["kill", "stop"] = "kill"


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to do.

    Attributes:
        options: of :class:`agents.app.WorkerConfig`, beside catalogue and policy.
        sweep_chunk: households that catch up at once; few, so that a tick is long.
        poison: id of an event that the stage's step fails on.
        clock_ahead_seconds: by how much the process's clock jumps at its first commit.
        environment: added to the process's own, which is as old as the first worker of all.
    """

    stage: StageName
    options: Mapping[str, Any]
    log: str
    faults: tuple[Fault, ...] = ()
    sweep_chunk: int | None = None
    poison: str | None = None
    clock_ahead_seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)


@lru_cache
def files() -> tuple[Catalog, Policy]:
    """The catalogue and the policy of every fault test: Wuchang's, with levels that are reached often."""
    catalog = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
    policy = read_policy(ROOT / "rules/policies/wuchang.yaml", catalog)
    low = zip(policy.levels, (5, 8, 11, 15), strict=True)
    return catalog, replace(policy, levels=tuple(replace(one, at=at, clear=at - 2) for one, at in low))


class Piped(Signals):
    """Tells every moment to who started us, and obeys."""

    def __init__(self, pipe: Connection, faults: tuple[Fault, ...]) -> None:
        self._pipe = pipe
        self._faults = faults
        self._seen: Counter[str] = Counter()

    def emit(self, name: str, **facts: Any) -> None:
        """See :class:`agents.signals.Signals`."""
        self._seen[name] += 1
        self._tell(name, facts)
        for fault in self._faults:
            if fault.moment == name and self._seen[name] == fault.nth:
                self._tell("fault", {"moment": name, "nth": fault.nth, "action": fault.action, **facts})
                os.kill(os.getpid(), SIGNALS[fault.action])

    def _tell(self, name: str, facts: Mapping[str, Any]) -> None:
        self._pipe.send_bytes(json.dumps({"name": name, **facts}, default=str).encode())


def main(order: Order, pipe: Connection) -> None:
    """Run a worker until SIGTERM, or until its fault."""
    log = os.open(order.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    logging.basicConfig(
        format="%(asctime)s %(name)s %(levelname)s %(message)s", level=logging.INFO, force=True
    )
    os.environ.update(order.environment)
    signals = Piped(pipe, order.faults)
    watch(signals)
    if order.clock_ahead_seconds:
        jump(signals, order.clock_ahead_seconds)
    if order.sweep_chunk is not None:
        agents.household.SWEEP_CHUNK = order.sweep_chunk  # type: ignore[misc]
    if order.poison is not None:
        poison(order.stage, order.poison)
    catalog, policy = files()
    options = {"catalog": catalog, "policy": policy, **order.options}
    if order.stage == "cases" and "casebook" not in options:
        options["casebook"] = read_book(DEFAULT, catalog=catalog, policy=policy)
    agents.process.Worker = partial(Worker, signals=signals)  # type: ignore[assignment,misc]
    agents.process.run_worker(order.stage, WorkerConfig(**options))


def jump(signals: Signals, seconds: float) -> None:
    """Let the process's clock jump, for all that asks it, at the first commit."""
    right, emit = time.time, signals.emit
    wrong = False

    def emitting(name: str, **facts: Any) -> None:
        nonlocal wrong
        emit(name, **facts)
        if name == "committed" and not wrong:
            wrong = True
            emit("clock-jumped")

    signals.emit = emitting  # type: ignore[method-assign]
    time.time = lambda: right() + seconds if wrong else right()
    for one in (Midnights, Surroundings, Snapshots):
        one.__init__.__kwdefaults__["now"] = time.time  # type: ignore[misc]


def watch(signals: Signals) -> None:
    """Make the moments beyond those of the engine known."""
    moves: set[tuple[Any, int]] = set()
    submit, catch_up, run, emit = Engine.submit, HouseholdStage.catch_up, RedisLink.run, signals.emit
    run_all = RedisLink.run_all
    check, look = Midnights.check, Deadlines.check

    def submitting(self: Engine, parts: Sequence[tuple[Lane, Part]]) -> None:
        for lane, part in parts:
            emit("decided", tp=lane.tp, offset=part.next_offset)
            if any(one[0] == HOUSEHOLD_FACTS and _is_move(self, one[2]) for one in part.sends):
                moves.add((lane.tp, part.next_offset))
                emit("moving", tp=lane.tp, offset=part.next_offset)
        submit(self, parts)

    def emitting(name: str, **facts: Any) -> None:
        emit(name, **facts)
        if name == "sent" and (facts["tp"], facts["offset"]) in moves:
            emit("moved", **facts)

    def catching_up(self: HouseholdStage, lane: Lane, part: Part) -> None:
        catch_up(self, lane, part)
        emit("sweep-chunk", tp=lane.tp, households=len(part.states))

    async def running(self: RedisLink, script: Script, keys: Any, args: Any) -> Any:
        if script.name != "claim":
            return await run(self, script, keys, args)
        return await told(script, run(self, script, keys, args))

    async def running_all(self: RedisLink, script: Script, calls: Any) -> Any:
        return await told(script, run_all(self, script, calls))

    async def told(script: Script, asking: Coroutine[Any, Any, Any]) -> Any:
        task = asyncio.ensure_future(asking)
        await asyncio.wait([task], timeout=0.0005)  # on its way, or just done
        emit(f"{script.name}-asked")
        reply = await task
        emit(f"{script.name}-answered")
        return reply

    async def checking(self: Midnights) -> int:
        count = await check(self)
        if count:
            emit("ticks-sent", count=count)
        return count

    async def looking(self: Deadlines) -> int:
        count = await look(self)
        if count:
            emit("deadlines-sent", count=count)
        return count

    def retrying(name: str) -> Any:
        before = getattr(StageMetrics, f"{name}_retry")

        def retry(self: StageMetrics, what: str) -> None:
            before(self, what)
            emit(f"{name}-retry", what=what)
            emit(f"{name}-{what}")

        return retry

    signals.emit = emitting  # type: ignore[method-assign]
    Engine.submit = submitting  # type: ignore[method-assign]
    HouseholdStage.catch_up = catching_up  # type: ignore[method-assign]
    RedisLink.run = running  # type: ignore[method-assign]
    RedisLink.run_all = running_all  # type: ignore[method-assign]
    Midnights.check = checking  # type: ignore[method-assign]
    Deadlines.check = looking  # type: ignore[method-assign]
    for name in ("redis", "kafka"):
        setattr(StageMetrics, f"{name}_retry", retrying(name))


def _is_move(engine: Engine, value: bytes | None) -> bool:
    """Whether a message to a household is a move: all that a household sends to another are transfers."""
    if engine.stage.name == "household":
        return True
    return engine.stage.name == "person" and isinstance(decode_household_record(value or b""), Release)


def poison(stage: StageName, id: str) -> None:
    """Let what a stage decides fail on one event."""

    def failing(step: Any, at: int) -> Any:
        def broken(*positional: Any, **named: Any) -> Any:
            if id_of(positional[at]) == id:
                raise ZeroDivisionError
            return step(*positional, **named)

        return broken

    if stage == "intake":
        Decoder.record = failing(Decoder.record, 2)  # type: ignore[method-assign]
    elif stage == "person":
        person.step = failing(person.step, 1)
        person.pass_on = failing(person.pass_on, 0)
    else:
        household.step = failing(household.step, 1)


def id_of(message: Any) -> str | None:
    """The id of the event in a record of a department or between the stages."""
    if isinstance(message, bytes):
        return str(json.loads(message)["id"])
    if isinstance(message, PassingRecord):
        message = decode_person_record(encode(message))
    event = getattr(message, "event", None)
    return None if event is None else str(event.id)


files()  # where this module is preloaded, every process has them from the start
