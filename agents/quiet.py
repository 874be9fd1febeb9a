"""Logs that repeat themselves: a broker that is away for 20 s made aiokafka write 52,500 lines."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

#: Loggers that are limited, with everything below them.
LIMITED: Final = ("aiokafka", "faust", "mode", "redis", "agents", "streams")
BURST: Final = 5
WINDOW_SECONDS: Final = 60.0
_MOST_TEMPLATES: Final = 1_000


class RateLimit(logging.Filter):
    """Lets each message (by its template) through five times a minute; then says how many it left out.

    Put it on handlers: a logger's own filter does not see what its children log.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._seen: dict[tuple[str, int, str], list[float]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a record is written."""
        if record.name.partition(".")[0] not in LIMITED or record.levelno <= logging.DEBUG:
            return True  # whoever asks for debugging wants every line
        key = (record.name, record.levelno, str(record.msg)[:200])
        now = self._now()
        state = self._seen.get(key)
        if state is None or now - state[0] >= WINDOW_SECONDS:
            left_out = 0 if state is None else int(state[1]) - BURST
            if len(self._seen) >= _MOST_TEMPLATES:
                self._seen.clear()
            self._seen[key] = [now, 1]
            if left_out > 0:
                record.msg = f"{record.getMessage()} ({left_out} more like it in the minutes before)"
                record.args = None
            return True
        state[1] += 1
        return state[1] <= BURST
