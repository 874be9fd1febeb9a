"""A rolling upgrade (docs/how-to/upgrade.md): workers of several real versions in one group."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from agents.ledger.packing import unpack
from tests.agents.activating import STRICTER
from tests.agents.desk import CASE
from tests.operations.test_activation import HOMES, SICK, publish, warnings, written
from tests.operations.test_up import DEADLINE_SECONDS, Program
from tests.rebuild.versions import RunningWorker, Version

pytestmark = [pytest.mark.timeout(400), pytest.mark.soak]

JOBLESS = {"type": "work.lost", "source": "/wuchang/human-resources", "data": {}}
INCOME = {"type": "income.assessed", "source": "/wuchang/civil-affairs", "data": {"monthly_yuan": 100}}


class Rolling:
    """An installation whose workers a test starts and stops one by one."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.environment = program.environment

    def worker(self, version: Version, stage: str, name: str) -> RunningWorker:
        """Start one, and wait until its consumer group has given it all that it is going to have."""
        return version.worker(self.environment, stage, name)

    def owners(self, stage: str) -> dict[int, str]:
        """Who has each partition of a stage, by the ledger."""
        rows = json.loads(self.program("ledger", "show", "--json"))
        return {one["partition"]: one.get("owner") for one in rows if one["stage"] == stage}

    def until_owned_by(self, stage: str, *names: str) -> None:
        """Wait until exactly these have the partitions of a stage."""
        until = time.monotonic() + DEADLINE_SECONDS
        while (found := set(self.owners(stage).values())) != set(names):
            assert time.monotonic() < until, found

    def formats(self) -> set[int]:
        """Of the households' states in Redis: 1, or the first byte of a later one."""
        found = set()
        with redis.Redis(port=int(self.environment["HEARTHWATCH_VALKEY_PORT"])) as server:
            for number in range(2):
                key = f"{{hearthwatch:household:household.facts:{number}}}:states"
                states = [unpack(raw) for raw in server.hvals(key)]
                found |= {1 if raw[0] >= 0x80 else raw[0] for raw in states}
        return found


@pytest.fixture
def rolling(tmp_path: Path) -> Iterator[Rolling]:
    """Founded by this version; no worker runs."""
    program = Program(tmp_path)
    program.environment["HEARTHWATCH_SNAPSHOT_SECONDS"] = "1"
    program.environment["HEARTHWATCH_CLOCK"] = "log"
    files = ("--policy", str(written(program, 1, (CASE / "policy.yaml").read_bytes())))
    program("up", "--detach", *files, "--catalog", str(CASE / "catalog.yaml"))
    publish(program, 0, SICK)
    program("down", "--keep-servers")
    yield Rolling(program)
    program("down")


@pytest.fixture
def versions(tmp_path: Path) -> Iterator[ExitStack]:
    """Ends the workers of the versions that a test makes."""
    with ExitStack() as stack:
        yield stack


def told(program: Program, changes: list[str]) -> None:
    """Each household was told of these changes, under the numbers 1, 2, 3 and so on, none twice."""
    found = warnings(program)
    assert len(found) == HOMES
    for household, several in found.items():
        assert [type for type, _ in several] == changes, household


def test_versions_replace_each_other_while_events_go_on(
    rolling: Rolling, versions: ExitStack, tmp_path: Path
) -> None:
    """This version, the next one (reads the new format) and the one after (writes it), two at a time."""
    program = rolling.program
    old = versions.enter_context(Version(tmp_path / "old"))
    following = versions.enter_context(Version(tmp_path / "next", reads=2))
    later = versions.enter_context(Version(tmp_path / "later", reads=2, writes=2))
    rolling.worker(following, "intake", "intake-a")
    persons = [rolling.worker(old, "person", "person-a"), rolling.worker(following, "person", "person-b")]
    homes = [
        rolling.worker(old, "household", "household-a"),
        rolling.worker(following, "household", "household-b"),
    ]
    rolling.until_owned_by("household", "household-a", "household-b")
    rolling.until_owned_by("person", "person-a", "person-b")
    publish(program, 1, JOBLESS)  # 55 points: blue
    told(program, ["warning.raised"])
    assert rolling.formats() == {1}
    # The old ones make way for the version after the next: it may write what the next one reads.
    for worker, stage in ((homes[0], "household"), (persons[0], "person")):
        worker.stop()
        rolling.worker(later, stage, worker.name)
    rolling.until_owned_by("household", "household-a", "household-b")
    publish(program, 2, INCOME)  # 75 points: red
    told(program, ["warning.raised", "warning.upgraded"])
    assert rolling.formats() == {1, 2}
    for version in (following, later):
        for more in ((), ("--from-log",)):
            rows = json.loads(version(rolling.environment, "rebuild", "--verify", "--json", *more))
            assert [one["first"] for one in rows] == [""] * 4
            assert sum(one["states"] for one in rows if one["stage"] == "household") == HOMES
    # An old one is not let in any more, and says why in one line; nor is its rebuild.
    (line,) = rolling.worker(old, "household", "household-c").left()
    assert "writes states of format 2, this program knows 1: run that one" in line["message"]
    assert "format 2" in old(rolling.environment, "rebuild", "--verify", expect=1)
    # The last two change places: a replay by any of them renumbers nothing.
    for version in (following, later):
        for worker in (*following.workers, *later.workers):
            if worker.process.poll() is None and worker.name != "intake-a":
                worker.stop()
        with redis.Redis(port=int(rolling.environment["HEARTHWATCH_VALKEY_PORT"])) as server:
            for key in server.keys("*household.facts*"):
                server.delete(key)
        version(rolling.environment, "rebuild")
        told(program, ["warning.raised", "warning.upgraded"])
        rolling.worker(version, "person", "person-a")
        rolling.worker(version, "household", "household-a")
        rolling.until_owned_by("household", "household-a")
    publish(program, 9, {**INCOME, "data": {"monthly_yuan": 90_000}})  # 55 points: below red's clear line
    told(program, ["warning.raised", "warning.upgraded", "warning.lowered"])


