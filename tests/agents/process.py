"""The toy stage in a process of its own, so that it can be killed."""

from __future__ import annotations

import asyncio
import multiprocessing
from types import TracebackType
from typing import Self

from agents.app import Worker, WorkerConfig
from tests.agents.rig import Counting


async def _work(config: WorkerConfig) -> None:
    worker = Worker(Counting(), config)
    await worker.start()
    await worker.failed.wait()


def _main(config: WorkerConfig) -> None:
    asyncio.run(_work(config))


class Running:
    """A process at work; it is killed at the end, if it was not before."""

    def __init__(self, config: WorkerConfig) -> None:
        self.process = multiprocessing.get_context("spawn").Process(target=_main, args=(config,), daemon=True)

    def __enter__(self) -> Self:
        self.process.start()
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.process.close()
