"""The connection to Redis or Valkey: scripts by their digest, one round trip for all calls of a moment.

It works the same over a single server, TLS, a password and Redis Cluster, and connects at the first call.
A call survives an outage: connection loss, a server that is loading its data, a replica that was promoted,
a script that the server has forgotten, a moved slot. Each is tried again, with backoff and jitter, for as
long as the caller waits; so everything run through it must be safe to run twice.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import hiredis
import redis.asyncio
import redis.asyncio.cluster
import redis.exceptions
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from agents.redis_errors import REFUSED, REMEDIES, cause_of, passing
from streams.errors import HearthwatchError, LedgerError, RedisUnavailableError, SettingsError

logger = logging.getLogger(__name__)

Argument = str | bytes | int
FIRST_DELAY_SECONDS: Final = 0.05
LONGEST_DELAY_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class RedisHome:
    """Where Redis is and how to reach it.

    Attributes:
        url: ``redis://host:port/db``, ``rediss://`` for TLS, ``unix:///path``; of a cluster any node, or
            several divided by commas.
        cluster: the server is a Redis Cluster (its database is 0).
        tls_ca, tls_certificate, tls_key: paths of PEM files; the system's authorities unless given.
        reply_timeout_seconds: a reply that takes longer counts as a lost connection.
    """

    url: str = "redis://127.0.0.1:6379/0"
    cluster: bool = False
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    tls_check_hostname: bool = True
    connect_timeout_seconds: float = 5.0
    reply_timeout_seconds: float = 10.0

    def addresses(self) -> list[str]:
        """Host and port of every node of the URL, without user or password."""
        out = []
        for url in self.url.split(","):
            parts = urlsplit(url if "//" in url else f"redis://{url}")
            out.append(parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or 6379}")
        return out


class Script:
    """A Lua script and its SHA-1, by which Redis runs it."""

    __slots__ = ("digest", "name", "text")

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.digest = hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


class RedisLink:
    """A link to one home.

    Args:
        patience_seconds: how long a call tries before :class:`RedisUnavailableError`; None: for ever.
        on_retry: called with a word (``lost``, ``loading``, ``script``, ``refused-write``) for each retry.
    """

    def __init__(
        self,
        home: RedisHome,
        *,
        patience_seconds: float | None = None,
        on_retry: Callable[[str], None] | None = None,
    ) -> None:
        self.home = home
        self.is_connected = False
        """Whether the latest call was answered."""
        self._patience = patience_seconds
        self._on_retry = on_retry
        self._client: Any = None
        self._pending: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, script: Script, keys: Sequence[Argument], args: Sequence[Argument]) -> Any:
        """Run a script that is safe to run twice, and give its reply.

        Raises:
            RedisUnavailableError: no answer within the patience, or the link was closed.
            SettingsError: user or password are wrong.
            LedgerError: the script failed.
        """
        command = ("EVALSHA", script.digest, len(keys), *keys, *args)
        return await self._persist(command, script)

    async def run_all(
        self, script: Script, calls: Sequence[tuple[Sequence[Argument], Sequence[Argument]]]
    ) -> list[Any]:
        """Run a script once for each (keys, args), sent in one go, without a task for each.

        Returns:
            For each its reply, or the error that :meth:`run` would have raised.
        """
        commands = [("EVALSHA", script.digest, len(keys), *keys, *args) for keys, args in calls]
        sent = [self._submit(command) for command in commands]
        try:
            await asyncio.wait(sent)
        except asyncio.CancelledError:
            for future in sent:
                future.cancel()
            raise
        out: list[Any] = []
        for command, future in zip(commands, sent, strict=True):
            try:
                out.append(await self._persist(command, script, future))
            except HearthwatchError as error:
                out.append(error)
        return out

    async def call(self, *command: Argument) -> Any:
        """Send one command that is safe to send twice, and give its reply (errors: see :meth:`run`)."""
        return await self._persist(command, None)

    async def _persist(
        self, command: tuple[Argument, ...], script: Script | None, sent: asyncio.Future[Any] | None = None
    ) -> Any:
        """Send a command until it is answered; ``sent``: it is on its way already."""
        began = time.monotonic()
        delay = FIRST_DELAY_SECONDS
        while True:
            try:
                future, sent = sent or self._submit(command), None
                reply = await future
            except redis.exceptions.NoScriptError as error:
                if script is None:
                    raise LedgerError(f"Redis: {error}") from error
                # Not SCRIPT LOAD: on a cluster it would have to go to every node, and to later ones.
                command = ("EVAL", script.text, *command[2:])
                self._count("script")
                continue
            except REFUSED as error:
                raise SettingsError(
                    f"Redis at {self._where()} refuses us: {error}; check user and password in the settings"
                ) from error
            except (redis.exceptions.RedisError, OSError, TimeoutError) as error:
                reason = passing(error)
                if reason is None:
                    raise LedgerError(f"Redis at {self._where()} answered: {error}") from error
                if self.is_connected:
                    logger.warning("redis at %s: %s; trying again", self._where(), error)
                self.is_connected = False
                self._count(reason)
                if reason == "refused-write":
                    await self._forget_connections()
                waited = time.monotonic() - began
                if self._closed or (self._patience is not None and waited + delay > self._patience):
                    raise RedisUnavailableError(
                        f"Redis at {self._where()} does not answer ({cause_of(error)}): {REMEDIES[reason]}"
                    ) from error
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
                delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            else:
                if not self.is_connected:
                    logger.info("redis at %s answers", self._where())
                    self.is_connected = True
                return reply

    def _submit(self, command: tuple[Argument, ...]) -> asyncio.Future[Any]:
        """Queue a command; all that are queued before the loop turns go out together."""
        if self._closed:
            raise RedisUnavailableError("the link to Redis is closed")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if not self._pending:
            loop.call_soon(self._flush)
        self._pending.append((command, future))
        return future

    def _flush(self) -> None:
        batch, self._pending = self._pending, []
        if self.home.cluster:  # its pipeline refuses EVALSHA
            for one in batch:
                self._spawn([one])
        else:
            self._spawn(batch)

    def _spawn(self, batch: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]]) -> None:
        task = asyncio.ensure_future(self._send(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, batch: list[tuple[tuple[Argument, ...], asyncio.Future[Any]]]) -> None:
        try:
            client = self._client
            if client is None:
                client = self._client = connect(self.home)
            if len(batch) == 1:
                replies = [await client.execute_command(*batch[0][0])]
            else:
                pipeline = client.pipeline(transaction=False)
                for command, _ in batch:
                    pipeline.execute_command(*command)
                replies = await pipeline.execute(raise_on_error=False)
        except asyncio.CancelledError:
            for _, future in batch:
                future.cancel()
            raise
        except (AttributeError, RuntimeError) as error:
            # redis-py's own, where one task of a cluster client closes what another one is opening.
            for _, future in batch:
                if not future.done():
                    future.set_exception(redis.exceptions.ConnectionError(f"lost: {error!r}"))
        except Exception as error:  # noqa: BLE001 - each caller judges it
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        else:
            for (_, future), reply in zip(batch, replies, strict=True):
                if future.done():
                    continue
                if isinstance(reply, Exception):
                    future.set_exception(reply)
                else:
                    future.set_result(reply)

    async def _forget_connections(self) -> None:
        """Let go of a server that is no master any more: its name may now lead to another."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    def _count(self, reason: str) -> None:
        if self._on_retry is not None:
            self._on_retry(reason)

    def _where(self) -> str:
        return ", ".join(self.home.addresses())

    async def close(self) -> None:
        """Close all connections; calls that still wait fail."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()
        self.is_connected = False


class _Quick:
    """Packs commands with hiredis: asyncio's redis-py does it in Python, at 2 us more for each key."""

    def pack_command(self, *args: Any) -> list[bytes]:
        name = args[0]
        if isinstance(name, str) and " " in name:  # such as CLUSTER SLOTS: two arguments on the wire
            args = (*name.split(), *args[1:])
        return [hiredis.pack_command(args)]


