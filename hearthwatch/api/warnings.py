"""``GET /v1/warnings``: the latest warnings of the caller's communities."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import get

from hearthwatch.api.access import READERS, ROLES, Caller, narrowed
from hearthwatch.api.asked import known_level, warning_cursor
from hearthwatch.api.parameters import Cursor, Limit, OfLevel, Within
from hearthwatch.api.problems import answers
from hearthwatch.api.recent import Recent, place_text
from hearthwatch.api.services import Behind
from hearthwatch.desk import is_in


class WarningShown(msgspec.Struct, frozen=True):
    """One warning (docs/reference/warnings.md has its data).

    Attributes:
        community: where the household lived then.
        data: all that the warning says.
    """

    id: str
    type: str
    time: str
    household: str
    community: str | None
    level: str | None
    previous_level: str | None
    score: int
    data: dict[str, Any]


class WarningPage(msgspec.Struct, frozen=True):
    """Warnings, the latest first.

    Attributes:
        next: what to give as ``cursor`` for those before; None where no more are kept.
    """

    warnings: list[WarningShown]
    next: str | None


@get("/v1/warnings", opt={ROLES: READERS}, responses=answers(), tags=["warnings"], operation_id="warnings")
async def warnings(
    request: Caller,
    services: Behind,
    community: Within = None,
    level: OfLevel = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> WarningPage:
    """The latest warnings of the caller's communities, the latest first, among the latest 20,000 of all.

    A warning belongs to the community that it names: where the household lived then.
    """
    before, level = warning_cursor(cursor), await known_level(services, level)
    codes = narrowed(request.user.communities, community)
    found: list[Recent] = []
    for one in services.recent.newest_first(before):
        if level is not None and one.warning.message["data"].get("level") != level:
            continue
        if not is_in(one.community, codes) or (community is not None and one.community is None):
            continue
        found.append(one)
        if len(found) > limit:
            break
    shown = found[:limit]
    query = {"community": community, "level": level}
    await services.record(
        request,
        "read",
        "warnings",
        households=[one.warning.household for one in shown],
        rows=len(shown),
        query={name: text for name, text in query.items() if text},
    )
    more = place_text(shown[-1].place) if len(found) > limit else None
    return WarningPage([_shown(one) for one in shown], more)


def _shown(one: Recent) -> WarningShown:
    message = one.warning.message
    data = message["data"]
    return WarningShown(
        message["id"],
        message["type"],
        str(message.get("time", "")),
        one.warning.household,
        one.community,
        data.get("level"),
        data.get("previous_level"),
        int(data.get("score", 0)),
        data,
    )
