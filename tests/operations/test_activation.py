"""``hearthwatch policy activate`` on the whole program: interrupted, two at once, types that are dropped."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.agents.activating import CATALOG, LAXER, POLICY, STRICTER
from tests.agents.desk import CASE
from tests.operations.test_up import DEADLINE_SECONDS, ROOT, Program

pytestmark = pytest.mark.timeout(240)

HOMES = 12
#: Each of these has 30 points: below blue (40), above the stricter blue (28).
SICK = {"type": "health.diagnosed", "source": "/wuchang/health", "data": {"severity": 5}}
#: Without work, and so without the type that it needs.
_WORK = CATALOG.index(b"  - type: work.lost"), CATALOG.index(b"  - type: violence.reported")
FEWER_TYPES = CATALOG[: _WORK[0]] + CATALOG[_WORK[1] :]
_RULE = POLICY.index(b"  - id: out-of-work"), POLICY.index(b"  - id: income-below-line")
WITHOUT_WORK = POLICY[: _RULE[0]] + POLICY[_RULE[1] :]
MORE_DEPARTMENTS = CATALOG.replace(b"departments:\n", b"departments:\n  - {id: schools, title: {en: S}}\n", 1)

#: Runs the command line, and ends it by SIGKILL at a place.
KILLED = """
import os, signal, sys
import hearthwatch.cli.policy_activate as command
import streams.policies_topic as topic
from hearthwatch import cli

def die(*args, **more):
    os.kill(os.getpid(), signal.SIGKILL)

append, producer = command.append, topic.kafka_clients.producer

def then_die(*args, **more):
    append(*args, **more)
    die()

class Cut:
    def __init__(self, *args, **more):
        self.real = producer(*args, **more)
    def send(self, *args, **more):
        self.real.send(*args, **more)
        die()

match sys.argv[1]:
    case "before it is sent": command.append = die
    case "while it is sent": topic.kafka_clients.producer = Cut
    case "before its number is known": command.append = then_die
    case "while partitions take it": command.wait_until_taken = die
sys.exit(cli.run(sys.argv[2:]))
"""

#: Activates a file between the check of another one and its own activation.
OVERTAKEN = """
import sys
import hearthwatch.cli.policy_activate as command
from hearthwatch import cli

check = command.check_version

def then_another(*args):
    check(*args)
    command.check_version = check
    assert cli.run(["policy", "activate", sys.argv[1], "--no-wait"]) == 0

command.check_version = then_another
sys.exit(cli.run(sys.argv[2:]))
"""
#: The command line of a later program, whose policy language is another.
LATER = """
import sys
import hearthwatch.running as running
import streams.policies as policies

