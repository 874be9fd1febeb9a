"""Stacks of our own, for tests that stop, break or misconfigure them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import Stack, free_ports

MakeStack = Callable[..., Stack]


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[MakeStack]:
    """Describe a stack on free ports in the test's folder; whatever runs is stopped at the end."""
    made: list[Stack] = []

    def make(**options: Any) -> Stack:
        kafka, controller, valkey = free_ports(3)
        ports: dict[str, Any] = {
            "kafka_port": kafka,
            "valkey_port": valkey,
            "kafka_controller_port": controller,
        }
        made.append(Stack(**{"data_dir": tmp_path / "data", **ports, **options}))
        return made[-1]

    yield make
    for one in made:
        one.down()


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that the tests of one module may stop and start."""
    kafka, controller, valkey = free_ports(3)
    stack = Stack(tmp_path_factory.mktemp("own stäck"), kafka, valkey, kafka_controller_port=controller)
    stack.up()
    yield stack
    stack.down()
