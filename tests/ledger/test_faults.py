"""Lost replies, outages, failovers: a commit is done once, or not at all, and always told apart."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import hiredis
import pytest
import redis.exceptions

from agents.ledger import Claim, FencedError, Ledger, MemoryCharter
from agents.redis_link import QUICK, RedisHome, RedisLink, connect
from streams.errors import LedgerError, RedisUnavailableError, SettingsError
from tests.ledger.homes import CuttingProxy, Home
from tests.ledger.test_conformance import STAGE, TOPIC, claim


class LosingLink(RedisLink):
    """Loses replies on purpose: the server executes, and the caller sees a lost connection.

    Attributes:
        lose: how many of the coming replies to scripts are lost.
        before_loss: runs between the execution and the loss.
    """

    lose = 0
    before_loss: Callable[[], Any] | None = None

    async def _send(self, batch: list[tuple[tuple[Any, ...], asyncio.Future[Any]]]) -> None:
        if not self.lose or not any(str(command[0]).startswith("EVAL") for command, _ in batch):
            await super()._send(batch)
            return
        self.lose -= 1
        loop = asyncio.get_running_loop()
        hidden: list[asyncio.Future[Any]] = [loop.create_future() for _ in batch]
        await super()._send([(command, future) for (command, _), future in zip(batch, hidden, strict=True)])
        await asyncio.gather(*hidden, return_exceptions=True)
        if self.before_loss is not None:
            await self.before_loss()
        for _, future in batch:
            future.set_exception(redis.exceptions.ConnectionError("lost on purpose"))


@pytest.fixture
async def losing(home: Home) -> AsyncIterator[LosingLink]:
    link = LosingLink(home.address)
    yield link
    await link.close()


async def test_a_commit_whose_reply_is_lost_is_repeated_without_being_done_twice(losing: LosingLink) -> None:
    """ALREADY: the ledger stands where this commit would put it."""
    ledger = Ledger(losing, MemoryCharter())
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=1, states={"h": b"0"})
    losing.lose = 3
    await ledger.commit(mine, next_offset=2, states={"h": b"1"}, marks={"c": (1, 1)})
    assert losing.lose == 0
    await ledger.commit(mine, next_offset=3, states={"g": b"2"})
    assert (mine.commit, mine.next_offset) == (3, 3)
    assert await ledger.load(mine, ["h", "g"]) == [b"1", b"2"]


async def test_a_claim_whose_reply_is_lost_is_repeated_without_raising_the_epoch_twice(
    losing: LosingLink,
) -> None:
    ledger = Ledger(losing, MemoryCharter())
    first = await claim(ledger)
    losing.lose = 2
    second = await claim(ledger)
    assert losing.lose == 0
    assert second.epoch == first.epoch + 1
    await ledger.commit(second, next_offset=1)


async def test_an_old_attempt_that_arrives_late_changes_nothing(ledger: Ledger) -> None:
    """A request may sit in a dead connection's buffers and be executed after later ones."""
    mine = await claim(ledger)
    late = dataclasses.replace(mine)
    await ledger.commit(mine, next_offset=1, states={"h": b"1"})
    await ledger.commit(mine, next_offset=2, states={"h": b"2"}, day=7)
    with pytest.raises(FencedError):
        await ledger.commit(late, next_offset=1, states={"h": b"1"})
    assert await ledger.load(mine, ["h"]) == [b"2"]
    assert (await claim(ledger)).next_offset == 2


async def test_a_takeover_between_execution_and_retry_fences_but_loses_nothing(
    losing: LosingLink, links: Callable[..., RedisLink]
) -> None:
    charter = MemoryCharter()
    ledger, other = Ledger(losing, charter), Ledger(links(), charter)
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=1)  # so that the server knows the script

    async def take_over() -> None:
        await claim(other, owner="w2")

    losing.lose, losing.before_loss = 1, take_over
    with pytest.raises(FencedError):
        await ledger.commit(mine, next_offset=5, states={"h": b"5"})
    after = await claim(other, owner="w3")
    assert after.next_offset == 5
    assert await other.load(after, ["h"]) == [b"5"]


