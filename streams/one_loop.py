"""Faust's consumer without its thread: it fetches in the loop in which the stage works.

Faust keeps Kafka's client in a thread of its own. For a stage that is at work all the time that is no gain:
each fetch crosses twice from one loop to the other (a queue, a write to a socket, a turn of the other loop),
both threads want the interpreter, and a second core's caches are filled with the same things. Whatever is
worked on without a pause here is far shorter than a heartbeat may be late.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from faust.transport.drivers import aiokafka as driver
from mode import Service
from mode.utils.futures import maybe_async


class OneLoopConsumer(driver.AIOKafkaConsumerThread):
    """What Faust takes for its consumer's thread. It starts and stops as any other service does."""

    # Told by a thread when it has ended.
    wait_for_shutdown = False

    def __init__(self, consumer: Any, *, loop: Any, **options: Any) -> None:
        super().__init__(consumer, loop=loop, thread_loop=loop, **options)

    async def maybe_start(self) -> bool:
        return await Service.maybe_start(self)

    async def start(self) -> None:
        await Service.start(self)

    async def stop(self) -> None:
        await Service.stop(self)

    async def on_stop(self) -> None:
        await self.on_thread_stop()

    def _stopped_set(self) -> None:
        self._stopped.set()

    async def _stop_children(self) -> None:
        await self._default_stop_children()

    async def _stop_futures(self) -> None:
        await self._default_stop_futures()

    async def _stop_exit_stacks(self) -> None:
        await self._default_stop_exit_stacks()

    async def crash(self, exc: BaseException) -> None:
        await Service.crash(self, exc)

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await maybe_async(fun(*args, **kwargs))
