"""After a small fetch the next one waits until somebody wants it; nothing else that is sent waits."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v11
from aiokafka.protocol.metadata import MetadataRequest

from streams.pace import COSTS, LONGEST_LINGER_SECONDS, Pace, PacedClient

ANSWER = SimpleNamespace(error_code=0, session_id=1)


class Client:
    """Notes what is sent."""

    cluster = "the cluster"

    def __init__(self) -> None:
        self.sent: list[Any] = []

    async def send(self, node_id: int, request: Any) -> Any:
        self.sent.append((node_id, request))
        if isinstance(request, FetchRequest):
            request.build(FetchRequest_v11)
        return ANSWER


def fetch() -> FetchRequest:
    return FetchRequest(500, 1, 1_000, 0, [], rack_id="")


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_the_first_fetch_and_those_after_large_ones_go_at_once() -> None:
    client, pace = Client(), Pace(least_seconds=3_600.0)
    paced = PacedClient(client, pace)
    assert await paced.send(1, fetch()) is ANSWER
    pace.came(is_small=False)
    await paced.send(2, fetch())
    assert [node for node, _ in client.sent] == [1, 2]


async def test_after_a_small_one_the_next_waits_until_it_is_wanted() -> None:
    client, pace = Client(), Pace(least_seconds=0.0)
    pace.want()
    pace.came(is_small=True)
    sending = asyncio.ensure_future(PacedClient(client, pace).send(1, fetch()))
    await turns()
    assert client.sent == []
    pace.want()
    assert await sending is ANSWER
    assert len(client.sent) == 1


async def test_a_wanted_one_still_lingers() -> None:
    client, pace = Client(), Pace(least_seconds=3_600.0)
    pace.came(is_small=True)
    pace.want()
    sending = asyncio.ensure_future(PacedClient(client, pace).send(1, fetch()))
    await turns()
    assert client.sent == []
    sending.cancel()


async def test_what_is_no_fetch_goes_at_once_and_the_rest_of_the_client_is_there() -> None:
    client, pace = Client(), Pace(least_seconds=3_600.0)
    pace.came(is_small=True)
    paced = PacedClient(client, pace)
    await paced.send(1, MetadataRequest([]))
    assert len(client.sent) == 1
    assert paced.cluster == "the cluster"


def test_it_lingers_by_what_fetches_cost_within_bounds() -> None:
    spent = 0.0
    pace = Pace(least_seconds=0.002, spent=lambda: spent)
    assert pace.linger() == 0.002
    spent += 0.003
    assert pace.linger() == pytest.approx(COSTS * 0.003)
    spent += 60.0
    assert pace.linger() == LONGEST_LINGER_SECONDS


async def test_what_several_fetches_cost_is_shared_among_them() -> None:
    spent = 0.0
    pace = Pace(least_seconds=0.0, spent=lambda: spent)
    for _ in range(4):
        await pace.wait()
    spent += 0.008
    assert pace.linger() == pytest.approx(COSTS * 0.002)


async def test_a_fetch_whose_session_was_lost_is_sent_again_in_full() -> None:
    class Forgetful(Client):
        async def send(self, node_id: int, request: Any) -> Any:
            await super().send(node_id, request)
            return SimpleNamespace(error_code=70, session_id=0) if len(self.sent) == 2 else ANSWER

    client = Forgetful()
    paced = PacedClient(client, Pace())
    await paced.send(1, fetch())
    assert await paced.send(1, fetch()) is ANSWER
    assert [request.epoch for _, request in client.sent] == [0, 1, 0]
