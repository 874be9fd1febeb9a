"""What the API counts, for Prometheus; labels are bounded, none names a person, a household or a token."""

from __future__ import annotations

import time
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

CONTENT_TYPE: Final[str] = CONTENT_TYPE_LATEST
UNKNOWN_ROUTE: Final = "other"
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class ApiMetrics:
    """The counters of one API process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "hearthwatch_api_requests",
            "Requests by route and status.",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "hearthwatch_api_request_seconds",
            "From a request to the beginning of its answer.",
            ["route", "method"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.turned_away = Counter(
            "hearthwatch_api_turned_away",
            "Requests without a token that opens.",
            ["reason"],
            registry=self.registry,
        )
        self.streams = Gauge(
            "hearthwatch_api_streams", "Streams of changes that are open.", registry=self.registry
        )

    def text(self) -> bytes:
        """The scrape."""
        return generate_latest(self.registry)

    def measured(self, app: ASGIApp) -> ASGIApp:
        """Count what goes through."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            began = time.perf_counter()

            async def send_counted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    route = str(scope.get("path_template") or UNKNOWN_ROUTE)
                    method = str(scope["method"]) if route != UNKNOWN_ROUTE else UNKNOWN_ROUTE
                    self.requests.labels(route, method, str(message["status"])).inc()
                    self.seconds.labels(route, method).observe(time.perf_counter() - began)
                await send(message)

            await app(scope, receive, send_counted)

        return counted
