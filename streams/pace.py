"""When a consumer asks for more: as soon as it can use it, but not so often that it does little else.

aiokafka asks the broker for more at the moment at which its buffer is emptied, and what comes back waits in
the buffer, while whatever is appended meanwhile waits for the fetch after it. Under a trickle that makes each
record wait twice. So after a small fetch the next one goes out only when somebody waits for it, a little
later; it then finds all that came in between.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from aiokafka.protocol.fetch import FetchRequest

from streams.fetch_sessions import FetchSession

#: From one small fetch to the next, at least and at most.
LINGER_SECONDS: Final = 0.002
LONGEST_LINGER_SECONDS: Final = 0.020
#: In between it is so many times what the process spends on a fetch and what it brings: so a trickle keeps it
#: busy half the time at most, and the more it costs the more records share the cost.
COSTS: Final = 2.0


class Pace:
    """Lets fetches pass; all of it is used in the loop of the consumer's thread.

    Args:
        least_seconds: after a small fetch the next one is not sent before that.
        spent: CPU seconds of this process.
    """

    def __init__(
        self, least_seconds: float = LINGER_SECONDS, *, spent: Callable[[], float] = time.process_time
    ) -> None:
        self._least_seconds = least_seconds
        self._spent = spent
        self._spent_before = 0.0
        self._fetches = 0
        self._wanted = asyncio.Event()
        self._is_small = False
        self._not_before = 0.0

    def want(self) -> None:
        """Somebody waits for records."""
        self._wanted.set()

    def came(self, *, is_small: bool) -> None:
        """Records were handed out, and the next fetch is about to go."""
        self._wanted.clear()
        self._is_small = is_small
        self._not_before = time.monotonic() + self.linger()

    def linger(self) -> float:
        """How long to wait now, in seconds, by what the fetches since the last call have cost."""
        spent = self._spent()
        cost = (spent - self._spent_before) / max(1, self._fetches)
        self._spent_before, self._fetches = spent, 0
        return max(self._least_seconds, min(COSTS * cost, LONGEST_LINGER_SECONDS))

    async def wait(self) -> None:
        """Wait until it is time for a fetch."""
        self._fetches += 1
        if not self._is_small:
            return
        await self._wanted.wait()
        left = self._not_before - time.monotonic()
        if left > 0:
            await asyncio.sleep(left)


class PacedClient:
    """What aiokafka's fetcher sends with: the client as it is, but fetches go at a pace, and in sessions."""

    def __init__(self, client: Any, pace: Pace) -> None:
        self._client = client
        self._pace = pace
        self._sessions: dict[int, FetchSession] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """Send a request; a fetch when it is time for it."""
        if not isinstance(request, FetchRequest):
            return await self._client.send(node_id, request, **options)
        await self._pace.wait()
        session = self._sessions.get(node_id)
        if session is None:
            session = self._sessions[node_id] = FetchSession()
        while True:
            fetch = session.request(request)
            response = await self._client.send(node_id, fetch, **options)
            if session.answered(fetch, response):
                return response
