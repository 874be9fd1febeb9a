"""A worker as a process of its own, until it is told to stop: its metrics served, its memory settled."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import Final

from agents.app import StageName, Worker, WorkerConfig, stage_of
from agents.metrics import StageMetrics
from agents.metrics_http import MetricsServer, Outlook
from agents.quiet import RateLimit
from streams.errors import HearthwatchError

#: Allocations before the youngest generation is collected: states are bytes, so there is little to find.
_GC_THRESHOLD: Final = (100_000, 50, 100)
_WARM_SECONDS: Final = 30.0


def run_worker(stage: StageName, config: WorkerConfig) -> None:
    """Run a stage until SIGINT or SIGTERM; blocks.

    Raises:
        HearthwatchError: it cannot start.
        RuntimeError: it failed, and is to be started again.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(RateLimit())
    for noisy in ("aiokafka", "faust", "mode"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_run(stage, config))


async def _run(name: StageName, config: WorkerConfig) -> None:
    metrics = StageMetrics(name, clock=config.clock)
    worker = Worker(stage_of(name, config), config, metrics=metrics)
    server = None
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    settle_memory()
    loop.call_later(_WARM_SECONDS, settle_memory)
    try:
        if config.metrics_port is not None:
            outlook = Outlook(worker, metrics)
            server = MetricsServer(outlook, metrics, host=config.metrics_host, port=config.metrics_port)
            await server.start()
        await worker.start()
        ends = [asyncio.ensure_future(event.wait()) for event in (stopping, worker.failed)]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
    finally:
        await worker.stop()
        if server is not None:
            await server.close()
    if isinstance(worker.failure, HearthwatchError):
        raise worker.failure
    if worker.failure is not None:
        raise RuntimeError(f"the {name} worker failed: {worker.failure!r}") from worker.failure


def settle_memory() -> None:
    """What lives now lives for ever: the collector need not look at it again (it doubled the cost)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLD)
