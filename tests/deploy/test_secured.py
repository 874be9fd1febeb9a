"""By settings alone the same program uses another Kafka (TLS, SASL SCRAM) and another Redis (TLS, password,
Cluster). The broker is a second embedded one; the Redis homes are those of the ledger's tests."""

from __future__ import annotations

import gc
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import aiokafka
import pytest
import redis

from agents.redis_link import RedisLink
from deploy.local import Stack, free_ports
from deploy.local.kafka import SCRAM_MECHANISMS
from hearthwatch import cli
from hearthwatch.connections import kafka_arguments, kafka_connection, redis_home
from hearthwatch.settings import load_settings
from streams import kafka_clients
from streams.errors import TransportError
from streams.kafka_reach import why_not
from tests.deploy.elsewhere import kafka_variables, redis_variables, secured_kafka
from tests.ledger.homes import HOMES, Home, certificates, redis_server, started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificates(tmp_path_factory.mktemp("tls") / "c")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[str]:
    with secured_kafka(tmp_path_factory.mktemp("secured"), files) as address:
        yield address


@pytest.fixture
def kafka_settings(
    secured: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    for name, value in kafka_variables(secured, files, tmp_path).items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.mark.parametrize("mechanism", SCRAM_MECHANISMS)
async def test_a_record_goes_through_kafka_with_tls_and_scram(
    kafka_settings: pytest.MonkeyPatch, mechanism: str
) -> None:
    """aiokafka's producer and consumer, as the stages use them, and kafka-python's admin client."""
    kafka_settings.setenv("HEARTHWATCH_KAFKA_SASL_MECHANISM", mechanism)
    settings = load_settings()
    topic = f"secured-{mechanism.lower()}"
    with kafka_clients.admin(kafka_connection(settings)) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
        admin.wait_for_topics([topic])
    arguments = kafka_arguments(settings)
    async with aiokafka.AIOKafkaProducer(**arguments, acks="all", enable_idempotence=True) as producer:
        await producer.send_and_wait(topic, b"a value", key=b"a key")
    async with aiokafka.AIOKafkaConsumer(topic, **arguments, auto_offset_reset="earliest") as consumer:
        record = await consumer.getone()
    assert (record.key, record.value) == (b"a key", b"a value")


def test_topics_and_publish_and_doctor_over_tls_and_scram(
    kafka_settings: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], stack: Stack
) -> None:
    kafka_settings.setenv("HEARTHWATCH_REDIS_URL", stack.redis_url)
    assert cli.run(["topics", "create", "--clock", "log"]) == 0
    events = tmp_path / "events.jsonl"
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "/wuchang/health",
        "type": "health.hospital.admitted",
        "subject": "person/p1",
        "time": "2024-03-01T08:00:00+08:00",
        "data": {},
    }
    events.write_text(json.dumps(event) + "\n")
    kafka_settings.setenv("HEARTHWATCH_CLOCK", "log")
    assert cli.run(["publish", str(events)]) == 0
    capsys.readouterr()
    assert cli.run(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["checks"]
    assert [one["message"] for one in told if one["check"] == "kafka"] == [
        f"1 broker at {os.environ['HEARTHWATCH_KAFKA_BOOTSTRAP']} (SASL_SSL)"
    ]


def test_a_wrong_password_is_refused_and_not_shown(
    kafka_settings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka_settings.setenv("HEARTHWATCH_KAFKA_PASSWORD", "another password")
    connection = kafka_connection(load_settings(), timeout_seconds=3)
    with pytest.raises(TransportError) as caught, kafka_clients.admin(connection):
        pass
    assert "it refuses user or password" in str(caught.value)
    assert "another password" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_broker_that_another_authority_vouches_for_is_not_trusted(
    kafka_settings: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = certificates(tmp_path / "other")
    kafka_settings.setenv("HEARTHWATCH_KAFKA_CA_FILE", str(other / "ca.pem"))
    connection = kafka_connection(load_settings(), timeout_seconds=3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # kafka-python lets go of a refused socket unclosed
        with pytest.raises(TransportError) as caught, kafka_clients.admin(connection):
            pass
        assert "its certificate is not trusted" in str(caught.value)
        del caught
        gc.collect()


def set_redis(monkeypatch: pytest.MonkeyPatch, home: Home, folder: Path) -> None:
    """Say where a home is by settings alone."""
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(folder))
    for name, value in redis_variables(home, folder).items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module", params=["redis-tls", "redis-cluster", "valkey-cluster"])
def home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    name: str = request.param
    if HOMES[name][0] and redis_server() is None:
        pytest.skip(f"NOT TESTED: settings of {name}: redis-server is not installed")
    with started(name, tmp_path_factory.mktemp("home") / name) as home:
        if home.is_cluster:
            for index in range(len(home.servers)):
                with home.admin(index) as client:
                    client.config_set("maxmemory-policy", "noeviction")
        yield home


async def test_the_ledgers_link_reaches_another_redis_by_settings(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_redis(monkeypatch, home, tmp_path)
    link = RedisLink(redis_home(load_settings()), patience_seconds=20)
    try:
        await link.call("SET", "{settings}", home.name)
        assert await link.call("GET", "{settings}") == home.name.encode()
    finally:
        await link.close()


def test_doctor_looks_at_another_redis(
    home: Home,
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_redis(monkeypatch, home, tmp_path)
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
    cli.run(["doctor", "--json"])
    told = json.loads(capsys.readouterr().out)["checks"]
    servers = [one["status"] for one in told if one["check"] == "redis"]
    clocks = [one["status"] for one in told if one["check"] == "clock" and "Redis" in one["message"]]
    assert servers == clocks == ["ok"] * (3 if home.is_cluster else 1), told


def test_a_cluster_that_is_not_called_one_is_named(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hearthwatch.redis_checks import check_redis

    set_redis(monkeypatch, home, tmp_path)
    monkeypatch.setenv("HEARTHWATCH_REDIS_CLUSTER", "false")
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", home.address.url.partition(",")[0])
    fixes = [one.fix for one in check_redis(load_settings()) if one.status == "fail"]
    assert fixes == (["set HEARTHWATCH_REDIS_CLUSTER=true"] if home.is_cluster else [])


def test_a_wrong_redis_password_is_refused_and_not_shown(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hearthwatch.redis_checks import check_redis

    with redis.Redis.from_url(stack.redis_url) as admin:
        admin.execute_command("ACL", "SETUSER", "doctor", "on", ">right", "~*", "+@all")
    monkeypatch.setenv("HEARTHWATCH_REDIS_URL", stack.redis_url.replace("//", "//doctor:wrong-password@"))
    (finding,) = check_redis(load_settings())
    assert finding.status == "fail"
    assert "refuses us" in finding.message
    assert "wrong-password" not in finding.message
    assert finding.fix == "set HEARTHWATCH_REDIS_USERNAME and HEARTHWATCH_REDIS_PASSWORD"


class TestWhyABrokerCannotBeUsed:
    """Each step on the way has words of its own, where the clients say only that their time was up."""

    def test_it_can_be_used(self, kafka_settings: pytest.MonkeyPatch) -> None:
        assert reason() is None

    def test_a_mechanism_that_it_does_not_have(self, kafka_settings: pytest.MonkeyPatch) -> None:
        kafka_settings.setenv("HEARTHWATCH_KAFKA_SASL_MECHANISM", "PLAIN")
        assert reason() == "it does not offer PLAIN"

    def test_a_certificate_that_it_wants(self, kafka_settings: pytest.MonkeyPatch) -> None:
        kafka_settings.delenv("HEARTHWATCH_KAFKA_CERT_FILE")
        kafka_settings.delenv("HEARTHWATCH_KAFKA_KEY_FILE")
        assert reason() == "it wants a certificate of ours, and none was given"

    def test_the_wrong_protocol(self, kafka_settings: pytest.MonkeyPatch, stack: Stack, secured: str) -> None:
        kafka_settings.setenv("HEARTHWATCH_KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
        assert (reason() or "").startswith("it hangs up on PLAINTEXT")
        kafka_settings.setenv("HEARTHWATCH_KAFKA_SECURITY_PROTOCOL", "SASL_SSL")
        kafka_settings.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
        assert (reason() or "").startswith("it hangs up on SASL_SSL")

    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        (port,) = free_ports(1)
        monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", f"127.0.0.1:{port}")
        assert reason() == "connection refused"
        monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", f"no-such-host.invalid:1,127.0.0.1:{port}")
        assert reason() == (
            "no-such-host.invalid:1: the name no-such-host.invalid is not known here; "
            f"127.0.0.1:{port}: connection refused"
        )

    def test_one_broker_of_several_is_enough(self, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        (port,) = free_ports(1)
        monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", f"127.0.0.1:{port},{stack.kafka_bootstrap}")
        assert reason() is None


def reason() -> str | None:
    connection = kafka_connection(load_settings())
    return why_not(connection.bootstrap, connection.options)
