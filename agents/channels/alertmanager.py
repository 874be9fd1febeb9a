"""Prometheus' Alertmanager, by its v2 API: each alert of a message is one of its alerts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import aiohttp
import orjson

from agents.channels.answers import Answer, asked
from casework.alerts.intents import Send

NAME: Final = "HearthwatchAlert"
LASTS: Final = dt.timedelta(hours=8)
"""How long one burns there, unless it is sent again before: longer than the usual time between repeats."""


class Alertmanager:
    """Posts messages to ``<address>/api/v2/alerts``; ``clock`` gives seconds since 1970."""

    def __init__(
        self, session: aiohttp.ClientSession, timeout_seconds: int, clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._clock = clock

    async def send(self, send: Send, address: str) -> Answer:
        """Post a message. To post one again is harmless: the labels say which alert it is."""
        ends = dt.datetime.fromtimestamp(self._clock(), dt.UTC) + LASTS
        body = orjson.dumps(alerts_of(send, ends))
        url = f"{address.rstrip('/')}/api/v2/alerts"
        headers = {"Content-Type": "application/json", "User-Agent": "hearthwatch"}
        return await asked(
            lambda: self._session.post(
                url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            )
        )


def alerts_of(send: Send, ends: dt.datetime) -> list[dict[str, Any]]:
    """Alertmanager's alerts: labels tell a case, a place and a level; annotations hold the words."""
    found = []
    for alert in send.data["alerts"]:
        labels = {
            "alertname": NAME,
            "case": alert["case"],
            "team": send.team,
            "level": alert["level"],
            "community": alert["community"],
            "tier": alert["tier"],
        }
        annotations = {
            "kind": alert["kind"],
            "task": alert["task"],
            "do_by": alert["do_by"],
            "dimensions": ", ".join(alert["dimensions"]),
            "summary": send.text.title,
        }
        found.append(
            {
                "labels": _given(labels),  # an empty label is none to Alertmanager
                "annotations": _given(annotations),
                "endsAt": ends.isoformat(),
                "generatorURL": alert["link"],
            }
        )
    return found


def _given(values: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
