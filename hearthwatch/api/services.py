"""What the handlers work with, and how they put on record what they show."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Final

from litestar.di import Dependency
from litestar.params import SkipValidationMarker

from hearthwatch.api.access import Caller
from hearthwatch.api.measuring import ApiMetrics
from hearthwatch.api.problems import REQUEST_ID
from hearthwatch.api.recent import RecentWarnings
from hearthwatch.audit_log import AuditWriter
from hearthwatch.connections import kafka_arguments
from hearthwatch.settings import Settings
from hearthwatch.tokens import Token, TokenBook
from streams.audit import Entry, Kind, Who

if TYPE_CHECKING:
    from hearthwatch.api.judged import Judged
    from hearthwatch.desk import Desk

PURPOSE_HEADER: Final = "x-purpose"
_LONGEST_PURPOSE: Final = 200


@dataclass(slots=True)
class Services:
    """Everything behind the API.

    Attributes:
        stopping: set when the server stops: streams end.
        streams: token id -> how many streams of changes it has open.
        levels: of the policies that were activated, as they were read last; see
            :func:`hearthwatch.api.asked.known_level`.
    """

    settings: Settings
    book: TokenBook
    desk: Desk
    audit: AuditWriter
    recent: RecentWarnings
    judged: Judged
    metrics: ApiMetrics
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    streams: dict[str, int] = field(default_factory=dict)
    levels: tuple[str, ...] = ()

    async def record(
        self,
        caller: Caller,
        kind: Kind,
        what: str,
        result: str = "ok",
        *,
        case: str | None = None,
        households: Sequence[str] = (),
        rows: int = 0,
        query: dict[str, str] | None = None,
        request: str | None = None,
    ) -> None:
        """Put something on record; returns when it is there.

        Raises:
            PublishTimeoutError: the brokers do not take it: nothing may be shown.
        """
        await self.audit.write(
            Entry(
                kind,
                what,
                result,
                who_of(caller.user),
                by=f"{caller.method} {caller.scope['path_template']}",
                request=request or str(caller.scope["state"].get(REQUEST_ID, "")),
                why=_purpose(caller.headers.get(PURPOSE_HEADER, "")),
                case=case,
                households=tuple(dict.fromkeys(households)),
                rows=rows,
                query=query or {},
            )
        )


Behind = Annotated[Services, Dependency(), SkipValidationMarker()]
"""How a handler asks for the services."""


def _purpose(header: str) -> str:
    """A header is read as Latin-1, whatever its sender wrote; most write UTF-8."""
    return header.encode("latin-1", "replace").decode("utf-8", "replace")[:_LONGEST_PURPOSE]


def who_of(token: Token) -> Who:
    """Whose token it is, as the audit log has it."""
    return Who(token.name, token.role, token.id, tuple(token.communities))


@asynccontextmanager
async def open_services(settings: Settings, book: TokenBook) -> AsyncIterator[Services]:
    """Connect to all that the API needs; closed at the end.

    Raises:
        InputError: a topic or a file is missing.
        TransportError: a server does not answer.
    """
    from hearthwatch.api.judged import Judged
    from hearthwatch.desk import Desk

    metrics = ApiMetrics()
    async with (
        Desk.open(settings) as desk,
        AuditWriter(settings, "api") as audit,
        RecentWarnings(kafka_arguments(settings)) as recent,
        Judged.open(settings) as judged,
    ):
        yield Services(settings, book, desk, audit, recent, judged, metrics)
