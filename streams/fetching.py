"""What talks to Kafka for the transport: fetches when it is time for them, records as they were read.

Only subclasses, as in :mod:`streams.batches`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import aiokafka
from faust.types import TP

from streams.fetched import Fetched
from streams.one_loop import OneLoopConsumer
from streams.pace import Pace, PacedClient

if TYPE_CHECKING:  # it imports this module
    from streams.batches import BatchApp

#: After a fetch of fewer records than this the next one is asked for only when the owner has taken what came,
#: and not before :data:`streams.pace.Pace` lets it, so that it finds more.
SMALL_FETCH: Final = 1_000
#: How often topics are looked up. A broker that has just been restarted may leave some out: a group that is
#: assigned its partitions in that moment has none of them until the next look, when they are assigned anew.
METADATA_SECONDS: Final = 10


class Fetching(OneLoopConsumer):
    """What talks to Kafka."""

    app: BatchApp

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pace = Pace()

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        # Built here, because Faust fixes fetch_max_wait_ms at 1500 and the assignor at round robin, and
        # because the security settings of aiokafka then need no translation into Faust's and back.
        conf = self.app.conf
        options = {
            "client_id": conf.broker_client_id,
            "group_id": conf.id,
            "group_instance_id": conf.consumer_group_instance_id,
            "partition_assignment_strategy": [self.app.partition_assignor],
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "max_poll_records": conf.broker_max_poll_records,
            "max_poll_interval_ms": int((conf.broker_max_poll_interval or 300.0) * 1000),
            "max_partition_fetch_bytes": conf.consumer_max_fetch_size,
            "fetch_max_wait_ms": 500,
            "request_timeout_ms": int(conf.broker_request_timeout * 1000),
            "session_timeout_ms": int(conf.broker_session_timeout * 1000),
            "rebalance_timeout_ms": int(conf.broker_rebalance_timeout * 1000),
            "heartbeat_interval_ms": int(conf.broker_heartbeat_interval * 1000),
            "metadata_max_age_ms": METADATA_SECONDS * 1000,
            "isolation_level": "read_uncommitted",
            **self.app.kafka_options,
            **self.app.consumer_options,
        }
        return _PacedConsumer(self.pace, **options)

    async def _fetch_records(
        self, consumer: Any, active_partitions: set[TP], timeout: float | None = None,  # noqa: ASYNC109
        max_records: int | None = None,
    ) -> Any:  # fmt: skip
        # aiokafka asks for more as soon as its buffer is empty, which is here.
        self.pace.want()
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        if fetched:
            self.pace.came(is_small=sum(map(len, fetched.values())) < SMALL_FETCH)
        return fetched

    def _verify_aiokafka_event_path(self, now: float, tp: TP) -> bool:
        # In a fetch session the broker does not mention a partition of which there is nothing new.
        return False


class _PacedConsumer(aiokafka.AIOKafkaConsumer):  # type: ignore[misc]  # it carries no types
    """Sends fetches when it is time for them, and leaves records as they were read."""

    def __init__(self, pace: Pace, **options: Any) -> None:
        super().__init__(**options)
        self._pace = pace

    async def start(self) -> None:
        await super().start()
        # No partition is assigned yet, so nothing was fetched.
        fetcher: Any = self._fetcher
        fetcher._client = PacedClient(fetcher._client, self._pace)  # noqa: SLF001
        fetcher._records = Fetched()  # noqa: SLF001
