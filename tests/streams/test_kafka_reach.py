"""A broker that takes connections and says nothing, as one that is stopped (SIGSTOP) or overloaded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import aiokafka
import pytest

from streams import kafka_reach
from streams.errors import BrokerUnavailableError

SILENT = "it takes the connection and does not answer: is it overloaded or stopped?"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server that listens and never accepts; the system does that for it."""
    monkeypatch.setattr(kafka_reach, "STEP_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(kafka_reach, "START_TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_it_is_not_said_to_hang_up(silent: str) -> None:
    assert kafka_reach.why_not(silent, {}) == SILENT


def test_one_that_hangs_up_is_told_apart() -> None:
    async def ask() -> str | None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await asyncio.to_thread(kafka_reach.why_not, f"127.0.0.1:{port}", {})

    assert (asyncio.run(ask()) or "").startswith("it hangs up on PLAINTEXT")


@pytest.mark.timeout(20)  # aiokafka itself would wait for 40 s
def test_a_client_does_not_wait_long_for_it(silent: str) -> None:
    async def start() -> None:
        arguments = {"bootstrap_servers": silent}
        await kafka_reach.started(aiokafka.AIOKafkaConsumer(**arguments), arguments)

    with pytest.raises(BrokerUnavailableError, match="does not answer: is it overloaded"):
        asyncio.run(start())
