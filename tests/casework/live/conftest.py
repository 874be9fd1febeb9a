"""Both stories of the district, lived once for all tests of this folder."""

from __future__ import annotations

import asyncio

import pytest

from tests.casework.live.town import Lived, live


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """What is there once both stories were lived."""
    return asyncio.run(live(tmp_path_factory.mktemp("live")))
