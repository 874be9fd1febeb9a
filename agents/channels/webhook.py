"""A signed webhook: one JSON body a message.

The signature is HMAC-SHA256 over ``<timestamp>.<body>`` with the channel's secret; the timestamp, in seconds,
is signed with it, so that what was overheard cannot be sent again later. The idempotency key is the same for
every attempt.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Final

import aiohttp
import orjson

from agents.channels.answers import Answer, asked
from casework.alerts.intents import Send

TIMESTAMP: Final = "X-Hearthwatch-Timestamp"
SIGNATURE: Final = "X-Hearthwatch-Signature"
IDEMPOTENCY: Final = "Idempotency-Key"
_VERSION: Final = "v1="
TOLERANCE_SECONDS: Final = 300
"""How far a receiver's clock and ours may be apart."""


class Webhook:
    """Posts messages to one address.

    Args:
        secret: the key of the signature.
        clock: seconds since 1970.
    """

    def __init__(
        self, session: aiohttp.ClientSession, secret: str, timeout_seconds: int, clock: Callable[[], float]
    ) -> None:
        self._session = session
        self._secret = secret.encode()
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._clock = clock

    async def send(self, send: Send, address: str) -> Answer:
        """Post a message. Redirects are not followed: a signed body is for the address that was given."""
        body = body_of(send)
        timestamp = str(int(self._clock()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "hearthwatch",
            IDEMPOTENCY: send.key,
            TIMESTAMP: timestamp,
            SIGNATURE: sign(self._secret, timestamp, body),
        }
        return await asked(
            lambda: self._session.post(
                address, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
            )
        )


def body_of(send: Send) -> bytes:
    """The body: the message's data, and its words."""
    text = {"title": send.text.title, "body": send.text.body}
    return orjson.dumps({"key": send.key, **send.data, "text": text})


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature's header."""
    return _VERSION + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def is_genuine(
    secret: bytes,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    tolerance_seconds: int = TOLERANCE_SECONDS,
) -> bool:
    """What a receiver checks: the signature fits the body, and is not old."""
    timestamp, given = headers.get(TIMESTAMP, ""), headers.get(SIGNATURE, "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 15):
        return False
    is_fresh = abs(now - int(timestamp)) <= tolerance_seconds
    fits = hmac.compare_digest(given.encode(), sign(secret, timestamp, body).encode())
    return is_fresh and fits
