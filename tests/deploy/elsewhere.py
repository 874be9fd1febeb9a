"""Another Kafka (TLS, SASL SCRAM) and what names it, or another Redis, in settings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local import Stack, free_ports
from deploy.local.kafka import SCRAM_MECHANISMS
from tests.ledger.homes import Home

USER = "hearthwatch"
PASSWORD = "a password of several words"


@contextmanager
def secured_kafka(folder: Path, files: Path) -> Iterator[str]:
    """The address of a broker that wants TLS, a certificate of ours, user and password.

    Args:
        files: where ``tests.ledger.homes.certificates`` has put them.
    """
    plain, controller, valkey, port = free_ports(4)
    keystore = files / "kafka.pem"
    keystore.write_bytes((files / "server.key").read_bytes() + (files / "server.pem").read_bytes())
    jaas = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    secure = f"SECURE://127.0.0.1:{port}"
    stack = Stack(
        folder,
        plain,
        valkey,
        kafka_controller_port=controller,
        kafka_scram_users={USER: PASSWORD},
        kafka_options={
            "listeners": f"PLAINTEXT://127.0.0.1:{plain},CONTROLLER://127.0.0.1:{controller},{secure}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{plain},{secure}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL",
            "listener.name.secure.sasl.enabled.mechanisms": ",".join(SCRAM_MECHANISMS),
            **{f"listener.name.secure.{one.lower()}.sasl.jaas.config": jaas for one in SCRAM_MECHANISMS},
            "listener.name.secure.ssl.client.auth": "required",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(keystore),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(files / "ca.pem"),
        },
    )
    stack.up()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        stack.down()


def kafka_variables(address: str, files: Path, folder: Path) -> dict[str, str]:
    """The settings of such a broker; the password stands in a file of ``folder``."""
    (folder / "kafka-password").write_text(PASSWORD + "\n")
    return {
        "HEARTHWATCH_KAFKA_BOOTSTRAP": address,
        "HEARTHWATCH_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "HEARTHWATCH_KAFKA_USERNAME": USER,
        "HEARTHWATCH_KAFKA_PASSWORD_FILE": str(folder / "kafka-password"),
        "HEARTHWATCH_KAFKA_CA_FILE": str(files / "ca.pem"),
        "HEARTHWATCH_KAFKA_CERT_FILE": str(files / "client.pem"),
        "HEARTHWATCH_KAFKA_KEY_FILE": str(files / "client.key"),
    }


def redis_variables(home: Home, folder: Path) -> dict[str, str]:
    """The settings of a home of the ledger; its password, if any, stands in a file of ``folder``."""
    address = home.address
    found = {
        "HEARTHWATCH_REDIS_URL": address.url,
        "HEARTHWATCH_REDIS_CLUSTER": str(address.cluster).lower(),
        "HEARTHWATCH_REDIS_CA_FILE": address.tls_ca or "",
        "HEARTHWATCH_REDIS_CERT_FILE": address.tls_certificate or "",
        "HEARTHWATCH_REDIS_KEY_FILE": address.tls_key or "",
    }
    if address.password:
        (folder / "redis-password").write_text(address.password)
        found["HEARTHWATCH_REDIS_PASSWORD_FILE"] = str(folder / "redis-password")
    return found
