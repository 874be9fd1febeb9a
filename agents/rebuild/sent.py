"""What has reached the topics already, so that a rebuild sends only what is missing there.

First occurrences are in order, for each household on ``warnings`` and for each channel and partition on
``household.facts``: what is at or below the last number there was sent, and what is above it was not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from agents.lanes import Failure
from agents.ledger import Ledger
from agents.ledger.restoring import Place, standing
from agents.rebuild.log import Log
from agents.rebuild.replay import parsed
from agents.rebuild.snapshot_reader import read_snapshots
from streams.deadletters import INTERNAL_ERROR, ORIGIN_OFFSET, ORIGIN_PARTITION, ORIGIN_TOPIC, REASON
from streams.partitions import partition_of
from streams.producer import Sending
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    WARNINGS,
    Activate,
    Origin,
    Tick,
    decode_household_record,
)
from streams.snapshots import lane_key

Marks = dict[str, tuple[int, int]]


class _Named(msgspec.Struct):
    """As much of a warning as its number."""

    id: str


_named: Final = msgspec.json.Decoder(_Named).decode
_NONE: Final = (-1, -1)


def number_of(household: str, body: bytes | None) -> int | None:
    """n of a warning's id ``<household>-<n>``; None where it is no warning of this household."""
    try:
        head, _, number = _named(body or b"").id.rpartition("-")
        return int(number) if head == household else None
    except (msgspec.DecodeError, ValueError):
        return None


async def last_warnings(log: Log) -> dict[str, int]:
    """The last number of each household on ``warnings``."""
    last: dict[str, int] = {}
    for partition in range(await log.count(WARNINGS)):
        bounds = await log.bounds(WARNINGS, partition)
        async for records, _ in log.read(WARNINGS, partition, *bounds):
            for record in records:
                household = (record.key or b"").decode()
                number = number_of(household, record.value)
                if number is not None and number > last.get(household, 0):
                    last[household] = number
    return last


async def last_marks(log: Log, ledger: Ledger, place: Place, *, trust_ledger: bool) -> Marks:
    """The last number from each channel that one partition of ``household.facts`` holds, applied or not."""
    first, end = await log.bounds(HOUSEHOLD_FACTS, place.partition)
    start, marks = 0, dict[str, tuple[int, int]]()
    found = await standing(ledger, place) if trust_ledger else None
    if found is not None:
        start, marks = found.next_offset, parsed(found.marks)
    else:
        kept = await read_snapshots(log, "household", place.partition)
        lane = kept.lanes.get(lane_key(HOUSEHOLD_FACTS, place.partition))
        if lane is not None:
            start, marks = lane.offset, parsed(lane.marks)
    async for records, _ in log.read(HOUSEHOLD_FACTS, place.partition, max(start, first), end):
        advance(marks, records)
    return marks


def advance(marks: Marks, records: Iterable[Any]) -> None:
    """Move marks over records of ``household.facts``."""
    for record in records:
        try:
            message = decode_household_record(record.value)
        except msgspec.DecodeError:  # its stage sets it aside
            continue
        if not isinstance(message, Tick | Activate) and message.number > marks.get(message.channel, _NONE):
            marks[message.channel] = message.number


class Missing:
    """Tells what of a replay's sends is not on the topics.

    Args:
        warned: :func:`last_warnings`.
        marks: :func:`last_marks` of each partition of ``household.facts``.
    """

    def __init__(self, warned: dict[str, int], marks: Sequence[Marks]) -> None:
        self._warned = warned
        self._marks = marks
        self._places: dict[bytes, int] = {}

    def of(self, sends: Iterable[Sending], channel: str, next_offset: int) -> list[Sending]:
        """What is missing, in order.

        Args:
            channel, next_offset: all hop records in ``sends`` are numbered on this channel, below this.
        """
        later = (next_offset, -1)
        is_behind = [marks.get(channel, _NONE) >= later for marks in self._marks]
        out = []
        for one in sends:
            topic, key, value = one[:3]
            if topic == WARNINGS:
                assert key is not None
                household = key.decode()
                number = number_of(household, value)
                if number is not None and number <= self._warned.get(household, 0):
                    continue
            elif topic == HOUSEHOLD_FACTS:
                assert key is not None
                assert value is not None
                place = self._place(key)
                if is_behind[place]:
                    continue
                message = decode_household_record(value)
                assert not isinstance(message, Tick | Activate)
                if message.number <= self._marks[place].get(message.channel, _NONE):
                    continue
            out.append(one)
        return out

    def _place(self, key: bytes) -> int:
        place = self._places.get(key)
        if place is None:
            if len(self._places) > 1_000_000:
                self._places.clear()
            place = self._places[key] = partition_of(key, len(self._marks))
        return place


async def not_set_aside(log: Log, failures: Sequence[Failure]) -> list[Failure]:
    """Those failures of which ``deadletters`` has no letter yet."""
    if not failures:
        return []
    known: set[Origin] = set()
    for partition in range(await log.count(DEADLETTERS)):
        async for records, _ in log.read(DEADLETTERS, partition, *await log.bounds(DEADLETTERS, partition)):
            for record in records:
                headers = {name: value or b"" for name, value in record.headers}
                if headers.get(REASON) == INTERNAL_ERROR.encode():
                    known.add(
                        Origin(
                            headers[ORIGIN_TOPIC].decode(),
                            int(headers[ORIGIN_PARTITION]),
                            int(headers[ORIGIN_OFFSET]),
                        )
                    )
    return [
        one for one in failures if (one.origin or Origin(one.topic, one.partition, one.offset)) not in known
    ]
