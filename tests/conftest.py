"""What every area's tests share: one real broker and one real Valkey, started once a session."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from deploy.local import Stack, free_ports
from tests import jvm, turns

#: No example has to be done in 200 ms: that would fail on a busy machine.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def _plain_environment() -> Iterator[None]:
    """No setting of the person who runs the tests reaches them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HEARTHWATCH_")]:
            # The jars are the same everywhere and 45 MB: where they are kept stays.
            if name not in {"HEARTHWATCH_JARS_DIR", "HEARTHWATCH_MAVEN_REPOSITORY"}:
                patch.delenv(name)
        patch.setenv(jvm.VARIABLE, jvm.options())
        # Else each of some hundred processes compiles the project's files anew.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        yield


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The embedded stack on free ports, in a folder of its own.

    Tests share it: each takes topics, groups and key prefixes of its own, and none stops it.
    """
    kafka_port, controller_port, valkey_port = free_ports(3)
    stack = Stack(
        tmp_path_factory.mktemp("stack"),
        kafka_port,
        valkey_port,
        kafka_controller_port=controller_port,
    )
    stack.up()
    try:
        yield stack
    finally:
        stack.down()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of several workers, what takes long comes first."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: turns.turn(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> turns.Turns | None:
    """Folders that share a town go to one worker, whichever they are."""
    return turns.Turns(config, log) if config.getoption("dist") == "loadfile" else None
