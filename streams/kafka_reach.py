"""Why no broker can be used: name, connection, TLS or login, asked of each address one step at a time.

The clients try until their time is up and then say only that it is; this says what stood in the way.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any

import aiokafka.errors
from aiokafka import TopicPartition
from aiokafka.conn import AIOKafkaConnection

from streams.errors import BrokerUnavailableError, TransportError

STEP_TIMEOUT_SECONDS = 5.0
#: aiokafka's own patience with a broker that is silent is 40 s.
START_TIMEOUT_SECONDS = 10.0
_OPTIONS = (
    "security_protocol",
    "ssl_context",
    "sasl_mechanism",
    "sasl_plain_username",
    "sasl_plain_password",
)


def no_broker(arguments: Mapping[str, Any]) -> BrokerUnavailableError:
    """The error for a client of aiokafka that got no connection: the address, why, and what to do.

    Args:
        arguments: the client's: ``bootstrap_servers`` and security.
    """
    servers = arguments.get("bootstrap_servers") or ()
    bootstrap = servers if isinstance(servers, str) else ",".join(servers)
    why = why_not(bootstrap, arguments) or "it answers now, but did not a moment ago"
    return away(bootstrap, why)


def away(bootstrap: str, why: str) -> BrokerUnavailableError:
    """The error where no broker answers: the address, why, and what to do."""
    return BrokerUnavailableError(
        f"no Kafka broker answers at {bootstrap} ({why}):"
        " `hearthwatch up` starts an embedded one with all workers, `hearthwatch local up` the servers alone;"
        " HEARTHWATCH_KAFKA_BOOTSTRAP names yours"
    )


def why_not(bootstrap: str, options: Mapping[str, Any]) -> str | None:
    """The first thing that stands in the way of each address, joined; ``None`` if one of them can be used.

    Args:
        bootstrap: ``host:port``, several with commas between.
        options: ``security_protocol``, ``ssl_context``, ``sasl_mechanism``, ``sasl_plain_username`` and
            ``sasl_plain_password``, as kafka-python and aiokafka both take them.
    """
    # In a thread of its own, because the caller may be in an event loop.
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, _why_not(bootstrap, options)).result()


async def started(client: Any, arguments: Mapping[str, Any]) -> Any:
    """A client of aiokafka, started; raises :func:`no_broker` where it gets no connection in 10 s.

    Args:
        arguments: those that it was made with.
    """
    try:
        async with asyncio.timeout(START_TIMEOUT_SECONDS):
            await client.start()
    except (aiokafka.errors.KafkaError, OSError) as error:
        await client.stop()
        raise await asyncio.to_thread(no_broker, arguments) from error
    return client


async def partition_numbers(consumer: Any, topic: str) -> list[int]:
    """The partitions of a topic, ascending; none where it is missing.

    Args:
        consumer: aiokafka's, started. Without a subscription it has no topics until it is told to ask, and
            ``topics()`` asks for somebody else's copy.
    """
    if not consumer.partitions_for_topic(topic):
        await consumer._client.force_metadata_update()  # noqa: SLF001
    return sorted(consumer.partitions_for_topic(topic) or ())


async def partitions_of(consumer: Any, topic: str) -> list[TopicPartition]:
    """The partitions of a topic; see :func:`partition_numbers`.

    Raises:
        TransportError: the topic is missing.
    """
    numbers = await partition_numbers(consumer, topic)
    if not numbers:
        raise TransportError(f"the topic {topic} is missing; make it with `hearthwatch topics create`")
    return [TopicPartition(topic, number) for number in numbers]


async def _why_not(bootstrap: str, options: Mapping[str, Any]) -> str | None:
    addresses = [part.strip() for part in bootstrap.split(",") if part.strip()]
    reasons = await asyncio.gather(*(_step_by_step(address, options) for address in addresses))
    if None in reasons:
        return None
    return "; ".join(
        f"{address}: {reason}" if len(addresses) > 1 else str(reason)
        for address, reason in zip(addresses, reasons, strict=True)
    )


async def _step_by_step(address: str, options: Mapping[str, Any]) -> str | None:
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(STEP_TIMEOUT_SECONDS):
            await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
            _, writer = await asyncio.open_connection(host, int(port))
            await _hang_up(writer)
    except socket.gaierror:
        return f"the name {host} is not known here"
    except TimeoutError:
        return "no answer: its machine or a firewall in between is silent"
    except OSError as error:
        return (os.strerror(error.errno) if error.errno else type(error).__name__).lower()
    quiet = logging.getLogger("aiokafka")
    level = quiet.level
    quiet.setLevel(logging.CRITICAL)  # what it would log is what we return
    connection = AIOKafkaConnection(
        host,
        int(port),
        request_timeout_ms=int(STEP_TIMEOUT_SECONDS * 1000),
        **{key: options[key] for key in _OPTIONS if options.get(key) is not None},
    )
    try:
        await connection.connect()
    except (aiokafka.errors.AuthenticationFailedError, aiokafka.errors.SaslAuthenticationFailed):
        return "it refuses user or password"
    except aiokafka.errors.UnsupportedSaslMechanismError:
        return f"it does not offer {options.get('sasl_mechanism')}"
    except ssl.SSLCertVerificationError as error:
        return f"its certificate is not trusted ({error.verify_message})"
    except (aiokafka.errors.KafkaError, ssl.SSLError, OSError) as error:
        return _of_kind(error, str(options.get("security_protocol", "PLAINTEXT")))
    finally:
        quiet.setLevel(level)
        writer = connection._writer  # noqa: SLF001 - its close() returns before the socket is closed
        connection.close()
        await _hang_up(writer)
    return None


async def _hang_up(writer: asyncio.StreamWriter | None) -> None:
    """Close the socket before the event loop ends; TLS would wait for the other side's farewell."""
    if writer is not None:
        writer.transport.abort()
    for _ in range(3):  # the transports close one in the other, a turn of the loop each
        await asyncio.sleep(0)


def _of_kind(error: BaseException, protocol: str) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted ({cause.verify_message})"
        if isinstance(cause, ssl.SSLError) and "CERTIFICATE_REQUIRED" in str(cause.reason):
            return "it wants a certificate of ours, and none was given"
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed ({cause.reason or type(cause).__name__}): does it speak TLS on this port?"
        if isinstance(cause, TimeoutError | aiokafka.errors.RequestTimedOutError):
            return "it takes the connection and does not answer: is it overloaded or stopped?"
        cause = cause.__cause__ or cause.__context__
    told = str(error).strip().splitlines()
    what = told[0] if told else type(error).__name__
    return f"it hangs up on {protocol} ({what}): does this port speak that protocol?"
