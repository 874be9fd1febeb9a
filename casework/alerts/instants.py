"""Instants that stand for something, in microseconds since 1970."""

from __future__ import annotations

from typing import Final

NEVER: Final = 2**62
"""An instant that never comes."""
UNANSWERED: Final = 2**52
"""When a message is due whose answer is waited for: in the year 2112. Unlike :data:`NEVER` it stands among
the dues of a partition, so that what flies is found there."""
