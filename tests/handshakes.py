"""Connections that a client gave up in the middle of their handshake, and that nobody can close.

While a test's server goes away, or the machine is too busy, a connect is cancelled or fails, and what it had
opened is closed by the collector later, in whatever test runs then. What aiokafka, kafka-python and redis-py
began and never handed over is passed over; any other socket that is left open is an error of the test or of
the program.
"""

from __future__ import annotations

import functools
import socket
import sys
from asyncio import selector_events
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Any, Final

from aiokafka.client import AIOKafkaClient
from kafka.net import KafkaConnection, KafkaNetSocket
from redis.asyncio.connection import AbstractConnection


class _Handshake:
    """One attempt to connect; ``is_over`` once its caller has got the connection."""

    is_over = False


_current: ContextVar[_Handshake | None] = ContextVar("_current", default=None)
_MARK: Final = "_handshake_of_tests"
begun_sockets: Final[dict[tuple[int, object], _Handshake]] = {}
"""By number and local address: a socket takes no mark."""


def _noted(connect: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(connect)
    async def noted(*args: Any, **more: Any) -> Any:
        outer = _current.get()
        if outer is not None and not outer.is_over:
            return await connect(*args, **more)
        handshake = _Handshake()
        token = _current.set(handshake)
        try:
            result = await connect(*args, **more)
        finally:
            _current.reset(token)
        handshake.is_over = True
        return result

    return noted


def _note_kafka_python() -> None:
    """It has a loop of its own: a socket counts as begun from its connect until a connection has it."""
    maker: Any = KafkaNetSocket
    connect, made = maker.connect_ex, KafkaConnection.connection_made

    @functools.wraps(connect)
    def begun(self: Any, sock: socket.socket, address: Any) -> Any:
        try:
            return connect(self, sock, address)
        finally:
            begun_sockets[place(sock)] = _Handshake()

    @functools.wraps(made)
    def handed_over(self: Any, transport: Any) -> Any:
        begun_sockets.pop(place(transport._sock), None)
        return made(self, transport)

    maker.connect_ex = begun
    KafkaConnection.connection_made = handed_over


def place(of: socket.socket) -> tuple[int, object]:
    return of.fileno(), of.getsockname()


def given_up(left: Any) -> bool:
    """Whether what the interpreter complains of belongs to a handshake that was given up."""
    if not issubclass(left.exc_type, ResourceWarning):
        return False
    thing = left.object
    if isinstance(thing, socket.socket):
        try:
            handshake = begun_sockets.get(place(thing))
        except OSError:
            return False
    else:  # a function `__del__`, whose frame has the thing itself
        frame = left.exc_traceback.tb_frame if left.exc_traceback is not None else None
        thing = frame.f_locals.get("self") if frame is not None else None
        for name in ("_writer", "_transport"):  # of an AIOKafkaConnection; of a StreamWriter
            thing = getattr(thing, name, thing)
        handshake = getattr(thing, _MARK, None)
    return handshake is not None and not handshake.is_over


def pass_over() -> None:
    """From now on; to be called once, after pytest has set its own hook."""
    transport: Any = selector_events._SelectorTransport  # type: ignore[attr-defined]
    born = transport.__init__

    @functools.wraps(born)
    def noted(self: Any, loop: Any, sock: socket.socket, *args: Any, **more: Any) -> None:
        born(self, loop, sock, *args, **more)
        handshake = _current.get()
        if handshake is not None and not handshake.is_over:
            setattr(self, _MARK, handshake)
            begun_sockets[place(sock)] = handshake

    transport.__init__ = noted
    client: Any = AIOKafkaClient
    client.bootstrap = _noted(client.bootstrap)
    client._get_conn = _noted(client._get_conn)
    connection: Any = AbstractConnection
    connection.connect = _noted(connection.connect)
    _note_kafka_python()
    told = sys.unraisablehook

    def told_unless_given_up(left: Any) -> None:
        if not given_up(left):
            told(left)

    sys.unraisablehook = told_unless_given_up
