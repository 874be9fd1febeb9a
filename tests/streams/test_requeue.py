"""Requeueing of what was set aside (events, section 3), on a real broker."""

from __future__ import annotations

import io
import sys
from functools import partial

import pytest

from deploy.local import Stack
from hearthwatch.cli import deadletters as command
from hearthwatch.cli import run
from streams import kafka_clients, topics
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import DeadLetter, dead_letter_headers, read_dead_letter
from streams.kafka_clients import Connection
from streams.requeue import requeue
from tests.publish.broker import read_to_end
from tests.streams.wire import THEN_MS

RECORDS = [(b"\xff0", b"k0", [("a", b"\xfe"), ("a", b"")]), (b"1", None, []), (b"2", b"", [("b", b"x")])]


@pytest.fixture
def connection(stack: Stack) -> Connection:
    return Connection(stack.kafka_bootstrap)


def life(connection: Connection, topic: str) -> None:
    """A topic with :data:`RECORDS` on its partition 1."""
    settings = {
        "message.timestamp.type": "CreateTime",
        "message.timestamp.before.max.ms": "9223372036854775807",
        "retention.ms": "-1",  # the records are years old
    }
    topics.create(connection, [topics.Topic(topic, 2, 1, settings, "originals of a test")])
    producer = kafka_clients.producer(connection)
    try:
        for number, (value, key, headers) in enumerate(RECORDS):
            producer.send(
                topic, value=value, key=key, headers=headers, partition=1, timestamp_ms=THEN_MS + number
            ).get(10)
    finally:
        producer.close()


def letter(topic: str, offset: int, reason: str = "internal-error") -> DeadLetter:
    """A dead letter; its own bytes are not what is sent."""
    headers = dead_letter_headers(
        [], topic=topic, partition=1, offset=offset, reason=reason, message="$: failed"
    )
    return read_dead_letter(partition=0, offset=0, timestamp_ms=0, key=None, value=b"?", headers=headers)


def sent_again(connection: Connection, topic: str) -> list[tuple[object, ...]]:
    """What stands on the topic behind the originals."""
    consumer = kafka_clients.consumer(connection, auto_offset_reset="earliest")
    try:
        records = read_to_end(consumer, topic)
    finally:
        consumer.close()
    return [
        (record.partition, record.value, record.key, list(record.headers), record.timestamp)
        for record in records[len(RECORDS) :]
    ]


def test_the_original_is_sent_as_it_was_and_each_origin_once(connection: Connection) -> None:
    topic = "life.test-requeue"
    life(connection, topic)
    results = list(requeue(connection, [letter(topic, 2), letter(topic, 0), letter(topic, 2)]))
    assert [why for _, why in results] == ["", ""]
    assert sent_again(connection, topic) == [
        (1, b"2", b"", [("b", b"x")], THEN_MS + 2),
        (1, b"\xff0", b"k0", [("a", b"\xfe"), ("a", b"")], THEN_MS),
    ]


def test_what_cannot_be_sent_says_why_and_stops_nothing(connection: Connection) -> None:
    topic = "life.test-requeue-gone"
    life(connection, topic)
    plain = read_dead_letter(partition=0, offset=0, timestamp_ms=0, key=None, value=None, headers=[])
    results = list(
        requeue(connection, [letter(topic, 99), letter("life.nowhere", 0), plain, letter(topic, 1)])
    )
    why = [text for _, text in results]
    assert why[0] == why[1] == "the original is not kept any more: the department has to send the event again"
    assert why[2:] == ["the record names no origin: it is no dead letter", ""]
    assert [value for _, value, *_ in sent_again(connection, topic)] == [b"1"]


def test_the_command(
    stack: Stack,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    topic, dead = "life.test-requeue-command", "test-requeue-dead"
    life(connection, topic)
    topics.create(connection, [topics.Topic(dead, 1, 1, {}, "dead letters of a test")])
    producer = kafka_clients.producer(connection)
    try:
        # The first is there twice, as after a crash.
        for offset, reason in (
            (0, "internal-error"), (1, "bad-data"), (77, "internal-error"), (0, "internal-error"),
        ):  # fmt: skip
            headers = dead_letter_headers(
                [], topic=topic, partition=1, offset=offset, reason=reason, message="$: failed"
            )
            producer.send(dead, value=b"?", headers=headers).get(10)
    finally:
        producer.close()
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
    monkeypatch.setattr(command, "read_dead_letters", partial(read_dead_letters, topic=dead))
    assert run(["deadletters", "requeue", "--dry-run"]) == 0
    assert capsys.readouterr().out.endswith("2 would be sent again.\n")
    assert sent_again(connection, topic) == []
    assert run(["deadletters", "requeue", "--yes"]) == 1
    told = capsys.readouterr()
    assert told.out == "1 sent again, 1 not.\n"
    assert told.err.startswith(f"{topic}/1@77: the original is not kept any more")
    assert run(["deadletters", "requeue", "--yes", "--reason", "bad-data"]) == 0
    assert run(["deadletters", "requeue", "--yes", "--reason", "bad-time"]) == 0
    assert [value for _, value, *_ in sent_again(connection, topic)] == [b"\xff0", b"1"]


def test_a_requeue_without_a_terminal_sends_nothing_and_names_yes(
    stack: Stack,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    topic = "life.test-requeue-unasked"
    life(connection, topic)
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
    monkeypatch.setattr(command, "read_dead_letters", lambda *_, **__: iter([letter(topic, 0)]))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert run(["deadletters", "requeue"]) == 2
    assert capsys.readouterr().err.endswith("this sends 1 event again: say so with --yes\n")
    assert sent_again(connection, topic) == []
