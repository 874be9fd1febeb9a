"""From settings to the clients' arguments."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from hearthwatch.connections import (
    kafka_arguments,
    kafka_connection,
    local_stack,
    redis_home,
    uses_local_kafka,
    uses_local_redis,
)
from hearthwatch.settings import load_settings
from streams.errors import SettingsError
from tests.ledger.homes import certificates

SECRET = "do not show this"


def test_plain_kafka_needs_an_address_only() -> None:
    settings = load_settings(kafka_bootstrap="a:1, b:2")
    assert kafka_arguments(settings) == {
        "bootstrap_servers": ["a:1", "b:2"],
        "security_protocol": "PLAINTEXT",
    }
    assert kafka_connection(settings).common()["bootstrap_servers"] == ["a:1", "b:2"]


def test_sasl_arguments_have_the_password_and_nothing_that_is_printed_does() -> None:
    settings = load_settings(
        kafka_security_protocol="SASL_PLAINTEXT",
        kafka_sasl_mechanism="SCRAM-SHA-256",
        kafka_username="me",
        kafka_password=SECRET,
    )
    arguments = kafka_arguments(settings)
    assert arguments["sasl_mechanism"] == "SCRAM-SHA-256"
    assert arguments["sasl_plain_username"] == "me"
    assert arguments["sasl_plain_password"] == SECRET
    assert SECRET not in repr(kafka_connection(settings))


def test_tls_checks_certificate_and_host_unless_told_otherwise(tmp_path: Path) -> None:
    files = certificates(tmp_path / "c")
    given = {
        "kafka_security_protocol": "SSL",
        "kafka_ca_file": files / "ca.pem",
        "kafka_cert_file": files / "client.pem",
        "kafka_key_file": files / "client.key",
    }
    context = kafka_arguments(load_settings(**given))["ssl_context"]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname is True
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    relaxed = kafka_arguments(load_settings(**given, kafka_check_hostname=False))["ssl_context"]
    assert relaxed.check_hostname is False
    assert relaxed.verify_mode is ssl.CERT_REQUIRED


@pytest.mark.parametrize("server", ["kafka", "redis"])
def test_files_that_are_no_certificates_name_their_setting(tmp_path: Path, server: str) -> None:
    files = certificates(tmp_path / "c")
    (tmp_path / "nonsense.pem").write_text("nonsense")
    use = {"kafka_security_protocol": "SSL"} if server == "kafka" else {"redis_url": "rediss://host:1/0"}
    make = kafka_arguments if server == "kafka" else redis_home
    with pytest.raises(SettingsError, match=rf"^HEARTHWATCH_{server.upper()}_CA_FILE: got '.*nonsense\.pem'"):
        make(load_settings(**use, **{f"{server}_ca_file": tmp_path / "nonsense.pem"}))
    with pytest.raises(SettingsError, match=rf"^HEARTHWATCH_{server.upper()}_CERT_FILE: got .* with the key"):
        make(
            load_settings(
                **use,
                **{
                    f"{server}_cert_file": files / "client.pem",
                    f"{server}_key_file": files / "server.key",  # that of another certificate
                },
            )
        )


def test_user_and_password_leave_the_redis_url() -> None:
    home = redis_home(load_settings(redis_url="redis://me:p%40ss@host:7000/3"))
    assert home.url == "redis://host:7000/3"
    assert (home.username, home.password) == ("me", "p@ss")
    assert "p@ss" not in repr(home)
    home = redis_home(load_settings(redis_url="redis://:old@host/0", redis_password=SECRET))
    assert (home.username, home.password) == (None, SECRET)


def test_a_cluster_may_have_several_addresses() -> None:
    home = redis_home(load_settings(redis_url="redis://a:1,b:2", redis_cluster=True))
    assert home.cluster is True
    assert home.addresses() == ["a:1", "b:2"]


def test_tls_files_reach_redis(tmp_path: Path) -> None:
    files = certificates(tmp_path / "c")
    home = redis_home(
        load_settings(
            redis_url="rediss://host:7000/0",
            redis_ca_file=files / "ca.pem",
            redis_cert_file=files / "client.pem",
            redis_key_file=files / "client.key",
            redis_check_hostname=False,
        )
    )
    assert home.tls_ca == str(files / "ca.pem")
    assert home.tls_certificate == str(files / "client.pem")
    assert home.tls_key == str(files / "client.key")
    assert home.tls_check_hostname is False


def test_the_embedded_stack_is_recognised(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, kafka_port=20000, valkey_port=20010)
    stack = local_stack(settings)
    assert (stack.kafka_bootstrap, stack.redis_url) == (settings.kafka_bootstrap, settings.redis_url)
    assert stack.data_dir == tmp_path
    assert uses_local_kafka(settings)
    assert uses_local_redis(settings)
    other = load_settings(kafka_bootstrap="kafka:9092", redis_url="redis://redis:6379/0")
    assert not uses_local_kafka(other)
    assert not uses_local_redis(other)
