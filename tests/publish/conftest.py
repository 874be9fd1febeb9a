"""The tests' broker, and a department of its own for each test."""

from __future__ import annotations

import pytest

from deploy.local import Stack
from streams import topics
from streams.catalog import Catalog, Department
from streams.kafka_clients import Connection
from tests.publish.broker import Broker


@pytest.fixture
def broker(stack: Stack) -> Broker:
    pid = stack.status()[0].pid
    assert pid is not None
    return Broker(Connection(stack.kafka_bootstrap, timeout_seconds=10), pid)


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
