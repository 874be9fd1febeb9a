"""Running the API: uvicorn in this process, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Final

import uvicorn

from hearthwatch.api.app import make_app
from hearthwatch.api.services import open_services
from hearthwatch.settings import Settings
from hearthwatch.tokens import TokenBook
from streams.errors import SettingsError

logger = logging.getLogger(__name__)

#: How long requests that are under way may take when the server stops.
GRACE_SECONDS: Final = 10
_MOST_CONNECTIONS: Final = 2_000
_BACKLOG: Final = 256


def _listening(host: str, port: int) -> socket.socket:
    """A socket of ours: uvicorn would leave the program where the port is taken."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # Said to be TCP: only then does asyncio turn off Nagle's delay, which takes 40 ms of each answer.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
    except OSError:
        found.close()
        raise
    return found


class _Server(uvicorn.Server):
    """uvicorn without its own signals: ours also end the streams."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


def run_api(settings: Settings, *, ready: Callable[[str], None] = lambda url: None) -> None:
    """Serve until SIGTERM or SIGINT.

    Args:
        ready: called with the address once it answers.

    Raises:
        SettingsError: no token file, the port is taken, or the certificate cannot be used.
        InputError: the token file is faulty, or a topic is missing.
        TransportError: a server does not answer.
    """
    asyncio.run(_run(settings, ready))


async def _run(settings: Settings, ready: Callable[[str], None]) -> None:
    if settings.tokens is None:
        raise SettingsError(
            "HEARTHWATCH_TOKENS: got nothing; allowed: the path of a file of tokens. Choose one, and make a"
            " first token:\n"
            "  export HEARTHWATCH_TOKENS=~/hearthwatch-tokens.json\n"
            "  hearthwatch token add anna --role community --community 420106003005"
        )
    book = TokenBook(settings.tokens)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_services(settings, book) as services:
        config = uvicorn.Config(
            make_app(services),
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,  # a path names a household
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=_MOST_CONNECTIONS,
            backlog=_BACKLOG,
            proxy_headers=False,
            ssl_certfile=settings.api_cert_file,
            ssl_keyfile=settings.api_key_file,
        )
        try:
            config.load()
        except (ssl.SSLError, OSError):
            raise SettingsError(
                f"HEARTHWATCH_API_CERT_FILE: got {str(settings.api_cert_file)!r} with the key"
                f" {str(settings.api_key_file)!r}; allowed: a certificate and its key, in PEM form"
            ) from None
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            listening = _listening(settings.api_host, settings.api_port)
        except OSError as error:
            raise SettingsError(
                f"the API cannot be served on {settings.api_host}:{settings.api_port}"
                f" ({error.strerror or error}): choose another with HEARTHWATCH_API_PORT (0: any free one)"
            ) from None
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listening]))
        stopping = asyncio.create_task(stop.wait())
        up = asyncio.create_task(server.is_up.wait())
        try:
            await asyncio.wait({serving, up}, return_when=asyncio.FIRST_COMPLETED)
            scheme = "https" if config.ssl is not None else "http"
            ready(f"{scheme}://{settings.api_host}:{listening.getsockname()[1]}")
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            services.stopping.set()
            server.should_exit = True
            stopping.cancel()
            up.cancel()
            await serving
