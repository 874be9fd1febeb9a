"""Signals: the moments of a stage that a test waits for. In production nobody listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class Signals:
    """Does nothing; what a stage is given unless a test gives it a :class:`Recorder`.

    The names: ``claimed``, ``refused`` (a claim or a commit), ``sent`` (acknowledged, not yet committed),
    ``committed``, ``dropped`` (a lane), ``stopped`` (a partition, until an operator acts), ``set-aside``,
    ``swept``, ``draining``, ``drained``, ``ready``; of dispatch ``resumed`` (what was unanswered is on its
    way), ``delivering`` (a message is about to leave), ``delivered``, ``answered`` (the log has what came of
    it).
    """

    def emit(self, name: str, **facts: Any) -> None:
        """Say that something has happened."""


class Recorder(Signals):
    """Keeps every signal and lets tests wait for one."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self._changed = asyncio.Event()

    def emit(self, name: str, **facts: Any) -> None:
        """Remember a signal and wake up who waits."""
        self.seen.append((name, facts))
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(
        self,
        name: str,
        where: Callable[[dict[str, Any]], bool] = lambda facts: True,
        timeout: float = 90.0,  # noqa: ASYNC109
        after: int = 0,
    ) -> dict[str, Any]:
        """The first signal of a name, past or to come, for which ``where`` holds.

        Args:
            after: pass over so many of those that were seen.

        Raises:
            TimeoutError: it did not come in time.
        """
        at = after
        async with asyncio.timeout(timeout):
            while True:
                changed = self._changed
                while at < len(self.seen):
                    found, facts = self.seen[at]
                    at += 1
                    if found == name and where(facts):
                        return facts
                await changed.wait()