async def test_a_connection_cut_after_the_server_has_executed(valkey: Home) -> None:
    async with CuttingProxy(valkey.servers[0].port) as proxy:
        link = RedisLink(RedisHome(f"redis://127.0.0.1:{proxy.port}/0"))
        ledger = Ledger(link, MemoryCharter())
        mine = await claim(ledger)
        await ledger.commit(mine, next_offset=1)
        for offset in range(2, 8):
            proxy.cuts = 1 + offset % 2
            await ledger.commit(mine, next_offset=offset, states={f"h{offset}": b"x" * 100_000})
        assert proxy.cut_down == 9
        assert await ledger.load(mine, ["h7"]) == [b"x" * 100_000]
        assert (mine.commit, (await claim(ledger)).commit) == (7, 7)
        await ledger.close()


async def test_a_commit_survives_a_killed_server_that_comes_back(all_homes: Any) -> None:
    """The server is killed and started again on its append-only file while commits go on."""
    home = all_homes.get("valkey")
    link = RedisLink(home.address)
    ledger = Ledger(link, MemoryCharter(), name="killed")
    mine = await claim(ledger)
    down = asyncio.Event()
    for offset in range(1, 4):
        home.servers[0].kill()
        link._on_retry = lambda reason: down.set()
        commit = asyncio.ensure_future(ledger.commit(mine, next_offset=offset, states={"h": b"%d" % offset}))
        async with asyncio.timeout(60):
            await down.wait()
        assert not link.is_connected
        await asyncio.to_thread(home.servers[0].start)
        async with asyncio.timeout(60):
            await commit
        down.clear()
    assert link.is_connected
    assert (mine.commit, await ledger.load(mine, ["h"])) == (3, [b"3"])
    await ledger.close()


async def test_a_master_that_became_a_replica_is_waited_for(valkey: Home) -> None:
    reasons: list[str] = []
    turned = asyncio.Event()

    def note(reason: str) -> None:
        reasons.append(reason)
        turned.set()

    link = RedisLink(valkey.address, on_retry=note)
    ledger = Ledger(link, MemoryCharter())
    mine = await claim(ledger)
    await ledger.commit(mine, next_offset=1)
    reasons.clear()
    turned.clear()
    with valkey.admin() as admin:
        admin.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            commit = asyncio.ensure_future(ledger.commit(mine, next_offset=2, states={"h": b"2"}))
            async with asyncio.timeout(60):
                await turned.wait()
        finally:
            admin.execute_command("REPLICAOF", "NO", "ONE")
    async with asyncio.timeout(60):
        await commit
    assert set(reasons) == {"refused-write"}
    assert await ledger.load(mine, ["h"]) == [b"2"]
    await ledger.close()


class StubServer:
    """Answers scripts from a list of raw replies, and everything else with OK."""

    def __init__(self, replies: list[bytes]) -> None:
        self.replies = replies
        self.commands: list[list[bytes]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = hiredis.Reader()
        while data := await reader.read(65_536):
            parser.feed(data)
            while (command := parser.gets()) is not False:
                if command[0].startswith(b"EVAL"):
                    self.commands.append(command)
                    writer.write(self.replies.pop(0))
                else:
                    writer.write(b"+OK\r\n")
        writer.close()


@asynccontextmanager
async def stub(replies: list[bytes]) -> AsyncIterator[StubServer]:
    served = StubServer(replies)
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.port = server.sockets[0].getsockname()[1]
    async with server:
        yield served


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (b"-LOADING Redis is loading the dataset in memory", "loading"),
        (b"-READONLY You can't write against a read only replica.", "refused-write"),
        (b"-CLUSTERDOWN The cluster is down", "lost"),
        (b"-TRYAGAIN Multiple keys request during rehashing of slot", "lost"),
        (b"-OOM command not allowed when used memory > 'maxmemory'.", "refused-write"),
        (b"-MISCONF Errors writing to the AOF file: No space left on device", "refused-write"),
        (b"-NOREPLICAS Not enough good replicas to write.", "refused-write"),
        (b"-BUSY Redis is busy running a script.", "refused-write"),
    ],
)
async def test_an_answer_that_passes_is_waited_for(error: bytes, reason: str) -> None:
    reasons: list[str] = []
    async with stub([error + b"\r\n", error + b"\r\n", b"*1\r\n$2\r\nOK\r\n"]) as server:
        link = RedisLink(RedisHome(f"redis://127.0.0.1:{server.port}"), on_retry=reasons.append)
        ledger = Ledger(link, MemoryCharter())
        mine = _claim_of_nobody()
        await ledger.commit(mine, next_offset=4)
        await ledger.close()
        assert reasons == [reason, reason]
        assert server.commands[0] == server.commands[1] == server.commands[2]
        assert (mine.commit, mine.next_offset) == (1, 4)


