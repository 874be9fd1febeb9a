"""Quix Streams with ``exactly-once``: state in RocksDB, its changelog and the output in one transaction.

Set as its documentation advises for throughput: no logging, RocksDB without an fsync of its own (the
changelog is what a restart trusts), bytes instead of JSON as state, a checkpoint after so many records.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from quixstreams import Application, State
from quixstreams.state.rocksdb import RocksDBOptions

from bench.peers.marks import Marks, done, order
from bench.peers.toy import message_of, step


def run(wanted: dict[str, Any]) -> None:
    """Run the application until all records are through; stopping commits what is open."""
    app = Application(
        broker_address=wanted["kafka"],
        consumer_group=wanted["group"],
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=wanted["commit_seconds"],
        state_dir=wanted["folder"],
        rocksdb_options=RocksDBOptions(use_fsync=False),
        consumer_extra_config={"fetch.message.max.bytes": 4_194_304, "check.crcs": False},
        producer_extra_config={"linger.ms": 50, "batch.size": 1_000_000},
        loglevel=None,
        on_message_processed=lambda topic, partition, offset: after(),
    )
    marks = Marks(wanted["marks"])
    records: int = wanted["records"]

    def after() -> None:
        marks.count()
        if marks.records >= records:
            app.stop()

    facts = app.topic(wanted["facts"], key_deserializer="bytes", value_deserializer="bytes")
    warnings = app.topic(wanted["warnings"], key_serializer="bytes", value_serializer="bytes")

    def warning_of(value: bytes, state: State) -> bytes | None:
        after, warning = step(state.get_bytes("home"), message_of(value))
        state.set_bytes("home", after)
        return warning

    stream = app.dataframe(facts)
    stream = stream.apply(warning_of, stateful=True)
    stream = stream.filter(lambda warning: warning is not None)
    stream.to_topic(warnings)
    app.run()
    done(0, 0, {name: version(name) for name in ("quixstreams", "confluent-kafka", "rocksdict")})


if __name__ == "__main__":
    run(order())