policies.LANGUAGE = running.LANGUAGE = policies.LANGUAGE + 1
from hearthwatch import cli
sys.exit(cli.run(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("activation"))
    policy, catalog = written(program, 1, POLICY), CASE / "catalog.yaml"
    program("up", "--detach", "--clock", "log", "--policy", str(policy), "--catalog", str(catalog))
    publish(program, 0, SICK)
    yield program
    program("down")


def publish(program: Program, day: int, *kinds: dict[str, object]) -> None:
    """Each of these events for each person, on a day of March 2024; and wait until it is through."""
    path = program.folder / f"march-{day}.jsonl"
    lines = [
        {
            "specversion": "1.0", "id": f"{day}-{at}-{n}", "subject": f"person/p{n}",
            "time": f"2024-03-{1 + day:02}T08:00:00+08:00", **kind,
        }
        for at, kind in enumerate(kinds)
        for n in range(HOMES)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    program("publish", str(path), "--clock", "log")
    program("tick", "--until", f"2024-03-{2 + day:02}")


def written(program: Program, version: int, policy: bytes) -> Path:
    """A policy of a version, as a file of its own."""
    path = program.folder / f"policy-{version}.yaml"
    head, _, rest = policy.partition(b"\nversion: ")
    path.write_bytes(head + b"\nversion: %d\n" % version + rest.partition(b"\n")[2])
    return path


def activations(program: Program) -> list[tuple[int, int]]:
    """(number, version), once every partition has the newest."""
    found = json.loads(program("policy", "status", "--json"))
    assert found["is_done"]
    assert {one["activation"] for one in found["partitions"] if one["households"]} == {found["newest"]}
    return [(one["activation"], one["version"]) for one in found["activations"]]


def warnings(program: Program) -> dict[str, list[tuple[str, str]]]:
    """(type, reason) by household; each household's numbers are 1, 2, 3 and so on, none twice."""
    found = defaultdict(list)
    for line in program("watch", "--from", "beginning", "--until-quiet", "1", "--json").splitlines():
        one = json.loads(line)
        data = one["data"]
        found[data["household"]].append((one["type"], data["reason"]))
        assert one["id"] == f"{data['household']}-{len(found[data['household']])}"
    return found


@pytest.mark.parametrize(
    ("version", "where"),
    [
        (2, "before it is sent"),
        (3, "while it is sent"),
        (4, "before its number is known"),
        (5, "while partitions take it"),
    ],
)
def test_a_command_that_is_killed_has_done_all_or_nothing_and_can_be_repeated(
    program: Program, version: int, where: str
) -> None:
    path = written(program, version, STRICTER if version % 2 == 0 else LAXER)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where, "policy", "activate", str(path)],
        cwd=ROOT, env=program.environment, capture_output=True, text=True, check=False,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr
    again = json.loads(program("policy", "activate", str(path), "--json"))
    assert again["is_taken"]
    if where == "before it is sent":
        assert again["is_new"]
    elif where != "while it is sent":
        assert not again["is_new"], "it stands already"
    assert [known for _, known in activations(program)] == list(range(1, version + 1))
    told = warnings(program)
    assert len(told) == HOMES
    changes = [("warning.raised", "policy"), ("warning.cleared", "policy")] * 2
    for household, several in told.items():
        assert several == changes[: version - 1], household


def test_two_that_are_activated_at_once_are_both_taken_in_one_order(program: Program) -> None:
    before = activations(program)
    files = [written(program, 6, STRICTER), written(program, 7, LAXER)]
    both = [program.start("policy", "activate", str(path)) for path in files]
    for process in both:
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert process.returncode == 0, said
    after = activations(program)
    assert after[: len(before)] == before
    assert {version for _, version in after[len(before) :]} == {6, 7}
    numbers = [number for number, _ in after]
    assert numbers == sorted(set(numbers))
    warnings(program)


def test_an_older_version_again_and_files_that_are_gone(program: Program) -> None:
    """Workers go by what is activated: what they were started with need not be there any more."""
    (program.folder / "policy-1.yaml").unlink()
    path = written(program, 6, STRICTER)  # 6 or 7 holds now, so this is a change or none
    newest = json.loads(program("policy", "activate", str(path), "--json"))
    assert newest["version"] == 6
    before = {one["name"]: one for one in program.until_ready()["workers"]}
    for one in before.values():
        psutil.Process(one["pid"]).kill()
    until = time.monotonic() + DEADLINE_SECONDS
    while any(one["restarts"] == before[one["name"]]["restarts"] for one in program.status()["workers"]):
        assert time.monotonic() < until
    program.until_ready()
    (row,) = [
        one
        for one in json.loads(program("policy", "status", "--json"))["activations"]
        if one["activation"] == newest["activation"]
    ]
    assert digests(program) == {(row["catalog_digest"], row["digest"])}
    path = written(program, 7, LAXER)
    program("policy", "activate", str(path))
    rows = json.loads(program("policy", "status", "--json"))["activations"]
    until = time.monotonic() + DEADLINE_SECONDS
    while digests(program) != {(rows[-1]["catalog_digest"], rows[-1]["digest"])}:
        assert time.monotonic() < until, digests(program)


def overtaken(program: Program, by: Path, path: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", OVERTAKEN, str(by), "policy", "activate", str(path), *more],
        cwd=ROOT, env=program.environment, capture_output=True, text=True, check=False,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip


def test_two_contents_of_one_version_at_once_are_told(program: Program) -> None:
    """Each was checked before the other stood on the topic: both stand, and it is said."""
    before = activations(program)
    first = written(program, 20, STRICTER)
    second = program.folder / "policy-20-other.yaml"
    second.write_bytes(first.read_bytes().replace(b"at: 28", b"at: 29"))
    done = overtaken(program, first, second)
    number = before[-1][0] + 2
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"with other content (activation {number - 1})" in done.stderr
    assert "raise `version` and activate again" in done.stderr
    assert activations(program)[-2:] == [(number - 1, 20), (number, 20)]
    # Another version behind it is as it should be, and who came first is told.
    third, fourth = written(program, 21, LAXER), written(program, 22, STRICTER)
    done = overtaken(program, third, fourth)
    assert done.returncode == 0, done.stdout + done.stderr
    assert activations(program)[-2:] == [(number + 1, 21), (number + 2, 22)]


def test_the_same_files_at_once_are_one_activation(program: Program) -> None:
    before = activations(program)
    path = written(program, 23, LAXER)
    done = overtaken(program, path, path, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["activation"], found["newest"]) == (before[-1][0] + 1,) * 2
    assert not found["is_new"], "it repeats the other, and so has no number of its own"
    assert activations(program) == [*before, (before[-1][0] + 1, 23)]


def test_what_people_read_of_an_activation(program: Program) -> None:
    """Levels and communities of the dry run; who runs it, and which partitions have had nothing yet."""
    path = written(program, 24, STRICTER)
    foreseen = program("policy", "activate", str(path), "--dry-run")
    assert f"would change the level of {HOMES} of {HOMES} households" in foreseen
    assert f"none       blue                {HOMES}\n" in foreseen
    assert f"none       {HOMES:>10}  none to blue: {HOMES}" in foreseen
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", "policy", "activate", str(path)],
        cwd=ROOT, env=program.environment, capture_output=True, text=True, check=True,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert "jars" not in done.stderr
    rows = json.loads(program("policy", "status", "--json"))["partitions"]
    fresh = sum(one["activation"] is None for one in rows)
    assert fresh
    newest = activations(program)[-1][0]
    assert done.stdout.splitlines()[-1] == (
        f"All {len(rows) - fresh} partitions that have had records run activation {newest} ({fresh} others"
        f" begin with their first record); {HOMES} households are evaluated."
    )
    shown = program("policy", "status").splitlines()
    (line,) = [one for one in shown if one.startswith("household")]
    assert line.split() == ["household", "household.facts", "0,", "1", str(newest), "24", "all"]
    assert sum("no records yet" in one for one in shown) == fresh, "one partition each"
    again = program("policy", "activate", str(path))
    assert again.startswith(f"Policy story version 24 is in force already (activation {newest}).")


def digests(program: Program) -> set[tuple[str, str]]:
    """Catalogue and policy by which the workers say that they go."""
    found = set()
    for stage in ("INTAKE", "PERSON", "HOUSEHOLD"):
        port = program.environment[f"HEARTHWATCH_{stage}_METRICS_PORT"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as reply:
            page = reply.read().decode()
        (line,) = (one for one in page.splitlines() if one.startswith("hearthwatch_worker_info{"))
        labels = dict(pair.split("=") for pair in line[line.index("{") + 1 : line.index("}")].split(","))
        found.add((labels["catalog"].strip('"'), labels["policy"].strip('"')))
    return found


def test_a_catalogue_that_lacks_types_in_use_is_refused_unless_they_are_dropped(program: Program) -> None:
    publish(program, 3, {"type": "work.lost", "source": "/wuchang/human-resources", "data": {}})
    catalog = program.folder / "fewer.yaml"
    catalog.write_bytes(FEWER_TYPES)
    path = written(program, 8, WITHOUT_WORK)
    command = ("policy", "activate", str(path), "--catalog", str(catalog))
    before = activations(program)
    said = program(*command, expect=2)
    assert f"work.lost: {HOMES} live facts" in said
    assert "--drop-types" in said
    assert activations(program) == before, "nothing was activated"
    foreseen = json.loads(program(*command, "--dry-run", "--json"))
    assert foreseen["lost_types"] == {"work.lost": HOMES}
    assert foreseen["households"] == HOMES
    assert "(activation" in program(*command, "--drop-types")
    assert activations(program)[-1][1] == 8
    (shown,) = (json.loads(program("household", "show", "~p0", "--json")) for _ in range(1))
    assert shown["score"] == 30, "the illness counts, the lost work does not"
    # The type is unknown now: what is sent of it is rejected; and the older catalogue takes it back.
    publish(program, 5, {"type": "work.lost", "source": "/wuchang/human-resources", "data": {}})
    letters = program("deadletters", "list", "--json")
    assert letters.count("unknown-type") == HOMES
    older = written(program, 7, LAXER)
    program("policy", "activate", str(older), "--catalog", str(CASE / "catalog.yaml"))
    shown = json.loads(program("household", "show", "~p0", "--json"))
    assert shown["score"] == 55, "facts are kept, and count again"
    warnings(program)


def test_a_catalogue_with_a_new_department_is_read_from_at_once(program: Program) -> None:
    """Intake starts again by itself; killed after the topics were made, the command is repeated."""
    catalog = program.folder / "more.yaml"
    catalog.write_bytes(MORE_DEPARTMENTS)
    command = ("policy", "activate", str(written(program, 9, STRICTER)), "--catalog", str(catalog))
    done = subprocess.run(
        [sys.executable, "-c", KILLED, "before it is sent", *command],
        cwd=ROOT, env=program.environment, capture_output=True, check=False, timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL
    assert activations(program)[-1][1] == 7, "a topic more changes nothing"
    program(*command)
    program.until_ready()
    rows = json.loads(program("policy", "status", "--json"))["partitions"]
    assert "life.schools" in {one["topic"] for one in rows}
    assert all(one["is_at_newest"] for one in rows)


def test_a_program_that_is_too_old_stops_and_says_so_everywhere(program: Program) -> None:
    """The last test here: what a later program activated cannot be taken back by this one."""
    path = written(program, 30, LAXER)
    before = warnings(program)
    done = subprocess.run(
        [sys.executable, "-c", LATER, "policy", "activate", str(path), "--no-wait"],
        cwd=ROOT, env=program.environment, capture_output=True, text=True, check=False,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    why = "needs policy language 2, this program knows 1: run the newer program"
    until = time.monotonic() + DEADLINE_SECONDS
    while any(why not in one["why"] for one in program.status()["workers"]):
        assert time.monotonic() < until, program.status()
    for command in (("policy", "status"), ("policy", "activate", str(path)), ("rebuild", "--verify")):
        assert why in program(*command, expect=1)
    assert why in program("doctor", expect=1)
    assert warnings(program) == before, "nobody guessed"
    program("down")
    assert why in program("up", "--detach", "--clock", "log", expect=1)
    assert program.status()["kafka"]["answers"] is False
