"""What an attempt came to, and what an HTTP status says about another one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Literal, Protocol

import aiohttp

from casework.alerts.intents import Send
from streams.timestamps import SECOND

LONGEST_WAIT: Final = 3600
"""Seconds of a Retry-After that are believed: a receiver that errs must not stop alerts for a day."""

#: What the other side may well take later, though the numbers say that we are to blame.
_LATER: Final = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt; as in :class:`casework.alerts.intents.Result`."""

    outcome: Literal["sent", "failed", "rejected"]
    reason: str = ""
    retry_after: int = 0


class Way(Protocol):
    """A channel, ready to send."""

    async def send(self, send: Send, address: str) -> Answer:
        """Carry one message out. ``address`` is resolved, and stays out of every log and error."""
        ...


def of_status(status: int, retry_after: str | None) -> Answer:
    """What an HTTP status means: 2xx is sent, 5xx and some 4xx are worth another attempt, all else is not."""
    if 200 <= status < 300:
        return Answer("sent")
    if status < 500 and status not in _LATER:
        return Answer("rejected", f"http-{status}")
    is_number = retry_after is not None and retry_after.isascii() and retry_after.isdigit()
    seconds = min(int(retry_after or 0), LONGEST_WAIT) if is_number and len(retry_after or "") < 10 else 0
    return Answer("failed", f"http-{status}", seconds * SECOND)


async def asked(request: Callable[[], Awaitable[aiohttp.ClientResponse]]) -> Answer:
    """The answer to an HTTP request; connections that fail are worth another attempt."""
    try:
        async with await request() as response:
            return of_status(response.status, response.headers.get("Retry-After"))
    except TimeoutError:
        return Answer("failed", "timeout")
    except aiohttp.InvalidURL:
        return Answer("rejected", "bad-address")
    except aiohttp.ClientConnectorError:
        return Answer("failed", "unreachable")
    except (aiohttp.ClientError, OSError):
        return Answer("failed", "broken-off")
