"""Looks at households from the command line go on record too, before anything is shown."""

from __future__ import annotations

import asyncio
import getpass
import os
from typing import Final

import click

from hearthwatch.settings import Settings
from streams.audit import Entry, Who

OPERATOR: Final = "operator"
"""The role of who works on a server: it is the machine's logins that say who may."""


def look_on_record(settings: Settings, what: str, household: str, *, is_found: bool) -> None:
    """Put on record that somebody looks at a household; returns when it is there.

    Who looks is the login of this machine; how, the command.

    Raises:
        InputError: there is no audit log yet.
        TransportError: the brokers do not take the record.
    """
    entry = Entry(
        "read",
        what,
        "ok" if is_found else "not-found",
        Who(_login(), OPERATOR),
        by=click.get_current_context().command_path,
        households=(household,),
        rows=int(is_found),
    )
    asyncio.run(_write(settings, entry))


async def _write(settings: Settings, entry: Entry) -> None:
    from hearthwatch.audit_log import AuditWriter

    async with AuditWriter(settings, "cli") as writer:
        await writer.write(entry)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
