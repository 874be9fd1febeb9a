"""Processes of :mod:`bench.latency`: a worker as it is in production, and a sender at a fixed rate.

    python -m bench.latency_process worker|sender

Each takes its order as one line of JSON from standard input. The sender prints ``ready``, waits for an empty
line, and sends; at the end it prints when it began and how late it was. It is an open loop: the event of
number n is due at ``begin + n / rate``, whether or not anything before it was acknowledged, and latency is
counted from that moment.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from agents.app import WorkerConfig
from agents.process import run_worker
from agents.redis_link import RedisHome
from bench.latency_load import Load
from bench.machine import CATALOG, POLICY
from bench.servers import NAMESPACE
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.outgoing import Addresser, Outgoing
from streams.partitions import partition_of
from streams.topics import LIFE, MAX_RECORD_BYTES, life_topic

#: The sender looks at the clock this often: events that are due by then go out together.
TICK_SECONDS: Final = 0.001

Ready = tuple[str, int, bytes | None, bytes, list[tuple[str, bytes]]]
"""Topic, partition, key, value, headers."""


def worker(order: dict[str, Any]) -> None:
    """Run a worker until SIGTERM."""
    catalog = read_catalog(CATALOG)
    config = WorkerConfig(
        kafka={"bootstrap_servers": order["kafka"]},
        redis=RedisHome(order["redis"]),
        catalog=catalog,
        policy=read_policy(POLICY, catalog),
        clock="wall",
        namespace=NAMESPACE,
        topic_prefix=order["prefix"],
        worker=order["name"],
        snapshot_seconds=order["snapshot_seconds"],
    )
    run_worker(order["stage"], config)


def addressed(
    lines: Sequence[bytes], prefix: str, partitions: int, departments: Sequence[str]
) -> list[Ready]:
    """Lines as records: where each goes, and with what."""
    limits = dict.fromkeys((life_topic(name) for name in departments), MAX_RECORD_BYTES)
    assert all(name.startswith(LIFE) for name in limits)
    address = Addresser(limits, clock="wall").address
    out: list[Ready] = []
    for line in lines:
        record = address(line)
        assert isinstance(record, Outgoing), record
        at = partition_of(record.key or b"", partitions)
        out.append((prefix + record.topic, at, record.key, record.value, record.headers))
    return out


def batches_of(records: Iterable[Ready], create: Callable[[], Any]) -> list[tuple[str, int, Any]]:
    """Records in closed batches, in the order in which those of a partition have to go.

    Args:
        create: a new batch of the client's; it takes one record always, and no more when it is full.
    """
    out: list[tuple[str, int, Any]] = []
    filling: dict[tuple[str, int], Any] = {}
    for topic, partition, key, value, headers in records:
        batch = filling.get((topic, partition))
        if batch is None or batch.append(key=key, value=value, timestamp=None, headers=headers) is None:
            batch = filling[topic, partition] = create()
            batch.append(key=key, value=value, timestamp=None, headers=headers)
            out.append((topic, partition, batch))
    for _, _, batch in out:
        batch.close()
    return out


async def send(records: Sequence[Ready], rate: int, kafka: str) -> dict[str, Any]:
    """Send records at a rate; when it began, and how late the sender itself was, in seconds."""
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, linger_ms=0, bootstrap_servers=kafka)
    await producer.start()
    acks: list[asyncio.Future[Any]] = []
    lateness: list[float] = []
    try:
        for topic in {record[0] for record in records}:
            await producer.partitions_for(topic)
        gc.collect()
        gc.freeze()
        gc.disable()
        clock = time.perf_counter
        began_wall, began = time.time() + 0.5, clock() + 0.5
        at, count = 0, len(records)
        while at < count:
            now = clock()
            due = min(count, int((now - began) * rate) + 1) if now >= began else 0
            if due > at:
                lateness.append(now - began - at / rate)
                for topic, partition, batch in batches_of(records[at:due], producer.create_batch):
                    acks.append(await producer.send_batch(batch, topic, partition=partition))
                at = due
            await asyncio.sleep(max(TICK_SECONDS, began + at / rate - clock()))
        ended = clock()
        await asyncio.gather(*acks)
    finally:
        await producer.stop()
    lateness.sort()
    return {
        "began": began_wall,
        "seconds": ended - began,
        "late_p99": lateness[int(len(lateness) * 0.99)],
        "late_max": lateness[-1],
        "cpu": time.process_time(),
    }


def sender(order: dict[str, Any]) -> None:
    """Make the load, and send it when told to."""
    catalog = read_catalog(CATALOG)
    load = Load(**order["load"])
    _, events = load.lines(catalog)
    records = addressed(events, order["prefix"], order["life_partitions"], list(catalog.departments))
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(asyncio.run(send(records, load.rate, order["kafka"]))), flush=True)


def main() -> None:
    """Take the order from standard input."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    order = json.loads(sys.stdin.readline())
    {"worker": worker, "sender": sender}[sys.argv[1]](order)


if __name__ == "__main__":
    main()
