"""Holds a request to what is known: its parameters, the cursor of a page, the levels of the policies.

What is misspelt would otherwise ask for more, or for nothing, and be answered as if it had been meant.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from agents.case_index import is_member
from hearthwatch.api.problems import RefusedError
from hearthwatch.api.recent import Place, place_of
from hearthwatch.api.services import Services
from hearthwatch.desk.levels import every_level
from hearthwatch.tokens import Token
from streams.yamlfile import suggest

#: Longer names are cut where they are told again.
_MOST_SHOWN: Final = 40


def has_known_parameters(connection: ASGIConnection[Any, Token, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route that is described: its query has only parameters that the description has.

    Raises:
        RefusedError: there is another; it and the known ones are named.
    """
    item = (connection.app.openapi_schema.paths or {}).get(connection.scope["path_template"])
    method = str(connection.scope.get("method", "")).lower()
    operation = None if item is None else getattr(item, method, None)
    if operation is None:
        return
    names = [one.name for one in operation.parameters or () if getattr(one, "param_in", "") == "query"]
    for name in connection.query_params:
        if name not in names:
            raise unknown(name, "no parameter of this address", names)


def case_cursor(cursor: str | None) -> str | None:
    """The cursor of a page of cases, as it was given.

    Raises:
        RefusedError: it is none.
    """
    if cursor is not None and not is_member(cursor):
        raise _no_cursor()
    return cursor


def warning_cursor(cursor: str | None) -> Place | None:
    """The cursor of a page of warnings, as a place; raises as :func:`case_cursor`."""
    place = None if cursor is None else place_of(cursor)
    if cursor is not None and place is None:
        raise _no_cursor()
    return place


async def known_level(services: Services, level: str | None) -> str | None:
    """A level that some policy that was activated has, as it was given.

    Cases and warnings have the levels of the policy of their time. The policies are read again where none of
    those that were read has the level.

    Raises:
        RefusedError: none has it.
        TransportError: no broker answers.
    """
    if level is None or level in services.levels:
        return level
    services.levels = await asyncio.to_thread(every_level, services.settings)
    if level not in services.levels:
        raise unknown(level, "no level of any policy that was activated", services.levels, of="level")
    return level


def unknown(given: str, what: str, known: Iterable[str], *, of: str | None = None) -> RefusedError:
    """What is told of a word that is none of the known ones, which are named.

    Args:
        of: the parameter that had it.
    """
    words = list(known)
    cut = given if len(given) <= _MOST_SHOWN else f"{given[:_MOST_SHOWN]}..."
    hint = suggest(cut, words)
    if "one of:" not in hint:
        hint = f"{hint} one of: {', '.join(words)}".strip() if words else "it takes none"
    return RefusedError("bad-request", f"{f'{of}: ' if of else ''}`{cut}` is {what}: {hint}")


def _no_cursor() -> RefusedError:
    return RefusedError("bad-request", "cursor: expected the `next` of a page before")
