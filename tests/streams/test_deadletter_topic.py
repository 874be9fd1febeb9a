"""Reading the topic of dead letters, on a real broker."""

from __future__ import annotations

import json
from functools import partial

import pytest

from deploy.local import Stack
from hearthwatch.cli import deadletters as command
from hearthwatch.cli import run
from streams import kafka_clients, topics
from streams.deadletter_topic import read_dead_letters
from streams.deadletters import DeadLetter, dead_letter_headers
from streams.errors import InputError
from streams.kafka_clients import Connection
from tests.streams.wire import THEN_MS


@pytest.fixture
def connection(stack: Stack) -> Connection:
    return Connection(stack.kafka_bootstrap)


def fill(connection: Connection, topic: str, partitions: int, count: int) -> None:
    """Dead letters 0 to count - 1, turn by turn over partitions; every third is ``not-json``."""
    kept = {"retention.ms": "-1"}  # the records are years old
    planned = topics.Topic(topic, partitions, 1, kept, "dead letters of a test")
    topics.create(connection, [planned])
    producer = kafka_clients.producer(connection)
    try:
        for number in range(count):
            headers = dead_letter_headers(
                [("x", b""), ("x", b"\xff")],
                topic=f"life.{'health' if number % 2 else 'housing'}",
                partition=2,
                offset=number,
                reason="bad-data" if number % 3 else "not-json",
                message="$: expected JSON in UTF-8",
            )
            producer.send(
                topic,
                key=None if number % 2 else b"\xfe",
                value=b"\xff%d" % number if number else None,
                headers=headers,
                partition=number % partitions,
                timestamp_ms=THEN_MS + number,
            ).get(10)
    finally:
        producer.close()


def offsets(letters: list[DeadLetter]) -> list[int]:
    return [letter.origin[2] for letter in letters if letter.origin is not None]


def test_all_and_the_last_and_the_filtered(connection: Connection) -> None:
    topic = "test-dead-letters"
    fill(connection, topic, 2, 30)
    everything = list(read_dead_letters(connection, topic=topic))
    assert sorted(offsets(everything)) == list(range(30))
    assert offsets(list(read_dead_letters(connection, topic=topic, last=4))) == [26, 27, 28, 29]
    wrong = list(read_dead_letters(connection, topic=topic, reason="not-json"))
    assert sorted(offsets(wrong)) == list(range(0, 30, 3))
    few = list(read_dead_letters(connection, topic=topic, reason="not-json", last=2))
    assert offsets(few) == [24, 27]
    health = list(read_dead_letters(connection, topic=topic, origin_topic="life.health", last=2))
    assert offsets(health) == [27, 29]


def test_key_value_and_headers_come_back_byte_for_byte(connection: Connection) -> None:
    topic = "test-dead-letter-bytes"
    fill(connection, topic, 1, 2)
    first, second = read_dead_letters(connection, topic=topic)
    assert (first.key, first.value) == (b"\xfe", None)
    assert (second.key, second.value) == (None, b"\xff1")
    assert second.headers == (("x", b""), ("x", b"\xff"))
    assert second.timestamp_ms == THEN_MS + 1


def test_an_empty_topic_has_none(connection: Connection) -> None:
    fill(connection, "test-no-dead-letters", 1, 0)
    assert list(read_dead_letters(connection, topic="test-no-dead-letters", last=5)) == []


def test_a_topic_that_is_not_there_is_bad_input(connection: Connection) -> None:
    with pytest.raises(InputError, match="has no topic test-nowhere: `hearthwatch topics create`"):
        list(read_dead_letters(connection, topic="test-nowhere"))


def test_the_command_reads_the_topic(
    stack: Stack,
    connection: Connection,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fill(connection, "test-dead-letter-command", 1, 1)
    ours = partial(read_dead_letters, topic="test-dead-letter-command")  # not the one that others fill
    monkeypatch.setattr(command, "read_dead_letters", ours)
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", stack.kafka_bootstrap)
    assert run(["deadletters", "list", "--json", "--all"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert [row["origin"] for row in rows] == [{"topic": "life.housing", "partition": 2, "offset": 0}]
