"""One stage in a process of its own, which counts what it costs; :mod:`bench.stage_children` starts it.

It is wired as :func:`agents.process.run_worker` wires it, with its metrics, but for the samples that are
taken when a part is through: never more than one in some thousand records. On SIGUSR1 one more is taken,
named ``mark``. On SIGTERM the process ends and prints them all as JSON.
"""

from __future__ import annotations

import asyncio
import cProfile
import json
import logging
import os
import resource
import signal
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from agents.app import StageName, Worker, WorkerConfig, stage_of
from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.metrics import StageMetrics
from agents.process import settle_memory
from agents.redis_link import RedisHome
from bench.machine import CATALOG
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.kafka_clients import Connection
from streams.policies_topic import read_activations


@dataclass(frozen=True, slots=True)
class Sample:
    """Where a process stands: everything is counted from its start.

    Attributes:
        user, system: CPU seconds of the process, all threads.
        loop: CPU seconds of the thread of the event loop; the rest is the one that talks to Kafka.
        wall: seconds on the monotonic clock.
        caught_up: households that passed midnights without a record of their own.
    """

    name: str
    records: int
    parts: int
    states: int
    caught_up: int
    user: float
    system: float
    loop: float
    wall: float


class Sampler(StageMetrics):
    """The stage's own metrics, and a sample after every so many records.

    Args:
        warm_up: records before the first sample; memory is settled there, as a worker does after 30 s.
    """

    def __init__(self, stage: StageName, *, warm_up: int, window: int, profile: str | None) -> None:
        super().__init__(stage, clock="log")
        self.samples: list[Sample] = []
        self._window = window
        self._next = warm_up
        self._profile = cProfile.Profile() if profile else None
        self._profile_path = profile
        self._records = self._parts = self._states = self._caught_up = 0

    def committed(self, lane: Lane, part: Part) -> None:
        """Count a part."""
        super().committed(lane, part)
        self._records += part.count
        self._parts += 1 if part.count else 0
        self._states += len(part.states)
        self._caught_up += part.tallies["caught-up", self.stage]
        if self._records >= self._next:
            if not self.samples:
                settle_memory()
                if self._profile is not None:
                    self._profile.enable()
            self._next = self._records + self._window
            self.take("window")

    def take(self, name: str) -> None:
        """Take a sample."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.samples.append(
            Sample(
                name, self._records, self._parts, self._states, self._caught_up,
                used.ru_utime, used.ru_stime, time.thread_time(), time.monotonic(),
            )
        )  # fmt: skip

    def report(self) -> str:
        """All samples as JSON."""
        if self._profile is not None:
            self._profile.disable()
            self._profile.dump_stats(self._profile_path or "stage.prof")
        return json.dumps([asdict(sample) for sample in self.samples])


async def run(order: dict[str, Any], stage: Stage | None = None) -> str:
    """Work until SIGTERM; on the stage that the order names unless one is given."""
    if cores := order["cores"]:
        os.sched_setaffinity(0, cores)
    catalog = read_catalog(CATALOG)
    name: StageName = order["stage"]
    config = WorkerConfig(
        kafka={"bootstrap_servers": order["kafka"]},
        redis=RedisHome(order["redis"]),
        catalog=catalog,
        policy=read_policy(order["policy"], catalog),
        clock="log",
        namespace=order["namespace"],
        topic_prefix=order["prefix"],
        worker=f"bench-{name}",
    )
    if order.get("follows_policies"):
        found = read_activations(Connection(order["kafka"]), prefix=order["prefix"], needed=True)
        config = replace(config, activations=found)
    if order.get("cache_bytes"):
        config = replace(config, cache_bytes=order["cache_bytes"])
    metrics = Sampler(name, warm_up=order["warm_up"], window=order["window"], profile=order.get("profile"))
    worker = Worker(stage or stage_of(name, config), config, metrics=metrics)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    loop.add_signal_handler(signal.SIGUSR1, metrics.take, "mark")
    settle_memory()
    try:
        await worker.start()
        print("ready", flush=True)
        failed = asyncio.ensure_future(worker.failed.wait())
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait([failed, stopped], return_when=asyncio.FIRST_COMPLETED)
        failed.cancel()
        stopped.cancel()
    finally:
        await worker.stop()
    if worker.failure is not None:
        raise worker.failure
    return metrics.report()


def main() -> None:
    """Take the order from standard input."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    print(asyncio.run(run(json.loads(sys.stdin.readline()))), flush=True)


if __name__ == "__main__":
    main()
