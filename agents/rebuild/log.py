"""Reading partitions of Kafka from one offset to another, in large pieces and without a group."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.errors import BrokerUnavailableError, TransportError
from streams.kafka_reach import partition_numbers, started

_FETCH_BYTES: Final = 8_388_608
_PIECE: Final = 10_000
#: Without a record for so long, though the log goes on: the broker is in trouble.
_PATIENCE_POLLS: Final = 30


class Log:
    """A connection to read with; connects at the first question.

    Args:
        kafka: arguments of aiokafka's clients.
        prefix: begins the topics' names on the broker; names here are without it.
    """

    def __init__(self, kafka: Mapping[str, Any], *, prefix: str = "") -> None:
        self._kafka = dict(kafka)
        self._prefix = prefix
        self._client: Any = None

    async def _consumer(self) -> Any:
        if self._client is None:
            client = AIOKafkaConsumer(
                enable_auto_commit=False,
                auto_offset_reset="none",
                max_partition_fetch_bytes=_FETCH_BYTES,
                **self._kafka,
            )
            self._client = await started(client, self._kafka)
        return self._client

    async def count(self, topic: str) -> int:
        """How many partitions a topic has; 0 where there is none."""
        consumer = await self._consumer()
        return len(await partition_numbers(consumer, self._prefix + topic))

    async def bounds(self, topic: str, partition: int) -> tuple[int, int]:
        """The first offset that is still there, and the one after the last."""
        consumer = await self._consumer()
        at = TopicPartition(self._prefix + topic, partition)
        try:
            first = (await consumer.beginning_offsets([at]))[at]
            return first, (await consumer.end_offsets([at]))[at]
        except (KafkaError, OSError) as error:
            raise BrokerUnavailableError(f"Kafka does not answer for {at.topic}: {error!r}") from error

    async def read(
        self, topic: str, partition: int, start: int, end: int
    ) -> AsyncIterator[tuple[Sequence[Any], int]]:
        """Records from ``start`` up to ``end``, which must be there; with each piece the offset after it.

        Raises:
            TransportError: Kafka gives nothing more.
        """
        consumer = await self._consumer()
        at = TopicPartition(self._prefix + topic, partition)
        if start >= end:
            return
        consumer.assign([at])
        consumer.seek(at, start)
        empty = 0
        try:
            while (position := await consumer.position(at)) < end:
                found = await consumer.getmany(at, timeout_ms=1_000, max_records=_PIECE)
                records = found.get(at, [])
                if not records:
                    empty = empty + 1 if await consumer.position(at) == position else 0
                    if empty > _PATIENCE_POLLS:
                        raise TransportError(f"{at.topic}/{partition} gives nothing after offset {position}")
                    continue
                empty = 0
                if records[-1].offset >= end:
                    records = [record for record in records if record.offset < end]
                after = min(end, await consumer.position(at))
                if records:
                    yield records, after
        except (KafkaError, OSError) as error:
            raise BrokerUnavailableError(f"Kafka does not answer for {at.topic}: {error!r}") from error
        finally:
            consumer.unsubscribe()

    async def close(self) -> None:
        """Let go of the connection."""
        client, self._client = self._client, None
        if client is not None:
            await client.stop()
