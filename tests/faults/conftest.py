"""A stack for the fault tests alone: they kill its servers, and start them again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local import Stack, free_ports
from tests.faults.site import Site, opened

#: The broker lets a dead member go after 2 s here, not after 6 at the least; and one that was killed is
#: registered again after 2 s, not after 9.
KAFKA_OPTIONS = {
    "group.min.session.timeout.ms": "1000",
    "broker.session.timeout.ms": "2000",
    "broker.heartbeat.interval.ms": "400",
}


@pytest.fixture(scope="package")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and Valkey that a test may kill; every test leaves them running."""
    kafka_port, controller_port, valkey_port = free_ports(3)
    stack = Stack(
        tmp_path_factory.mktemp("faults"),
        kafka_port,
        valkey_port,
        kafka_controller_port=controller_port,
        kafka_options=KAFKA_OPTIONS,
    )
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


@pytest.fixture
async def site(own_stack: Stack, tmp_path: Path) -> AsyncIterator[Site]:
    """Topics with three partitions, nobody at work yet."""
    async with opened(Site(own_stack, tmp_path)) as site:
        site.create()
        yield site
