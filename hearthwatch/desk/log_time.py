"""What time it is where the log is the clock."""

from __future__ import annotations

from typing import Final

import kafka
import kafka.errors

from streams import kafka_clients
from streams.kafka_clients import Connection

_POLL_MS: Final = 1_000
#: Polls in a row that bring nothing although there is more: the broker went away.
_MOST_EMPTY_POLLS: Final = 15


def newest_instant(connection: Connection, topic: str) -> int | None:
    """The newest of the last records of a topic's partitions, in microseconds since 1970; None if empty.

    Raises:
        BrokerUnavailableError: no broker answers.
    """
    consumer = kafka_clients.consumer(connection)
    newest: int | None = None
    try:
        parts = [kafka.TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        begins, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        left = {one for one in parts if ends[one] > begins[one]}
        consumer.assign(list(left))
        for one in left:
            consumer.seek(one, ends[one] - 1)
        empty = 0
        while left:
            batches = consumer.poll(timeout_ms=_POLL_MS)
            empty = 0 if batches else empty + 1
            if empty > _MOST_EMPTY_POLLS:
                raise kafka.errors.KafkaTimeoutError("it stopped sending records")
            for one, records in batches.items():
                newest = max(newest or 0, *(record.timestamp * 1_000 for record in records))
                left.discard(one)
        return newest
    except kafka.errors.KafkaError as error:
        raise connection.failure(error) from None
    finally:
        consumer.close()
