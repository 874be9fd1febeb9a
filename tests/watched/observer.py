"""A Prometheus of a test, with short intervals, and the Alertmanager that it wakes."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy.local import free_ports
from deploy.local.prometheus import Prometheus
from tests.watched.rules import hurried

SCRAPE_SECONDS = 0.5
#: An hour lasts a minute.
DIVISOR = 60


def ask(url: str, path: str, **parameters: str) -> Any:
    """A question to Prometheus's API."""
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with urllib.request.urlopen(f"{url}/api/v1/{path}{query}", timeout=10) as reply:
            answer = json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None
    assert answer["status"] == "success", answer
    return answer["data"]


def values(url: str, query: str) -> list[float]:
    """The values of a query that are numbers."""
    found = [float(one["value"][1]) for one in ask(url, "query", query=query)["result"]]
    return [value for value in found if value == value]


class Pager:
    """Takes what Prometheus sends to an Alertmanager, and lets tests wait for it."""

    def __init__(self) -> None:
        self._firing: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
        self.seen: list[dict[str, str]] = []
        """The labels of every alert that has fired, in order."""
        self._changed = threading.Condition()
        pager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                alerts = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()
                pager._take(alerts)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def _take(self, alerts: list[dict[str, Any]]) -> None:
        now = datetime.now(UTC)
        with self._changed:
            for alert in alerts:
                labels: dict[str, str] = alert["labels"]
                key = tuple(sorted(labels.items()))
                # One that fires ends some intervals ahead, unless told again; one that ended, in the past.
                if datetime.fromisoformat(alert["endsAt"]) > now:
                    if key not in self._firing:
                        self.seen.append(labels)
                    self._firing[key] = labels
                else:
                    self._firing.pop(key, None)
            self._changed.notify_all()

    def firing(self) -> set[str]:
        """Names of the alerts that fire, without their prefix."""
        with self._changed:
            return {labels["alertname"].removeprefix("Hearthwatch") for labels in self._firing.values()}

    def wait(self, is_so: Callable[[], bool], what: str | Callable[[], str], seconds: float) -> None:
        """Wait until something is so; looked at whenever an alert comes or ends, and twice a second."""
        until = time.monotonic() + seconds
        with self._changed:
            while not is_so():
                if time.monotonic() >= until:
                    missing = what if isinstance(what, str) else what()
                    raise AssertionError(f"not in {seconds} s: {missing}; firing: {self.firing()}")
                self._changed.wait(0.5)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Observer:
    """Prometheus with the alert rules in a hurry, on some workers."""

    def __init__(
        self, folder: Path, targets: Sequence[str], *, divisor: int = DIVISOR, **replace: tuple[str, str]
    ) -> None:
        folder.mkdir(parents=True)
        self._targets = targets
        self.pager = Pager()
        (port,) = free_ports(1)
        self._prometheus = Prometheus(
            folder,
            port,
            rules=hurried(folder, divisor, **replace),
            scrape_seconds=SCRAPE_SECONDS,
            alertmanager=self.pager.address,
        )

    @property
    def url(self) -> str:
        return self._prometheus.url

    def __enter__(self) -> Self:
        self._prometheus.up(self._targets)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._prometheus.down()
        self.pager.close()

    def until(self, is_so: Callable[[], bool], what: str | Callable[[], str], *, seconds: float = 60) -> None:
        """Wait until something is so.

        Args:
            what: what is waited for, or a function that says what is still missing when time is up.
        """
        self.pager.wait(is_so, what, seconds)

    def fires(self, *names: str, since: int = 0, seconds: float = 60) -> None:
        """Wait until each of these has fired; ``since`` so many had been seen."""
        wanted = {f"Hearthwatch{name}" for name in names}

        def all_seen() -> bool:
            return wanted <= {labels["alertname"] for labels in self.pager.seen[since:]}

        self.until(all_seen, f"{sorted(names)} fire", seconds=seconds)

    def ends(self, *names: str, seconds: float = 90) -> None:
        """Wait until none of these fires."""
        self.until(lambda: not set(names) & self.pager.firing(), f"{sorted(names)} end", seconds=seconds)
