"""``GET /v1/changes``: what becomes of the caller's cases, as it comes."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import msgspec
from litestar import get
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import ServerSentEvent
from litestar.response.sse import ServerSentEventMessage

from hearthwatch.api.access import READERS, ROLES, Caller, narrowed
from hearthwatch.api.parameters import LastEvent, Within
from hearthwatch.api.problems import RefusedError, answers
from hearthwatch.api.services import Behind, Services
from hearthwatch.api.streaming import MOST_OF_A_TOKEN, watched
from hearthwatch.desk import Following
from streams.errors import InputError, TransportError

logger = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


@get(
    "/v1/changes",
    opt={ROLES: READERS},
    responses=answers()
    | {
        200: ResponseSpec(
            str,
            generate_examples=False,
            media_type="text/event-stream",
            description="Server-sent events: `event` the type, `data` the CloudEvent of case.events",
        )
    },
    tags=["changes"],
    operation_id="changes",
)
async def changes(
    request: Caller,
    services: Behind,
    community: Within = None,
    last_event_id: LastEvent = None,
) -> ServerSentEvent:
    """What becomes of the cases of the caller's communities, from now on, or after ``Last-Event-ID``.

    Each event is put on record before it is sent. A comment comes where there was nothing for 15 s. The
    stream ends when the token does.
    """
    token = request.user
    if services.streams.get(token.id, 0) >= MOST_OF_A_TOKEN:
        raise RefusedError(
            "too-many-streams",
            f"this token has {MOST_OF_A_TOKEN} streams open: close one, or use one for all",
        )
    codes = narrowed(token.communities, community)
    await services.record(
        request, "read", "changes", query={} if community is None else {"community": community}
    )
    try:
        following = await services.desk.follow(codes, since=last_event_id)
    except InputError as error:
        raise RefusedError("bad-request", f"Last-Event-ID: {error}") from None
    return ServerSentEvent(_messages(request, services, following))


async def _messages(
    caller: Caller, services: Services, following: Following
) -> AsyncIterator[ServerSentEventMessage]:
    token = caller.user
    services.streams[token.id] = services.streams.get(token.id, 0) + 1
    services.metrics.streams.inc()
    try:
        # An id without data moves what a browser sends as Last-Event-ID, and calls nobody.
        yield ServerSentEventMessage(data=None, comment="following", id=following.place)
        async for change in watched(following.events(), services, token):
            if change is None:
                yield ServerSentEventMessage(data=None, comment="alive", id=following.place)
                continue
            event = change.event
            case, household = event["data"]["case"], event["data"]["household"]
            await services.record(caller, "read", "change", case=case, households=[household], rows=1)
            yield ServerSentEventMessage(data=_encode(event).decode(), event=event["type"], id=change.place)
    except TransportError as error:
        # Whoever listens comes back with the last id that they have, and misses nothing.
        logger.warning("a stream of changes ends: %s", type(error).__name__)
    finally:
        await following.close()
        services.metrics.streams.dec()
        services.streams[token.id] -= 1
        if not services.streams[token.id]:
            del services.streams[token.id]
