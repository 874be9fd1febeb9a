"""The servers that a benchmark runs on, the topics of one round, and records into them."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.flow import Flow
from agents.ledger import KafkaCharter, Ledger
from agents.redis_link import RedisHome, RedisLink
from bench.machine import cpu_seconds, pin, places
from deploy.local import Stack, free_ports
from streams import topics
from streams.catalog import Catalog
from streams.kafka_clients import Connection
from streams.outgoing import Addresser, Outgoing
from streams.partitions import partition_of

#: The ledger's name: one for all rounds, because one broker belongs to one ledger.
NAMESPACE = "bench"


@contextmanager
def servers(progress: Callable[[str], None]) -> Iterator[Stack]:
    """An embedded stack of our own, in a temporary folder, on the cores that the workers do not use."""
    with tempfile.TemporaryDirectory(prefix="hearthwatch-bench-") as folder:
        kafka, controller, valkey = free_ports(3)
        stack = Stack(Path(folder), kafka, valkey, kafka_controller_port=controller)
        stack.up(lambda what, done, total: progress(what))
        try:
            _, cores = places()
            for pid in server_pids(stack).values():
                pin(pid, cores)
            yield stack
        finally:
            stack.down()


def end_on_sigterm() -> None:
    """Let SIGTERM end the program as Ctrl-C does, so that the servers are stopped."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))


def server_pids(stack: Stack) -> dict[str, int]:
    """The processes of the servers, by name."""
    return {status.name: status.pid for status in stack.status() if status.pid is not None}


def server_cpu(stack: Stack) -> dict[str, float]:
    """CPU seconds that each server has used."""
    return {name: cpu_seconds(pid) for name, pid in server_pids(stack).items()}


class Round:
    """The topics of one round, under a prefix, and what is asked of them from outside.

    Attributes:
        partitions: by topic, without the prefix.
    """

    def __init__(
        self, stack: Stack, catalog: Catalog, prefix: str, *, clock: topics.Clock = "log", **partitions: int
    ) -> None:
        self.stack = stack
        self.catalog = catalog
        self.prefix = prefix
        self.kafka: Mapping[str, Any] = {"bootstrap_servers": stack.kafka_bootstrap}
        self.redis = RedisHome(stack.redis_url)
        plan = topics.planned(catalog, clock=clock, **partitions)
        self.partitions = {topic.name: topic.partitions for topic in plan}
        named = [
            topic if topic.name == topics.LEDGER else replace(topic, name=prefix + topic.name)
            for topic in plan
        ]
        topics.create(Connection(stack.kafka_bootstrap), named)
        self._addresser = Addresser(
            {name: topics.MAX_RECORD_BYTES for name in self.partitions if name.startswith(topics.LIFE)},
            clock=clock,
        )

    def ledger(self) -> Ledger:
        """The ledger, as an onlooker has it."""
        return Ledger(RedisLink(self.redis), KafkaCharter(self.kafka), name=NAMESPACE)

    def flow(self) -> Flow:
        """How far the stages are."""
        return Flow(self.kafka, self.ledger(), prefix=self.prefix)

    async def publish(self, lines: Iterable[bytes]) -> int:
        """Send lines to the topics of their departments, in large batches."""
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, max_batch_size=262_144, **self.kafka)
        await producer.start()
        count = 0
        try:
            open_batches: dict[tuple[str, int], Any] = {}
            sent: list[asyncio.Future[Any]] = []
            for line in lines:
                outgoing = self._addresser.address(line)
                assert isinstance(outgoing, Outgoing), outgoing
                number = partition_of(outgoing.key or b"", self.partitions[outgoing.topic])
                at = (self.prefix + outgoing.topic, number)
                count += 1
                while True:
                    batch = open_batches.get(at)
                    if batch is None:
                        batch = open_batches[at] = producer.create_batch()
                    if batch.append(
                        key=outgoing.key,
                        value=outgoing.value,
                        timestamp=outgoing.timestamp_ms,
                        headers=outgoing.headers,
                    ):
                        break
                    sent.append(await self._close(producer, at, open_batches.pop(at)))
            for at, batch in open_batches.items():
                sent.append(await self._close(producer, at, batch))
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
        return count

    @staticmethod
    async def _close(producer: Any, at: tuple[str, int], batch: Any) -> asyncio.Future[Any]:
        batch.close()
        future: asyncio.Future[Any] = await producer.send_batch(batch, at[0], partition=at[1])
        return future

    async def ends(self, names: Sequence[str]) -> dict[str, int]:
        """How many offsets each topic holds."""
        flow = self.flow()
        try:
            counts: Counter[str] = Counter()
            for (topic, _), end in (await flow.ends(names)).items():
                counts[topic.removeprefix(self.prefix)] += end
            return dict(counts)
        finally:
            await flow.close()
            await flow.ledger.close()

    async def read(self, name: str, **settings: Any) -> list[Any]:
        """All records of a topic, each partition in its order; settings are of aiokafka's consumer."""
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", **self.kafka, **settings
        )
        await consumer.start()
        out: list[Any] = []
        try:
            tps = [TopicPartition(self.prefix + name, at) for at in range(self.partitions[name])]
            consumer.assign(tps)
            ends = await consumer.end_offsets(tps)
            async with asyncio.timeout(60):
                while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                    for records in (await consumer.getmany(timeout_ms=500)).values():
                        out += records
        finally:
            await consumer.stop()
        return sorted(out, key=lambda record: (record.partition, record.offset))
