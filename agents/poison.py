"""Setting aside what the program fails on: the original record goes to ``deadletters`` as ``internal-error``.

Records between the stages say where the department's record stands. It is read back from there byte for
byte, so that it can be requeued after the fix. One bad record never stops a stream, and none is only logged.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.lanes import Failure
from agents.signals import Signals
from streams.deadletters import INTERNAL_ERROR, dead_letter_headers
from streams.named import named
from streams.origins import fields
from streams.producer import Headers, OrderedProducer
from streams.records import CASE_COMMANDS, DEADLETTERS, HOUSEHOLD_FACTS, WARNINGS, Origin
from streams.topics import LIFE

logger = logging.getLogger(__name__)

_RETRY_SECONDS: Final = 1.0
_READ_SECONDS: Final = 10.0
#: Topics whose keys are households.
_BY_HOUSEHOLD: Final = frozenset({HOUSEHOLD_FACTS, WARNINGS, CASE_COMMANDS})


def traceback_digest(error: BaseException) -> str:
    """Twelve hex digits that are the same for the same fault of the program, and say nothing of the data."""
    frames = traceback.extract_tb(error.__traceback__)
    text = type(error).__name__ + "".join(f"|{PurePath(f.filename).name}:{f.lineno}:{f.name}" for f in frames)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


class SetAside:
    """Writes dead letters for failures.

    Args:
        kafka: arguments of aiokafka's clients.
        producer: must know the topic ``deadletters``.
        prefix: begins the topics' names on the broker.
        connect: makes an unstarted consumer; tests may give another.
    """

    def __init__(
        self,
        kafka: Mapping[str, Any],
        producer: OrderedProducer,
        *,
        prefix: str = "",
        signals: Signals | None = None,
        connect: Callable[[], Any] | None = None,
    ) -> None:
        self._kafka = dict(kafka)
        self._producer = producer
        self._prefix = prefix
        self._signals = signals or Signals()
        self._connect = connect or self._plain
        self._client: Any = None
        self._reading = asyncio.Lock()
        self._told: set[str] = set()

    def _plain(self) -> Any:
        return AIOKafkaConsumer(
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_partition_fetch_bytes=1_048_576,
            **self._kafka,
        )

    async def put(self, failures: Sequence[Failure]) -> None:
        """Set failures aside; done when the dead letters are acknowledged."""
        letters: list[tuple[bytes | None, bytes | None, Headers]] = [
            await self._letter(failure) for failure in failures
        ]
        for key, value, headers in letters:
            self._producer.append(DEADLETTERS, key, value, headers)
        await self._producer.send()
        for failure in failures:
            self._signals.emit("set-aside", topic=failure.topic, offset=failure.offset, origin=failure.origin)

    async def _letter(self, failure: Failure) -> tuple[bytes | None, bytes | None, Headers]:
        digest = traceback_digest(failure.error)
        self._tell(failure, digest)
        message = (
            f"$: the program failed on it ({type(failure.error).__name__}, traceback {digest}); "
            "it can be requeued after the fix"
        )
        at = failure.origin or Origin(failure.topic, failure.partition, failure.offset)
        key, value, headers = failure.key, failure.value, failure.headers
        if at != Origin(failure.topic, failure.partition, failure.offset):
            record = await self._original(at)
            if record is None:
                message += f"; the original is not kept any more, this is what {failure.topic} has of it"
            else:
                key, value, headers = record.key, record.value, record.headers
        after = dead_letter_headers(
            headers,
            topic=at.topic,
            partition=at.partition,
            offset=at.offset,
            reason=INTERNAL_ERROR,
            message=message,
            household=_household(failure),
        )
        return key, value, after

    def _tell(self, failure: Failure, digest: str) -> None:
        logger.error(
            "internal-error at %s-%d offset %d: %s, traceback %s",
            failure.topic, failure.partition, failure.offset, type(failure.error).__name__, digest,
            extra=fields(failure.topic, failure.partition, failure.offset, failure.origin),
        )  # fmt: skip
        if digest not in self._told and len(self._told) < 1_000:
            self._told.add(digest)
            # Frames only: the text of an exception may hold what a department wrote about a person.
            logger.error(
                "traceback %s:\n%s", digest, "".join(traceback.format_tb(failure.error.__traceback__))
            )

    async def _original(self, at: Origin) -> Any:
        """The record at a place, or None where Kafka does not keep it any more."""
        async with self._reading:
            while True:
                try:
                    async with asyncio.timeout(_READ_SECONDS):
                        return await self._read(at)
                except (KafkaError, OSError, TimeoutError) as error:
                    logger.warning(
                        "cannot read %s-%d offset %d: %r; again", at.topic, at.partition, at.offset, error
                    )
                    await self._disconnect()
                    await asyncio.sleep(_RETRY_SECONDS)

    async def _read(self, at: Origin) -> Any:
        if self._client is None:
            client = self._connect()
            self._client = client
            await client.start()
        partition = TopicPartition(self._prefix + at.topic, at.partition)
        self._client.assign([partition])
        first = (await self._client.beginning_offsets([partition]))[partition]
        end = (await self._client.end_offsets([partition]))[partition]
        if not first <= at.offset < end:
            return None
        self._client.seek(partition, at.offset)
        record = await self._client.getone(partition)
        return record if record.offset == at.offset else None

    async def _disconnect(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.stop()

    async def close(self) -> None:
        """Let go of the connection."""
        await self._disconnect()


def _household(failure: Failure) -> bytes | None:
    """The household that has to do without it, as far as the stage that failed can know."""
    if failure.topic in _BY_HOUSEHOLD:
        return failure.key
    if failure.household is not None or not failure.topic.startswith(LIFE):
        return failure.household
    # Where a person belongs is not known in intake.
    event = named(failure.value, failure.headers)
    about = None if event is None else event.about_household
    return None if about is None else about.encode()
