"""Who may ask for what: bearer tokens, the roles of each route, and the communities of each caller."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Sequence
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from casework.cases.commands import Role
from hearthwatch.api.problems import REQUEST_ID, RefusedError
from hearthwatch.tokens import Token, TokenBook

ROLES: Final = "roles"
"""Where a route says who may use it: ``opt={ROLES: FIELD}``."""
PUBLIC: Final = {"exclude_from_auth": True}
"""What a route says that needs no token."""

FIELD: Final[tuple[Role, ...]] = ("community", "street", "district")
READERS: Final[tuple[Role, ...]] = (*FIELD, "auditor")
EVERYBODY: Final[tuple[Role, ...]] = (*READERS, "policy")
AUDITORS: Final[tuple[Role, ...]] = ("auditor",)

Caller = Request[Token, str, State]
"""A request of somebody who showed a token."""

_ALWAYS: Final = ((b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff"))
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
#: Failed tokens of one address within a minute, before it is told to wait; a good token always opens, since
#: many may come from one address, and one of them must not lock out the others.
MOST_FAILED: Final = 20
_WITHIN_SECONDS: Final = 60.0
_MOST_ADDRESSES: Final = 10_000


class FailedTokens:
    """Counts tokens that did not open, by address and minute."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, int]] = {}

    def another(self, address: str, now: float) -> float | None:
        """One more; how many seconds to wait, if there were too many."""
        began, count = self._counts.pop(address, (now, 0))
        if now - began >= _WITHIN_SECONDS:
            began, count = now, 0
        if len(self._counts) >= _MOST_ADDRESSES:
            self._counts.pop(next(iter(self._counts)))  # the one that failed longest ago
        self._counts[address] = (began, count + 1)
        return began + _WITHIN_SECONDS - now if count >= MOST_FAILED else None


class Door(AbstractAuthenticationMiddleware):
    """Lets in who shows a token that opens (``Authorization: Bearer``).

    Args:
        book: the token file.
        on_failed: called with a reason for each request without a good token.
    """

    def __init__(self, app: ASGIApp, *, book: TokenBook, on_failed: Any = None) -> None:
        super().__init__(app)
        self._book = book
        self._failed = FailedTokens()
        self._on_failed = on_failed or (lambda reason: None)

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        """The token of a request.

        Raises:
            RefusedError: there is none, or it does not open.
        """
        kind, _, text = connection.headers.get("authorization", "").partition(" ")
        challenge = {"WWW-Authenticate": "Bearer"}
        if kind.lower() != "bearer" or not text.strip():
            self._on_failed("no-token")
            raise RefusedError(
                "no-token", "show a token: send the header `Authorization: Bearer hw_...`", headers=challenge
            )
        token = self._book.find(text.strip(), time.time())
        if token is not None:
            return AuthenticationResult(user=token, auth=token.id)
        client = connection.client
        wait = self._failed.another(client.host if client is not None else "", time.monotonic())
        if wait is not None:
            self._on_failed("too-many-bad-tokens")
            raise RefusedError(
                "too-many-bad-tokens",
                f"more than {MOST_FAILED} tokens that do not open within a minute: wait {wait:.0f} s",
                headers={"Retry-After": f"{wait:.0f}"},
            )
        self._on_failed("bad-token")
        raise RefusedError(
            "bad-token",
            "the token is unknown, revoked or expired: ask for a new one (`hearthwatch token add`)",
            headers={**challenge, "WWW-Authenticate": 'Bearer error="invalid_token"'},
        )


def may_use(connection: ASGIConnection[Any, Token, Any, Any], handler: BaseRouteHandler) -> None:
    """The guard of every route.

    Raises:
        RefusedError: the caller's role may not use this route, whatever it is asked for.
    """
    if handler.opt.get("exclude_from_auth"):
        return
    roles: Sequence[str] = handler.opt[ROLES]
    if connection.user.role not in roles:
        raise RefusedError(
            "role", f"the role {connection.user.role} may not use this address; these may: {', '.join(roles)}"
        )


def narrowed(codes: Sequence[str], wanted: str | None) -> tuple[str, ...]:
    """The codes of a caller, narrowed to what they ask for; empty where it is not theirs."""
    if wanted is None:
        return tuple(codes)
    if any(wanted.startswith(code) for code in codes):
        return (wanted,)
    return tuple(code for code in codes if code.startswith(wanted))


def with_headers(app: ASGIApp) -> ASGIApp:
    """Give each request an id, the caller's own if it is a plain one, and tell it in ``X-Request-Id``.

    No answer is kept anywhere on its way, nor taken for another type than it says.
    """

    async def with_id(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})[REQUEST_ID] = id

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", id.encode()), *_ALWAYS]
            await send(message)

        await app(scope, receive, send_with_id)

    return with_id
