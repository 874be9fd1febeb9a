"""Records that aiokafka has read stay as they are: the same ones, with the same contents."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchError, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import ConsumerRecord, TopicPartition

from streams.fetched import Fetched, PlainRecords

TP = TopicPartition("household.facts", 3)
#: Of attributes in a batch's header (KIP-98).
CONTROL = 0x20
COMPRESSED = (0, 1)  # not at all, and gzip
_CRC_AT, _ATTRIBUTES_AT = 17, 21

Sent = tuple[bytes | None, bytes | None, list[tuple[str, bytes | None]]]

SENT: list[Sent] = [
    (b"h-1", b"one", []),
    (None, b"", [("origin", b"life.health 0 7"), ("origin", b"twice"), ("none", None)]),
    (b"", None, []),
    (b"h-2", b"four" * 300, [("a", b"")]),
    (b"h-3", b"five", []),
]


def batch(base: int, sent: Sequence[Sent], *, compression: int = 0, attributes: int = 0) -> bytes:
    """A record batch as it lies in the log, from this offset on."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=compression, is_transactional=0, producer_id=5, producer_epoch=0,
        base_sequence=0, batch_size=100_000,
    )  # fmt: skip
    for at, (key, value, headers) in enumerate(sent):
        assert builder.append(at, 1_000 + at, key, value, headers) is not None
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base)
    if attributes:
        (held,) = struct.unpack_from(">h", built, _ATTRIBUTES_AT)
        struct.pack_into(">h", built, _ATTRIBUTES_AT, held | attributes)
    return bytes(built)


class Assignment:
    """A partition that is ours, and how far it was read."""

    active = True
    paused = False

    def __init__(self, position: int) -> None:
        self.position = position

    def state_value(self, tp: TopicPartition) -> Assignment:
        assert tp == TP
        return self

    def consumed_to(self, position: int) -> None:
        self.position = position


def answer(log: bytes, position: int, *, checks: bool = False) -> tuple[FetchResult, Assignment]:
    """What aiokafka's fetcher makes of an answer."""
    assignment = Assignment(position)
    records = PartitionRecords(TP, MemoryRecords(log), [], position, None, None, checks, 0)
    return FetchResult(TP, assignment=assignment, partition_records=records, backoff=0), assignment


def plain(log: bytes, position: int, *, checks: bool = False) -> tuple[FetchResult, Assignment]:
    result, assignment = answer(log, position, checks=checks)
    fetched = Fetched()
    fetched[TP] = result
    assert fetched[TP] is result
    return result, assignment


def contents(record: Any) -> tuple[Any, ...]:
    return record.offset, record.timestamp, record.key, record.value, tuple(record.headers)


@pytest.mark.parametrize("compression", COMPRESSED)
def test_a_record_has_what_aiokafkas_own_has(compression: int) -> None:
    log = batch(40, SENT, compression=compression) + batch(45, SENT[:2], compression=compression)
    theirs, ours = answer(log, 40)[0].getall(), plain(log, 40)[0].getall()
    assert [contents(record) for record in ours] == [contents(record) for record in theirs]
    assert [record.offset for record in ours] == list(range(40, 47))
    assert {type(record) for record in theirs} == {ConsumerRecord}
    assert not any(isinstance(record, ConsumerRecord) for record in ours)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_an_answer_taken_in_pieces_is_the_same(most: int) -> None:
    log = batch(7, SENT) + batch(12, SENT[:3])
    (theirs, at_theirs), (ours, at_ours) = answer(log, 7), plain(log, 7)
    taken = []
    while ours.has_more():
        some, same = ours.getall(most), theirs.getall(most)
        assert [contents(record) for record in some] == [contents(record) for record in same]
        assert len(some) <= most
        assert at_ours.position == at_theirs.position
        taken += some
    assert not theirs.has_more()
    assert [record.offset for record in taken] == list(range(7, 15))
    assert at_ours.position == 15


def test_what_lies_before_the_position_is_passed_over() -> None:
    """A compressed batch comes as a whole, also where the position is in its midst."""
    result, assignment = plain(batch(40, SENT, compression=1), 43)
    assert [record.offset for record in result.getall()] == [43, 44]
    assert assignment.position == 45


def test_control_records_are_passed_over() -> None:
    marker: Sent = (struct.pack(">hh", 0, 1), b"\0" * 6, [])
    log = batch(7, SENT[:2]) + batch(9, [marker], attributes=CONTROL) + batch(10, SENT[:1])
    result, assignment = plain(log, 7)
    assert [record.offset for record in result.getall()] == [7, 8, 10]
    assert assignment.position == 11


def test_a_wrong_checksum_is_refused() -> None:
    log = bytearray(batch(7, SENT))
    log[_CRC_AT] ^= 0xFF
    with pytest.raises(CorruptRecordException):
        plain(bytes(log), 7, checks=True)[0].getall()
    with pytest.raises(CorruptRecordException):
        answer(bytes(log), 7, checks=True)[0].getall()


def test_an_answer_that_is_not_wanted_any_more_gives_nothing() -> None:
    result, assignment = plain(batch(7, SENT), 7)
    assignment.position = 9  # there was a seek
    assert result.getall() == []
    assert not result.has_more()


def test_errors_stay_as_they_are() -> None:
    fetched = Fetched()
    error = FetchError(error=CorruptRecordException(), backoff=0)
    fetched[TP] = error
    assert fetched[TP] is error
    assert list(fetched) == [TP]


def test_one_by_one_they_come_as_well() -> None:
    result, assignment = plain(batch(7, SENT[:2]), 7)
    assert isinstance(result._partition_records, PlainRecords)
    first, second = result.getone(), result.getone()
    assert (first.offset, second.offset) == (7, 8)
    assert assignment.position == 9
    assert result.getone() is None
