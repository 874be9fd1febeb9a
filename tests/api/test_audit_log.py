"""The audit log on a real broker: several writers, and what is done to it shows."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hearthwatch.api.oversight import is_overseen
from hearthwatch.audit_log import AuditWriter, last_record, latest, read_audit
from hearthwatch.connections import kafka_connection
from streams.audit import DIGEST_HEADER, Check, Entry, Who, digest
from tests.api.town import DISTRICT, HERE, NEXT_DOOR, STREET, Town

ANNA = Who("anna", "community", "0a1b2c3d")


def read(household: str) -> Entry:
    return Entry("read", "household", "ok", ANNA, households=(household,), rows=1)


def checked(town: Town) -> Check:
    check = Check()
    deque(read_audit(kafka_connection(town.settings), check), maxlen=0)
    return check


async def test_writers_at_once_leave_one_whole_log_in_which_every_entry_stands(town: Town) -> None:
    before = checked(town)
    async with AuditWriter(town.settings, "api") as one, AuditWriter(town.settings, "cli") as other:
        await asyncio.gather(*(writer.write(read(f"H{n}")) for n in range(50) for writer in (one, other)))
    after = checked(town)
    assert after.faults == []
    assert after.records == before.records + 102
    assert last_record(kafka_connection(town.settings)) == after.head
    households = [
        row.record.entry.households
        for row in latest(kafka_connection(town.settings), 102)
        if row.record is not None and row.record.entry.kind == "read"
    ]
    assert sorted(households) == sorted([(f"H{n}",) for n in range(50)] * 2)


async def test_what_was_written_is_listed_by_household_case_and_person(town: Town) -> None:
    async with AuditWriter(town.settings, "api") as writer:
        await writer.write(
            Entry("read", "case", "ok", ANNA, case="AL1-1", households=("AL1",), rows=1),
            Entry("change", "case", "done", Who("li", "street", "1"), case="AL1-1", households=("AL1",)),
            Entry("read", "cases", "ok", ANNA, households=("AL2", "AL1"), rows=2),
        )
    found = town.run("audit", "list", "--household", "AL1", "--json")
    assert found.returncode == 0, found.stderr
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    assert [line["entry"]["what"] for line in lines] == ["case", "case", "cases"]
    assert all(line["broker_time"] for line in lines)
    (change,) = town.run("audit", "list", "--case", "AL1-1", "--actor", "li", "--json").stdout.splitlines()
    assert json.loads(change)["entry"]["result"] == "done"
    assert "anna" in town.run("audit", "list", "--household", "AL2").stdout


async def test_verify_says_whether_the_log_is_whole_and_ends_with_1_where_it_is_not(town: Town) -> None:
    async with AuditWriter(town.settings, "api") as writer:
        await writer.write(read("V1"))
    whole = town.run("audit", "verify", "--json")
    assert whole.returncode == 0, whole.stdout
    report = json.loads(whole.stdout)
    assert report["is_whole"] is True
    head = f"{report['head']['offset']}:{report['head']['sha256']}"
    assert town.run("audit", "verify", "--head", head).returncode == 0
    other = f"{report['head']['offset']}:{'0' * 64}"
    cut = town.run("audit", "verify", "--head", other)
    assert cut.returncode == 1
    assert "was written anew" in cut.stderr
    assert town.run("audit", "verify", "--head", "what").returncode == 2


def test_a_look_from_the_command_line_is_on_record_too(town: Town) -> None:
    assert town.run("household", "show", "NOSUCH").returncode == 1
    (line,) = town.run("audit", "list", "--household", "NOSUCH", "--json").stdout.splitlines()
    record = json.loads(line)
    assert record["writer"].startswith("cli-")
    entry = record["entry"]
    assert entry["who"] == {"id": getpass.getuser(), "role": "operator", "token": "", "communities": []}
    assert (entry["by"], entry["what"], entry["result"]) == (
        "hearthwatch household show",
        "household",
        "not-found",
    )


@pytest.fixture
def other_town(tmp_path: Path) -> Iterator[Town]:
    """Servers and topics of its own, for a log that is broken."""
    town = Town(tmp_path)
    try:
        town.servers()
        yield town
    finally:
        town.down()


async def test_what_somebody_wrote_by_hand_is_found(other_town: Town) -> None:
    town = other_town
    async with AuditWriter(town.settings, "api") as writer:
        await writer.write(read("V1"))
    (last,) = latest(kafka_connection(town.settings), 1)
    assert last.record is not None
    forged = msgspec.structs.replace(last.record, number=9, entry=read("V9"))
    raw = msgspec.json.encode(forged)
    with_digest = [(DIGEST_HEADER, digest(raw).encode())]
    town.send("audit", (None, raw), headers=with_digest)
    broken = town.run("audit", "verify")
    assert broken.returncode == 1
    assert "audit record 2: it is number 9 of api-" in broken.stderr
    assert "the log is NOT whole" in broken.stdout
    assert "not whole" in town.run("audit", "list").stderr


@pytest.mark.parametrize(
    ("communities", "scope", "expected"),
    [
        ((HERE,), (HERE,), True),
        ((HERE,), (NEXT_DOOR,), False),
        ((HERE,), (DISTRICT,), True),
        ((HERE, NEXT_DOOR), (HERE,), False),
        ((STREET,), (HERE,), False),  # what a street reads names households next door too
        ((), (STREET,), False),
        ((), (DISTRICT,), True),
    ],
)
def test_an_auditor_sees_what_was_done_within_their_communities(
    communities: tuple[str, ...], scope: tuple[str, ...], expected: bool
) -> None:
    assert is_overseen(Who("anna", "community", "1", communities), scope) is expected
