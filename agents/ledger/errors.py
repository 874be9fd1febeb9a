"""Why the ledger refuses. Each stops one partition, never the worker."""

from __future__ import annotations

from streams.errors import LedgerError


class FencedError(LedgerError):
    """Another has claimed the partition, or it stands elsewhere: drop what is in memory, claim again."""


class StaleClaimError(LedgerError):
    """A newer generation of the consumer group has claimed the partition already."""


class LedgerDamagedError(LedgerError):
    """A state in Redis is not what was stored there."""


class LedgerMissingError(LedgerError):
    """The partition has started, but Redis does not know it: its state must be rebuilt, not begun anew."""


class LedgerMismatchError(LedgerError):
    """Kafka and Redis belong to different ledgers, or the data was made with other files."""
