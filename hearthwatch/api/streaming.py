"""Changes as server-sent events: each put on record before it is shown, with a sign of life in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

from hearthwatch.api.services import Services
from hearthwatch.tokens import Token

#: Proxies hang up on what is silent for a minute; so often a stream says that it lives, and looks whether its
#: token still opens.
ALIVE_SECONDS: Final = 15.0
#: Streams are for consoles: one each, and some more while a page is loaded again.
MOST_OF_A_TOKEN: Final = 8


async def watched(
    events: AsyncIterator[Any],
    services: Services,
    token: Token,
    *,
    alive_seconds: float = ALIVE_SECONDS,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[Any | None]:
    """Events as they come, None where there was none for a while; ends with the server or the token.

    Args:
        alive_seconds: how long nothing may be said.
    """
    stopping = asyncio.ensure_future(services.stopping.wait())
    following: asyncio.Future[Any] | None = None
    try:
        while not services.stopping.is_set() and services.book.holds(token, now()):
            if following is None:
                following = asyncio.ensure_future(anext(events))
            await asyncio.wait(
                {following, stopping}, timeout=alive_seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if stopping.done():
                return
            if not following.done():
                yield None
                continue
            found, following = following, None
            try:
                event = found.result()
            except StopAsyncIteration:
                return
            if not services.book.holds(token, now()):
                return
            yield event
    finally:
        stopping.cancel()
        if following is not None:
            following.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                await following
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()
