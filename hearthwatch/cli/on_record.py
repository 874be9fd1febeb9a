"""Looks and changes from the command line go on record too, before anything is shown or sent."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Mapping, Sequence
from typing import Final

import click

from hearthwatch.settings import Settings
from streams.audit import Entry, Kind, Who

OPERATOR: Final = "operator"
"""The role of who works on a server: it is the machine's logins that say who may."""


def look_on_record(settings: Settings, what: str, household: str, *, is_found: bool) -> None:
    """Put on record that somebody looks at a household; returns when it is there.

    Who looks is the login of this machine; how, the command.

    Raises:
        InputError: there is no audit log yet.
        TransportError: the brokers do not take the record.
    """
    result = "ok" if is_found else "not-found"
    asyncio.run(put_on_record(settings, entry("read", what, result, households=(household,), rows=is_found)))


def entry(
    kind: Kind,
    what: str,
    result: str,
    *,
    case: str | None = None,
    households: Sequence[str] = (),
    rows: int = 0,
    query: Mapping[str, str] | None = None,
    request: str = "",
) -> Entry:
    """What the login of this machine does by the command that runs; see :class:`Entry`."""
    return Entry(
        kind,
        what,
        result,
        Who(_login(), OPERATOR),
        by=click.get_current_context().command_path,
        request=request,
        case=case,
        households=tuple(dict.fromkeys(households)),
        rows=int(rows),
        query=dict(query or {}),
    )


async def put_on_record(settings: Settings, *entries: Entry) -> None:
    """Put entries on record; returns when they are there, raises as :func:`look_on_record`."""
    from hearthwatch.audit_log import AuditWriter

    async with AuditWriter(settings, "cli") as writer:
        await writer.write(*entries)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
