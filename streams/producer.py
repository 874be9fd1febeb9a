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
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import aiokafka
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from streams.errors import BrokerUnavailableError, TransportError
from streams.partitions import partition_of

logger = logging.getLogger(__name__)

Headers = Sequence[tuple[str, bytes | None]]
Sending = (
    tuple[str, bytes | None, bytes | None, Headers] | tuple[str, bytes | None, bytes | None, Headers, int]
)
"""Topic, key, value, headers; and a timestamp in ms since 1970, where the topic takes the sender's."""

MAX_BATCH_BYTES: Final = 262_144
FIRST_DELAY_SECONDS: Final = 0.05
LONGEST_DELAY_SECONDS: Final = 5.0
#: Keys whose partition is remembered; murmur2 in Python takes 1.5 us, the look-up 0.1.
_REMEMBERED_KEYS: Final = 500_000
#: A timestamp's type: the broker's own time, not the producer's.
_APPENDED: Final = 1
_FAILURES: Final = (KafkaError, OSError, asyncio.TimeoutError)


class _Receipt:
    """Counts down the destinations that one :meth:`OrderedProducer.send` waits for."""

    __slots__ = ("future", "left")

    def __init__(self, left: int) -> None:
        self.left = left
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def one_acked(self) -> None:
        self.left -= 1
        if self.left == 0 and not self.future.done():
            self.future.set_result(None)


class _Destination:
    """One partition: what goes there, in order; at most one batch of it is on its way.

    Attributes:
        waiting: records that are in no batch yet.
        appended, acked: numbers of records so far.
        receipts: who waits until ``acked`` has reached a number.
        max_bytes: of a batch; less than the producer's where the topic takes less.
    """

    __slots__ = ("acked", "appended", "max_bytes", "partition", "receipts", "task", "topic", "waiting")

    def __init__(self, topic: str, partition: int, max_bytes: int) -> None:
        self.topic = topic
        self.partition = partition
        self.max_bytes = max_bytes
        self.waiting: deque[Sending] = deque()
        self.appended = 0
        self.acked = 0
        self.receipts: deque[tuple[int, _Receipt]] = deque()
        self.task: asyncio.Task[None] | None = None


class _Builder(BatchBuilder):  # type: ignore[misc]
    """What ``create_batch()`` of a client gives, filled in one go; there may be no client just now."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, 0)  # 0: not compressed

    def fill(self, records: Iterable[Sending]) -> int:
        """Append records until the batch is full (one fits always); how many there are in it."""
        append = self._builder.append
        now = int(time.time() * 1000)
        count = 0
        for record in records:
            if len(record) == 4:
                _, key, value, headers = record
                stamp = now
            else:
                _, key, value, headers, stamp = record
            found = headers if headers.__class__ is list else list(headers)
            if append(count, stamp, key, value, found) is None:
                break
            count += 1
        self._relative_offset = count
        self.close()
        return count


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
        self._by_key: dict[str, dict[bytes, _Destination]] = {}
        self._touched: set[_Destination] = set()
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
            self._destinations[topic] = [
                _Destination(name, number, self._max_batch_bytes) for number in range(len(partitions))
            ]
            self._by_key[topic] = {}

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
        timestamp: int | None = None,
    ) -> None:
        """Add a record to what the next :meth:`send` sends.

        Args:
            partition: where to; by the key unless given, and 0 without a key.
            timestamp: in milliseconds since 1970, where the topic takes the sender's; now unless given.
        """
        record: Sending = (topic, key, value, headers)
        if timestamp is not None:
            record = (*record, timestamp)
        if partition is None:
            self.extend([record])
            return
        destination = self._destinations[topic][partition]
        destination.waiting.append(record)
        self._touched.add(destination)
        self.waiting += 1

    def extend(self, records: Sequence[Sending]) -> None:
        """Add records, in their order; see :meth:`append`."""
        by_key = self._by_key
        touch = self._touched.add
        for record in records:
            topic, key = record[0], record[1]
            destination = by_key[topic].get(key) if key is not None else self._destinations[topic][0]
            if destination is None:
                assert key is not None
                destination = self._remember(topic, key)
            destination.waiting.append(record)
            touch(destination)
        self.waiting += len(records)

    def _remember(self, topic: str, key: bytes) -> _Destination:
        destinations = self._destinations[topic]
        known = self._by_key[topic]
        if len(known) >= _REMEMBERED_KEYS:
            known.clear()
        found = known[key] = destinations[partition_of(key, len(destinations))]
        return found

    def send(self) -> asyncio.Future[None]:
        """Send everything appended since the last call.

        Returns:
            Done when all of it is acknowledged; it never fails, but is cancelled by :meth:`stop`.
        """
        receipt = _Receipt(len(self._touched))
        if not self._touched:
            receipt.future.set_result(None)
            return receipt.future
        for destination in self._touched:
            # What is on its way has left `waiting`; all of it was appended, not all of it acknowledged.
            destination.receipts.append((destination.appended + len(destination.waiting), receipt))
            if destination.task is None:
                destination.task = asyncio.ensure_future(self._run(destination))
        self._touched.clear()
        return receipt.future

    async def _run(self, destination: _Destination) -> None:
        waiting = destination.waiting
        receipts = destination.receipts
        try:
            while waiting:
                builder = _Builder(destination.max_bytes)
                count = builder.fill(waiting)
                records = [waiting.popleft() for _ in range(count)]
                destination.appended += count
                if not await self._deliver(destination, builder, records):
                    continue
                destination.acked += count
                self.waiting -= count
                while receipts and receipts[0][0] <= destination.acked:
                    receipts.popleft()[1].one_acked()
        finally:
            destination.task = None

    async def _deliver(self, destination: _Destination, builder: Any, records: list[Sending]) -> bool:
        """Send a batch until it is acknowledged, however long that takes.

        Returns:
            False if it is too large for its topic: its records wait again, for smaller batches.
        """
        delay = FIRST_DELAY_SECONDS
        while True:
            client = None
            try:
                client = await self._connected()
                sent = time.time()
                future = await client.send_batch(builder, destination.topic, partition=destination.partition)
                placed = await future
            except (MessageSizeTooLargeError, RecordListTooLargeError) as error:
                if len(records) > 1:
                    destination.max_bytes = builder.size() // 2
                    destination.waiting.extendleft(reversed(records))
                    destination.appended -= len(records)
                    return False
                logger.error(
                    "a record of %d bytes is too large for %s (%r): raise its max.message.bytes; again",
                    len(records[0][2] or b""), destination.topic, error,
                )  # fmt: skip
            except _FAILURES as error:
                logger.warning("sending to %s-%d: %r; again", destination.topic, destination.partition, error)
                if client is not None:
                    self._retire(client)
            else:
                if self._on_ack is not None and placed.timestamp_type == _APPENDED:
                    self._on_ack(sent, placed.timestamp / 1000, time.time())
                return True
            if self._on_retry is not None:
                self._on_retry(destination.topic)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            builder = _Builder(destination.max_bytes)
            builder.fill(records)

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
                for _, receipt in destination.receipts:
                    receipt.future.cancel()
                destination.receipts.clear()
                destination.waiting.clear()
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