class _QuickConnection(_Quick, redis.asyncio.Connection):
    pass


class _QuickTlsConnection(_Quick, redis.asyncio.SSLConnection):
    pass


class _QuickSocketConnection(_Quick, redis.asyncio.UnixDomainSocketConnection):
    pass


QUICK: Final[dict[type, type]] = {
    redis.asyncio.Connection: _QuickConnection,
    redis.asyncio.SSLConnection: _QuickTlsConnection,
    redis.asyncio.UnixDomainSocketConnection: _QuickSocketConnection,
}


def connect(home: RedisHome) -> Any:
    """A client of redis-py for this home; it connects at its first command.

    Raises:
        SettingsError: the URL or a file for TLS cannot be used.
    """
    # RESP2 on purpose: RESP3 opens every connection with more commands, and we need none of its types.
    options: dict[str, Any] = {
        "protocol": 2,
        "username": home.username,
        "password": home.password,
        "socket_timeout": home.reply_timeout_seconds,
        "socket_connect_timeout": home.connect_timeout_seconds,
        "socket_keepalive": True,
        "client_name": "hearthwatch",
    }
    urls = [url if "//" in url else f"redis://{url}" for url in home.url.split(",")]
    parts = [urlsplit(url) for url in urls]
    try:
        hosts = [(part.hostname or "127.0.0.1", part.port or 6379) for part in parts]
    except ValueError as error:
        raise SettingsError(f"Redis URL {home.url!r}: {error}") from None
    first = parts[0]
    if first.scheme not in ("redis", "rediss", "unix"):
        raise SettingsError(f"Redis URL: expected redis://, rediss:// or unix://, not {first.scheme}://")
    if first.username:
        options["username"] = options["username"] or first.username
    if first.password:
        options["password"] = options["password"] or first.password
    if first.scheme == "rediss":
        options |= {
            "ssl": True,
            "ssl_ca_certs": home.tls_ca,
            "ssl_certfile": home.tls_certificate,
            "ssl_keyfile": home.tls_key,
            "ssl_check_hostname": home.tls_check_hostname,
            "ssl_min_version": ssl.TLSVersion.TLSv1_2,
        }
    client: Any
    if home.cluster:
        nodes = [redis.asyncio.cluster.ClusterNode(host, port) for host, port in hosts]
        redirections = 3
        client = redis.asyncio.cluster.RedisCluster(
            startup_nodes=nodes, retry=Retry(NoBackoff(), redirections), **options
        )
        kind = QUICK[client.connection_kwargs["connection_class"]]
        client.connection_kwargs["connection_class"] = kind  # of the nodes that it will find
        for node in client.nodes_manager.startup_nodes.values():
            node.connection_class = kind
        return client
    options["retry"] = Retry(NoBackoff(), 0)  # retries are ours: they must know of claims and patience
    if first.scheme == "unix":
        client = redis.asyncio.Redis(unix_socket_path=first.path, **options)
    else:
        path = first.path.strip("/")
        if path and not path.isdigit():
            raise SettingsError(f"Redis URL: expected a database number after the port, not {path!r}")
        client = redis.asyncio.Redis(host=hosts[0][0], port=hosts[0][1], db=int(path or 0), **options)
    pool = client.connection_pool
    pool.connection_class = QUICK[pool.connection_class]
    return client
