"""Slices of the log: what one fetch brings of one partition, and who decides where a partition starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from faust.types import TP


class PartitionOwner(Protocol):
    """Who knows where partitions start and finishes what was begun; the agents' side of the transport."""

    async def claim(self, partitions: Iterable[TP], generation: int) -> Mapping[TP, int]:
        """Take partitions over; the next offset of each.

        A partition that is left out stays paused until :meth:`Consumer.reclaim` is called for it.
        """

    def admit(self, tp: TP, offset: int, earliest: int, end: int) -> bool:
        """Whether the log, which goes from ``earliest`` to ``end``, fits a claimed offset; False stops it."""

    async def drain(self) -> None:
        """Begin nothing more and wait for what runs: partitions are about to be revoked."""

    def keep_only(self, partitions: Iterable[TP]) -> None:
        """An assignment came: everything else belongs to others now."""


class Seat:
    """One stay at a partition, from a seek to the next one.

    Attributes:
        gap: where a fetch began that passed over some offsets, until another one shows the same.
    """

    __slots__ = ("gap", "outstanding", "position", "seeked", "tp")

    def __init__(self, tp: TP, position: int, seeked: int) -> None:
        self.tp = tp
        self.position = position
        self.seeked = seeked
        self.outstanding = 0
        self.gap: int | None = None


class Slice:
    """The records of one partition in one fetch: what the log holds in ``[start, next)``.

    Attributes:
        records: see :class:`streams.fetched.PlainRecords`; at least one, by offset; compaction and
            transactions leave gaps.
        generation: of the consumer group, when they were fetched.
    """

    __slots__ = ("generation", "next", "records", "seat", "start", "tp")

    def __init__(self, seat: Seat, records: list[Any], generation: int) -> None:
        self.seat = seat
        self.tp = seat.tp
        self.start = seat.position
        self.records = records
        self.next: int = records[-1].offset + 1
        self.generation = generation

    def __len__(self) -> int:
        return len(self.records)


Batch = list[Slice]
