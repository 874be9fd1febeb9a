"""Following ``case.events``: the answers to commands, and changes from a place on."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, Self

import aiokafka
import msgspec
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from casework.cases.commands import MAX_BYTES, Command
from casework.cases.scopes import is_in
from hearthwatch.desk.views import Change
from streams.errors import InputError, TransportError
from streams.kafka_reach import partitions_of, started
from streams.partitions import partition_of
from streams.records import CASE_COMMANDS, CASE_EVENTS
from streams.timestamps import parse_timestamp
from streams.topics import Clock

logger = logging.getLogger(__name__)

MOVED: Final = "case.moved"
_POLL_MS: Final = 500
_PAUSE_SECONDS: Final = 1.0

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_event(value: bytes | None) -> dict[str, Any] | None:
    """A value of ``case.events``; None for what is none: who follows must not stop at it."""
    return _event_with("community", value)


def read_alert_event(value: bytes | None) -> dict[str, Any] | None:
    """A value of ``alert.events``; None for what is none."""
    event = _event_with("alert", value)
    return event if event is not None and "case" in event["data"] and "id" in event else None


def _event_with(field: str, value: bytes | None) -> dict[str, Any] | None:
    try:
        event = _decode(value or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return event if isinstance(event.get("data"), dict) and field in event["data"] else None


class Answers:
    """Sends commands and gives each the event that answers it; connects with the first.

    Args:
        kafka: arguments of aiokafka's clients.
        clock: in ``log`` a command is stamped with its own time, otherwise the broker stamps it.
    """

    def __init__(self, kafka: Mapping[str, Any], *, clock: Clock = "wall") -> None:
        self._kafka = dict(kafka)
        self._clock = clock
        self._partitions = 0
        self._starting = asyncio.Lock()
        self._producer: Any = None
        self._task: asyncio.Task[None] | None = None
        self._waiting: dict[tuple[str, str], list[asyncio.Future[dict[str, Any]]]] = {}

    async def ask(self, command: Command, value: bytes) -> dict[str, Any]:
        """Append a command; the event that answers it, however long that takes.

        Raises:
            InputError: it is larger than what is read.
            TransportError: no broker answers.
        """
        if len(value) > MAX_BYTES:
            raise InputError(
                f"the command has {len(value)} bytes; at most {MAX_BYTES} are read: shorten its texts"
            )
        await self._start()
        key = command.household, command.id
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(answer)
        try:
            partition = partition_of(command.household.encode(), self._partitions)
            await self._producer.send_and_wait(
                CASE_COMMANDS, value=value, key=command.household.encode(), partition=partition,
                timestamp_ms=self._stamp(command),
            )  # fmt: skip
            return await answer
        except (KafkaError, OSError) as error:
            if isinstance(error, MessageSizeTooLargeError):
                raise InputError("the command is larger than its topic takes: shorten its texts") from None
            raise TransportError(f"the command could not be sent: {type(error).__name__}") from error
        finally:
            self._waiting[key].remove(answer)
            if not self._waiting[key]:
                del self._waiting[key]

    def _stamp(self, command: Command) -> int:
        at = parse_timestamp(command.time) if self._clock == "log" else None
        return int(time.time() * 1000) if at is None else at // 1000

    async def close(self) -> None:
        """Stop following; who waits is told that nobody answers any more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._producer is not None:
            await self._producer.stop()

    async def _start(self) -> None:
        async with self._starting:
            if self._task is not None and not self._task.done():
                return
            consumer = await follower(self._kafka)
            try:
                if self._producer is None:
                    producer = aiokafka.AIOKafkaProducer(acks="all", enable_idempotence=True, **self._kafka)
                    self._producer = await started(producer, self._kafka)
                self._partitions = len(await self._producer.partitions_for(CASE_COMMANDS))
            except BaseException:
                await consumer.stop()
                raise
            self._task = asyncio.create_task(self._follow(consumer))

    async def _follow(self, consumer: Any) -> None:
        try:
            while True:
                try:
                    batches = await consumer.getmany(timeout_ms=_POLL_MS)
                except (KafkaError, OSError) as error:
                    logger.warning("following %s: %s; again", CASE_EVENTS, type(error).__name__)
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                for records in batches.values():
                    for record in records:
                        self._take(record.value)
        finally:
            await consumer.stop()

    def _take(self, value: bytes | None) -> None:
        if not self._waiting:
            return
        event = read_event(value)
        if event is None:
            return
        data = event["data"]
        for answer in self._waiting.get((data.get("household"), data.get("command")), ()):
            if not answer.done():
                answer.set_result(event)


