"""Following the topic ``warnings`` from outside: each warning once, in the order of its household.

A warning may be repeated on the topic, byte for byte, and first occurrences are in the order of their number;
so the last number of each household is all that a reader has to remember.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import kafka
import kafka.errors
import msgspec

from streams import kafka_clients
from streams.errors import InputError
from streams.kafka_clients import Connection
from streams.records import WARNINGS

Start = Literal["beginning", "now"]
#: How often a quiet broker is asked whether it is there, and when it counts as gone.
_ASK_SECONDS: Final = 5.0
_AWAY_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class WarningRecord:
    """One warning as it stands on the topic.

    Attributes:
        household: id of the household.
        number: n of the warning's id, from 1.
        body: the CloudEvent, JSON in UTF-8.
        message: the same, decoded.
        seen_seconds: when it was read here, in seconds since 1970.
    """

    household: str
    number: int
    body: bytes
    message: dict[str, Any]
    seen_seconds: float


class Repeats:
    """Knows which warnings were seen: the last number of each household."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def is_new(self, household: str, number: int) -> bool:
        """Whether this warning was not seen before; from now on it was."""
        if number <= self._last.get(household, 0):
            return False
        self._last[household] = number
        return True


def read_warning(value: bytes | None, seen_seconds: float = 0.0) -> WarningRecord | None:
    """A record's value as a warning; None for what is none."""
    try:
        message = msgspec.json.decode(value or b"")
        household = message["data"]["household"]
        head, _, number = message["id"].rpartition("-")
        if head != household or not message["type"].startswith("warning."):
            return None
        return WarningRecord(household, int(number), value or b"", message, seen_seconds)
    except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None


class WarningsFeed:
    """The topic's warnings, each once, as they come.

    Args:
        start: from the first that the topic holds, or only later ones than now.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers.
    """

    def __init__(self, connection: Connection, *, start: Start = "now") -> None:
        self._connection = connection
        self._contact = _Contact(connection)
        self._repeats = Repeats()
        self._consumer = kafka_clients.consumer(connection)
        try:
            self._partitions = self._assigned(start)
        except BaseException:
            self._consumer.close()
            raise

    def _assigned(self, start: Start) -> list[kafka.TopicPartition]:
        numbers = self._consumer.partitions_for_topic(WARNINGS)
        if not numbers:
            where = f"the broker at {self._connection.bootstrap}"
            raise InputError(f"{where} has no topic {WARNINGS}: make it with `hearthwatch topics create`")
        partitions = [kafka.TopicPartition(WARNINGS, number) for number in sorted(numbers)]
        self._consumer.assign(partitions)
        if start == "beginning":
            self._consumer.seek_to_beginning(*partitions)
        else:
            self._consumer.seek_to_end(*partitions)
        for partition in partitions:
            # The seek happens only when the position is asked for.
            self._consumer.position(partition)
        return partitions

    def poll(self, seconds: float) -> list[WarningRecord]:
        """Warnings that come within some seconds; empty if none does.

        Raises:
            BrokerUnavailableError: the broker went away some time ago.
        """
        try:
            polled = self._consumer.poll(timeout_ms=int(seconds * 1000))
        except kafka.errors.KafkaError as error:
            raise self._connection.failure(error) from None
        now = time.time()
        found = []
        for records in polled.values():
            for record in records:
                warning = read_warning(record.value, now)
                if warning is not None and self._repeats.is_new(warning.household, warning.number):
                    found.append(warning)
        if polled:
            self._contact.heard()
        else:
            self._contact.check()
        return found

    def positions(self) -> dict[int, int]:
        """The offset that is read next, by partition."""
        return {one.partition: self._consumer.position(one) for one in self._partitions}

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


def follow(
    connection: Connection,
    *,
    start: Start = "now",
    poll_seconds: float = 0.25,
    ready: Callable[[], None] = lambda: None,
) -> Iterator[WarningRecord | None]:
    """Warnings as they come, for ever; None after each wait that brought nothing.

    Args:
        poll_seconds: how long one wait is.
        ready: called once when the place to start from is fixed: what is sent from then on will be seen.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers, or it stopped answering.
    """
    feed = WarningsFeed(connection, start=start)
    try:
        ready()
        while True:
            warnings = feed.poll(poll_seconds)
            yield from warnings
            if not warnings:
                yield None
    finally:
        feed.close()


class _Contact:
    """Whether the broker is still there; kafka-python itself would wait for it for ever, and silently."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._asked = self._answered = time.monotonic()

    def heard(self) -> None:
        """Records came."""
        self._asked = self._answered = time.monotonic()

    def check(self) -> None:
        """Ask now and then; raise :class:`BrokerUnavailableError` after a while without an answer."""
        now = time.monotonic()
        if now - self._asked < _ASK_SECONDS:
            return
        self._asked = now
        try:
            kafka_clients.reach(self._connection)
            self._answered = now
        except OSError as error:
            if now - self._answered > _AWAY_SECONDS:
                raise self._connection.failure(error) from None
