"""Bytewax with recovery: states in SQLite, an epoch every second; what was sent may be sent again.

``stateful_flat_map`` is the operator that its documentation has for this. Its recovery pickles each state
that an epoch changed; bytes are the quickest to pickle.
"""

from __future__ import annotations

from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main

from bench.peers.marks import Marks, done, order
from bench.peers.toy import message_of, step

BATCH = 5_000


def run(wanted: dict[str, Any]) -> None:
    """Read the topic to its end."""
    marks = Marks(wanted["marks"])
    brokers = [wanted["kafka"]]

    def keyed(message: Any) -> tuple[str, bytes]:
        return message.key.decode(), message.value

    def warnings_of(home: bytes | None, value: bytes) -> tuple[bytes | None, list[bytes]]:
        marks.count()
        home, warning = step(home, message_of(value))
        return home, [] if warning is None else [warning]

    def sink_message(pair: tuple[str, bytes]) -> Any:
        return KafkaSinkMessage(pair[0].encode(), pair[1])

    flow = Dataflow("peers")
    source = KafkaSource(
        brokers,
        [wanted["facts"]],
        tail=False,
        batch_size=BATCH,
        add_config={"fetch.message.max.bytes": "4194304", "check.crcs": "false"},
    )
    facts = op.map("keyed", op.input("facts", flow, source), keyed)
    warnings = op.stateful_flat_map("step", facts, warnings_of)
    op.output("warnings", op.map("message", warnings, sink_message), KafkaSink(brokers, wanted["warnings"]))

    folder = Path(wanted["folder"])
    init_db_dir(folder, 1)
    cluster_main(
        flow, [], 0,
        epoch_interval=timedelta(seconds=wanted["commit_seconds"]),
        recovery_config=RecoveryConfig(str(folder)),
    )  # fmt: skip
    done(0, 0, {name: version(name) for name in ("bytewax", "confluent-kafka")})


if __name__ == "__main__":
    run(order())
