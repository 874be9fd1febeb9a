"""The charter: what the ledger is, kept apart from Redis, in the compacted topic ``hearthwatch.ledger``.

It says which ledger belongs to this Kafka, which partitions have started, the digests of the
catalogue and the policy that the data was made with, and which topics began anew after they had been used.
With it an empty Redis is told from a new one, and a log that only seems whole from one that is.

A record's key is ``ledger``, ``made-with/<what>``, ``started/<stage>/<topic>/<partition>`` or
``anew/<topic>``; its value is a text (the ledger's id, a digest, the id of the ledger that started it, when
the topic began anew as RFC 3339 has it). Keys of other kinds are passed over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from streams.errors import BrokerUnavailableError

#: As ``streams.topics`` makes it; named here too, because a worker has no use for that module's clients.
LEDGER_TOPIC: Final = "hearthwatch.ledger"


@dataclass(slots=True)
class Charter:
    """What the topic says so far.

    Attributes:
        ledger: the id of the ledger, None before the first start.
        made_with: digests by ``catalog``, ``policy`` and the like.
        started: (stage, topic, partition).
        anew: when a topic began anew, by its name on the broker: its log lacks what was before.
    """

    ledger: str | None = None
    made_with: dict[str, str] = field(default_factory=dict)
    started: set[tuple[str, str, int]] = field(default_factory=set)
    anew: dict[str, str] = field(default_factory=dict)

    def take(self, key: str, value: str | None) -> None:
        """Apply one record of the topic; a null value takes the key back."""
        kind, _, rest = key.partition("/")
        if kind == "ledger":
            self.ledger = value
        elif kind == "made-with":
            if value is None:
                self.made_with.pop(rest, None)
            else:
                self.made_with[rest] = value
        elif kind == "started":
            stage, topic, partition = rest.rsplit("/", 2)
            if value is None:
                self.started.discard((stage, topic, int(partition)))
            else:
                self.started.add((stage, topic, int(partition)))
        elif kind == "anew":
            if value is None:
                self.anew.pop(rest, None)
            else:
                self.anew[rest] = value


class CharterStore(Protocol):
    """Where the charter is kept."""

    async def read(self) -> Charter:
        """All that has been written up to now, also by others."""

    async def write(self, records: Mapping[str, str | None]) -> None:
        """Add records; they are safe when this returns."""

    async def close(self) -> None:
        """Let go of connections."""


class MemoryCharter:
    """A charter in memory, for tests and benchmarks."""

    def __init__(self) -> None:
        self.charter = Charter()

    async def read(self) -> Charter:
        """See :class:`CharterStore`."""
        return self.charter

    async def write(self, records: Mapping[str, str | None]) -> None:
        """See :class:`CharterStore`."""
        for key, value in records.items():
            self.charter.take(key, value)

    async def close(self) -> None:
        """See :class:`CharterStore`."""


class KafkaCharter:
    """The charter in Kafka; connects at the first use, and reads on from where it stopped.

    Args:
        options: what aiokafka's consumer and producer both take: ``bootstrap_servers``, security.
    """

    def __init__(
        self, options: Mapping[str, Any], *, topic: str = LEDGER_TOPIC, timeout_seconds: float = 30.0
    ) -> None:
        self._options = dict(options)
        self._topic = topic
        self._timeout = timeout_seconds
        self._consumer: Any = None
        self._producer: Any = None
        self._charter = Charter()
        self._lock = asyncio.Lock()

    async def read(self) -> Charter:
        """See :class:`CharterStore`; raises :class:`BrokerUnavailableError`."""
        async with self._lock:
            await self._within(self._read(), "read")
            return self._charter

    async def write(self, records: Mapping[str, str | None]) -> None:
        """See :class:`CharterStore`; raises :class:`BrokerUnavailableError`."""
        async with self._lock:
            await self._within(self._write(records), "write")

    async def _within(self, work: Coroutine[Any, Any, None], what: str) -> None:
        from aiokafka.errors import KafkaConnectionError, KafkaError

        from streams.kafka_reach import no_broker

        try:
            async with asyncio.timeout(self._timeout):
                await work
        except KafkaConnectionError as error:
            await self._close()
            raise await asyncio.to_thread(no_broker, self._options) from error
        except (KafkaError, TimeoutError, OSError) as error:
            await self._close()
            raise BrokerUnavailableError(
                f"cannot {what} the topic {self._topic} on Kafka at {self._options.get('bootstrap_servers')}:"
                f" {str(error) or 'no answer in time'}"
            ) from error

    async def _read(self) -> None:
        from aiokafka import AIOKafkaConsumer, TopicPartition

        partition = TopicPartition(self._topic, 0)
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                enable_auto_commit=False, auto_offset_reset="earliest", **self._options
            )
            try:
                await consumer.start()
                consumer.assign([partition])
                consumer.pause(partition)
                await consumer.seek_to_beginning(partition)
            except BaseException:  # also where a rebalance cancels a claim: the next one connects anew
                await consumer.stop()
                raise
            self._charter = Charter()
            self._consumer = consumer
        end = (await self._consumer.end_offsets([partition]))[partition]
        # Paused but while there is something to fetch: a broker answers one request of a connection after
        # the other, so the question for the end would wait behind a fetch that waits for records.
        if await self._consumer.position(partition) < end:
            self._consumer.resume(partition)
        while await self._consumer.position(partition) < end:
            for records in (await self._consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    value = None if record.value is None else record.value.decode()
                    self._charter.take((record.key or b"").decode(), value)
        self._consumer.pause(partition)

    async def _write(self, records: Mapping[str, str | None]) -> None:
        from aiokafka import AIOKafkaProducer

        if self._producer is None:
            producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._options)
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        sent = [
            await self._producer.send(
                self._topic, key=key.encode(), value=None if value is None else value.encode(), partition=0
            )
            for key, value in records.items()
        ]
        await asyncio.gather(*sent)

    async def _close(self) -> None:
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        if consumer is not None:
            await consumer.stop()
        if producer is not None:
            await producer.stop()

    async def close(self) -> None:
        """See :class:`CharterStore`."""
        async with self._lock:
            await self._close()
