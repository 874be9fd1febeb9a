"""Fetches in a session name what has changed; whatever goes wrong, the next one is a full one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest, FetchRequest_v4, FetchRequest_v11

from streams.fetch_sessions import FetchSession, InSession

Offsets = dict[tuple[str, int], int]


def full(offsets: Offsets) -> FetchRequest:
    topics: dict[str, list[tuple[int, int, int]]] = {}
    for (topic, partition), offset in offsets.items():
        topics.setdefault(topic, []).append((partition, offset, 1_000))
    return FetchRequest(500, 1, 50_000, 0, list(topics.items()), rack_id="here")


def named(request: InSession, version: Any = FetchRequest_v11) -> tuple[Any, ...]:
    """Session, epoch, offsets and forgotten partitions that go out."""
    struct = request.build(version)
    assert type(struct).decode(struct.encode()) == struct
    offsets = {
        (topic, partition): offset
        for topic, partitions in struct.topics
        for partition, _, offset, _, _ in partitions
    }
    forgotten = {(topic, number) for topic, numbers in struct.forgotten_topics_data for number in numbers}
    assert (struct.max_wait_time, struct.min_bytes, struct.rack_id) == (500, 1, "here")
    return struct.session_id, struct.session_epoch, offsets, forgotten


def answer(id: int, error: int = 0) -> Any:
    return SimpleNamespace(session_id=id, error_code=error)


def exchange(session: FetchSession, offsets: Offsets, id: int = 7) -> tuple[Any, ...]:
    request = session.request(full(offsets))
    sent = named(request)
    assert session.answered(request, answer(id))
    return sent


def test_the_first_names_all_and_later_ones_what_changed() -> None:
    session = FetchSession()
    assert exchange(session, {("a", 0): 1, ("a", 1): 2, ("b", 0): 3}) == (
        0, 0, {("a", 0): 1, ("a", 1): 2, ("b", 0): 3}, set(),
    )  # fmt: skip
    assert exchange(session, {("a", 0): 1, ("a", 1): 5, ("b", 0): 3}) == (7, 1, {("a", 1): 5}, set())
    assert exchange(session, {("a", 0): 1, ("a", 1): 5, ("b", 0): 3}) == (7, 2, {}, set())


def test_partitions_that_are_not_wanted_are_forgotten_and_may_come_back() -> None:
    session = FetchSession()
    exchange(session, {("a", 0): 1, ("b", 0): 3})
    assert exchange(session, {("a", 0): 1}) == (7, 1, {}, {("b", 0)})
    assert exchange(session, {("a", 0): 1, ("b", 0): 3}) == (7, 2, {("b", 0): 3}, set())


def test_a_fetch_without_an_answer_ends_the_session() -> None:
    """A new one takes its place, so that the broker does not keep the old one."""
    session = FetchSession()
    exchange(session, {("a", 0): 1})
    named(session.request(full({("a", 0): 2})))
    assert exchange(session, {("a", 0): 2}) == (7, 0, {("a", 0): 2}, set())


@pytest.mark.parametrize("error", [70, 71])
def test_a_session_that_the_broker_has_lost_is_begun_anew(error: int) -> None:
    session = FetchSession()
    exchange(session, {("a", 0): 1})
    request = session.request(full({("a", 0): 2}))
    named(request)
    assert not session.answered(request, answer(0, error))
    assert exchange(session, {("a", 0): 2}, id=9) == (0, 0, {("a", 0): 2}, set())
    assert exchange(session, {("a", 0): 3}, id=9) == (9, 1, {("a", 0): 3}, set())


def test_a_broker_that_keeps_no_session_is_always_told_all() -> None:
    session = FetchSession()
    for offset in range(3):
        assert exchange(session, {("a", 0): offset, ("b", 0): 1}, id=0) == (
            0, 0, {("a", 0): offset, ("b", 0): 1}, set(),
        )  # fmt: skip


def test_an_older_broker_is_asked_as_before() -> None:
    session = FetchSession()
    for offset in range(2):
        request = session.request(full({("a", 0): offset, ("b", 1): 4}))
        struct = request.build(FetchRequest_v4)
        assert dict(struct.topics) == {"a": [(0, offset, 1_000)], "b": [(1, 4, 1_000)]}
        assert session.answered(request, SimpleNamespace())


def test_epochs_go_round_and_leave_out_0() -> None:
    session = FetchSession()
    exchange(session, {("a", 0): 1})
    session.epoch = 2**31 - 1
    exchange(session, {("a", 0): 1})
    assert session.epoch == 1
