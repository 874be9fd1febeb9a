"""What is left open is an error, unless a client gave it up in the middle of a handshake."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
from types import SimpleNamespace
from typing import Any

import kafka
import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.conn import AIOKafkaConnection
from kafka.net import KafkaConnection, KafkaNetSocket

from deploy.local import Stack
from tests.handshakes import begun_sockets, given_up, place


@pytest.fixture
def complaints(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each thing that is left open, whether it is passed over; pytest hears of none of them."""
    gc.collect()
    found: list[bool] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda left: found.append(given_up(left)))
    return found


def test_what_a_client_gave_up_in_its_handshake_is_passed_over(
    stack: Stack, complaints: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cancelled while it waits for what the broker says of itself, aiokafka forgets its connection."""

    async def give_up() -> None:
        asked = asyncio.Event()

        async def unanswered(self: Any, request: Any, **more: Any) -> None:
            asked.set()
            await asyncio.Event().wait()

        client = AIOKafkaClient(bootstrap_servers=stack.kafka_bootstrap)
        connect = AIOKafkaConnection.connect

        async def connected(self: Any) -> Any:
            found = await connect(self)
            monkeypatch.setattr(AIOKafkaConnection, "send", unanswered)
            return found

        monkeypatch.setattr(AIOKafkaConnection, "connect", connected)
        task = asyncio.ensure_future(client.bootstrap())
        async with asyncio.timeout(30):
            await asked.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(give_up())
    gc.collect()
    assert complaints
    assert all(complaints)


def test_what_kafka_python_gave_up_is_passed_over_too(complaints: list[bool]) -> None:
    """Closed while it waits for a connect, it forgets the socket."""

    class Waiting:
        def __await__(self) -> Any:
            yield

    net: Any = SimpleNamespace(wait_write=lambda sock, timeout_at: Waiting())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", server.getsockname())
        connecting = KafkaNetSocket().connect(net, address)
        connecting.send(None)
        connecting.close()
        del connecting
        gc.collect()
    assert complaints == [True]


def test_a_connection_that_was_handed_over_has_to_be_closed(stack: Stack, complaints: list[bool]) -> None:
    async def forget() -> None:
        client = AIOKafkaClient(bootstrap_servers=stack.kafka_bootstrap)
        await client.bootstrap()
        await client.ready(next(iter(client.cluster.brokers())).nodeId)
        client._sync_task.cancel()

    asyncio.run(forget())
    gc.collect()
    assert complaints
    assert not any(complaints)


def test_a_client_of_kafka_python_has_to_be_closed(stack: Stack, complaints: list[bool]) -> None:
    admin = kafka.KafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    admin.describe_cluster()
    open_ones = [one for one in gc.get_objects() if type(one) is KafkaConnection]
    sockets = [one.transport._sock for one in open_ones if one.transport is not None]
    assert sockets
    assert not any(place(one) in begun_sockets for one in sockets)
    admin.close()
    assert complaints == []


def test_a_socket_of_ours_has_to_be_closed(complaints: list[bool]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        left = socket.create_connection(server.getsockname())
        taken, _ = server.accept()
        taken.close()
        del left
        gc.collect()
    assert complaints == [False]
