"""The programs of the comparison: what each is started with, and what it promises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from bench.machine import ROOT
from bench.peers.installing import Installed

Kind = Literal["ours", "python", "java", "faust"]

#: Seconds between two commits of the peers that have such a setting: a longer time favours them.
COMMIT_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Program:
    """One row of the comparison.

    Attributes:
        name: in results and options.
        title: for people.
        durable: what becomes of states and of warnings when the machine stops.
        module: of a Python peer; the store of a Kafka Streams one.
        times: how many times our stage is meant to be quicker.
    """

    name: str
    title: str
    kind: Kind
    durable: str
    module: str = ""
    times: float | None = None

    def command(self, installed: Installed, order: dict[str, Any]) -> tuple[list[str], str]:
        """What to start, and what to give it on standard input."""
        if self.kind == "java":
            arguments = [
                order["kafka"], order["facts"], order["warnings"], order["group"], order["folder"],
                self.module, str(round(order["commit_seconds"] * 1000)), str(order["records"]),
                ",".join(map(str, order["marks"])),
            ]  # fmt: skip
            return [
                "java", "-XX:+UseSerialGC", "-Xms1g", "-Xmx2g",
                "-cp", installed.class_path, "hearthwatch.peers.Peer", *arguments,
            ], ""  # fmt: skip
        return [str(installed.python), "-m", f"bench.peers.{self.module}"], json.dumps(order) + "\n"

    def environment(self) -> dict[str, str]:
        """What a Python peer needs to find its module."""
        return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


PROGRAMS: Final = (
    Program(
        "hearthwatch", "hearthwatch, household stage", "ours",
        "exact; state and offset in one fenced commit in Valkey, its log and snapshots on Kafka",
    ),
    Program(
        "kafka-streams", "Kafka Streams 4.1, in memory", "java",
        "exact (exactly_once_v2); state in memory, changelog on Kafka", "memory", 2.0,
    ),
    Program(
        "kafka-streams-rocksdb", "Kafka Streams 4.1, RocksDB", "java",
        "exact (exactly_once_v2); state in RocksDB, changelog on Kafka", "rocksdb", 2.0,
    ),
    Program(
        "quix", "Quix Streams", "python",
        "exact (exactly-once); state in RocksDB, changelog on Kafka", "quix", 2.0,
    ),
    Program(
        "bytewax", "Bytewax with recovery", "python",
        "state exact, in SQLite of one machine; warnings at least once", "bytewax_flow",
    ),
    Program(
        "faust", "Faust as documented", "faust",
        "at least once, counts may repeat; state in memory, changelog on Kafka", "", 15.0,
    ),
    Program(
        "floor", "confluent-kafka and a dict", "python",
        "none: states are gone when it stops", "floor",
    ),
)  # fmt: skip
