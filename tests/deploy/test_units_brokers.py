"""Three brokers with ``deploy/systemd/kafka-server.properties``, as it is but for names and places."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import kafka
import psutil
import pytest
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourceType,
)

from deploy.local import Stack, free_ports
from deploy.local.jars import ensure
from deploy.local.kafka import FORMAT_JVM, JVM, java
from hearthwatch import cli
from hearthwatch.connections import kafka_connection
from hearthwatch.settings import load_settings
from streams import kafka_clients
from streams.errors import TransportError
from tests.ledger.homes import certificates
from tests.watched.rules import ROOT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]

FILE = ROOT / "deploy" / "systemd" / "kafka-server.properties"
START_SECONDS = 120
#: User -> password; a department has its topic's name.
USERS = {"admin": "a1", "broker": "b2", "hearthwatch": "h3", "health": "d4"}
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}


class Brokers:
    """The three, each in a folder of its own."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.folder = folder
        self.files = certificates(folder / "tls")
        keystore = self.files / "broker.pem"
        keystore.write_bytes(
            (self.files / "server.key").read_bytes() + (self.files / "server.pem").read_bytes()
        )
        self.ports = free_ports(6)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.jars = ":".join(str(jar) for jar in ensure(jars))

    @property
    def bootstrap(self) -> str:
        return ",".join(f"127.0.0.1:{port}" for port in self.ports[:3])

    def properties(self, node: int) -> str:
        """The file as an administrator fills it in on one machine."""
        text = FILE.read_text("utf-8")
        for number, port in enumerate(self.ports[3:], 1):
            text = text.replace(f"kafka-{number}:9094", f"127.0.0.1:{port}")
            text = text.replace(f"User:CN=kafka-{number}", "User:CN=server")
        for old, new in (
            ("node.id=NODE", f"node.id={node}"),
            ("SASL_SSL://:9093", f"SASL_SSL://127.0.0.1:{self.ports[node - 1]}"),
            ("CONTROLLER://:9094", f"CONTROLLER://127.0.0.1:{self.ports[node + 2]}"),
            ("SASL_SSL://HOST:9093", f"SASL_SSL://127.0.0.1:{self.ports[node - 1]}"),
            ("/var/lib/kafka/data", str(self.folder / f"data-{node}")),
            ("/etc/kafka/tls/broker.pem", str(self.files / "broker.pem")),
            ("/etc/kafka/tls/ca.pem", str(self.files / "ca.pem")),
            ("BROKER_PASSWORD", USERS["broker"]),
        ):
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        return text

    def start(self) -> None:
        """Format the folders as kafka.service says, with the users, and start all three."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        for node in (1, 2, 3):
            config = self.folder / f"server-{node}.properties"
            config.write_text(self.properties(node), "utf-8")
            users = [
                word
                for name, password in USERS.items()
                for word in ("--add-scram", f"SCRAM-SHA-512=[name={name},password={password}]")
            ]
            done = subprocess.run(
                [
                    str(java()), *FORMAT_JVM, "-cp", self.jars, "kafka.tools.StorageTool",
                    "format", f"--cluster-id={cluster}", "-c", str(config), *users,
                ],
                env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
        for node in (1, 2, 3):
            config = self.folder / f"server-{node}.properties"
            with (self.folder / f"log-{node}").open("wb") as log:
                self.processes.append(
                    subprocess.Popen(
                        [str(java()), *JVM, "-cp", self.jars, "kafka.Kafka", str(config)],
                        env=ENVIRONMENT,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                    )
                )

    def said(self) -> str:
        return "\n".join(path.read_text("utf-8")[-2_000:] for path in sorted(self.folder.glob("log-*")))

    def stop(self) -> None:
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait(10)


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory, stack: Stack) -> Iterator[Brokers]:
    brokers = Brokers(tmp_path_factory.mktemp("brokers"), stack.jars_dir)
    try:
        brokers.start()
        yield brokers
    finally:
        brokers.stop()


@pytest.fixture
def user(brokers: Brokers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The settings of a machine of ours, as the workers' user."""
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    for name, value in {
        "BOOTSTRAP": brokers.bootstrap,
        "SECURITY_PROTOCOL": "SASL_SSL",
        "CA_FILE": str(brokers.files / "ca.pem"),
    }.items():
        monkeypatch.setenv(f"HEARTHWATCH_KAFKA_{name}", value)
    monkeypatch.setenv("HEARTHWATCH_REPLICATION_FACTOR", "3")
    as_user(monkeypatch, "hearthwatch")
    return monkeypatch


