"""The programs of the comparison: what each is started with, and what it promises."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from bench.machine import ROOT
from bench.peers.installing import Installed

Kind = Literal["ours", "python", "java", "faust"]


@dataclass(frozen=True, slots=True)
class Program:
    """One row of the comparison.

    Attributes:
        name: in results and options.
        title: for people.
        durable: what becomes of states and of warnings when the machine stops.
        module: of a Python peer; of a Kafka Streams one its store, or ``documented``.
        commit_seconds: between two commits, where that is set.
        times: how many times our stage is meant to be quicker.
        set_as: what was done, or not done, to make it quick.
    """

    name: str
    title: str
    kind: Kind
    durable: str
    module: str = ""
    commit_seconds: float | None = None
    times: float | None = None
    set_as: str = ""

    @property
    def about(self) -> str:
        """How it is set, and what it promises."""
        return f"{self.set_as}; {self.durable}" if self.set_as else self.durable

    def command(self, installed: Installed, order: dict[str, Any]) -> tuple[list[str], str]:
        """What to start, and what to give it on standard input."""
        if self.kind == "java":
            arguments = [
                order["kafka"], order["facts"], order["warnings"], order["group"], order["folder"],
                self.module, str(round((self.commit_seconds or 0.1) * 1000)), str(order["records"]),
                ",".join(map(str, order["marks"])),
            ]  # fmt: skip
            return [
                "java", "-XX:+UseSerialGC", "-Xms1g", "-Xmx2g",
                "-cp", installed.class_path, f"hearthwatch.peers.{self._java_class}", *arguments,
            ], ""  # fmt: skip
        return [str(installed.python), "-m", f"bench.peers.{self.module}"], json.dumps(order) + "\n"

    @property
    def _java_class(self) -> str:
        return "Documented" if self.module == "documented" else "Peer"

    def environment(self) -> dict[str, str]:
        """What a Python peer needs to find its module."""
        return {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


_EXPERT: Final = "hand-written serdes, 256 MB of cache, large batches"
_EXACT: Final = "exact (exactly_once_v2), changelog on Kafka; until the commit no warning is seen"

PROGRAMS: Final = (
    Program(
        "hearthwatch", "hearthwatch, household stage", "ours",
        "exact; state and offset in one fenced commit in Valkey, log and snapshots on Kafka",
    ),
    Program(
        "hearthwatch-by-hand", "the same work by hand, on its engine", "ours",
        "as the stage; no policy, midnights or moves", "by-hand",
    ),
    Program(
        "kafka-streams", "Kafka Streams, expert, in memory", "java", _EXACT, "memory", 0.1, 2.0,
        f"{_EXPERT}, committed every 100 ms",
    ),
    Program(
        "kafka-streams-rocksdb", "Kafka Streams, expert, RocksDB", "java", _EXACT, "rocksdb", 0.1, 2.0,
        f"{_EXPERT}, committed every 100 ms",
    ),
    Program(
        "kafka-streams-slow", "Kafka Streams, expert, 1 s", "java", _EXACT, "memory", 1.0, None,
        f"{_EXPERT}, in memory, committed every second",
    ),
    Program(
        "kafka-streams-documented", "Kafka Streams as documented", "java", _EXACT, "documented", None, 2.0,
        "DSL, RocksDB, JSON by Jackson, all settings as they come: no cache, committed every 100 ms",
    ),
    Program(
        "quix", "Quix Streams", "python",
        "exact (exactly-once); RocksDB, changelog on Kafka", "quix", 0.1, 2.0,
        "states as bytes, no fsync, large batches, committed every 100 ms",
    ),
    Program(
        "quix-slow", "Quix Streams, 1 s", "python",
        "exact (exactly-once); until the commit no warning is seen", "quix", 1.0, None,
        "states as bytes, no fsync, large batches, committed every second",
    ),
    Program(
        "bytewax", "Bytewax with recovery", "python",
        "state in SQLite of one machine, written every second; warnings at least once", "bytewax_flow", 1.0,
    ),
    Program(
        "faust", "Faust as documented", "faust",
        "at least once, what is counted may repeat; state in memory, changelog on Kafka", "", None, 15.0,
    ),
    Program(
        "floor", "confluent-kafka and a dict", "python",
        "none: states are gone when it stops", "floor",
    ),
)  # fmt: skip