async def test_an_error_of_the_script_itself_stops_the_partition() -> None:
    async with stub([b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"]) as server:
        ledger = Ledger(RedisLink(RedisHome(f"redis://127.0.0.1:{server.port}")), MemoryCharter())
        mine = _claim_of_nobody()
        with pytest.raises(LedgerError, match="WRONGTYPE"):
            await ledger.commit(mine, next_offset=4)
        assert mine.is_broken
        await ledger.close()


def _claim_of_nobody() -> Any:
    return Claim(STAGE, TOPIC, 0, 1, "w", 1, 0, 0)


async def test_a_wrong_password_is_said_at_once_and_not_tried_for_ever(all_homes: Any) -> None:
    home = all_homes.get("redis-tls")
    link = RedisLink(dataclasses.replace(home.address, password="wrong"))
    with pytest.raises(SettingsError, match="check user and password"):
        await link.call("GET", "x")
    await link.close()


async def test_patience_ends_with_the_address_and_no_password() -> None:
    async with stub([]) as server:
        port = server.port
    link = RedisLink(RedisHome(f"redis://:geheim@127.0.0.1:{port}/0"), patience_seconds=0.2)
    with pytest.raises(
        RedisUnavailableError, match=rf"Redis at 127\.0\.0\.1:{port} does not answer"
    ) as caught:
        await link.call("GET", "x")
    assert "geheim" not in str(caught.value)
    await link.close()


async def test_closing_the_link_ends_what_waits() -> None:
    async with stub([]) as server:
        port = server.port
    waiting = asyncio.Event()
    link = RedisLink(RedisHome(f"redis://127.0.0.1:{port}/0"), on_retry=lambda reason: waiting.set())
    call = asyncio.ensure_future(link.call("GET", "x"))
    async with asyncio.timeout(60):
        await waiting.wait()
        await link.close()
        with pytest.raises(RedisUnavailableError):
            await call


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://127.0.0.1", "expected redis://, rediss:// or unix://"),
        ("redis://127.0.0.1:99999", "Port out of range"),
        ("redis://127.0.0.1/one", "expected a database number"),
    ],
)
async def test_a_faulty_url_is_a_fault_of_the_settings(url: str, fault: str) -> None:
    link = RedisLink(RedisHome(url))
    with pytest.raises(SettingsError, match=fault):
        await link.call("GET", "x")
    await link.close()


@pytest.mark.parametrize(
    "home",
    [
        RedisHome("redis://127.0.0.1:1"),
        RedisHome("rediss://127.0.0.1:1"),
        RedisHome("unix:///nowhere"),
        RedisHome("redis://127.0.0.1:1", cluster=True),
    ],
)
async def test_commands_are_packed_by_hiredis_as_redis_py_would(home: RedisHome) -> None:
    client = connect(home)
    if home.cluster:
        kinds = {node.connection_class for node in client.nodes_manager.startup_nodes.values()}
        kinds.add(client.nodes_manager.connection_kwargs["connection_class"])
    else:
        kinds = {client.connection_pool.connection_class}
    (quick,) = kinds
    plain = next(one for one, other in QUICK.items() if other is quick)
    for command in (
        ["CLUSTER SLOTS"],
        ["EVALSHA", "x", 2, "家", b"\x00\r\n", 7, "", b"v" * 70_000],
        ["PING"],
    ):
        assert b"".join(quick().pack_command(*command)) == b"".join(plain().pack_command(*command))
    await client.aclose()
