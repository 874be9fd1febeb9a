"""Sending in order: record batches, acknowledged by all replicas, one in flight for each destination.

What a stage sends must reach each partition in the order in which it was appended, also when a broker fails
in between: first occurrences in order are what the numbers of hop records and the ids of warnings rely on.
So at most one batch is on its way to a partition, and one that fails is itself sent again, from the same
records, before anything later goes there. aiokafka's idempotence takes care of its own retries; whatever it
gives up on is sent once more by a new producer, which may repeat a batch but never overtakes one.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.errors import BrokerUnavailableError, TransportError
from streams.partitions import partition_of

logger = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes | None]]
Record = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]

MAX_BATCH_BYTES: Final = 262_144
FIRST_DELAY_SECONDS: Final = 0.05
LONGEST_DELAY_SECONDS: Final = 5.0
#: Keys whose partition is remembered; murmur2 in Python takes 1.5 us, the look-up 0.1.
_REMEMBERED_KEYS: Final = 500_000
#: A timestamp's type: the broker's own time, not the producer's.
_APPENDED: Final = 1
_NO_HEADERS: Final[list[tuple[str, bytes | None]]] = []
_FAILURES: Final = (KafkaError, OSError, asyncio.TimeoutError)


class _Receipt:
    """Counts down the batches that one :meth:`OrderedProducer.send` waits for."""

    __slots__ = ("future", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_acked(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.future.done():
            self.future.set_result(None)


class _Pending:
    """A batch that is being filled, waits, or is on its way."""

    __slots__ = ("builder", "receipts", "records")

    def __init__(self, builder: Any) -> None:
        self.builder = builder
        self.records: list[Record] = []
        self.receipts: list[_Receipt] = []

    def add(self, record: Record) -> bool:
        """Append a record; False where the batch is full or closed."""
        key, value, headers = record
        if self.builder.append(timestamp=None, key=key, value=value, headers=headers) is None:
            return False
        self.records.append(record)
        return True


class _Destination:
    """One partition: what goes there, in order; only the head of the queue is on its way."""

    __slots__ = ("partition", "queue", "task", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.queue: deque[_Pending] = deque()
        self.task: asyncio.Task[None] | None = None


class OrderedProducer:
    """Sends records to a fixed set of topics.

    Args:
        kafka: arguments of aiokafka's clients (``bootstrap_servers``, ``security_protocol``, ...).
        topics: the topics that will be sent to; their number of partitions is asked once.
        prefix: begins the topics' names on the broker.
        connect: makes an unstarted AIOKafkaProducer; tests give one that fails.
        on_retry: called with the topic each time a batch has to be sent again.
        on_ack: called for each batch that the broker stamped with a time of its own: when it was sent, its
            stamp, when it was acknowledged, in seconds since 1970.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        *,
        topics: Sequence[str],
        prefix: str = "",
        max_batch_bytes: int = MAX_BATCH_BYTES,
        connect: Callable[[], Any] | None = None,
        on_retry: Callable[[str], None] | None = None,
        on_ack: Callable[[float, float, float], None] | None = None,
    ) -> None:
        self._kafka = dict(kafka)
        self._topics = tuple(topics)
        self._prefix = prefix
        self._max_batch_bytes = max_batch_bytes
        self._connect = connect or self._plain
        self._on_retry = on_retry
        self._on_ack = on_ack
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._destinations: dict[str, list[_Destination]] = {}
        self._partitions: dict[str, dict[bytes, int]] = {}
        self._touched: dict[_Pending, None] = {}
        self._touched_destinations: dict[_Destination, None] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self.waiting = 0
        """Records that were appended and are not acknowledged yet."""

    def _plain(self) -> Any:
        return aiokafka.AIOKafkaProducer(
            **{
                "acks": "all",
                "enable_idempotence": True,
                "linger_ms": 0,
                "max_batch_size": self._max_batch_bytes,
                "max_request_size": 67_108_864,
                "request_timeout_ms": 30_000,
                **self._kafka,
            }
        )

    async def start(self) -> None:
        """Connect, and learn how many partitions each topic has.

        Raises:
            BrokerUnavailableError: nobody answers.
            TransportError: a topic is missing.
        """
        try:
            await self._connected()
        except _FAILURES as error:
            raise BrokerUnavailableError(f"no Kafka broker answers: {error}") from error
        for topic in self._topics:
            name = self._prefix + topic
            try:
                partitions = await self._client.partitions_for(name)
            except _FAILURES as error:
                await self.stop()
                raise TransportError(
                    f"the topic {name} is missing ({error!r}); make it with `hearthwatch topics create`"
                ) from error
            self._destinations[topic] = [_Destination(name, number) for number in range(len(partitions))]
            self._partitions[topic] = {}

    def partitions(self, topic: str) -> int:
        """How many partitions a topic had when we started."""
        return len(self._destinations[topic])

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
        partition: int | None = None,
    ) -> None:
        """Add a record to what the next :meth:`send` sends.

        Args:
            partition: where to; by the key unless given, and 0 without a key.
        """
        destinations = self._destinations[topic]
        if partition is None:
            partition = 0
            if key is not None:
                known = self._partitions[topic]
                found = known.get(key)
                if found is None:
                    if len(known) >= _REMEMBERED_KEYS:
                        known.clear()
                    found = known[key] = partition_of(key, len(destinations))
                partition = found
        destination = destinations[partition]
        record: Record = (key, value, list(headers) if headers else _NO_HEADERS)
        queue = destination.queue
        pending = queue[-1] if queue else None
        if pending is None or not pending.add(record):
            pending = _Pending(self._builder())
            pending.add(record)  # the first record of a batch always fits
            queue.append(pending)
        if pending not in self._touched:
            self._touched[pending] = None
            self._touched_destinations[destination] = None
        self.waiting += 1

    def _builder(self) -> Any:
        # What create_batch() of a client gives; but there may be no client just now. 0: not compressed.
        return BatchBuilder(self._max_batch_bytes, 0)

    def send(self) -> asyncio.Future[None]:
        """Send everything appended since the last call.

        Returns:
            Done when all of it is acknowledged; it never fails, but is cancelled by :meth:`stop`.
        """
        receipt = _Receipt(len(self._touched))
        if not self._touched:
            receipt.future.set_result(None)
            return receipt.future
        for pending in self._touched:
            pending.receipts.append(receipt)
        for destination in self._touched_destinations:
            if destination.task is None:
                destination.task = asyncio.ensure_future(self._run(destination))
        self._touched.clear()
        self._touched_destinations.clear()
        return receipt.future

    async def _run(self, destination: _Destination) -> None:
        queue = destination.queue
        try:
            while queue:
                pending = queue[0]
                pending.builder.close()
                await self._deliver(destination, pending)
        finally:
            destination.task = None

    async def _deliver(self, destination: _Destination, pending: _Pending) -> None:
        """Send the head of a queue until it is acknowledged, however long that takes."""
        delay = FIRST_DELAY_SECONDS
        builder = pending.builder
        while True:
            client = None
            try:
                client = await self._connected()
                sent = time.time()
                future = await client.send_batch(builder, destination.topic, partition=destination.partition)
                placed = await future
            except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                if len(pending.records) > 1:
                    self._split(destination)
                    return
                logger.error(
                    "a record of %d bytes is too large for %s (%r): raise its max.message.bytes; again",
                    len(pending.records[0][1] or b""), destination.topic, error,
                )  # fmt: skip
            except _FAILURES as error:
                logger.warning("sending to %s-%d: %r; again", destination.topic, destination.partition, error)
                if client is not None:
                    self._retire(client)
            else:
                if self._on_ack is not None and placed.timestamp_type == _APPENDED:
                    self._on_ack(sent, placed.timestamp / 1000, time.time())
                break
            if self._on_retry is not None:
                self._on_retry(destination.topic)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            builder = self._rebuilt(pending)
        destination.queue.popleft()
        self._acked(pending)

    def _rebuilt(self, pending: _Pending) -> Any:
        builder = self._builder()
        for key, value, headers in pending.records:
            builder.append(timestamp=None, key=key, value=value, headers=headers)
        builder.close()
        return builder

    def _split(self, destination: _Destination) -> None:
        """Put two halves at the head of the queue in place of a batch that is too large for its topic."""
        whole = destination.queue.popleft()
        middle = len(whole.records) // 2
        for records in (whole.records[middle:], whole.records[:middle]):
            half = _Pending(self._builder())
            for record in records:
                half.add(record)
            half.receipts = list(whole.receipts)
            destination.queue.appendleft(half)
        for receipt in whole.receipts:
            receipt.left += 1

    def _acked(self, pending: _Pending) -> None:
        self.waiting -= len(pending.records)
        for receipt in pending.receipts:
            receipt.one_acked()

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                client = self._connect()
                try:
                    await client.start()
                except BaseException:
                    await client.stop()
                    raise
                self._client = client
            return self._client

    def _retire(self, client: Any) -> None:
        """A producer that gave up on a batch has a hole in its sequence numbers: take a new one."""
        if self._client is client:
            self._client = None
            task = asyncio.ensure_future(_stop(client))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    async def stop(self) -> None:
        """Stop sending. What is not acknowledged is given up: its causes were not committed either."""
        tasks = [
            one.task for several in self._destinations.values() for one in several if one.task is not None
        ]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for several in self._destinations.values():
            for destination in several:
                for pending in destination.queue:
                    for receipt in pending.receipts:
                        receipt.future.cancel()
                destination.queue.clear()
        client, self._client = self._client, None
        if client is not None:
            await _stop(client)
        await asyncio.gather(*self._retiring, return_exceptions=True)


async def _stop(client: Any) -> None:
    # It waits for everything that it still holds; with no broker there that would be for ever.
    try:
        await asyncio.wait_for(client.stop(), 10.0)
    except TimeoutError:
        logger.warning("a producer did not stop in 10 s")