def as_user(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_USERNAME", name)
    monkeypatch.setenv("HEARTHWATCH_KAFKA_PASSWORD", USERS[name])


def allowed(name: str, what: ACLOperation, kind: ResourceType, of: str, *, prefixed: bool = False) -> ACL:
    how = ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL
    return ACL(f"User:{name}", "*", what, ACLPermissionType.ALLOW, ResourcePattern(kind, of, how))


def test_the_brokers_form_a_cluster_in_which_each_may_do_its_own(
    brokers: Brokers,
    user: pytest.MonkeyPatch,
    tmp_path: Path,
    stack: Stack,
    capsys: pytest.CaptureFixture[str],
) -> None:
    as_user(user, "admin")
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            with kafka_clients.admin(kafka_connection(load_settings())) as admin:
                if len(admin.describe_cluster()["brokers"]) == 3:
                    # As deploy/systemd/README.md gives them.
                    admin.create_acls(
                        [
                            allowed("hearthwatch", ACLOperation.ALL, ResourceType.TOPIC, "*"),
                            allowed(
                                "hearthwatch", ACLOperation.ALL, ResourceType.GROUP, "hearthwatch-",
                                prefixed=True,
                            ),
                            allowed("health", ACLOperation.WRITE, ResourceType.TOPIC, "life.health"),
                            allowed(
                                "health", ACLOperation.DESCRIBE_CONFIGS, ResourceType.TOPIC, "life.health"
                            ),
                        ]
                    )  # fmt: skip
                    break
        except TransportError:
            pass  # not yet; below it is told what the brokers say
        for process in brokers.processes:
            assert process.poll() is None, brokers.said()
        assert time.monotonic() < until, brokers.said()
    as_user(user, "hearthwatch")
    assert cli.run(["topics", "create"]) == 0, capsys.readouterr().err
    capsys.readouterr()
    assert cli.run(["topics", "describe", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["topics"]
    assert {one["state"] for one in rows} == {"as-planned"}
    assert len(rows) > 15
    with kafka_clients.admin(kafka_connection(load_settings())) as admin:
        (topic,) = admin.describe_topics(["life.health"])
        assert {len(one["replica_nodes"]) for one in topic["partitions"]} == {3}
    user.setenv("HEARTHWATCH_REDIS_URL", stack.redis_url)
    assert cli.run(["doctor", "--json"]) in {0, 1}
    checks = json.loads(capsys.readouterr().out)["checks"]
    (found,) = [one["message"] for one in checks if one["check"] == "kafka"]
    assert found.startswith("3 brokers at ")
    assert found.endswith("(SASL_SSL)")
    # A department sends to its own topic, and to no other; and reads nothing.
    as_user(user, "health")
    event = {
        "specversion": "1.0", "id": "1", "source": "/wuchang/health", "subject": "person/p1",
        "type": "health.hospital.admitted", "time": "2024-03-01T08:00:00+08:00", "data": {},
    }  # fmt: skip
    events = tmp_path / "events.jsonl"
    events.write_text(json.dumps(event) + "\n")
    assert cli.run(["publish", str(events)]) == 0, capsys.readouterr().err
    connection = kafka_connection(load_settings(), timeout_seconds=10)
    producer = kafka_clients.producer(connection)
    with pytest.raises(kafka.errors.TopicAuthorizationFailedError):
        producer.send("life.housing", b"x").get(30)
    producer.abandon()
    as_user(user, "hearthwatch")
    consumer = kafka_clients.consumer(kafka_connection(load_settings()))
    try:
        places = [
            kafka.TopicPartition("life.health", n) for n in consumer.partitions_for_topic("life.health")
        ]
        assert sum(consumer.end_offsets(places).values()) == 1
    finally:
        consumer.close()
