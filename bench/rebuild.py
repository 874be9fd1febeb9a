"""Benchmark (c): how long a lost Redis takes to come back, from the log alone and from snapshots and the log.

    .venv/bin/python -m bench.rebuild [--households 4000] [--events 60000] [--json]

A made-up district runs through the pipeline once, on servers of its own; snapshots are taken when nine
tenths are through. Then Redis is emptied and rebuilt twice. Timed is the CPU of the rebuilding process,
which has one core to itself, and the wall clock beside it; servers are on the others. A district of 130,000
households with 2,000,000 events is the same work so many times more: its figure is extrapolated from this
run, and says so, unless that many were asked for (a quarter of an hour).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from agents.app import STAGES, Worker, WorkerConfig, stage_of
from agents.ledger import LEDGER_TOPIC, Ledger
from agents.process import settle_memory
from agents.rebuild.restore import Rebuild, Restored
from agents.ticks import steps
from bench.machine import CATALOG, POLICY, describe, pin, places, today
from bench.servers import NAMESPACE, Round, servers
from deploy.local import Stack
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.district import District, district_lines

DISTRICT_HOUSEHOLDS: Final = 130_000
DISTRICT_EVENTS: Final = 2_000_000
AIM_SECONDS: Final = 120.0


async def measure(stack: Stack, households: int, events: int, say: Any) -> dict[str, Any]:
    """Fill a pipeline, empty Redis, rebuild it twice."""
    catalog = read_catalog(CATALOG)
    policy = read_policy(POLICY, catalog)
    site = Round(stack, catalog, "r.", life_partitions=1, person_partitions=8, household_partitions=8)
    config = WorkerConfig(
        kafka=site.kafka, redis=site.redis, catalog=catalog, policy=policy, clock="log",
        namespace=NAMESPACE, topic_prefix=site.prefix, ledger_topic=LEDGER_TOPIC, worker="bench",
        snapshot_seconds=86_400.0, snapshot_states=100_000_000,
    )  # fmt: skip
    lines = list(district_lines(District(households, events), catalog))
    workers = [Worker(stage_of(name, config), config) for name in STAGES]
    flow = site.flow()
    for worker in workers:
        await worker.start()
    for part in (lines[: len(lines) * 9 // 10], lines[len(lines) * 9 // 10 :]):
        say(f"{len(part)} events through the pipeline")
        await site.publish(part)
        await flow.through(steps(catalog))
        if part is not lines and part[-1] is not lines[-1]:
            say("snapshots")
            for worker in workers:
                assert worker.snapshots is not None
                for lane in list(worker.engine.lanes.values()):
                    await worker.snapshots.take(lane)
    for worker in workers:
        await worker.stop()
    settle_memory()
    ledger = site.ledger()
    try:
        from_log = await _timed(config, ledger, say, from_log=True)
        from_snapshots = await _timed(config, ledger, say, from_log=False)
    finally:
        await flow.close()
        await ledger.close()
        await flow.ledger.close()
    return {
        "benchmark": "rebuild",
        "date": today(),
        "machine": describe(),
        "households": households,
        "lines": len(lines),
        "from_log": _with_district(from_log, households, events),
        "from_snapshots": _with_district(from_snapshots, households, events),
    }


async def _timed(config: WorkerConfig, ledger: Ledger, say: Any, *, from_log: bool) -> dict[str, Any]:
    say("emptying Redis, then rebuilding from " + ("the log alone" if from_log else "snapshots and the log"))
    await ledger.link.call("FLUSHALL")
    work = Rebuild(config, ledger, from_log=from_log)
    cpu, wall = time.process_time(), time.monotonic()
    try:
        done = await work.run(await work.places())
    finally:
        await work.close()
    return _row(done, time.process_time() - cpu, time.monotonic() - wall)


def _row(done: Sequence[Restored], cpu: float, wall: float) -> dict[str, Any]:
    row: dict[str, Any] = {"cpu_seconds": round(cpu, 2), "wall_seconds": round(wall, 2)}
    for stage in ("person", "household"):
        mine = [one for one in done if one.place.stage == stage]
        row[stage] = {
            "records": sum(one.end - one.start for one in mine),
            "states": sum(one.states for one in mine),
        }
    row["sent"] = sum(one.sent for one in done)
    return row


def _with_district(row: dict[str, Any], households: int, events: int) -> dict[str, Any]:
    """Extrapolate: from the log with the events and registrations, from snapshots with the households."""
    # The greater of both ratios: an upper bound where events and households do not grow alike.
    times = max(DISTRICT_HOUSEHOLDS / households, DISTRICT_EVENTS / events)
    return {
        **row,
        "district_cpu_seconds": round(row["cpu_seconds"] * times, 1),
        "aim_seconds": AIM_SECONDS,
        "is_extrapolated": times > 1,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--households", type=int, default=4_000)
    parser.add_argument("--events", type=int, default=61_500)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()

    def say(what: str) -> None:
        print(what, file=sys.stderr, flush=True)

    with servers(say) as stack:
        pin(os.getpid(), places()[0])
        found = asyncio.run(measure(stack, given.households, given.events, say))
    if given.json:
        print(json.dumps(found, indent=1))
        return
    print(f"{found['lines']} lines, {found['households']} households")
    for name, row in (("log alone", found["from_log"]), ("snapshots", found["from_snapshots"])):
        print(
            f"{name:10}  CPU {row['cpu_seconds']:6.2f} s  wall {row['wall_seconds']:6.2f} s"
            f"  replayed {row['person']['records'] + row['household']['records']} records"
            f"  {row['household']['states']} households"
            f"  district: {row['district_cpu_seconds']:.0f} s of CPU (aim {row['aim_seconds']:.0f})"
        )


if __name__ == "__main__":
    main()
