"""Silences in the running system: what dispatch holds back, and records that make one or end it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, Self

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from agents.dispatch import key_of_routes
from agents.flow import Flow
from agents.ledger import Ledger
from casework.alerts.alert import DISTRICT_DIGITS, NO_DISTRICT
from casework.alerts.inputs import ROUTES_KEY, decode_held, decode_record, encode_silence, is_district
from casework.alerts.intents import Silenced
from casework.alerts.routes import Routes
from casework.alerts.silences import Silence, check_silence
from casework.alerts.state import State, decode
from hearthwatch.connections import kafka_arguments, kafka_connection
from hearthwatch.running import open_ledger
from hearthwatch.settings import Settings
from streams.errors import InputError, PublishTimeoutError, TransportError
from streams.kafka_clients import Connection
from streams.kafka_reach import started
from streams.partition_log import PartitionLog
from streams.partitions import partition_of
from streams.records import ALERTS

_STAGE: Final = "dispatch"
_MILLISECOND: Final = 1_000


class Standing(msgspec.Struct):
    """A silence as the districts have it.

    Attributes:
        districts: the keys of ``alerts`` that have it, in order.
        holds: how many alerts wait for its end at present.
    """

    silence: Silence
    districts: list[str]
    holds: int = 0

    def when(self, now: int) -> Literal["holds", "begins", "ended"]:
        """How it stands at an instant."""
        if self.silence.ends <= now:
            return "ended"
        return "holds" if self.silence.starts <= now else "begins"


class Silences:
    """Reads states of dispatch and appends to its log; open it with :meth:`open`."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._kafka = kafka_arguments(settings)
        self._connection = kafka_connection(settings)
        self._ledger = ledger
        self._flow = Flow(self._kafka, ledger)
        self._partitions = 0
        self._states: dict[str, State] = {}
        self.routes: dict[int, bytes] = {}
        """The routes that hold by the log, as files: partition -> text, of those that have any."""
        self.clock = settings.clock
        """As the data was made; with ``log`` whoever appends says what time it is."""

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Self]:
        """Connect, and read all states; close at the end.

        Raises:
            TransportError: a server does not answer, or the topic is missing.
        """
        ledger = open_ledger(settings)
        found = cls(settings, ledger)
        try:
            found._partitions = len(await found._flow.partitions([ALERTS]))
            found.clock = (await ledger.made_with()).get("clock", settings.clock)  # type: ignore[assignment]
            await found.look()
            yield found
        finally:
            await found._flow.close()
            await ledger.close()

    async def look(self) -> None:
        """Read the states of all districts anew."""
        self._states, self.routes = {}, {}
        for number in range(self._partitions):
            async for key, raw in self._ledger.scan(_STAGE, ALERTS, number):
                if is_district(key):
                    self._states[key] = decode(raw)
            text = await self._routes_in_force(number)
            if text is not None:
                self.routes[number] = text

    async def _routes_in_force(self, partition: int) -> bytes | None:
        """Those that the mark names: the ones before are kept beside them."""
        mark = None
        while (now := (await self._ledger.marks(_STAGE, ALERTS, partition)).get(ROUTES_KEY)) != mark:
            mark = now
            if mark is not None:
                (raw,) = await self._ledger.read(_STAGE, ALERTS, partition, [key_of_routes(mark)])
                if raw is not None:
                    return decode_held(raw).text.encode()
        return None  # as dispatch has it: the worker's own hold

    def routes_for(self, community: str) -> bytes | None:
        """The routes that hold by the log where a community's alerts are decided; None if it has none.

        Args:
            community: a code of 6 digits or more; empty: the first that the log has.
        """
        if not community:
            return self.routes[min(self.routes)] if self.routes else None
        key = community[:DISTRICT_DIGITS].encode()
        return self.routes.get(partition_of(key, self._partitions))

    def now(self) -> int:
        """What time it is, in microseconds since 1970: the wall clock, or a district's newest instant."""
        if self.clock == "wall":
            return int(time.time() * 1_000) * _MILLISECOND
        return _stamp(max((state.now for state in self._states.values()), default=0)) * _MILLISECOND

    def standing(self) -> list[Standing]:
        """What the districts have, by when it ends."""
        found: dict[str, Standing] = {}
        for key, state in sorted(self._states.items()):
            for silence in state.silences:
                one = found.setdefault(silence.id, Standing(silence, []))
                one.districts.append(key)
                one.holds += sum(
                    waiting.silence == silence.id
                    for group in state.groups.values()
                    for waiting in group.waiting
                )
        return sorted(found.values(), key=lambda one: (one.silence.ends, one.silence.id))

    def one(self, id: str) -> Standing:
        """A silence by its id.

        Raises:
            InputError: there is none.
        """
        found = self.standing()
        for one in found:
            if one.silence.id == id:
                return one
        known = ", ".join(one.silence.id for one in found)
        raise InputError(
            f"no silence `{id}` stands: " + (f"there are {known}" if known else "none stands at present")
        )

    async def ended(self) -> list[Standing]:
        """Silences that the log tells of and that no district has any more, by when they ended."""
        found: dict[str, Standing] = {}
        log = await asyncio.to_thread(_silences_of_the_log, self._connection, self._partitions)
        for key, silence in log:
            one = found.setdefault(silence.id, Standing(silence, []))
            one.silence = silence
            if key not in one.districts:
                one.districts.append(key)
        stand = {one.silence.id for one in self.standing()}
        gone = [one for one in found.values() if one.silence.id not in stand]
        return sorted(gone, key=lambda one: (one.silence.ends, one.silence.id))

    def districts(self, silence: Silence, routes: Iterable[Routes]) -> list[str]:
        """The keys that a silence concerns: its community's, or all that anybody is told of."""
        if silence.community:
            return [silence.community[:DISTRICT_DIGITS]]
        codes = {
            code[:DISTRICT_DIGITS] for one in routes for team in one.teams.values() for code in team.prefixes
        }
        return sorted({*codes, *self._states, NO_DISTRICT})

    async def put(self, silence: Silence, districts: Sequence[str], at: int, *, wait_seconds: float) -> None:
        """Append a silence to the logs of districts, and wait until dispatch has taken it.

        Args:
            at: microseconds since 1970; what the records say where the log is the clock.
            wait_seconds: 0: only until the brokers have it.

        Raises:
            InputError: it may not stand (:func:`casework.alerts.silences.check_silence`).
            PublishTimeoutError: dispatch did not take it in time; it stands in the log.
            TransportError: no broker answers.
        """
        value = encode_silence(check_silence(silence))
        targets = await self._append(value, districts, _stamp(at) if self.clock == "log" else None)
        if not wait_seconds:
            return
        try:
            async with asyncio.timeout(wait_seconds):
                await self._flow.reached(_STAGE, targets)
        except TimeoutError:
            raise PublishTimeoutError(
                f"the silence {silence.id} stands in the log, and dispatch has not taken it within"
                f" {wait_seconds:.0f} s: it holds from when it does. Is `dispatch` running?"
                " `hearthwatch status` tells"
            ) from None
        await self.look()

    async def _append(
        self, value: bytes, districts: Sequence[str], stamp: int | None
    ) -> dict[tuple[str, int], int]:
        """How far dispatch has to go until it has it."""
        producer = AIOKafkaProducer(acks="all", enable_idempotence=True, **self._kafka)
        await started(producer, self._kafka)
        targets: dict[tuple[str, int], int] = {}
        try:
            for key in districts:
                partition = partition_of(key.encode(), self._partitions)
                told = await producer.send_and_wait(
                    ALERTS, value=value, key=key.encode(), partition=partition, timestamp_ms=stamp
                )
                targets[ALERTS, partition] = told.offset + 1
        except (KafkaError, OSError) as error:
            raise TransportError(
                f"the silence could not be sent: {type(error).__name__}; the same command with --id again"
                " does no harm"
            ) from error
        finally:
            await producer.stop()
        return targets


def ended_at(silence: Silence, now: int) -> Silence:
    """The silence with an end now; one that has not begun never does."""
    return msgspec.structs.replace(silence, starts=min(silence.starts, now - 1), ends=now)


def _stamp(instant: int) -> int:
    """Milliseconds since 1970, not before an instant in microseconds."""
    return -(-instant // _MILLISECOND)


def _silences_of_the_log(connection: Connection, partitions: int) -> list[tuple[str, Silence]]:
    """Keys and silences of the topic, as far back as it is kept."""
    found: list[tuple[str, Silence]] = []
    for number in range(partitions):
        log = PartitionLog(connection, ALERTS, partition=number)
        try:
            found += [one for record in log.records() if (one := _silenced(record)) is not None]
        finally:
            log.close()
    return found


def _silenced(record: Any) -> tuple[str, Silence] | None:
    try:
        read = decode_record(record.value)
        return (record.key.decode(), read.silence) if isinstance(read, Silenced) else None
    except (InputError, AttributeError, UnicodeDecodeError):
        return None  # dispatch has set it aside
