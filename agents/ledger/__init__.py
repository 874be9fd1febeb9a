"""The ledger: who owns a partition, how far it is, and the states of its keys, in Redis or Valkey.

Kafka's committed offsets say how far a group read; this says what was done with it. Both move in one Lua
script that refuses whoever lost the partition, so a state and the offset that it stands for never part.
"""

from __future__ import annotations

from agents.ledger.charter import LEDGER_TOPIC, Charter, CharterStore, KafkaCharter, MemoryCharter
from agents.ledger.commits import Claim, Step
from agents.ledger.errors import FencedError, LedgerMismatchError, LedgerMissingError, StaleClaimError
from agents.ledger.ledger import Ledger, Position

__all__ = [
    "LEDGER_TOPIC",
    "Charter",
    "CharterStore",
    "Claim",
    "FencedError",
    "KafkaCharter",
    "Ledger",
    "LedgerMismatchError",
    "LedgerMissingError",
    "MemoryCharter",
    "Position",
    "StaleClaimError",
    "Step",
]
