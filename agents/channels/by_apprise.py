"""Everything that apprise knows to send by: WeCom, DingTalk, Feishu, mail, SMS gateways and many more."""

from __future__ import annotations

import asyncio
import logging

from agents.channels.answers import Answer
from casework.alerts.intents import Send


class ByApprise:
    """Sends to one apprise URL a message."""

    def __init__(self, timeout_seconds: int) -> None:
        self._timeout_seconds = timeout_seconds
        # It logs addresses and what services answer; what came of a message is counted here anyway.
        logging.getLogger("apprise").disabled = True

    async def send(self, send: Send, address: str) -> Answer:
        """Send a message. apprise only tells whether it went: any failure is worth another attempt."""
        import apprise  # a second of imports, for who sends by it only

        asset = apprise.AppriseAsset(
            app_id="hearthwatch", secure_logging=True, service_timeout=self._timeout_seconds
        )
        service = apprise.Apprise.instantiate(address, asset=asset)
        if service is None:
            return Answer("rejected", "bad-address")
        sender = apprise.Apprise(asset=asset)
        sender.add(service)
        try:
            result = await asyncio.wait_for(
                sender.async_notify(
                    body=send.text.body, title=send.text.title, body_format=apprise.NotifyFormat.TEXT
                ),
                self._timeout_seconds + 5,  # apprise keeps the time itself; this is for where it does not
            )
        except TimeoutError:
            return Answer("failed", "timeout")
        if result:
            return Answer("sent")
        return Answer("failed", "timeout" if result.status.name == "TIMEOUT" else "not-taken")
