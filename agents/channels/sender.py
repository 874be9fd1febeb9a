"""Carries out what was decided to be sent, by the channels of the routes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TextIO

import aiohttp

from agents.channels.alertmanager import Alertmanager
from agents.channels.answers import Answer, Way
from agents.channels.by_apprise import ByApprise
from agents.channels.secrets import resolve
from agents.channels.webhook import Webhook
from agents.channels.writing import ToFile, ToTerminal
from casework.alerts.intents import Result, Send
from casework.alerts.routes import Channel, Routes
from streams.errors import SettingsError


class Sender:
    """Sends messages one at a time; several may be awaited at once.

    Args:
        environment: where secrets come from; looked at for every message, so that they can be changed.
        session: of the webhooks and of Alertmanager; the caller closes it.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        routes: Routes,
        environment: Mapping[str, str],
        session: aiohttp.ClientSession,
        *,
        clock: Callable[[], float] = time.time,
        out: TextIO | None = None,
    ) -> None:
        self._routes = routes
        self._environment = environment
        self._session = session
        self._clock = clock
        self._out = out if out is not None else sys.stdout

    async def send(self, send: Send) -> Result:
        """Carry one message out, and say what came of it."""
        answer = await self._answer(send)
        of = (send.message, send.channel, send.member, send.attempt)
        return Result(*of, answer.outcome, answer.reason, answer.retry_after)

    async def _answer(self, send: Send) -> Answer:
        channel = self._routes.channels.get(send.channel)
        if channel is None:
            return Answer("rejected", "no-channel")
        address = channel.address
        if channel.is_personal:
            member = self._routes.members.get(send.member)
            address = member.contacts.get(channel.id) if member is not None else None
            if address is None:
                return Answer("rejected", "no-contact")
        try:
            resolved = resolve(address or "", self._environment)
            way = self._way(channel)
        except SettingsError:
            return Answer("failed", "no-secret")
        return await way.send(send, resolved)

    def _way(self, channel: Channel) -> Way:
        if channel.kind == "webhook":
            secret = resolve(channel.secret or "", self._environment)
            return Webhook(self._session, secret, channel.timeout_seconds, self._clock)
        if channel.kind == "alertmanager":
            return Alertmanager(self._session, channel.timeout_seconds, self._clock)
        if channel.kind == "file":
            return ToFile(Path(channel.path or ""))
        if channel.kind == "terminal":
            return ToTerminal(self._out)
        return ByApprise(channel.timeout_seconds)
