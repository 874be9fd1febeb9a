"""The errors of hearthwatch, for programs that import it; the tree is described in ``streams.errors``."""

from __future__ import annotations

from streams.errors import (
    BrokerUnavailableError,
    DecodeError,
    Fault,
    FileFaults,
    HearthwatchError,
    InputError,
    LedgerError,
    LocalStackError,
    PublishTimeoutError,
    RedisUnavailableError,
    SettingsError,
    StartError,
    TransportError,
)

__all__ = [
    "BrokerUnavailableError",
    "DecodeError",
    "Fault",
    "FileFaults",
    "HearthwatchError",
    "InputError",
    "LedgerError",
    "LocalStackError",
    "PublishTimeoutError",
    "RedisUnavailableError",
    "SettingsError",
    "StartError",
    "TransportError",
]
