"""What a backtest of a district's year takes, with one job or several; a part of :mod:`bench.scale`."""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from bench.machine import CATALOG, POLICY
from bench.scale_homes import Progress
from rules.backtest import Backtest, uncollected
from rules.backtest_jobs import ParallelBacktest
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.district import District, district_lines

EVENTS: Final = 2_000_000
AIM_SECONDS: Final = 60.0
#: Lines in memory at a time, a month or two.
_LINES: Final = 200_000


@dataclass(slots=True)
class Used:
    """CPU of this process and of those that it waited for, and seconds by the clock, while counting."""

    cpu: float = 0.0
    wall: float = 0.0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count what happens within, without the collector of cycles, as `hearthwatch backtest` runs it."""
        cpu, wall = _cpu(), time.monotonic()
        with uncollected():
            yield
        for child in multiprocessing.active_children():
            child.join()  # only then is its CPU told
        self.cpu += _cpu() - cpu
        self.wall += time.monotonic() - wall


def _cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def measure(households: int, events: int, jobs: int, say: Progress) -> dict[str, Any]:
    """CPU and seconds for a year of a district, with all ticks; its registrations are among the lines.

    The lines are made beforehand, and not counted. Everything else is: decoding, steps, ticks, sorting.
    """
    catalog = read_catalog(CATALOG)
    policy = read_policy(POLICY, catalog)
    run = Backtest(catalog, policy) if jobs == 1 else ParallelBacktest(catalog, policy, jobs)
    used = Used()
    made = district_lines(District(households, events, days=365), catalog)
    first = b'"time":"2024-01-01T'
    lines = registered = 0
    while some := list(islice(made, _LINES)):
        registered += sum(first in line for line in some)
        with used.counting():
            for number, line in enumerate(some, start=lines + 1):
                run.feed(number, line)
        lines += len(some)
        say(f"{lines:,} lines, {used.cpu:.1f} s of CPU")
    read = used.wall
    with used.counting():
        run.finish()
    return {
        "households": households,
        "jobs": jobs,
        "lines": lines,
        "registration_lines": registered,
        "warnings": len(run.warnings),
        "cpu_seconds": round(used.cpu, 1),
        "wall_seconds": round(used.wall, 1),
        "wall_seconds_of_reading": round(read, 1),
        "us_per_line": round(used.cpu * 1e6 / lines, 1),
        "cpu_seconds_of_2_million_lines": round(used.cpu / lines * EVENTS, 1),
        "wall_seconds_of_2_million_lines": round(used.wall / lines * EVENTS, 1),
        "aim_seconds": AIM_SECONDS,
    }
