"""The application: its routes, its door, and its description."""

from __future__ import annotations

import os
from typing import Any, Final

from litestar import Litestar, MediaType, Response, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import DefineMiddleware
from litestar.types import ASGIApp

from casework.cases.commands import MAX_BYTES
from hearthwatch.api import cases, changes, description, households, oversight, problems, warnings
from hearthwatch.api.access import PUBLIC, ROLES, Door, may_use, with_headers
from hearthwatch.api.asked import has_known_parameters
from hearthwatch.api.measuring import CONTENT_TYPE
from hearthwatch.api.services import Behind, Services
from streams.errors import HearthwatchError


def fault_of(services: Services) -> str | None:
    """Why the API cannot serve, if it cannot."""
    if services.book.fault is not None:
        return "the token file is faulty"
    return "the audit log is not written" if services.audit.is_late else None


@get("/health", opt=PUBLIC, security=[{}], tags=["operation"], operation_id="health", sync_to_thread=False)
def health(services: Behind) -> Response[dict[str, str]]:
    """Whether the API can serve: 200, or 503 where the token file is faulty or the audit log is away."""
    fault = fault_of(services)
    return Response(
        {"status": "ok" if fault is None else "faulty", **({} if fault is None else {"fault": fault})},
        status_code=200 if fault is None else 503,
    )


@get("/readyz", opt=PUBLIC, include_in_schema=False, sync_to_thread=False)
def ready(services: Behind) -> Response[dict[str, Any]]:
    """The same as `hearthwatch up` and `status` ask of workers."""
    fault = fault_of(services)
    said = {"ready": fault is None, "pid": os.getpid(), **({} if fault is None else {"why": fault})}
    return Response(said, status_code=200 if fault is None else 503)


@get("/metrics", opt=PUBLIC, include_in_schema=False, sync_to_thread=False, media_type=MediaType.TEXT)
def metrics(services: Behind) -> Response[bytes]:
    """The counters, for Prometheus."""
    return Response(services.metrics.text(), headers={"Content-Type": CONTENT_TYPE})


HANDLERS: Final[tuple[HTTPRouteHandler, ...]] = (
    cases.list_cases,
    cases.counts,
    cases.show_case,
    cases.suggestions,
    cases.history,
    cases.alerts,
    cases.command,
    households.show_household,
    warnings.warnings,
    changes.changes,
    oversight.rules,
    oversight.audit,
    health,
    ready,
    metrics,
)
"""Every route; docs/reference/http-api.md names each with its roles."""


def make_app(services: Services) -> ASGIApp:
    """The application, for an ASGI server; it neither connects nor closes anything."""

    def provided() -> Services:
        return services

    app = Litestar(
        HANDLERS,
        dependencies={"services": Provide(provided, sync_to_thread=False)},
        guards=[may_use, has_known_parameters],
        middleware=[
            DefineMiddleware(
                Door,
                book=services.book,
                on_failed=lambda reason: services.metrics.turned_away.labels(reason).inc(),
            )
        ],
        exception_handlers={
            problems.RefusedError: problems.on_refused,
            HTTPException: problems.on_http,
            HearthwatchError: problems.on_ours,
            Exception: problems.on_any,
        },
        openapi_config=description.config(),
        request_max_body_size=MAX_BYTES // 2,  # a record of it has room for the actor
        logging_config=None,
        state=State(),
        debug=False,
    )
    return services.metrics.measured(with_headers(app))


def roles_of(handler: HTTPRouteHandler) -> tuple[str, ...] | None:
    """Who may use a route; None where no token is needed."""
    return None if handler.opt.get("exclude_from_auth") else tuple(handler.opt[ROLES])
