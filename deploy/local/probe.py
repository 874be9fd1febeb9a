"""Whether a server answers, asked in its own protocol with nothing but a socket.

A port that accepts connections proves little: Kafka listens before it leads, Valkey while it still loads.
"""

from __future__ import annotations

import socket
import struct

from deploy.local.ports import HOST

_METADATA = 3
_METADATA_VERSION = 1
_CORRELATION = 7
_CLIENT = b"hearthwatch-probe"


def kafka_answers(port: int, *, timeout_seconds: float = 1.0) -> bool:
    """Whether the broker gives cluster metadata with itself and a controller in it."""
    header = struct.pack(">hhih", _METADATA, _METADATA_VERSION, _CORRELATION, len(_CLIENT)) + _CLIENT
    body = header + struct.pack(">i", 0)  # no topics
    try:
        with socket.create_connection((HOST, port), timeout=timeout_seconds) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            (size,) = struct.unpack(">i", _exactly(connection, 4))
            answer = _exactly(connection, min(size, 1 << 20))
    except OSError:
        return False
    try:
        correlation, brokers = struct.unpack_from(">ii", answer, 0)
        at = 8
        for _ in range(brokers):
            at += 4  # node id
            at += 2 + struct.unpack_from(">h", answer, at)[0]  # host
            at += 4  # port
            rack = struct.unpack_from(">h", answer, at)[0]
            at += 2 + max(rack, 0)
        (controller,) = struct.unpack_from(">i", answer, at)
    except struct.error:
        return False
    return bool(correlation == _CORRELATION and brokers > 0 and controller >= 0)


def valkey_answers(port: int, *, timeout_seconds: float = 1.0) -> bool:
    """Whether the server answers PING with PONG (while it loads its data it answers LOADING)."""
    try:
        with socket.create_connection((HOST, port), timeout=timeout_seconds) as connection:
            connection.sendall(b"*1\r\n$4\r\nPING\r\n")
            return _exactly(connection, 7) == b"+PONG\r\n"
    except OSError:
        return False


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = b""
    while len(parts) < size:
        part = connection.recv(size - len(parts))
        if not part:
            raise ConnectionResetError("closed before the answer was whole")
        parts += part
    return parts
