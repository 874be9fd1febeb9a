"""A real broker of our own, on free ports, for the tests of topics and publishing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deploy.local import Stack, free_ports
from streams import topics
from streams.catalog import Catalog, Department
from streams.kafka_clients import Connection
from tests.publish.broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    kafka_port, controller_port, valkey_port = free_ports(3)
    stack = Stack(
        tmp_path_factory.mktemp("stack"), kafka_port, valkey_port, kafka_controller_port=controller_port
    )
    stack.up()
    try:
        pid = stack.status()[0].pid
        assert pid is not None
        yield Broker(Connection(stack.kafka_bootstrap, timeout_seconds=10), pid)
    finally:
        stack.down()


@pytest.fixture
def catalog(request: pytest.FixtureRequest) -> Catalog:
    """A catalogue of one department, named after the test: so each test has a topic of its own."""
    name = request.node.name.partition("[")[0].replace("_", "-").lower()
    return Catalog("tests", 1, "/tests", {name: Department(name, {"en": name})}, (), 1100, {})


@pytest.fixture
def department(catalog: Catalog) -> str:
    return next(iter(catalog.departments))


@pytest.fixture
def life(broker: Broker, catalog: Catalog, department: str) -> str:
    """The department's topic, made for ``clock: log``."""
    planned = topics.planned(catalog, clock="log", life_partitions=3)
    topics.create(broker.connection, planned[:1])
    return topics.life_topic(department)
