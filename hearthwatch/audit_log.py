"""Writing and reading the topic ``audit`` (see ``streams.audit``)."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator
from typing import Any, Final, Self

import kafka
import kafka.errors
import msgspec

from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.settings import Settings
from streams import kafka_clients
from streams.audit import AUDIT, Anchor, AuditRecord, Chain, Check, Entry, decode_audit, digest
from streams.errors import InputError, PublishTimeoutError
from streams.kafka_clients import Connection
from streams.partition_log import PartitionLog
from streams.producer import OrderedProducer
from streams.timestamps import format_timestamp

#: How long a reader waits for their read to be on record; then they get no answer.
PATIENCE_SECONDS: Final = 10.0


class AuditWriter:
    """Puts entries on record, each before the answer that it tells of.

    Args:
        interface: begins the writer's name: ``api``, ``cli``.
        patience_seconds: how long :meth:`write` waits for the brokers.
    """

    def __init__(
        self, settings: Settings, interface: str, *, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self._settings = settings
        self._patience_seconds = patience_seconds
        self._producer = OrderedProducer(kafka_arguments(settings), topics=[AUDIT])
        self._name = f"{interface}-{secrets.token_hex(8)}"
        self._chain: Chain | None = None
        self.is_late = False
        """Whether the last entry was not acknowledged in time."""

    async def __aenter__(self) -> Self:
        """Begin with an ``opened``.

        Raises:
            InputError: there is no such topic.
            TransportError: no broker answers.
        """
        anchor = await asyncio.to_thread(last_record, kafka_connection(self._settings))
        await self._producer.start()
        self._chain = Chain(self._name, anchor)
        try:
            await self.write(Entry("opened", "audit", "ok"))
        except BaseException:
            await self._producer.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()

    async def write(self, *entries: Entry) -> None:
        """Put entries on record; returns when all in-sync replicas have them.

        Raises:
            PublishTimeoutError: that took too long. They are sent on, and may stand there later.
        """
        if not entries:
            return
        assert self._chain is not None, "the writer was not opened"
        now = format_timestamp(int(time.time() * 1_000_000))
        for entry in entries:
            value, headers = self._chain.encode(entry, now)
            self._producer.append(AUDIT, None, value, headers)
        sent = self._producer.send()
        try:
            await asyncio.wait_for(asyncio.shield(sent), self._patience_seconds)
        except TimeoutError:
            self.is_late = True
            raise PublishTimeoutError(
                f"the audit log did not take the record within {self._patience_seconds:.0f} s,"
                " so nothing is shown: try again"
            ) from None
        self.is_late = False


class Recorded(msgspec.Struct, frozen=True):
    """A record with its place.

    Attributes:
        timestamp_ms: the broker's time.
        record: None for what is none.
    """

    offset: int
    timestamp_ms: int
    record: AuditRecord | None


def last_record(connection: Connection) -> Anchor | None:
    """The record at the end of the topic, or None of an empty one.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers.
    """
    found = _tail(connection, 1)
    return Anchor(found[-1].offset, digest(found[-1].value or b"")) if found else None


def latest(connection: Connection, most: int) -> list[Recorded]:
    """The latest records that stand on the topic now, the last one last; they are not checked.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers.
    """
    return [Recorded(one.offset, one.timestamp, decode_audit(one.value)) for one in _tail(connection, most)]


def _tail(connection: Connection, most: int) -> list[Any]:
    consumer = kafka_clients.consumer(connection)
    try:
        if not consumer.partitions_for_topic(AUDIT):
            raise InputError(
                f"the broker at {connection.bootstrap} has no topic {AUDIT}: `hearthwatch topics create`"
            )
        at = kafka.TopicPartition(AUDIT, 0)
        consumer.assign([at])
        end = consumer.end_offsets([at])[at]
        first = max(consumer.beginning_offsets([at])[at], end - most)
        consumer.seek(at, first)
        found: list[Any] = []
        until = time.monotonic() + connection.timeout_seconds
        while consumer.position(at) < end:
            batch = consumer.poll(timeout_ms=1_000).get(at, [])
            found += [one for one in batch if one.offset < end]
            if batch:
                until = time.monotonic() + connection.timeout_seconds
            elif time.monotonic() > until:
                raise kafka.errors.KafkaTimeoutError("it stopped sending records")
        return found
    except kafka.errors.KafkaError as error:
        raise connection.failure(error) from None
    finally:
        consumer.close()


def read_audit(connection: Connection, check: Check) -> Iterator[Recorded]:
    """Everything that stands on the topic now, from the first record on.

    Args:
        check: is given every record.

    Raises:
        InputError: there is no such topic.
        BrokerUnavailableError: no broker answers.
    """
    log = PartitionLog(connection, AUDIT, b"")
    try:
        for one in log.records():
            yield Recorded(one.offset, one.timestamp, check.take(one.offset, one.value, headers_of(one)))
    finally:
        log.close()


def is_wanted(
    one: Recorded, *, household: str | None, case: str | None, actor: str | None, kind: str | None
) -> bool:
    """Whether a record is what is asked for."""
    if one.record is None:
        return False
    entry = one.record.entry
    return (
        (household is None or household in entry.households)
        and (case is None or entry.case == case)
        and (actor is None or (entry.who is not None and entry.who.id == actor))
        and (kind is None or entry.kind == kind)
    )


def headers_of(record: Any) -> dict[str, bytes]:
    """The headers of kafka-python's ConsumerRecord; of several with one name the last."""
    return {name: value or b"" for name, value in record.headers or ()}
