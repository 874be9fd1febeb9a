"""Three brokers on this machine: the first is the controller too, the other two may be lost."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from deploy.local import free_ports
from deploy.local.kafka import FORMAT_JVM, Kafka, java
from tests.faults.conftest import KAFKA_OPTIONS

REPLICATED: Mapping[str, str] = {
    **KAFKA_OPTIONS,
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "unclean.leader.election.enable": "false",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}
START_SECONDS = 120.0


class ThreeBrokers:
    """Replication 3, two in sync at the least.

    Args:
        like: has the class path.
    """

    def __init__(self, folder: Path, like: Kafka) -> None:
        ports = free_ports(4)
        controller = f"127.0.0.1:{ports[3]}"
        self.brokers: dict[int, Kafka] = {}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        for node, port in zip((1, 2, 3), ports[:3], strict=True):
            options = dict(REPLICATED)
            if node > 1:
                listener = f"PLAINTEXT://127.0.0.1:{port}"
                options |= {"node.id": str(node), "process.roles": "broker", "listeners": listener}
            options["controller.quorum.bootstrap.servers"] = controller
            self.brokers[node] = replace(
                like, folder=folder / str(node), port=port, controller_port=ports[3], options=options
            )

    @property
    def bootstrap(self) -> str:
        """Addresses of all three."""
        return ",".join(broker.address for broker in self.brokers.values())

    def start(self) -> None:
        """Make the data folders, start all, wait until they answer.

        The first is formatted as the stack's broker is; the others join it, under its cluster's id.
        """
        first = self.brokers[1]
        first.prepare()
        meta = (first.folder / "data" / "meta.properties").read_text("utf-8")
        cluster = next(line.partition("=")[2] for line in meta.splitlines() if line.startswith("cluster.id="))
        for node in (2, 3):
            self._format(self.brokers[node], cluster.replace("\\", ""))
        for node, broker in self.brokers.items():
            with (broker.folder / "log").open("ab") as log:
                self.processes[node] = subprocess.Popen(
                    broker.command(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=broker.environment(),
                )
        until = time.monotonic() + START_SECONDS
        for node, broker in self.brokers.items():
            while not broker.answers():
                assert self.processes[node].poll() is None, (broker.folder / "log").read_text()[-3000:]
                assert time.monotonic() < until, f"broker {node} does not answer"
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.processes[node].wait(0.1)

    @staticmethod
    def _format(broker: Kafka, cluster: str) -> None:
        broker.folder.mkdir(parents=True)
        (broker.folder / "tmp").mkdir()
        (broker.folder / "data").mkdir()  # so that it is not made as a cluster of its own
        broker.prepare()
        done = subprocess.run(
            [
                str(java()), *FORMAT_JVM, "-cp", ":".join(map(str, broker.jars)), "kafka.tools.StorageTool",
                "format", f"--cluster-id={cluster}", "-c", str(broker.config_file),
            ],
            env=broker.environment(), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, node: int) -> None:
        """SIGKILL."""
        self.processes[node].kill()
        self.processes[node].wait(10)

    def stop(self) -> None:
        """End all of them at once."""
        for process in self.processes.values():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait(10)
