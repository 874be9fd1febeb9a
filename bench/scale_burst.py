"""Whether a month's end or a midnight of all delays the warnings of others; a part of :mod:`bench.scale`.

A district stands in Redis, a worker of each stage runs, and probes go in (:mod:`bench.scale_probes`).
Meanwhile every household's pension comes in, evenly over some minutes, and later a tick on which every
household is due.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agents.app import STAGES
from agents.ticks import append_ticks, caught_up
from bench.machine import CATALOG, POLICY
from bench.scale_homes import Model, Progress, district, fill, models, name
from bench.scale_load import memory_megabytes
from bench.scale_probes import PROBES_PER_SECOND, Probes, Sender, by_phase, line_of, probing, series
from bench.servers import Round
from bench.stage_children import Process
from deploy.local import Stack
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog

AIM_SECONDS: Final = 1.0
PARTITIONS: Final = 8
PHASES: Final = ("quiet before", "month's end", "quiet between", "tick", "quiet after")
THROUGH_SECONDS: Final = 400.0
_PENSIONS: Final = "/wuchang/human-resources"


@dataclass(frozen=True, slots=True)
class Size:
    """How much. The month's end lasts ``seconds``; ten minutes are promised, fewer are harder."""

    households: int = 130_000
    seconds: float = 240.0
    quiet_seconds: float = 15.0


def all_due(households: Any) -> tuple[int, list[Model]]:
    """The day on which most are due, and those that are."""
    first = households.today
    days = Counter(model.due for model in models(households, first) if model.due and model.due > first)
    day = days.most_common(1)[0][0]
    return day, [model for model in models(households, day - 1) if model.due == day]


async def measure(stack: Stack, size: Size, say: Progress) -> dict[str, Any]:
    """Delays of the probes in each phase."""
    catalog = read_catalog(CATALOG)
    run = district(3_000, 46_000, catalog, read_policy(POLICY, catalog))
    day, given = all_due(run)
    calendar = run.rules.calendar
    midnight = calendar.midnight_of(day - 1)
    assert midnight is not None
    noon = datetime.fromtimestamp(midnight / 1e6 + 12 * 3_600, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = Round(stack, catalog, "b.", life_partitions=4, person_partitions=PARTITIONS,
               household_partitions=PARTITIONS)  # fmt: skip
    flow = at.flow()
    probes = Probes(noon)
    sender = Sender(at)
    begins: list[float] = []
    with ExitStack() as end:
        await flow.ledger.open()
        say(f"{size.households:,} households into Redis, all due on one day ({len(given)} models)")
        await fill(flow.ledger, given, size.households, prefix=at.prefix, partitions=PARTITIONS, day=day - 1,
                   with_persons=True, say=say)  # fmt: skip
        workers = {}
        for stage in STAGES:
            workers[stage] = Process(stage, at, 10**9, 10**9, sorted(os.sched_getaffinity(0)))
            end.callback(workers[stage].kill)
            await workers[stage].ready()
        try:
            async with probing(at, flow, probes, sender, THROUGH_SECONDS + size.seconds):

                def begin(phase: int) -> None:
                    say(PHASES[phase])
                    begins.append(time.time())

                begin(0)
                await asyncio.sleep(size.quiet_seconds)
                begin(1)

                def pension(number: int) -> bytes:
                    model = given[number % len(given)]
                    subject = f"person/{name(number)}{model.persons[0][0]}"
                    data = f'{{"monthly_yuan":{300_000 + number % 1_000}}}'
                    return line_of(
                        f"pension-{number}", _PENSIONS, "pension.payment.changed", subject, noon, data
                    )

                await sender.evenly(size.households, size.households / size.seconds, pension)
                await sender.producer.flush()
                month_seconds = time.time() - begins[1]
                begin(2)
                await asyncio.sleep(size.quiet_seconds)
                begin(3)
                workers["household"].mark()
                done = await append_ticks(day, kafka=at.kafka, ledger=flow.ledger, catalog=catalog,
                                          calendar=calendar, topic_prefix=at.prefix, wait=False)  # fmt: skip
                appended = time.time()
                await caught_up(flow, day)
                tick_seconds = time.time() - appended
                workers["household"].mark()
                begin(4)
                await asyncio.sleep(size.quiet_seconds)
                begins.append(time.time())
            # A commit is in the ledger a moment before its worker has counted it, so the count is taken here.
            workers["household"].mark()
            resident = {stage: memory_megabytes(worker.pid) for stage, worker in workers.items()}
            marks = [one for one in await workers["household"].stop() if one.name == "mark"]
            first, last, all_counted = marks
        finally:
            await flow.close()
            await flow.ledger.close()
    phases = by_phase(probes, PHASES, begins)
    usual = phases[PHASES[0]]["p50_ms"]
    return {
        "households": size.households,
        "probes": len(probes.due),
        "probes_per_second": PROBES_PER_SECOND,
        "pensions_per_second": round(size.households / month_seconds),
        "month_end_seconds": round(month_seconds, 1),
        "tick_records": done.ticks,
        "tick_seconds": round(tick_seconds, 1),
        "caught_up": all_counted.caught_up - first.caught_up,
        "tick_cpu_us": round(
            (last.user + last.system - first.user - first.system) * 1e6 / size.households, 1
        ),
        "phases": phases,
        "worst_delay_seconds": {
            phase: round((phases[phase]["max_ms"] - usual) / 1000, 3) for phase in ("month's end", "tick")
        },
        "aim_seconds": AIM_SECONDS,
        "resident_megabytes": resident,
        "series": series(probes, begins[0]),
        "begins": [round(moment - begins[0], 1) for moment in begins],
    }
