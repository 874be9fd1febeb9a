"""What a request that cannot be served is told: RFC 9457, with a reason and a sentence that names the fix."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from agents.ledger import LedgerMissingError
from streams.errors import HearthwatchError, InputError, TransportError

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
REQUEST_ID: Final = "request_id"
"""Where a request's scope state has its id."""

STATUS: Final[Mapping[str, int]] = {
    "no-token": 401,
    "bad-token": 401,
    "too-many-bad-tokens": 429,
    "role": 403,
    "not-found": 404,
    "method": 405,
    "too-large": 413,
    "bad-request": 400,
    "bad-data": 422,
    "forbidden": 403,
    "own-proposal": 403,
    "unknown-case": 404,
    "id-taken": 409,
    "repeated-refusal": 409,
    "stale": 409,
    "wrong-state": 409,
    "not-yet": 409,
    "too-late": 409,
    "barred": 409,
    "too-many": 409,
    "too-many-streams": 429,
    "internal-error": 500,
    "unavailable": 503,
}
"""Reason -> status. Those of a command are of docs/reference/cases.md; docs/reference/http-api.md has all."""


_COMMAND: Final = "a command's: see [refusals](cases.md#refusals)"
TOLD: Final[Mapping[str, str]] = {
    "no-token": "no `Authorization: Bearer` header",
    "bad-token": "the token is unknown, revoked or expired: ask for a new one",
    "too-many-bad-tokens": "wait as long as `Retry-After` says",
    "role": "the role may not use this route, whatever it is asked for",
    "not-found": "there is no such thing, or it is not the caller's",
    "method": "the route takes another method",
    "too-large": "the body is larger than 128 KiB",
    "bad-request": "a parameter or a header is wrong; `detail` says which",
    "bad-data": "the body is not what the route or the command takes; `detail` says where",
    "repeated-refusal": "a command with this id was refused before, and is not tried again: take a new id",
    "too-many-streams": "close a stream, or use one for all",
    "internal-error": "the program failed; its log has the place under the request's id",
    "unavailable": "Kafka or Redis does not answer, the audit log does not take the record, or Redis has"
    " lost its data (`detail` says which): try again",
}
"""Reason -> when it is given, for the reference; of those that are not here, a command's."""


def told_of(reason: str) -> str:
    """When a reason is given, in a line."""
    return TOLD.get(reason, _COMMAND)


class Problem(msgspec.Struct, frozen=True):
    """The body of an answer that is none.

    Attributes:
        type: ``urn:hearthwatch:problem:<reason>``.
        title: the status in words.
        detail: one sentence: what is wrong, and what to do.
        request: the request's id, as the audit log has it.
        version: the case's version now, where a command was refused.
    """

    type: str
    title: str
    status: int
    reason: str
    detail: str
    request: str
    version: int | None = None


class RefusedError(Exception):
    """A request that cannot be served; becomes a :class:`Problem`.

    Args:
        reason: one of :data:`STATUS`.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        version: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.reason = reason
        self.detail = detail
        self.version = version
        self.headers = dict(headers or {})
        super().__init__(f"{reason}: {detail}")


def not_found(what: str) -> RefusedError:
    """What is told of a thing that is not there and of one that is somebody else's: the same."""
    return RefusedError("not-found", f"there is no such {what} among those of your communities")


def answers(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems that a route may answer with beside those that all have, for its description."""
    told = {*statuses, 400, 401, 403, 429, 503}
    return {
        status: ResponseSpec(
            data_container=Problem,
            generate_examples=False,
            description=HTTPStatus(status).phrase,
            media_type=MEDIA_TYPE,
        )
        for status in sorted(told)
    }


def response(
    request: Request[Any, Any, Any],
    reason: str,
    detail: str,
    *,
    status: int | None = None,
    version: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response[Problem]:
    """The answer that says so."""
    status = STATUS[reason] if status is None else status
    problem = Problem(
        f"urn:hearthwatch:problem:{reason}",
        HTTPStatus(status).phrase,
        status,
        reason,
        detail,
        request.scope["state"].get(REQUEST_ID, ""),
        version,
    )
    return Response(problem, status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {}))


def on_refused(request: Request[Any, Any, Any], error: RefusedError) -> Response[Problem]:
    """See :class:`RefusedError`."""
    return response(request, error.reason, error.detail, version=error.version, headers=error.headers)


def on_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refuses: no such route, a parameter or a body that is none."""
    if isinstance(error, ValidationException):
        in_body = False
        told = []
        for one in error.extra if isinstance(error.extra, list) else []:
            in_body = in_body or str(one.get("source", "body")) == "body"
            told.append(f"{one.get('key', '')}: {one.get('message', '')}".strip(": "))
        detail = "; ".join(told) or str(error.detail)
        return response(request, "bad-data" if in_body or not told else "bad-request", detail)
    reason, detail = {
        404: ("not-found", "there is no such address; /v1/openapi.json lists all"),
        405: ("method", "the address does not take this method; /v1/openapi.json lists what it takes"),
        413: ("too-large", "the body is too large: at most 262144 bytes are read"),
    }.get(error.status_code, ("bad-request", str(error.detail)))
    status = error.status_code if 400 <= error.status_code < 500 else 500
    return response(request, reason, detail, status=status, headers=error.headers)


def on_ours(request: Request[Any, Any, Any], error: HearthwatchError) -> Response[Problem]:
    """A server behind us does not answer, or what was given is wrong."""
    if isinstance(error, InputError):
        return response(request, "bad-data", str(error))
    logger.warning("request not served: %s", type(error).__name__, extra={"request": _id(request)})
    if isinstance(error, LedgerMissingError):
        return response(request, "unavailable", str(error))
    if isinstance(error, TransportError):
        return response(request, "unavailable", f"a server behind the API does not answer ({error})")
    return response(request, "internal-error", _UNKNOWN)


def on_any(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """A fault of the program: logged with the places that it passed, told without."""
    logger.error("request failed", exc_info=error, extra={"request": _id(request)})
    return response(request, "internal-error", _UNKNOWN)


_UNKNOWN: Final = "the program failed on this request; its log has the place under the request's id"


def _id(request: Request[Any, Any, Any]) -> str:
    return str(request.scope["state"].get(REQUEST_ID, ""))
