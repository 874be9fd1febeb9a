"""One conformance suite for every home of the ledger; a home that is not installed is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agents.ledger import Ledger, MemoryCharter
from agents.redis_link import RedisLink
from tests.ledger.homes import HOMES, Home, redis_server, started

NOT_INSTALLED = "redis-server is not installed (Debian: apt install redis-server)"
_missing: set[str] = set()


class _Started:
    """Homes started so far; each lasts as long as the session."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder = folder
        self._stack = stack
        self._homes: dict[str, Home] = {}

    def get(self, name: str) -> Home:
        if HOMES[name][0] and redis_server() is None:
            _missing.add(name)
            pytest.skip(NOT_INSTALLED)
        if name not in self._homes:
            self._homes[name] = self._stack.enter_context(started(name, self._folder / name))
        return self._homes[name]


@pytest.fixture(scope="session")
def all_homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Started]:
    with ExitStack() as stack:
        yield _Started(tmp_path_factory.mktemp("homes"), stack)


@pytest.fixture(params=list(HOMES))
def home(request: pytest.FixtureRequest, all_homes: _Started) -> Home:
    """Every home in turn, emptied."""
    return _emptied(all_homes.get(request.param))


@pytest.fixture
def valkey(all_homes: _Started) -> Home:
    """The embedded home, emptied."""
    return _emptied(all_homes.get("valkey"))


@pytest.fixture
def redis_cluster(all_homes: _Started) -> Home:
    """A cluster with replicas, emptied."""
    return _emptied(all_homes.get("redis-cluster"))


def _emptied(home: Home) -> Home:
    for server in home.servers:
        with server.connect() as client:
            if client.info("replication")["role"] == "master":
                client.flushall()
                client.script_flush()
    return home


@pytest.fixture
async def link(home: Home) -> AsyncIterator[RedisLink]:
    link = RedisLink(home.address)
    yield link
    await link.close()


@pytest.fixture
def charter() -> MemoryCharter:
    return MemoryCharter()


@pytest.fixture
def ledger(link: RedisLink, charter: MemoryCharter) -> Ledger:
    return Ledger(link, charter)


@pytest.fixture
async def links(home: Home) -> AsyncIterator[Callable[..., RedisLink]]:
    """Further links to the same home, closed at the end."""
    made: list[RedisLink] = []

    def make(**options: object) -> RedisLink:
        made.append(RedisLink(home.address, **options))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        await one.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud which homes were not tested."""
    for name in sorted(_missing):
        terminalreporter.write_line(f"NOT TESTED: the ledger on {name}: {NOT_INSTALLED}", red=True, bold=True)
