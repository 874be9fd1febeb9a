"""Real receivers of alerts on this machine: a mail server, and a web server that does as it is told."""

from __future__ import annotations

import asyncio
import email.message
import email.policy
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from typing import Any

from aiohttp import web
from aiosmtpd.controller import Controller


@dataclass
class Mailbox:
    """What a mail server took, and what it answers."""

    answer: str = "250 taken"
    mails: list[email.message.EmailMessage] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    port: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            mail = BytesParser(policy=email.policy.default).parsebytes(envelope.content)
            assert isinstance(mail, email.message.EmailMessage)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
        return self.answer


def unused_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """A mail server on a free port."""
    box = Mailbox(port=unused_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)  # it cannot be asked for any port
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@dataclass(frozen=True)
class Request:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Site:
    """A web server that answers each POST with the next of its answers, and then with 200.

    Attributes:
        answers: (status, headers); a status of 0 answers never.
        silent: paths that answer never.
        came: what has come, one after the other, for who waits for it.
    """

    url: str = ""
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    silent: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    came: asyncio.Queue[Request] = field(default_factory=asyncio.Queue)

    async def handle(self, request: web.Request) -> web.Response:
        one = Request(request.path, dict(request.headers), await request.read())
        self.requests.append(one)
        self.came.put_nowait(one)
        status, headers = self.answers.pop(0) if self.answers else (200, {})
        if status == 0 or one.path in self.silent:
            await self.released.wait()
            return web.Response()
        return web.Response(status=status, headers=headers)


@asynccontextmanager
async def web_server() -> AsyncIterator[Site]:
    """A web server on a free port."""
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", site.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        listening = web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0]
        site.url = f"http://{host}:{port}"
        yield site
    finally:
        site.released.set()
        await runner.cleanup()
