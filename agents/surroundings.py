"""What a worker sees of the servers around it: Redis's memory, its clock, and the broker's.

Redis is asked every few seconds on a connection of its own, so that a look never waits behind a commit. The
broker has no question for its time; but it stamps what is appended, so each acknowledged batch shows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import redis.exceptions

from agents.metrics import Labels, StageMetrics
from agents.redis_link import RedisHome, connect
from streams.errors import SettingsError

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
#: A server that was not seen for so long is no longer shown: an old figure would look like a good one.
FORGET_SECONDS: Final = 60.0


def apart(before: float, server: float, after: float, *, grain: float = 0.0) -> float:
    """How far our clock is ahead of a server's at least, negative if it is behind; 0 if it may be right.

    Args:
        before, after: our time when we asked and when we had the answer, in seconds.
        server: the server's own time, somewhere in between.
        grain: what was cut off of the server's time is less than this.
    """
    if server + grain < before:
        return before - server - grain
    return after - server if server > after else 0.0


class Surroundings:
    """Looks at Redis every few seconds, and keeps what it and the broker showed.

    Args:
        now: seconds since 1970, by this machine.
        ask: gives what each server of Redis says; tests have their own.
    """

    def __init__(
        self,
        home: RedisHome,
        metrics: StageMetrics,
        *,
        now: Callable[[], float] = time.time,
        ask: Callable[[], Any] | None = None,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._home = home
        self._stage = metrics.stage
        self._now = now
        self._ask = ask
        self._look_seconds = look_seconds
        self._client: Any = None
        self._memory: dict[str, tuple[float, float, float]] = {}
        self._clocks: dict[str, tuple[float, float]] = {}
        series = metrics.series
        series.watch("hearthwatch_redis_memory_used_bytes", lambda: self._fresh_memory(0))
        series.watch("hearthwatch_redis_memory_bound_bytes", lambda: self._fresh_memory(1))
        series.watch("hearthwatch_clock_difference_seconds", self._fresh_clocks)

    def broker_stamped(self, sent: float, stamped: float, acked: float) -> None:
        """A batch was acknowledged; for ``OrderedProducer(on_ack=...)``. All in seconds since 1970."""
        self._keep_clock("kafka", apart(sent, stamped, acked, grain=0.001))

    async def run(self) -> None:
        """Look every few seconds, for ever."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._look_seconds)
        finally:
            await self._disconnect()

    async def look(self) -> None:
        """Look at every server once; one that does not answer is left out."""
        try:
            async with asyncio.timeout(self._look_seconds):
                await (self._ask or self._of_redis)()
        except (redis.exceptions.RedisError, OSError, TimeoutError, SettingsError, ValueError) as error:
            # The ledger's own link says so too, and louder.
            logger.debug("redis does not show its memory and clock: %r", error)
            await self._disconnect()

    async def _of_redis(self) -> None:
        if self._client is None:
            self._client = connect(self._home)
        before = self._now()
        clocks = await self._of_each("TIME")
        after = self._now()
        for seconds, microseconds in clocks.values():
            self._keep_clock("redis", apart(before, int(seconds) + int(microseconds) / 1e6, after))
        for server, info in (await self._of_each("INFO", "memory")).items():
            # Without a bound of its own the server ends where the machine's memory does.
            bound = float(info.get("maxmemory") or 0) or float(info.get("total_system_memory") or 0)
            self._memory[server] = (float(info["used_memory"]), bound, self._now())

    async def _of_each(self, *command: str) -> Mapping[str, Any]:
        """An answer from each master, by its address."""
        client = self._client
        if not self._home.cluster:
            return {self._home.addresses()[0]: await client.execute_command(*command)}
        await client.initialize()
        return {
            node.name: await client.execute_command(*command, target_nodes=node)
            for node in client.get_primaries()
        }

    def _keep_clock(self, server: str, seconds: float) -> None:
        self._clocks[server] = (seconds, self._now())

    def _fresh_memory(self, which: int) -> Mapping[Labels, float]:
        since = self._now() - FORGET_SECONDS
        return {
            (self._stage, server): seen[which]
            for server, seen in self._memory.items()
            if seen[2] >= since and (which == 0 or seen[1])
        }

    def _fresh_clocks(self) -> Mapping[Labels, float]:
        # The broker shows its clock only when something is sent, which may be rare: the latest holds.
        return {(self._stage, server): seconds for server, (seconds, _) in self._clocks.items()}

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(redis.exceptions.RedisError, OSError):
                await client.aclose()
