"""Publishing files to a real broker: every line arrives or is kept, through interruptions and outages."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from streams.errors import BrokerUnavailableError, InputError, PublishTimeoutError
from streams.kafka_clients import Connection
from streams.outgoing import Refused
from streams.position import Position
from streams.publish import Publisher
from streams.publish_file import Brake, Interrupted, Summary, publish_file
from tests.publish.broker import Broker, events, written


def publish(broker: Broker, file: Path, tmp_path: Path, *, seconds: float = 20.0, **options: Any) -> Summary:
    """Publish a file the way the command does."""
    with (
        Publisher(broker.connection, clock="log", timeout_seconds=seconds) as publisher,
        file.open("rb") as source,
    ):
        position = Position(tmp_path / "state", file, publisher.cluster)
        return publish_file(
            publisher,
            source,
            name=file.name,
            position=position,
            rejects=tmp_path / "rejects.jsonl",
            **options,
        )


def ids(broker: Broker, topic: str) -> Counter[str]:
    return Counter(json.loads(record.value)["id"] for record in broker.records(topic))


def stop_after(lines: int, brake: Brake) -> Any:
    """A progress callback that pulls the brake after some lines."""
    seen = 0

    def progress(count: int, _: int) -> None:
        nonlocal seen
        seen += count
        if seen == lines:
            brake.pull()

    return progress


def test_every_line_arrives_once_keyed_by_subject(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    summary = publish(broker, written(tmp_path / "e.jsonl", events(department, 500)), tmp_path)
    assert (summary.published, summary.line, summary.rejected, summary.rejects) == (500, 500, Counter(), None)
    records = broker.records(life)
    assert ids(broker, life) == Counter({f"e{number}": 1 for number in range(500)})
    assert {record.timestamp for record in records} == {1709251200000}
    places: dict[bytes, set[int]] = {}
    order: dict[bytes, list[int]] = {}
    for record in records:
        places.setdefault(record.key, set()).add(record.partition)
        order.setdefault(record.key, []).append(json.loads(record.value)["data"]["number"])
    assert set(places) == {f"person/p{number}".encode() for number in range(10)}
    assert all(len(partitions) == 1 for partitions in places.values())
    assert all(numbers == sorted(numbers) for numbers in order.values())


def test_lines_that_cannot_be_sent_are_kept_with_number_and_reason(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    good = events(department, 4)
    huge = json.dumps({"source": f"/tests/{department}", "data": "x" * 10_000_000}).encode() + b"\n"
    lines = [
        good[0],
        b'{"source": "/tes\n',
        b" \t\r\n",
        good[1],
        huge,
        b"\xff\xfe\n",
        good[2],
        b"[]\n",
        good[3][:-1],
    ]
    summary = publish(broker, written(tmp_path / "e.jsonl", lines), tmp_path)
    assert summary.published == 4
    assert summary.rejected == {"not-json": 2, "too-large": 1, "not-cloudevent": 1}
    assert summary.blank == 1
    kept = [json.loads(row) for row in (tmp_path / "rejects.jsonl").read_bytes().splitlines()]
    assert [(row["line"], row["reason"]) for row in kept] == [
        (2, "not-json"),
        (5, "too-large"),
        (6, "not-json"),
        (8, "not-cloudevent"),
    ]
    assert kept[1]["text"].encode() + b"\n" == huge
    assert base64.b64decode(kept[2]["base64"]) == b"\xff\xfe"
    assert ids(broker, life) == Counter(["e0", "e1", "e2", "e3"])


def test_a_refusal_by_the_broker_stops_before_its_line_and_the_next_run_knows_the_new_limit(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    large = json.dumps({"source": f"/t/{department}", "id": "large", "d": "x" * 3_000_000}).encode() + b"\n"
    file = written(tmp_path / "e.jsonl", [*events(department, 3), large, *events(department, 3, 3)])
    with Publisher(broker.connection, clock="log") as publisher, file.open("rb") as source:
        # As if the topic's limit had been lowered after the start.
        publisher._addresser._limits = {life: 100_000_000}
        publisher._producer.config["max_request_size"] = 100_000_000
        position = Position(tmp_path / "state", file, publisher.cluster)
        with pytest.raises(PublishTimeoutError, match=r"the broker refuses a record: .*TooLarge"):
            publish_file(publisher, source, name="-", position=position, rejects=tmp_path / "rejects.jsonl")
    summary = publish(broker, file, tmp_path)
    assert summary.rejected == {"too-large": 1}
    assert set(ids(broker, life)) == {f"e{number}" for number in range(6)}


def test_an_interrupted_run_goes_on_where_it_stopped(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.jsonl", events(department, 3000))
    brake = Brake()
    with pytest.raises(Interrupted) as stopped:
        publish(broker, file, tmp_path, brake=brake, progress=stop_after(1200, brake))
    assert stopped.value.summary.line == 1200
    assert len(list((tmp_path / "state").iterdir())) == 1
    summary = publish(broker, file, tmp_path)
    assert (summary.resumed_after, summary.published, summary.line) == (1200, 1800, 3000)
    assert ids(broker, life) == Counter({f"e{number}": 1 for number in range(3000)})
    assert list((tmp_path / "state").iterdir()) == []


def test_a_file_that_is_through_is_published_once_more_when_asked_again(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.jsonl", events(department, 5))
    publish(broker, file, tmp_path)
    assert publish(broker, file, tmp_path).published == 5
    assert set(ids(broker, life).values()) == {2}


def test_a_dead_broker_leaves_a_position_and_no_line_is_lost(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.jsonl", events(department, 3000))
    with broker.away(), pytest.raises(PublishTimeoutError) as told:
        # The first connection needs a broker, so it hangs only once lines flow.
        publish_while_it_hangs(broker, file, tmp_path)
    assert "published up to line" in str(told.value)
    assert "run the same command again to go on from there" in str(told.value)
    assert "\n" not in str(told.value)
    summary = publish(broker, file, tmp_path)
    assert summary.resumed_after + summary.published == 3000
    assert set(ids(broker, life)) == {f"e{number}" for number in range(3000)}


def publish_while_it_hangs(broker: Broker, file: Path, tmp_path: Path) -> Summary:
    import os
    import signal

    os.kill(broker.pid, signal.SIGCONT)
    seen = 0

    def progress(count: int, _: int) -> None:
        nonlocal seen
        seen += count
        if seen == 1000:
            os.kill(broker.pid, signal.SIGSTOP)

    return publish(broker, file, tmp_path, seconds=2.0, progress=progress)


def test_a_file_that_changed_meanwhile_starts_again_and_says_so(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "e.jsonl", events(department, 100))
    brake = Brake()
    with pytest.raises(Interrupted):
        publish(broker, file, tmp_path, brake=brake, progress=stop_after(50, brake))
    written(file, events(department, 20, first=1000))
    summary = publish(broker, file, tmp_path)
    assert summary.published == 20
    assert "starts from the beginning" in summary.note


def test_an_empty_file_publishes_nothing(broker: Broker, life: str, tmp_path: Path) -> None:
    summary = publish(broker, written(tmp_path / "e.jsonl", []), tmp_path)
    assert (summary.published, summary.line) == (0, 0)


def test_binary_mode_arrives_as_headers_and_body(
    broker: Broker, life: str, department: str, tmp_path: Path
) -> None:
    with Publisher(broker.connection, mode="binary", clock="log") as publisher:
        assert publisher.send([events(department, 1)[0].rstrip()]) == [None]
    (record,) = broker.records(life)
    assert record.value == b'{"number": 0}'
    assert dict(record.headers)["ce_id"] == b"e0"
    assert dict(record.headers)["content-type"] == b"application/json"


def test_sending_a_few_lines_says_which_were_refused(broker: Broker, life: str, department: str) -> None:
    with Publisher(broker.connection, clock="log") as publisher:
        results = publisher.send([events(department, 1)[0], b"{}", events(department, 1, 1)[0]])
    assert results[0] is None
    assert results[2] is None
    assert isinstance(results[1], Refused)
    assert results[1].reason == "no-topic"
    assert ids(broker, life) == Counter(["e0", "e1"])


def test_rejects_that_cannot_be_kept_stop_the_run(broker: Broker, life: str, tmp_path: Path) -> None:
    file = written(tmp_path / "e.jsonl", [b"{\n"])
    (tmp_path / "rejects.jsonl").mkdir()
    with pytest.raises(InputError, match="rejected lines cannot be kept there"):
        publish(broker, file, tmp_path)


def test_a_topic_that_is_not_there_is_named(broker: Broker) -> None:
    with pytest.raises(InputError, match=r"has no topic life\.nowhere"):
        Publisher(broker.connection, topic="life.nowhere")


def test_a_broker_that_is_not_there_is_one_clear_line() -> None:
    with pytest.raises(BrokerUnavailableError) as told:
        Publisher(Connection("127.0.0.1:1", timeout_seconds=0.5))
    assert "no Kafka broker answers at 127.0.0.1:1" in str(told.value)
    assert "\n" not in str(told.value)
