"""A town for the tests of the API: its own broker, Valkey, workers and API, started once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.town import Town


@pytest.fixture(scope="session")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        town.up()
        yield town
    finally:
        town.down()