def test_a_worker_that_meets_a_newer_format_leaves_and_guesses_nothing(
    rolling: Rolling, versions: ExitStack, tmp_path: Path
) -> None:
    """A version was left out: the one that writes the new format runs beside one that cannot read it."""
    program = rolling.program
    old = versions.enter_context(Version(tmp_path / "old"))
    later = versions.enter_context(Version(tmp_path / "later", reads=2, writes=2))
    for stage in ("intake", "person"):
        rolling.worker(old, stage, f"{stage}-a")
    met = rolling.worker(old, "household", "household-a")
    for stage in ("intake", "person", "household"):
        rolling.until_owned_by(stage, f"{stage}-a")
    other = rolling.worker(later, "household", "household-b")
    rolling.until_owned_by("household", "household-a", "household-b")
    publish(program, 1, JOBLESS)
    told(program, ["warning.raised"])
    assert rolling.formats() == {1, 2}
    other.stop()
    rolling.until_owned_by("household", "household-a")
    path = program.folder / "more.jsonl"
    lines = [
        {
            "specversion": "1.0", "id": f"m{n}", "subject": f"person/p{n}",
            "time": "2024-03-05T08:00:00+08:00", **INCOME,
        }
        for n in range(HOMES)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    program("publish", str(path), "--clock", "log")
    (line,) = met.left()
    assert "a household's state has format 2, and this program knows 1" in line["message"]
    rolling.worker(later, "household", "household-b")
    rolling.until_owned_by("household", "household-b")
    program("tick", "--until", "2024-03-06")
    told(program, ["warning.raised", "warning.upgraded"])


def test_a_worker_that_does_not_know_the_policys_language_leaves_and_the_newer_one_goes_on(
    rolling: Rolling, versions: ExitStack, tmp_path: Path
) -> None:
    program = rolling.program
    old = versions.enter_context(Version(tmp_path / "old"))
    later = versions.enter_context(Version(tmp_path / "later", language=2))
    rolling.worker(later, "intake", "intake-a")
    rolling.worker(later, "person", "person-a")
    rolling.worker(later, "household", "household-b")
    leaving = [rolling.worker(old, "household", "household-a"), rolling.worker(old, "person", "person-b")]
    rolling.until_owned_by("household", "household-a", "household-b")
    path = written(program, 2, STRICTER)
    later(rolling.environment, "policy", "activate", str(path))
    for worker in leaving:
        (line,) = worker.left()
        assert "needs policy language 2, this program knows 1: run the newer program" in line["message"]
    (line,) = rolling.worker(old, "household", "household-a").left()
    assert "needs policy language 2" in line["message"]
    assert json.loads(later(rolling.environment, "policy", "status", "--json"))["is_done"]
    told(program, ["warning.raised"])


def test_a_rebuild_by_a_version_that_scores_otherwise_renumbers_nothing(
    rolling: Rolling, versions: ExitStack, tmp_path: Path
) -> None:
    """It would have warned earlier, of everybody: what was told stays as it was, under its numbers."""
    program = rolling.program
    old = versions.enter_context(Version(tmp_path / "old"))
    other = versions.enter_context(Version(tmp_path / "other", lower=15))
    running = [rolling.worker(old, stage, f"{stage}-a") for stage in ("intake", "person", "household")]
    publish(program, 1, JOBLESS)
    told(program, ["warning.raised"])
    for worker in running:
        worker.stop()
    with redis.Redis(port=int(rolling.environment["HEARTHWATCH_VALKEY_PORT"])) as server:
        server.flushall()
    other(rolling.environment, "rebuild", "--from-log")
    before = warnings(program)
    assert all(several[0] == ("warning.raised", "fact") for several in before.values())
    for stage in ("intake", "person", "household"):
        rolling.worker(other, stage, f"{stage}-a")
    publish(program, 2, INCOME)
    after = warnings(program)  # and each number once, in order
    for household, several in before.items():
        assert after[household][: len(several)] == several
