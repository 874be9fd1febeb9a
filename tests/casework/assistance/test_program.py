"""``hearthwatch measures``: check, list and suggest, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hearthwatch.cli import run

ROOT = Path(__file__).parents[3]


@pytest.fixture
def stories(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    path = tmp_path / "stories.jsonl"
    assert run(["story", "events", str(ROOT / "examples" / "stories"), "--out", str(path)]) == 0
    capsys.readouterr()
    return str(path)


def test_check_says_that_the_file_is_good(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measures", "check"]) == 0
    assert "good. Assistance wuchang, version 1: 13 causes, 20 measures." in capsys.readouterr().out


def test_check_names_each_fault_and_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "measures.yaml"
    path.write_text("measures: x\nversion: one\ncauses: []\nassistance: {}\n", "utf-8")
    assert run(["measures", "check", str(path)]) == 2
    said = capsys.readouterr().err
    assert f"{path}:2:10: version must be a number, not `one`" in said
    assert f"{path}:4:13: assistance must be a list, not a mapping" in said
    assert run(["measures", "check", str(path), "--json"]) == 2
    assert [one["line"] for one in json.loads(capsys.readouterr().out)["faults"]] == [2, 4]


@pytest.mark.parametrize("file", ["nowhere.yaml", "."])
def test_a_file_that_cannot_be_read(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measures", "check", file]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_list_can_be_narrowed_to_a_cause(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measures", "list", "--cause", "violence", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["measure"] for row in rows} == {"comfort", "legal-aid", "protection-from-violence"}
    assert run(["measures", "list", "--cause", "violense"]) == 2
    assert "did you mean `violence`?" in capsys.readouterr().err


def test_suggest_after_the_events_of_a_file(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["measures", "suggest", "story-wang-fuhong", "--events", stories, "--until", "2024-06-25"]
    assert run([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["level"] == "orange"
    assert found["likely_causes"][0]["cause"] == "illness"
    assert found["suggested"][0]["measure"] == "medical-aid"
    assert found["suggested"][0]["reasons"][0]["kind"] == "sign"
    assert run([*command, "--cause", "illness", "--lang", "zh"]) == 0
    assert "对应评估原因「重大疾病」" in capsys.readouterr().out


def test_suggest_for_a_household_that_is_not_there(stories: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["measures", "suggest", "nobody", "--events", stories]) == 2
    assert "no accepted event concerns the household `nobody`" in capsys.readouterr().err
    assert run(["measures", "suggest", "nobody", "--until", "2024-01-01"]) == 2
    assert "--until goes with --events" in capsys.readouterr().err
