"""A rig for each test of the stages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deploy.local import Stack
from tests.agents.rig import Rig


@pytest.fixture
async def rig(stack: Stack) -> AsyncIterator[Rig]:
    """Topics, workers and records of one test."""
    rig = Rig(stack)
    try:
        yield rig
    finally:
        await rig.close()
