"""How long until a district is evaluated by another policy, and whether others wait; for :mod:`bench.scale`.

A district stands in Redis, evaluated by the policy of Wuchang as activation 1, a worker of each stage runs,
and probes go in (:mod:`bench.scale_probes`). Then the same policy with a lower line for its first level is
appended to ``hearthwatch.policies``, as `hearthwatch policy activate` does, and it is waited, as that does,
until every partition says that it has evaluated each of its households.
"""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agents.app import STAGES
from bench.machine import CATALOG, POLICY
from bench.scale_burst import AIM_SECONDS, PARTITIONS, THROUGH_SECONDS
from bench.scale_homes import Progress, district, fill, models
from bench.scale_load import memory_megabytes
from bench.scale_probes import PROBES_PER_SECOND, Probes, Sender, by_phase, probing, series
from bench.servers import Round, server_cpu
from bench.stage_children import Process
from deploy.local import Stack
from hearthwatch.activation import standings_of
from rules.policy_file import read_policy
from rules.rulebook import Rulebook
from streams.catalog_file import read_catalog
from streams.kafka_clients import Connection
from streams.policies import LANGUAGE, Files
from streams.policies_topic import append, read_activations
from streams.records import WARNINGS

PHASES: Final = ("quiet before", "activation", "quiet after")
LOOK_SECONDS: Final = 0.5
#: The line of the first level, and of its end, before and after.
LINES: Final = (("at: 32, clear: 26", "at: 20, clear: 14"), ("\nversion: 1\n", "\nversion: 2\n"))


@dataclass(frozen=True, slots=True)
class Size:
    """How much."""

    households: int = 130_000
    quiet_seconds: float = 15.0


def changed(policy: bytes) -> bytes:
    """The policy of Wuchang as version 2, with a lower line for its first level.

    Raises:
        ValueError: it is another one than this knows.
    """
    text = policy.decode()
    for before, after in LINES:
        if text.count(before) != 1:
            raise ValueError(f"{POLICY.name} has no {before.strip()!r} any more")
        text = text.replace(before, after)
    return text.encode()


async def measure(stack: Stack, size: Size, say: Progress) -> dict[str, Any]:
    """Seconds and CPU until every household is under the new policy, and delays of the probes."""
    catalog = read_catalog(CATALOG)
    run = district(3_000, 46_000, catalog, read_policy(POLICY, catalog))
    day = run.today
    assert day is not None
    given = models(run, day)
    midnight = run.rules.calendar.midnight_of(day)
    assert midnight is not None
    at = Round(stack, catalog, "a.", life_partitions=4, person_partitions=PARTITIONS,
               household_partitions=PARTITIONS)  # fmt: skip
    kafka = Connection(stack.kafka_bootstrap)
    catalog_file = CATALOG.read_bytes()

    def activate(policy: bytes) -> int:
        files = Files(LANGUAGE, policy, POLICY.name, catalog_file, CATALOG.name)
        return append(kafka, files, received_ms=midnight // 1000, prefix=at.prefix)

    activate(POLICY.read_bytes())
    flow = at.flow()
    probes = Probes(datetime.fromtimestamp(midnight / 1e6 + 12 * 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    sender = Sender(at)
    begins: list[float] = []

    def begin(phase: int) -> None:
        say(PHASES[phase])
        begins.append(time.time())

    with ExitStack() as end:
        await flow.ledger.open()
        say(f"{size.households:,} households into Redis ({len(given)} models)")
        await fill(flow.ledger, given, size.households, prefix=at.prefix, partitions=PARTITIONS, day=day,
                   with_persons=True, say=say)  # fmt: skip
        workers = {}
        for stage in STAGES:
            workers[stage] = Process(stage, at, 10**9, 10**9, sorted(os.sched_getaffinity(0)),
                                     follows_policies=True)  # fmt: skip
            end.callback(workers[stage].kill)
            await workers[stage].ready()
        household = workers["household"]
        try:
            async with probing(at, flow, probes, sender, THROUGH_SECONDS):
                household.mark()
                begin(0)
                await asyncio.sleep(size.quiet_seconds)
                household.mark()
                used = server_cpu(stack)
                begin(1)
                number = await asyncio.to_thread(activate, changed(POLICY.read_bytes()))
                book = Rulebook(await asyncio.to_thread(read_activations, kafka, prefix=at.prefix))
                while True:
                    standings = await standings_of(flow.ledger, flow, book)
                    if all(one.is_at(number) for one in standings):
                        break
                    await asyncio.sleep(LOOK_SECONDS)
                took = time.time() - begins[1]
                household.mark()
                used = {name: cpu - used[name] for name, cpu in server_cpu(stack).items()}
                begin(2)
                await asyncio.sleep(size.quiet_seconds)
                begins.append(time.time())
            # A commit is in the ledger a moment before its worker has counted it, so the count is taken here.
            household.mark()
            resident = memory_megabytes(household.pid)
            before, first, last, counted = [one for one in await household.stop() if one.name == "mark"]
            warnings = await at.read(WARNINGS)
        finally:
            await flow.close()
            await flow.ledger.close()
    phases = by_phase(probes, PHASES, begins)
    # What the probes and waiting cost is told by the quiet time before.
    under_it = sum(one.states for one in standings if one.stage == "household")
    quiet = (first.user + first.system - before.user - before.system) / (first.wall - before.wall)
    cpu = last.user + last.system - first.user - first.system
    return {
        "households": size.households,
        "seconds": round(took, 1),
        "households_per_second": round(under_it / took),
        "cpu_seconds": round(cpu, 1),
        "quiet_cores": round(quiet, 3),
        "cpu_us": round((cpu - quiet * (last.wall - first.wall)) * 1e6 / under_it, 1),
        "servers_cpu_seconds": {name: round(value, 1) for name, value in sorted(used.items())},
        "visited": counted.caught_up - first.caught_up,
        "under_it": under_it,
        "warnings_by_policy": sum(b'"reason":"policy"' in record.value for record in warnings),
        "probes": len(probes.due),
        "probes_per_second": PROBES_PER_SECOND,
        "phases": phases,
        "worst_delay_seconds": round((phases[PHASES[1]]["max_ms"] - phases[PHASES[0]]["p50_ms"]) / 1000, 3),
        "aim_seconds": AIM_SECONDS,
        "resident_megabytes": resident,
        "series": series(probes, begins[0]),
        "begins": [round(moment - begins[0], 1) for moment in begins],
    }
