"""kafka-python clients for publishers, admin work and tools; the stages have clients of their own (aiokafka).

A :class:`Connection` is where the broker is and how to be let in. Nothing connects before a client is asked
for, and every failure to reach a broker becomes a :class:`BrokerUnavailableError` of one line.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import kafka
import kafka.admin
import kafka.errors

from streams.errors import BrokerUnavailableError, SettingsError, TransportError
from streams.kafka_reach import away, why_not

#: kafka-python reports each refused connection as a warning of several lines; what they say in the end
#: reaches the user as the text of one error.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


#: What kafka-python raises when its time is up, whatever it was that it could not get past.
_WITHOUT_A_CAUSE = (
    kafka.errors.KafkaConnectionError,
    kafka.errors.KafkaTimeoutError,
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where Kafka is.

    Attributes:
        bootstrap: ``host:port``, several with commas between.
        options: what kafka-python's clients take beyond that (``security_protocol``, ``sasl_mechanism``, ..).
        timeout_seconds: how long a first connection may take.
    """

    bootstrap: str
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    timeout_seconds: float = 10.0

    @property
    def servers(self) -> list[str]:
        """Each ``host:port``."""
        return [part.strip() for part in self.bootstrap.split(",") if part.strip()]

    def common(self) -> dict[str, Any]:
        """The arguments that every client has."""
        return {
            **self.options,
            "bootstrap_servers": self.servers,
            "bootstrap_timeout_ms": int(self.timeout_seconds * 1000),
        }

    def failure(self, error: Exception) -> TransportError:
        """The one line that says why Kafka cannot be used from here, and what to do."""
        why = one_line(error)
        if isinstance(error, (kafka.errors.AuthorizationError, kafka.errors.SaslAuthenticationFailedError)):
            return TransportError(f"Kafka at {self.bootstrap} refuses this login: {why}")
        if isinstance(error, kafka.errors.BrokerResponseError):  # it does answer: that it cannot do this
            about = f"{error.message} ({error.description.rstrip('.')})" if error.description else why
            told = "cannot do this now, try again" if _may_pass(error) else "does not do this"
            return TransportError(f"Kafka at {self.bootstrap} {told}: {about}")
        if isinstance(error, _WITHOUT_A_CAUSE) and (cause := why_not(self.bootstrap, self.options)):
            return BrokerUnavailableError(
                f"Kafka at {self.bootstrap} cannot be used: {cause} (see the HEARTHWATCH_KAFKA_* settings)"
            )
        return away(self.bootstrap, why)


def reach(connection: Connection) -> None:
    """Fail at once where nobody listens: kafka-python would try until its timeout, and leak its sockets.

    Raises:
        OSError: no server takes a connection.
        SettingsError: a server's address is none.
    """
    problem: OSError | None = None
    for server in connection.servers:
        host, _, port = server.rpartition(":")
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=connection.timeout_seconds):
                return
        except OSError as error:
            problem = error
        except ValueError:
            raise SettingsError(f"`{server}` names no Kafka broker: expected host:port") from None
    if problem is not None:
        raise problem


def _may_pass(error: kafka.errors.BrokerResponseError) -> bool:
    """Whether it is only for now, as while a leader is elected; a topic that is missing mostly stays away."""
    return bool(error.retriable) and not isinstance(error, kafka.errors.UnknownTopicOrPartitionError)


def one_line(error: BaseException) -> str:
    """An error's name and the first line of its text."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = str(error).strip().splitlines()
    name = type(error).__name__
    return told[0] if told and told[0].startswith(name) else ": ".join([name, *told[:1]])


@contextmanager
def _named(connection: Connection) -> Iterator[None]:
    """Turn kafka-python's errors into ours."""
    try:
        yield
    except (kafka.errors.KafkaError, OSError) as error:
        raise connection.failure(error) from None


@contextmanager
def admin(connection: Connection) -> Iterator[Any]:
    """An admin client, closed at the end.

    Raises:
        BrokerUnavailableError: nobody answers.
    """
    with _named(connection):
        reach(connection)
        client = kafka.admin.KafkaAdminClient(**connection.common())
    try:
        with _named(connection):
            yield client
    finally:
        client.close()


class Producer(kafka.KafkaProducer):  # type: ignore[misc]
    """kafka-python's producer, which can also be let go while its broker is away."""

    _abandoned = False

    def flush(self, timeout: float | None = None) -> None:
        """Wait for all acknowledgements; see kafka-python."""
        if not self._abandoned:
            super().flush(timeout)

    def abandon(self) -> None:
        """Close without waiting for what is not acknowledged; kafka-python's own close would raise first."""
        self._abandoned = True
        self.close(timeout=0.5)


def producer(connection: Connection, **options: Any) -> Producer:
    """A producer whose records are acknowledged by all replicas and never doubled by its own retries.

    Raises:
        BrokerUnavailableError: nobody answers.
    """
    with _named(connection):
        reach(connection)
        return Producer(
            **{
                **connection.common(),
                "acks": "all",
                "enable_idempotence": True,
                "allow_auto_create_topics": False,
                **options,
            }
        )


def consumer(connection: Connection, **options: Any) -> Any:
    """A consumer without a group, for looking at a topic from outside.

    Raises:
        BrokerUnavailableError: nobody answers.
    """
    with _named(connection):
        reach(connection)
        return kafka.KafkaConsumer(
            **{
                **connection.common(),
                "group_id": None,
                "enable_auto_commit": False,
                "allow_auto_create_topics": False,
                **options,
            }
        )
