"""The whole program on its real stack: Redis lost and made again, Kafka restored from a copied folder."""

from __future__ import annotations

import json
import shutil
import time
from collections import defaultdict
from collections.abc import Iterator

import kafka
import pytest
import redis

from streams import kafka_clients
from streams.kafka_clients import Connection
from streams.snapshots import snapshot_topic
from streams.warnings_topic import read_warning
from tests.operations.test_up import DEADLINE_SECONDS, ROOT, Program

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("rebuild"))
    program.environment["HEARTHWATCH_SNAPSHOT_SECONDS"] = "1"
    yield program
    program("down")


def connection(program: Program) -> Connection:
    return Connection(f"127.0.0.1:{program.environment['HEARTHWATCH_KAFKA_PORT']}")


def publish(program: Program, part: int) -> None:
    """Some of the stories' events, in order of arrival, and the days up to the last of them."""
    whole = program.folder / "stories.jsonl"
    if not whole.exists():
        program("story", "events", str(ROOT / "examples" / "stories"), "--out", str(whole))
    lines = whole.read_text("utf-8").splitlines(keepends=True)
    bounds = [0, len(lines) * 89 // 100, len(lines) * 95 // 100, len(lines)]
    mine = lines[bounds[part] : bounds[part + 1]]
    path = program.folder / f"part-{part}.jsonl"
    path.write_text("".join(mine), "utf-8")
    program("publish", str(path), "--clock", "log")
    program("tick", "--until", json.loads(mine[-1])["time"][:10])


def warnings(program: Program) -> dict[str, list[int]]:
    """All numbers on the topic, repeats too, by household."""
    found = defaultdict(list)
    consumer = kafka_clients.consumer(connection(program))
    try:
        places = [kafka.TopicPartition("warnings", n) for n in consumer.partitions_for_topic("warnings")]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        while any(consumer.position(place) < ends[place] for place in places):
            for records in consumer.poll(timeout_ms=1_000).values():
                for record in records:
                    one = read_warning(record.value)
                    assert one is not None
                    found[one.household].append(one.number)
    finally:
        consumer.close()
    return found


def each_once(program: Program) -> int:
    """How many warnings there are; each household's are 1, 2, 3 and so on, none twice."""
    found = warnings(program)
    for household, numbers in found.items():
        assert numbers == list(range(1, len(numbers) + 1)), household
    return sum(map(len, found.values()))


def until_snapshots(program: Program) -> None:
    """Wait until both partitions of the households have their own snapshot."""
    topic = snapshot_topic("household")
    consumer = kafka_clients.consumer(connection(program))
    until = time.monotonic() + DEADLINE_SECONDS
    seen = set()
    try:
        places = [kafka.TopicPartition(topic, number) for number in range(2)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        while len(seen) < 2:
            assert time.monotonic() < until
            for place, records in consumer.poll(timeout_ms=500).items():
                if any(record.key.startswith(b"@") for record in records):
                    seen.add(place.partition)
    finally:
        consumer.close()


def until_snapshots_hold_all(program: Program) -> None:
    """Wait until the snapshots of the households are as far as their logs: none is taken after this."""
    until = time.monotonic() + DEADLINE_SECONDS
    while True:
        rows = json.loads(program("rebuild", "--verify", "--json"))
        homes = [row for row in rows if row["stage"] == "household"]
        if all(row["is_from_snapshot"] and row["start"] == row["end"] for row in homes):
            return
        assert time.monotonic() < until, homes


def valkey(program: Program) -> redis.Redis:
    return redis.Redis(port=int(program.environment["HEARTHWATCH_VALKEY_PORT"]))


def nothing_is_told_of_a_lost_redis(program: Program) -> None:
    """An empty Redis seems to hold no case and no household: who asks is told of the loss instead."""
    for asked in (
        ["case", "list"],
        ["case", "show", "H-1001-1"],
        ["household", "show", "H-1001"],
        ["policy", "status"],
        ["ledger", "show"],
        ["tick", "--until", "2027-01-01"],
    ):
        said = program(*asked, expect=1)
        assert "Redis has lost its data" in said, asked
        assert "hearthwatch rebuild" in said, asked


def test_redis_is_lost_and_made_again(program: Program) -> None:
    """Promise 4: stop, wipe, rebuild, go on; a consumer that keeps the last id sees each warning once."""
    program("up", "--detach", "--clock", "log")
    publish(program, 0)
    until_snapshots(program)
    before = each_once(program)
    assert before > 0
    program("down", "--keep-servers")
    with valkey(program) as server:
        server.flushall()
    nothing_is_told_of_a_lost_redis(program)
    assert "hearthwatch rebuild" in program("up", "--detach", "--clock", "log", expect=1)
    rows = json.loads(program("rebuild", "--json"))
    homes = [row for row in rows if row["stage"] == "household"]
    assert [row["partition"] for row in homes] == [0, 1]
    assert all(row["is_from_snapshot"] for row in homes)
    assert {row["stage"] for row in rows} == {"intake", "person", "household", "forward", "cases"}
    assert "nothing to rebuild" in program("rebuild")
    said = program("rebuild", "--verify")
    assert said.count(" what a rebuild makes") == 6
    program("up", "--detach", "--clock", "log")
    publish(program, 1)
    assert each_once(program) > before


def test_verify_names_what_differs_and_a_partition_is_mended_while_workers_run(program: Program) -> None:
    # A snapshot taken after the loss would hold the loss, and find nothing amiss.
    until_snapshots_hold_all(program)
    with valkey(program) as server:
        states = {n: f"{{hearthwatch:household:household.facts:{n}}}:states" for n in range(2)}
        number = max(states, key=lambda n: server.hlen(states[n]))
        key = min(server.hkeys(states[number])).decode()
        server.hdel(states[number], key)
    said = program("rebuild", "--verify", expect=1)
    assert f"household {key}: live there is none, rebuilt there is one" in said
    assert "--partition needs --stage" in program("rebuild", "--partition", str(number), expect=2)
    program("rebuild", "--stage", "household", "--partition", str(number))
    program("rebuild", "--verify", "--from-log")
    program.until_ready()
    publish(program, 2)
    each_once(program)


def test_kafka_is_restored_from_a_copied_folder_and_redis_follows(program: Program) -> None:
    """docs/how-to/backup-and-restore.md, step by step."""
    told = each_once(program)
    program("down")
    data = program.folder / "data" / "local"
    shutil.copytree(data / "kafka", program.folder / "backup")
    shutil.rmtree(data / "kafka")
    shutil.rmtree(data / "valkey")
    shutil.copytree(program.folder / "backup", data / "kafka")
    program("local", "up")
    program("rebuild")
    program("rebuild", "--verify")
    program("up", "--detach", "--clock", "log")
    program("tick", "--until", "2027-12-31")
    assert each_once(program) >= told


def test_the_number_of_partitions_is_changed(program: Program) -> None:
    """docs/how-to/change-partitions.md, step by step."""
    told = each_once(program)
    assert "workers are running" in program("repartition", "--household", "3", "--yes", expect=2)
    program("down", "--keep-servers")
    assert "household.facts has 3 partitions" in program("repartition", "--household", "3", "--yes")
    # The log begins anew here: nothing may take it for all that there was.
    said = program("rebuild", "--stage", "household", "--partition", "1", "--from-log", expect=1)
    assert "began it anew" in said
    assert "leave out --from-log" in said
    assert "began it anew" in program("rebuild", "--verify", "--stage", "household", "--from-log", expect=1)
    assert "The log began anew at the repartition of 20" in program(
        "log", "export", "--household", "H-1001", expect=1
    )
    said = program("up", "--detach", "--clock", "log", expect=2)
    assert "set HEARTHWATCH_HOUSEHOLD_PARTITIONS=3" in said
    assert "Kafka's own tools" not in said
    program.environment["HEARTHWATCH_HOUSEHOLD_PARTITIONS"] = "3"
    program("topics", "describe", "--clock", "log")
    program("rebuild", "--verify")
    program("up", "--detach", "--clock", "log")
    program("tick", "--until", "2028-01-31")
    assert each_once(program) >= told
    program("down", "--keep-servers")
    # By hand, as the page says not to: the setting does not mend that.
    with kafka_clients.admin(connection(program)) as admin:
        admin.create_partitions({"household.facts": kafka.admin.NewPartitions(4)})
    said = program("up", "--detach", "--clock", "log", expect=2)
    assert "by other means than `hearthwatch repartition`" in said
    assert "set HEARTHWATCH_HOUSEHOLD_PARTITIONS" not in said