async def follower(kafka: Mapping[str, Any], since: Mapping[str, int] | None = None) -> Any:
    """A consumer of all partitions of ``case.events``, from their ends or from a place on.

    Args:
        since: partition -> the offset to begin with; a partition that is not there from its first.

    Raises:
        TransportError: no broker answers, or the topic is missing.
    """
    consumer = await started(
        aiokafka.AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="earliest", **kafka), kafka
    )
    try:
        partitions = await partitions_of(consumer, CASE_EVENTS)
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        for one in partitions:
            at = ends[one] if since is None else min(since.get(str(one.partition), 0), ends[one])
            consumer.seek(one, at)
    except (KafkaError, OSError) as error:
        await consumer.stop()
        raise TransportError(f"the topic {CASE_EVENTS} cannot be read: {type(error).__name__}") from error
    except BaseException:
        await consumer.stop()
        raise
    return consumer


class Following:
    """Events of cases of some communities, from a place on; close it.

    Made by :meth:`open`, which fixes the place.
    """

    def __init__(self, consumer: Any, places: dict[str, int], scope: Sequence[str]) -> None:
        self._consumer = consumer
        self._places = places
        self._scope = tuple(scope)

    @classmethod
    async def open(cls, kafka: Mapping[str, Any], scope: Sequence[str], since: str | None) -> Self:
        """Follow from now on, or after a place.

        Raises:
            InputError: ``since`` is no place.
            TransportError: no broker answers, or the topic is missing.
        """
        consumer = await follower(kafka, None if since is None else _place(since))
        places = {str(one.partition): await consumer.position(one) for one in sorted(consumer.assignment())}
        return cls(consumer, places, scope)

    @property
    def place(self) -> str:
        """How far it has come: what comes after has not been given yet."""
        return _place_text(self._places)

    async def events(self) -> AsyncIterator[Change]:
        """Events as they come, for ever.

        Raises:
            TransportError: the broker stopped answering.
        """
        while True:
            try:
                batches = await self._consumer.getmany(timeout_ms=_POLL_MS)
            except (KafkaError, OSError) as error:
                raise TransportError(f"{CASE_EVENTS} cannot be followed: {type(error).__name__}") from error
            for at, records in batches.items():
                for record in records:
                    self._places[str(at.partition)] = record.offset + 1
                    event = read_event(record.value)
                    seen = None if event is None else seen_from(event, self._scope)
                    if seen is not None:
                        yield Change(self.place, seen)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._consumer.stop()


def seen_from(event: dict[str, Any], scope: Sequence[str]) -> dict[str, Any] | None:
    """What those of some communities see of an event of ``case.events``; None for nothing.

    Whose case has moved away see that it went and where to, and nothing else of it.
    """
    data = event["data"]
    if is_in(data["community"], scope):
        return event
    if event["type"] != MOVED or "from" not in data["details"] or not is_in(data["details"]["from"], scope):
        return None
    gone = {name: data.get(name) for name in ("household", "case", "version", "after", "community")}
    moved = {name: data["details"].get(name) for name in ("from", "to")}
    return event | {"data": gone | {"details": moved}}


def _place_text(places: Mapping[str, int]) -> str:
    """Offsets by partition: ``0:17.1:4``."""
    return ".".join(f"{number}:{offset}" for number, offset in places.items())


def _place(text: str) -> dict[str, int]:
    found = {}
    for part in text.split("."):
        number, colon, offset = part.partition(":")
        if not (
            colon and number.isascii() and number.isdecimal() and offset.isascii() and offset.isdecimal()
        ):
            raise InputError("a place in the changes looks like 0:17.1:4: give one that came with a change")
        found[number] = int(offset[:18])
    return found
