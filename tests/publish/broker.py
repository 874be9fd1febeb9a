"""A real broker, and lines for it."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka import TopicPartition

from streams import kafka_clients
from streams.kafka_clients import Connection


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    connection: Connection
    pid: int

    @contextmanager
    def away(self) -> Iterator[None]:
        """The broker does not answer, as if its machine hung."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def records(self, topic: str) -> list[Any]:
        """Everything that stands on a topic, partition by partition."""
        with_end = kafka_clients.consumer(
            self.connection, auto_offset_reset="earliest", consumer_timeout_ms=10_000
        )
        try:
            return read_to_end(with_end, topic)
        finally:
            with_end.close()

    def wait_for(self, topic: str, count: int) -> None:
        """Wait until so many records stand on a topic."""
        consumer = kafka_clients.consumer(self.connection)
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            deadline = time.monotonic() + 120
            while count > 0:
                assert time.monotonic() < deadline, f"{count} records of {topic} are missing"
                count -= sum(map(len, consumer.poll(timeout_ms=1000).values()))
        finally:
            consumer.close()


def read_to_end(consumer: Any, topic: str) -> list[Any]:
    """All records up to where the topic ends now."""
    partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic))]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    left = {partition for partition in partitions if ends[partition] > consumer.position(partition)}
    found: list[Any] = []
    while left:
        for partition, records in consumer.poll(timeout_ms=1000).items():
            found.extend(records)
            if consumer.position(partition) >= ends[partition]:
                left.discard(partition)
    return sorted(found, key=lambda record: (record.partition, record.offset))


def events(department: str, count: int, first: int = 0) -> list[bytes]:
    """Lines of events about ten persons, with line ends."""
    return [
        json.dumps(
            {
                "specversion": "1.0",
                "id": f"e{number}",
                "source": f"/tests/{department}",
                "type": "a.b",
                "subject": f"person/p{number % 10}",
                "time": "2024-03-01T08:00:00+08:00",
                "data": {"number": number},
            }
        ).encode()
        + b"\n"
        for number in range(first, first + count)
    ]


def written(path: Path, lines: list[bytes]) -> Path:
    path.write_bytes(b"".join(lines))
    return path
