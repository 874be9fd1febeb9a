"""A rig for each test, as the stages' own tests have it, and towns on it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.agents.conftest import rig
from tests.agents.rig import Rig
from tests.rebuild.town import Town, Towns

__all__ = ["rig"]


@pytest.fixture
async def towns(rig: Rig) -> AsyncIterator[Towns]:
    """Starts a town, and lets go of its connections at the end."""
    made: list[Town] = []

    async def start(partitions: int = 2) -> Town:
        made.append(Town(rig, partitions=partitions))
        await made[-1].start()
        return made[-1]

    yield start
    for town in made:
        await town.close()
