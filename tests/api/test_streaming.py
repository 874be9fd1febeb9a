"""A stream of changes: signs of life, and when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hearthwatch.api.changes import _messages
from hearthwatch.api.measuring import ApiMetrics
from hearthwatch.api.streaming import watched
from hearthwatch.desk import Change
from hearthwatch.tokens import Token, TokenBook, add_token, revoke_token
from streams.errors import PublishTimeoutError

DEADLINE = 60.0


class Source:
    """Events that come when they are put in."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()
        self.is_closed = False

    async def events(self) -> AsyncIterator[str]:
        try:
            while (event := await self.queue.get()) is not None:
                yield event
        finally:
            self.is_closed = True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def token(path: Path) -> Token:
    return add_token(path, "anna", "district", ["420106"], days=1)[1]


def services(path: Path) -> Any:
    return SimpleNamespace(book=TokenBook(path), stopping=asyncio.Event())


async def soon(stream: AsyncIterator[Any]) -> Any:
    return await asyncio.wait_for(anext(stream), DEADLINE)


async def test_events_come_in_order_and_a_sign_of_life_where_there_is_none(path: Path, token: Token) -> None:
    source = Source()
    stream = watched(source.events(), services(path), token, alive_seconds=0.01)
    assert await soon(stream) is None
    source.queue.put_nowait("one")
    source.queue.put_nowait("two")
    found = [await soon(stream) for _ in range(10)]
    assert [event for event in found if event is not None] == ["one", "two"]
    source.queue.put_nowait(None)
    assert [event async for event in stream if event is not None] == []


async def test_it_ends_with_its_token_and_shows_nothing_more(path: Path, token: Token) -> None:
    source = Source()
    stream = watched(source.events(), services(path), token, alive_seconds=60)
    source.queue.put_nowait("one")
    assert await soon(stream) == "one"
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    revoke_token(path, token.id)
    source.queue.put_nowait("two")
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, DEADLINE)
    assert source.is_closed


async def test_it_ends_with_the_server(path: Path, token: Token) -> None:
    source, behind = Source(), services(path)
    stream = watched(source.events(), behind, token, alive_seconds=60)
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    behind.stopping.set()
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(waiting, DEADLINE)
    assert source.is_closed


async def test_whoever_leaves_closes_what_was_followed(path: Path, token: Token) -> None:
    source = Source()
    stream = watched(source.events(), services(path), token, alive_seconds=0.01)
    assert await soon(stream) is None
    await stream.aclose()  # type: ignore[attr-defined]
    assert source.is_closed


async def test_a_change_that_cannot_be_put_on_record_is_not_shown_and_the_stream_ends(
    path: Path, token: Token
) -> None:
    class Events:
        place = "0:7"
        is_closed = False

        async def events(self) -> AsyncIterator[Change]:
            for number in (1, 2):
                event = {"type": "case.opened", "data": {"case": f"H{number}-1", "household": f"H{number}"}}
                yield Change(f"0:{7 + number}", event)

        async def close(self) -> None:
            self.is_closed = True

    async def record(*about: Any, households: list[str], **more: Any) -> None:
        if households == ["H2"]:
            raise PublishTimeoutError("the audit log did not take the record")

    following, behind = Events(), services(path)
    behind.record, behind.metrics, behind.streams = record, ApiMetrics(), {}
    caller: Any = SimpleNamespace(user=token)
    found = [one async for one in _messages(caller, behind, following)]  # type: ignore[arg-type]
    assert [one.id for one in found] == ["0:7", "0:8"]
    assert following.is_closed
    assert behind.streams == {}
