"""Every error of hearthwatch, as one tree.

HearthwatchError
  InputError        theirs: exit status 2 or HTTP 422, never a traceback
    FileFaults      a faulty catalogue, policy or other file: every fault at once
    DecodeError     an event that the contract rejects
    SettingsError   a setting that cannot be used
    LocalStackError the machine does not let the embedded servers start or stop
  TransportError    the network's: worth a retry
    BrokerUnavailableError, PublishTimeoutError, RedisUnavailableError
    StartError      an embedded server died or stayed silent while it started
  LedgerError       ours: stops the partition
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class HearthwatchError(Exception):
    """Base of all errors that hearthwatch raises on purpose."""


class InputError(HearthwatchError):
    """Something that a person or a department gave is wrong; the text says what and how to mend it."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One fault of a file, at a place that counts from 1, in characters."""

    path: str
    line: int
    column: int
    message: str
    """What is wrong and what was expected, in one sentence without a full stop."""
    hint: str = ""
    """For example ``did you mean `health`?``; may be empty."""
    is_secret: bool = False
    """What stands there must not be shown: a key, or somebody's number."""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}:{self.line}:{self.column}: {self.message}{hint}"


class FileFaults(InputError):
    """A file is faulty; carries all its faults, in the order of the file."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(sorted(faults))
        super().__init__("\n".join(str(fault) for fault in self.faults))


class SettingsError(InputError):
    """A setting cannot be used."""


class LocalStackError(InputError):
    """The embedded servers cannot be started or stopped as this machine stands; the text gives the fix."""


class DecodeError(InputError):
    """An event is rejected.

    Attributes:
        reason: one of the reasons of docs/reference/events.md, such as ``bad-data``.
        message: one sentence with the JSON path of the fault and what was expected.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(f"{reason}: {message}")


class TransportError(HearthwatchError):
    """A server could not be reached or did not answer; the work is kept and may be tried again."""


class BrokerUnavailableError(TransportError):
    """No Kafka broker answers."""


class PublishTimeoutError(TransportError):
    """A broker did not acknowledge a record in time."""


class RedisUnavailableError(TransportError):
    """The Redis or Valkey server does not answer."""


class StartError(TransportError):
    """A server of the embedded stack died or stayed silent while it started; its last log lines are shown."""


class LedgerError(HearthwatchError):
    """State and log do not fit together: the partition stops and an operator is told."""
