"""What the tests of the stages share: topics under a prefix, workers in this process, records in and out."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from agents.app import Worker, WorkerConfig
from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.ledger import LEDGER_TOPIC, CharterStore, KafkaCharter, Ledger, MemoryCharter
from agents.person import fail
from agents.redis_link import RedisHome, RedisLink
from agents.signals import Recorder
from deploy.local import Stack
from rules.policy import Policy
from streams import kafka_clients
from streams.catalog import Catalog
from streams.kafka_clients import Connection
from streams.partitions import partition_of
from streams.records import DEADLETTERS

DEADLINE = 120.0
_numbers = itertools.count()


class Counting(Stage):
    """A toy stage: counts records by key, and sends each on with its offset and the count."""

    name = "counting"

    def __init__(self) -> None:
        self.topics = ("in",)
        self.sends_to = ("out", DEADLETTERS)
        self.decided = 0

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        return records, {record.key.decode() for record in records}

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        self.decided += len(read)
        counts: dict[str, int] = {}
        for record in read:
            key = record.key.decode()
            if record.value == b"boom":
                fail(part, lane, record, None, ValueError("a person's name"))
                continue
            before = lane.states[key]
            count = counts.get(key, int(before or b"0")) + 1
            counts[key] = count
            out = b"%d %d %s %d" % (lane.partition, record.offset, record.value, count)
            part.sends.append(("out", record.key, out, ()))
        part.states = {key: b"%d" % count for key, count in counts.items()}


EMPTY_CATALOG = Catalog("toy", 1, "/toy", {}, (), 30, {}, digest="c")
EMPTY_POLICY = Policy("toy", 1, "UTC", {}, (), (), (), 30, digest="p")


class Rig:
    """Topics of one test on the shared stack, and the workers that it started."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.prefix = f"t{os.getpid()}-{next(_numbers)}."
        self.namespace = f"ns-{self.prefix}"
        self.kafka = {"bootstrap_servers": stack.kafka_bootstrap}
        self.redis = RedisHome(stack.redis_url)
        self.charter: CharterStore = MemoryCharter()
        self.workers: list[Worker] = []
        self.partitions: dict[str, int] = {}
        self._producer: Any = None
        self._ledger: Ledger | None = None

    def topics(self, partitions: dict[str, int], settings: dict[str, dict[str, str]] | None = None) -> None:
        with kafka_clients.admin(Connection(self.stack.kafka_bootstrap, timeout_seconds=DEADLINE)) as admin:
            admin.create_topics(
                {
                    self.prefix + name: {
                        "num_partitions": count,
                        "replication_factor": 1,
                        "configs": (settings or {}).get(name, {}),
                    }
                    for name, count in partitions.items()
                }
            )
            admin.wait_for_topics([self.prefix + name for name in partitions], timeout_ms=DEADLINE * 1000)
        self.partitions |= partitions

    def remove_topics(self) -> None:
        """Delete the topics; nobody may be at work on them."""
        with kafka_clients.admin(Connection(self.stack.kafka_bootstrap, timeout_seconds=DEADLINE)) as admin:
            admin.delete_topics([self.prefix + name for name in self.partitions])

    def share_charter(self) -> None:
        """Keep the charter on Kafka, as other processes need it."""
        self.topics({LEDGER_TOPIC: 1}, {LEDGER_TOPIC: {"cleanup.policy": "compact"}})
        self.charter = KafkaCharter(self.kafka, topic=self.prefix + LEDGER_TOPIC)

    def config(self, **changes: Any) -> WorkerConfig:
        return WorkerConfig(
            **{
                "kafka": self.kafka,
                "redis": self.redis,
                "catalog": EMPTY_CATALOG,
                "policy": EMPTY_POLICY,
                "namespace": self.namespace,
                "topic_prefix": self.prefix,
                "ledger_topic": self.prefix + LEDGER_TOPIC,
                "worker": f"w{len(self.workers)}",
                "clock": "log",
                **changes,
            }
        )

    def worker(
        self, stage: Stage, *, connect_producer: Callable[[], Any] | None = None, **changes: Any
    ) -> tuple[Worker, Recorder]:
        signals = Recorder()
        worker = Worker(
            stage,
            self.config(**changes),
            charter=self.charter,
            signals=signals,
            connect_producer=connect_producer,
        )
        self.workers.append(worker)
        return worker, signals

    async def producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self.kafka)
            await self._producer.start()
        return self._producer

    async def send(
        self,
        topic: str,
        records: Iterable[tuple[bytes | None, bytes | None]],
        *,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Send records in order, by key unless a partition is given."""
        producer = await self.producer()
        count = self.partitions[topic]
        futures = []
        for key, value in records:
            to = partition if partition is not None else partition_of(key or b"", count)
            futures.append(
                await producer.send(
                    self.prefix + topic,
                    value,
                    key=key,
                    partition=to,
                    timestamp_ms=timestamp_ms,
                    headers=list(headers),
                )
            )
        await asyncio.gather(*futures)

    async def read(self, topic: str) -> list[Any]:
        """All records of a topic up to its end, partition after partition, each in its order."""
        # A fetch that waits for more holds up the next one of the same broker: half a second, unless told.
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=10, **self.kafka
        )
        await consumer.start()
        try:
            tps = [TopicPartition(self.prefix + topic, number) for number in range(self.partitions[topic])]
            consumer.assign(tps)
            await consumer.seek_to_beginning(*tps)
            ends = await consumer.end_offsets(tps)
            found: dict[TopicPartition, list[Any]] = {tp: [] for tp in tps}
            async with asyncio.timeout(DEADLINE):
                while any([await consumer.position(tp) < ends[tp] for tp in tps]):
                    for tp, records in (await consumer.getmany(*tps, timeout_ms=1000)).items():
                        found[tp] += records
            return [record for records in found.values() for record in records]
        finally:
            await consumer.stop()

    async def ends(self, topic: str) -> dict[int, int]:
        consumer = AIOKafkaConsumer(**self.kafka)
        await consumer.start()
        try:
            tps = [TopicPartition(self.prefix + topic, n) for n in range(self.partitions[topic])]
            return {tp.partition: end for tp, end in (await consumer.end_offsets(tps)).items()}
        finally:
            await consumer.stop()

    async def ledger(self) -> Ledger:
        """A ledger of our own, as an onlooker or a rival has it."""
        if self._ledger is None:
            self._ledger = Ledger(RedisLink(self.redis), self.charter, name=self.namespace)
        return self._ledger

    async def through(self, stage: str, topic: str, *signals: Recorder) -> None:
        """Wait until a stage has committed everything that a topic holds now."""
        ledger = await self.ledger()
        ends = await self.ends(topic)
        at = [(self.prefix + topic, number) for number in ends]
        async with asyncio.timeout(DEADLINE):
            while True:
                changes = [signal._changed for signal in signals]
                found = await ledger.positions(stage, at)
                if all((p.next_offset if p else 0) >= ends[n] for (_, n), p in found.items()):
                    return
                waits = [asyncio.ensure_future(change.wait()) for change in changes]
                # Another process has no signals that we could see: look again then, at the latest.
                await asyncio.wait(waits or [asyncio.ensure_future(asyncio.Event().wait())], timeout=0.2)
                for wait in waits:
                    wait.cancel()

    async def close(self) -> None:
        for worker in self.workers:
            await worker.stop()
        if self._producer is not None:
            await self._producer.stop()
        if self._ledger is not None:
            await self._ledger.close()
