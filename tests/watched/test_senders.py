"""When departments last sent, also before this worker started."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from types import SimpleNamespace
from typing import Any

from aiokafka import AIOKafkaProducer
from faust.types import TP

from agents.metrics import StageMetrics
from agents.senders import Senders
from deploy.local import Stack
from streams import kafka_clients
from streams.catalog import Catalog, Department
from streams.kafka_clients import Connection
from tests.watched.scrape import Found, values

_numbers = itertools.count()
LAST = "hearthwatch_department_last_event_timestamp_seconds"
CATALOG = Catalog(
    "toy", 1, "/toy", {"health": Department("health", {}, 2), "housing": Department("housing")}, (), 30, {}
)


def engine_of(prefix: str, *partitions: tuple[str, int]) -> Any:
    """As much of an engine as is looked at: its lanes."""
    return SimpleNamespace(
        lanes={TP(prefix + topic, number): SimpleNamespace(topic=topic) for topic, number in partitions}
    )


def test_the_catalogue_says_how_long_a_department_may_be_silent() -> None:
    metrics = StageMetrics("intake")
    Senders({}, engine_of(""), metrics).expect(CATALOG)
    assert values(metrics, "hearthwatch_department_silent_after_seconds") == {
        (("department", "health"),): 2 * 86_400
    }


async def test_the_last_record_of_each_department_is_read_back_and_kept_up(stack: Stack) -> None:
    prefix = f"senders{os.getpid()}-{next(_numbers)}."
    with kafka_clients.admin(Connection(stack.kafka_bootstrap)) as admin:
        names = [prefix + "life.health", prefix + "life.housing"]
        admin.create_topics({name: {"num_partitions": 2, "replication_factor": 1} for name in names})
        admin.wait_for_topics(names)
    kafka = {"bootstrap_servers": stack.kafka_bootstrap}
    now = int(time.time())
    producer = AIOKafkaProducer(acks="all", **kafka)
    await producer.start()
    for partition, seconds_ago in ((0, 900), (0, 500), (1, 700)):
        await producer.send_and_wait(
            prefix + "life.health", b"x", partition=partition, timestamp_ms=(now - seconds_ago) * 1000
        )
    await producer.stop()
    metrics = StageMetrics("intake")
    engine = engine_of(prefix, ("life.health", 0), ("life.health", 1), ("life.housing", 0))
    senders = Senders(kafka, engine, metrics)
    reading = asyncio.ensure_future(senders.run())

    async def shown(expected: Found) -> None:
        async with asyncio.timeout(90):
            while values(metrics, LAST) != expected:
                await asyncio.wait([reading], timeout=0.05)

    await shown({(("department", "health"),): now - 500})  # housing never sent
    lane: Any = SimpleNamespace(tp=TP(prefix + "life.housing", 0))
    part: Any = SimpleNamespace(piece=SimpleNamespace(records=[SimpleNamespace(timestamp=(now - 5) * 1000)]))
    metrics._on_commit[0](lane, part)
    await shown({(("department", "health"),): now - 500, (("department", "housing"),): now - 5})
    del engine.lanes[TP(prefix + "life.health", 0)]  # another worker's from now on
    await shown({(("department", "health"),): now - 700, (("department", "housing"),): now - 5})
    reading.cancel()
