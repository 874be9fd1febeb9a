"""Faust's consumer without its thread: it fetches in the loop in which the stage works.

Faust keeps Kafka's client in a thread of its own. For a stage that is at work all the time that is no gain:
each fetch crosses twice from one loop to the other (a queue, a write to a socket, a turn of the other loop),
both threads want the interpreter, and a second core's caches are filled with the same things.

The price: heartbeats wait for whatever is worked on without a pause. One is due in every tenth of a session
(one second of ten, unless told otherwise), and the broker misses none before the session is over, so a pause
of seconds costs nothing. The longest that a stage makes is one part: 30 ms for 1,000 records of households;
0.2 s for 500 alerts in a district in which 20,000 wait, and up to three seconds if all of those are of one
community (:mod:`casework.alerts`: in proportion to what waits). That is not cut into smaller pieces, because
each piece would read and write the district's whole state. A pause longer than the session has the worker
counted out: its partitions go to others, what it had not committed is refused and done again by them, and it
joins anew. ``tests/streams/test_one_loop.py`` shows both.
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
