"""TCP ports of this machine: whether one is free, who holds it, and free ones for tests."""

from __future__ import annotations

import contextlib
import errno
import random
import socket

import psutil

from streams.errors import LocalStackError

HOST = "127.0.0.1"
"""The embedded servers listen here alone: they have no passwords and no TLS."""

_TEST_PORTS = range(20_000, 32_000)
"""Below the ports that Linux gives to outgoing connections, so that no client takes one in between."""


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now (a socket in TIME_WAIT does not count)."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
        return True


def holder(port: int) -> str | None:
    """Who listens on this port, as ``name (pid 123)``; ``None`` where the system does not tell."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("inet"):
            address = connection.laddr
            if (
                connection.status == psutil.CONN_LISTEN
                and address
                and address.port == port
                and connection.pid
            ):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return None


def require_free(port: int, *, server: str, variable: str) -> None:
    """Refuse a port that another program holds.

    Args:
        server: whose port it is to be, such as ``Kafka``.
        variable: the setting that chooses another, such as ``HEARTHWATCH_KAFKA_PORT``.

    Raises:
        LocalStackError: the port is in use, or this user may not listen on it.
    """
    try:
        if is_free(port):
            return
    except PermissionError:
        raise LocalStackError(
            f"port {port} for {server} is not allowed to this user: set {variable} to a port over 1023"
        ) from None
    who = holder(port)
    raise LocalStackError(
        f"port {port} for {server} is in use{f' by {who}' if who else ''}: "
        f"stop that program, or set {variable} to a free port"
    )


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, all different."""
    found: list[int] = []
    for port in random.sample(_TEST_PORTS, len(_TEST_PORTS)):
        if is_free(port):
            found.append(port)
            if len(found) == count:
                return found
    raise LocalStackError(f"no {count} free ports between {_TEST_PORTS.start} and {_TEST_PORTS.stop}")
