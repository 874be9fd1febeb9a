"""Sending in order: what is appended arrives in that order, also when batches fail on their way."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaTimeoutError
from aiokafka.partitioner import murmur2 as reference
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2 as another

from streams.errors import BrokerUnavailableError, TransportError
from streams.partitions import murmur2, partition_of
from streams.producer import OrderedProducer
from tests.agents.rig import Rig


@given(st.binary(max_size=70))
def test_murmur2_is_that_of_every_kafka_client(key: bytes) -> None:
    assert murmur2(key) == reference(key)
    assert murmur2(key) & 0x7FFFFFFF == another(key) & 0x7FFFFFFF


class Flaky(AIOKafkaProducer):
    """Fails batches: some are lost on the way, of some only the acknowledgement is lost."""

    calls = 0
    in_flight: ClassVar[dict[int, int]] = {}
    most_in_flight = 0

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> Any:
        cls = type(self)
        cls.calls += 1
        cls.in_flight[partition] = cls.in_flight.get(partition, 0) + 1
        cls.most_in_flight = max(cls.most_in_flight, cls.in_flight[partition])
        try:
            if cls.calls % 5 == 2:
                raise KafkaTimeoutError
            future = await super().send_batch(batch, topic, partition=partition)
            await future
            if cls.calls % 5 == 4:
                raise KafkaTimeoutError
            return future
        finally:
            cls.in_flight[partition] -= 1


async def test_a_failed_batch_is_resent_before_anything_later(rig: Rig) -> None:
    rig.topics({"out": 2})
    flaky = type("OneFlaky", (Flaky,), {"in_flight": {}})
    retried: list[str] = []
    producer = OrderedProducer(
        rig.kafka,
        topics=["out"],
        prefix=rig.prefix,
        connect=lambda: flaky(acks="all", enable_idempotence=True, **rig.kafka),
        on_retry=retried.append,
    )
    await producer.start()
    receipts = []
    for n in range(400):
        producer.append("out", b"k%d" % (n % 7), b"%d" % n)
        if n % 20 == 19:
            receipts.append(producer.send())
    for receipt in receipts:
        await receipt
    assert producer.waiting == 0
    await producer.stop()
    assert retried
    assert flaky.most_in_flight == 1
    seen: dict[int, list[int]] = {0: [], 1: []}
    for record in await rig.read("out"):
        if int(record.value) not in seen[record.partition]:
            seen[record.partition].append(int(record.value))
    for partition, numbers in seen.items():
        assert numbers == [n for n in range(400) if partition_of(b"k%d" % (n % 7), 2) == partition]


async def test_a_batch_too_large_for_its_topic_is_sent_in_pieces(rig: Rig) -> None:
    rig.topics({"out": 1}, {"out": {"max.message.bytes": "2000"}})
    producer = OrderedProducer(rig.kafka, topics=["out"], prefix=rig.prefix)
    await producer.start()
    for n in range(60):
        producer.append("out", b"k", b"%d" % n + b"x" * 300)
    await producer.send()
    await producer.stop()
    assert [int(record.value.strip(b"x")) for record in await rig.read("out")] == list(range(60))


async def test_keys_values_and_headers_arrive_byte_for_byte(rig: Rig) -> None:
    rig.topics({"out": 3})
    headers = [("b", b"\xff"), ("a", None), ("b", b"")]
    producer = OrderedProducer(rig.kafka, topics=["out"], prefix=rig.prefix)
    await producer.start()
    producer.append("out", None, None, headers)
    producer.append("out", None, b"", [], partition=2)
    producer.append("out", b"", b"\x00", headers)
    await producer.send()
    await producer.stop()
    found = {(r.partition, r.key, r.value, tuple(r.headers)) for r in await rig.read("out")}
    assert found == {
        (0, None, None, tuple(headers)),
        (2, None, b"", ()),
        (partition_of(b"", 3), b"", b"\x00", tuple(headers)),
    }


async def test_a_missing_topic_is_named(rig: Rig) -> None:
    producer = OrderedProducer(
        {**rig.kafka, "request_timeout_ms": 1000}, topics=["nowhere"], prefix=rig.prefix
    )
    with pytest.raises(TransportError, match=r"nowhere is missing .*`hearthwatch topics create`"):
        await producer.start()


async def test_a_broker_that_is_not_there_is_told() -> None:
    producer = OrderedProducer({"bootstrap_servers": "127.0.0.1:1"}, topics=["out"])
    with pytest.raises(BrokerUnavailableError):
        await producer.start()
    await producer.stop()
