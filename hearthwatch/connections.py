"""From settings to what the clients take: aiokafka, kafka-python, redis-py and the embedded stack.

Nothing here connects. Secrets leave their ``SecretStr`` only on the way into a client's arguments, which are
never printed.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from pydantic import SecretStr

from agents.redis_link import RedisHome
from deploy.local import Stack
from hearthwatch.setting_sources import variable_of
from hearthwatch.settings import Settings
from streams.errors import SettingsError
from streams.kafka_clients import Connection


def kafka_arguments(settings: Settings) -> dict[str, Any]:
    """Arguments of aiokafka's clients.

    Raises:
        SettingsError: a certificate or key cannot be used.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in settings.kafka_bootstrap.split(",")],
        "security_protocol": settings.kafka_security_protocol,
    }
    if "SSL" in settings.kafka_security_protocol:
        arguments["ssl_context"] = kafka_tls(settings)
    if settings.kafka_security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": _revealed(settings.kafka_password),
        }
    return arguments


def kafka_connection(settings: Settings, *, timeout_seconds: float = 10.0) -> Connection:
    """Where Kafka is, for kafka-python's clients (see ``streams.kafka_clients``).

    Raises:
        SettingsError: a certificate or key cannot be used.
    """
    options = kafka_arguments(settings)
    del options["bootstrap_servers"]
    return Connection(settings.kafka_bootstrap, options, timeout_seconds)


def kafka_tls(settings: Settings) -> ssl.SSLContext:
    """The TLS context of Kafka's clients."""
    return _tls(
        "kafka",
        settings.kafka_ca_file,
        settings.kafka_cert_file,
        settings.kafka_key_file,
        password=_revealed(settings.kafka_key_password),
        check_hostname=settings.kafka_check_hostname,
    )


def redis_home(settings: Settings) -> RedisHome:
    """Where Redis is, for ``agents.redis_link``; user and password are taken out of the URL."""
    urls = [url if "//" in url else f"redis://{url}" for url in settings.redis_url.split(",")]
    parts = [urlsplit(url) for url in urls]
    if parts[0].scheme == "rediss":
        # redis-py reads the files only when it connects, and its errors then name neither file nor setting.
        _tls(
            "redis",
            settings.redis_ca_file,
            settings.redis_cert_file,
            settings.redis_key_file,
            password=None,
            check_hostname=settings.redis_check_hostname,
        )
    return RedisHome(
        url=",".join(urlunsplit(part._replace(netloc=part.netloc.rpartition("@")[2])) for part in parts),
        cluster=settings.redis_cluster,
        username=settings.redis_username or unquote(parts[0].username or "") or None,
        password=_revealed(settings.redis_password) or unquote(parts[0].password or "") or None,
        tls_ca=_text(settings.redis_ca_file),
        tls_certificate=_text(settings.redis_cert_file),
        tls_key=_text(settings.redis_key_file),
        tls_check_hostname=settings.redis_check_hostname,
    )


def local_stack(settings: Settings) -> Stack:
    """The embedded stack of these settings; nothing is started."""
    return Stack(
        settings.data_dir,
        settings.kafka_port,
        settings.valkey_port,
        kafka_controller_port=settings.kafka_controller_port,
        jars_dir=settings.jars_dir,
        maven_repository=settings.maven_repository,
        java_options=settings.java_options or "",
    )


def uses_local_kafka(settings: Settings) -> bool:
    """Whether these settings mean the embedded Kafka."""
    return settings.kafka_bootstrap == local_stack(settings).kafka_bootstrap


def uses_local_redis(settings: Settings) -> bool:
    """Whether these settings mean the embedded Valkey."""
    return settings.redis_url == local_stack(settings).redis_url


def _tls(
    server: str,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    *,
    password: str | None,
    check_hostname: bool,
) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=_text(ca_file))
    except (ssl.SSLError, OSError):
        raise SettingsError(
            f"{variable_of(f'{server}_ca_file')}: got {_text(ca_file)!r}; allowed: certificates in PEM form"
        ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = check_hostname
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=password or "")
        except (ssl.SSLError, OSError):
            raise SettingsError(
                f"{variable_of(f'{server}_cert_file')}: got {_text(cert_file)!r} with the key "
                f"{_text(key_file)!r}; allowed: a certificate and its key, in PEM form, with "
                "the key's password if it has one"
            ) from None
    return context


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
