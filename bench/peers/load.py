"""The records of the comparison: two persons move into every household, then bills come for any of them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from bench.servers import Round
from rules.known import Known
from rules.state import encode_known
from streams.events import Event
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS, Cause, Fact, Member, Origin, Transfer, encode

#: 2026-03-01 in Shanghai. All records are of this one day, so that no midnight comes between.
BEGINS_US: Final = 1_772_294_400_000_000
STEP_US: Final = 100_000
PERSONS: Final = 2
#: Yuan: a bill is below this, evenly; a few are large ones, so that warnings come from the start.
MOST_YUAN: Final = 10_000
LARGE_YUAN: Final = 72_000
LARGE: Final = 0.005
SOURCE: Final = "wuchang/medical-insurance"
#: As many partitions of ``person.events`` do the records seem to come from.
CHANNELS: Final = 8

KeyValue = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Load:
    """How much there is to do.

    Attributes:
        households: their ids are drawn evenly for each bill.
        bills: records after the households are there.
        warm_up: records (arrivals and bills) that are not measured.
        window: records in one window of the figures.
    """

    households: int = 60_000
    bills: int = 530_000
    warm_up: int = 300_000
    window: int = 70_000
    seed: int = 1

    @classmethod
    def of(cls, households: int) -> Load:
        """The same shape for so many households: as many bills for each, and the windows alike."""
        whole = cls()
        share = households / whole.households

        def scaled(count: int) -> int:
            return max(1, round(count * share))

        return cls(households, scaled(whole.bills), scaled(whole.warm_up), scaled(whole.window))

    @property
    def arrivals(self) -> int:
        """Records that people arrive with."""
        return self.households * PERSONS

    @property
    def records(self) -> int:
        """All of them."""
        return self.arrivals + self.bills

    @property
    def marks(self) -> list[int]:
        """Where windows begin and end, in records; the last is the end of all."""
        marks = list(range(self.warm_up, self.records + 1, self.window))
        if len(marks) < 2:
            raise ValueError(f"{self.records} records hold no window of {self.window} after {self.warm_up}")
        return [*marks[:-1], self.records]

    @property
    def few_marks(self) -> list[int]:
        """For a program that would take minutes: soon after the households are there, four short windows."""
        window = max(1, self.window // 14)
        begin = self.arrivals + 2 * window
        return [begin + window * number for number in range(5)]


def records(load: Load) -> Iterator[KeyValue]:
    """Keys and values of ``household.facts``, in order; the same load gives the same bytes."""
    rnd = random.Random(load.seed)
    number = 0
    for home in range(load.households):
        for person in range(PERSONS):
            yield _household(home), _arrival(home, person, number)
            number += 1
    for bill in range(load.bills):
        home = rnd.randrange(load.households)
        yield _household(home), _bill(home, rnd, bill, number)
        number += 1


def _household(home: int) -> bytes:
    return b"h-%07d" % home


def _person(home: int, person: int) -> str:
    return f"p-{home:07d}-{person}"


def _arrival(home: int, person: int, number: int) -> bytes:
    id = _person(home, person)
    received = BEGINS_US + number * STEP_US
    return encode(
        Transfer(
            household=_household(home).decode(),
            channel=f"household.facts-{number % CHANNELS}",
            number=(number, 0),
            origin=Origin("life.registry", number % CHANNELS, number),
            person=id,
            n=1,
            cause=Cause("wuchang/registry", f"r-{number:08d}", f"person/{id}", received),
            member=Member("adult", "1980-05-06", "female" if person else "male"),
            part=0,
            parts=1,
            known=encode_known(Known()),
        )
    )


def _bill(home: int, rnd: random.Random, bill: int, number: int) -> bytes:
    received = BEGINS_US + number * STEP_US
    paid = LARGE_YUAN * 100 if rnd.random() < LARGE else rnd.randrange(MOST_YUAN * 100)
    event = Event(
        type="insurance.bill.settled",
        source=SOURCE,
        id=f"b-{bill:08d}",
        subject=_person(home, rnd.randrange(PERSONS)),
        time=received - 3_600_000_000,
        received=received,
        data={"self_paid_yuan": paid, "inpatient": rnd.random() < 0.5},
    )
    return encode(
        Fact(
            household=_household(home).decode(),
            channel=f"person.events-{number % CHANNELS}",
            number=(number, 0),
            origin=Origin("life.insurance", number % CHANNELS, number),
            n=1,
            event=event,
        )
    )


async def fill(at: Round, load: Load) -> None:
    """Write the records to a round's topic."""
    topic = at.prefix + HOUSEHOLD_FACTS
    partitions = at.partitions[HOUSEHOLD_FACTS]
    producer = AIOKafkaProducer(acks="all", enable_idempotence=True, max_batch_size=262_144, **at.kafka)
    await producer.start()
    try:
        open_batches: dict[int, Any] = {}
        for key, value in records(load):
            number = partition_of(key, partitions)
            batch = open_batches.get(number)
            while batch is None or batch.append(key=key, value=value, timestamp=None) is None:
                if batch is not None:
                    batch.close()
                    await producer.send_batch(batch, topic, partition=number)
                batch = open_batches[number] = producer.create_batch()
        for number, batch in open_batches.items():
            batch.close()
            await producer.send_batch(batch, topic, partition=number)
        await producer.flush()
    finally:
        await producer.stop()
