"""The floor: confluent-kafka and a dict. Nothing is durable, nothing is exact; Python gets no quicker."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from confluent_kafka import Consumer, Producer

from bench.peers.marks import Marks, done, order
from bench.peers.toy import message_of, step

BATCH = 10_000


def run(wanted: dict[str, Any]) -> None:
    """Read until all records are through."""
    consumer = Consumer(
        {
            "bootstrap.servers": wanted["kafka"],
            "group.id": wanted["group"],
            "auto.offset.reset": "earliest",
            "fetch.message.max.bytes": 4_194_304,
            "check.crcs": False,
        }
    )
    producer = Producer({"bootstrap.servers": wanted["kafka"], "linger.ms": 50})
    consumer.subscribe([wanted["facts"]])
    warnings: str = wanted["warnings"]
    marks = Marks(wanted["marks"])
    homes: dict[bytes, bytes] = {}
    while marks.records < wanted["records"]:
        messages = consumer.consume(BATCH, 1.0)
        for message in messages:
            key = message.key()
            homes[key], warning = step(homes.get(key), message_of(message.value()))
            if warning is not None:
                producer.produce(warnings, warning, key)
        producer.poll(0)
        marks.count(len(messages))
    producer.flush()
    consumer.close()
    done(sum(map(len, homes.values())), len(homes), {"confluent-kafka": version("confluent-kafka")})


if __name__ == "__main__":
    run(order())
