"""Sending lines of events to Kafka with kafka-python: for departments' exports, tests and the demo.

Records are acknowledged by all replicas, and the producer's own retries double nothing. Reading whole files,
with their positions and rejects, is :mod:`streams.publish_file`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import kafka.errors
from kafka.admin import ConfigResource, ConfigResourceType

from streams import kafka_clients
from streams.errors import InputError, PublishTimeoutError
from streams.kafka_clients import Connection
from streams.outgoing import Addresser, Mode, Outgoing, Refused
from streams.topics import LIFE, Clock


class Publisher:
    """Sends lines to Kafka.

    Args:
        connection: where the broker is.
        mode, clock, topic: see :class:`streams.outgoing.Addresser`.
        timeout_seconds: how long the broker may be away before the run stops (its position is kept).
        linger_ms: how long a record may wait for others to share its batch.

    Raises:
        BrokerUnavailableError: nobody answers.
        InputError: the broker has no topic to publish to.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        mode: Mode = "structured",
        clock: Clock = "wall",
        topic: str | None = None,
        timeout_seconds: float = 30.0,
        linger_ms: int = 20,
    ) -> None:
        self.timeout_seconds = timeout_seconds
        self.topic = topic
        limits, self.cluster = _limits(connection, topic)
        self._addresser = Addresser(limits, mode=mode, clock=clock, topic=topic)
        self._producer = kafka_clients.producer(
            connection,
            batch_size=65_536,
            linger_ms=linger_ms,
            max_request_size=max(limits.values()) + 1_048_576,
            max_block_ms=int(timeout_seconds * 1000),
            request_timeout_ms=max(1000, min(30_000, int(timeout_seconds * 500))),
            delivery_timeout_ms=int(timeout_seconds * 1000),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the producer go; what is not acknowledged stays with the file and its position."""
        self._producer.abandon()

    def send(self, lines: Iterable[bytes]) -> list[Refused | None]:
        """Send a few lines and wait for their acknowledgements; a refusal stands at its line's place.

        Raises:
            PublishTimeoutError: the broker did not acknowledge all of them in time.
        """
        results: list[Refused | None] = []
        futures = []
        for line in lines:
            record = self.address(line)
            results.append(record if isinstance(record, Refused) else None)
            if isinstance(record, Outgoing):
                futures.append(self.hand_over(record))
        for future in futures:
            try:
                future.get(timeout=self.timeout_seconds + 1)
            except kafka.errors.KafkaError as error:
                raise PublishTimeoutError(told(error)) from None
        return results

    def address(self, line: bytes) -> Outgoing | Refused:
        """The record of one line (without its line end), or why it cannot be sent."""
        return self._addresser.address(line)

    def hand_over(self, record: Outgoing) -> Any:
        """Give a record to the producer; return kafka-python's future of its acknowledgement.

        Raises:
            PublishTimeoutError: the broker is away, and what waits for it fills the buffer.
        """
        try:
            return self._producer.send(
                record.topic,
                value=record.value,
                key=record.key,
                headers=record.headers,
                timestamp_ms=record.timestamp_ms,
            )
        except kafka.errors.KafkaTimeoutError as error:
            raise PublishTimeoutError(told(error)) from None

    def flush(self, seconds: float) -> None:
        """Wait until everything handed over is acknowledged or has failed.

        Raises:
            kafka.errors.KafkaTimeoutError: that takes longer.
        """
        self._producer.flush(seconds)


def told(error: kafka.errors.KafkaError) -> str:
    """One line on why a record was not acknowledged."""
    away = isinstance(error, (kafka.errors.KafkaTimeoutError, kafka.errors.KafkaConnectionError))
    what = "the broker is away" if away else "the broker refuses a record"
    return f"{what}: {kafka_clients.one_line(error)}"


def _limits(connection: Connection, topic: str | None) -> tuple[dict[str, int], str]:
    """Bytes that a record batch may have, by topic; and the cluster's id."""
    at = f"the broker at {connection.bootstrap}"
    with kafka_clients.admin(connection) as admin:
        names = [name for name in admin.list_topics() if name.startswith(LIFE) or name == topic]
        if topic is not None and topic not in names:
            raise InputError(
                f"{at} has no topic {topic}: `hearthwatch topics create` makes those of the catalogue"
            )
        if not names:
            raise InputError(f"{at} has no {LIFE}* topics: make them with `hearthwatch topics create`")
        settings = admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, name) for name in names], config_filter="all"
        )["topic"]
        limits = {name: int(settings[name]["max.message.bytes"]["value"]) for name in names}
        return limits, str(admin.describe_cluster()["cluster_id"])
