"""What tests of streams share."""

from __future__ import annotations

import pytest

from streams.envelope import Decoder
from tests.streams.wire import catalog


@pytest.fixture
def decoder() -> Decoder:
    return Decoder(catalog())
