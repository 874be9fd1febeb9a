"""A district goes live under `up`: its base becomes a worklist, and nobody is flooded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from casework.cases.book_file import DEFAULT
from tests.operations.test_up import Program

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(tmp_path_factory.mktemp("live"))
    book = program.folder / "casework.yaml"
    text = DEFAULT.read_text("utf-8")
    assert "\nbaseline:" not in text
    text += '\nbaseline:\n  - {prefix: "420106", until: "2031-01-01T00:00:00+08:00", per_day: 3}\n'
    book.write_text(text, "utf-8")
    program.environment["HEARTHWATCH_CASEBOOK"] = str(book)
    yield program
    program("down")


def test_a_base_becomes_a_worklist(program: Program, tmp_path: Path) -> None:
    assert "420106 goes live: 3 cases a day" in program("casebook", "check")
    program("up", "--detach", "--clock", "log")
    assert "Nothing waits" in program("casebook", "worklist")
    base = tmp_path / "base.jsonl"
    program(
        "generate", "district", "--households", "400", "--events", "6000", "--seed", "5", "--out", str(base)
    )
    program("publish", str(base), "--clock", "log")
    last = max(json.loads(line)["time"] for line in base.read_text("utf-8").splitlines())[:10]
    program("tick", "--until", last)
    rows = json.loads(program("casebook", "worklist", "--json"))
    assert len(rows) > 10
    stands = json.loads(program("ledger", "show", "--json"))
    assert sum(one.get("next_offset", 0) for one in stands if one["stage"] == "cases") >= len(rows)
    by_community: dict[str, list[str]] = {}
    for row in rows:
        by_community.setdefault(row["community"], []).append(row["day"])
    for days in by_community.values():
        assert days == sorted(days)
        assert all(days.count(day) <= 3 for day in days)
    one = max(by_community, key=lambda code: len(by_community[code]))
    mine = json.loads(program("casebook", "worklist", "--community", one, "--days", "1", "--json"))
    assert [row["day"] for row in mine] == by_community[one][:3]
    assert one in program("casebook", "worklist", "--community", one[:9])
    assert "expected 6, 9 or 12 digits" in program("casebook", "worklist", "--community", "42", expect=2)


def test_a_faulty_book_is_named_with_its_place(program: Program, tmp_path: Path) -> None:
    program("down")
    faulty = tmp_path / "faulty.yaml"
    faulty.write_text(DEFAULT.read_text("utf-8").replace("levels:", "lewels:", 1), "utf-8")
    said = program("casebook", "check", str(faulty), expect=2)
    assert f"{faulty}:" in said
