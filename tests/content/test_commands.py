"""``hearthwatch import``, ``generate`` and ``story`` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hearthwatch.cli import run

ROOT = Path(__file__).parents[2]


def test_import_synthea(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "events.jsonl"
    assert run(["import", "synthea", str(ROOT / "examples/synthea"), "--out", str(out), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    lines = out.read_bytes().splitlines()
    assert (summary["events"], summary["rejected"], summary["persons"]) == (len(lines), 0, 103)
    assert sum(summary["types"].values()) == len(lines)


def test_import_synthea_says_how_many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "events.jsonl"
    assert run(["import", "synthea", str(ROOT / "examples/synthea"), "--out", str(out)]) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert "103 persons in 48 households; 8 left out (dead before the data begin); 0 events" in told


def test_import_of_a_wrong_folder_exits_2_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["import", "synthea", str(tmp_path), "--out", str(tmp_path / "x")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_generate_district(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "district.jsonl"
    arguments = ["--households", "60", "--events", "240", "--days", "60", "--out", str(out), "--json"]
    assert run(["generate", "district", *arguments]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "lines": 609, "households": 60, "events": 240, "days": 60, "seed": 1,
    }  # fmt: skip
    assert out.read_bytes() == (ROOT / "examples/district.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--households", "0"], "--households: expected at least 1, not 0"),
        (["--begins", "soon"], "--begins: `soon` is no date: expected YYYY-MM-DD"),
        (["--out", "-", "--json"], "--json: standard output holds the events already"),
    ],
)
def test_generate_refuses(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["generate", "district", "--out", str(tmp_path / "x"), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_as_output_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["generate", "district", "--out", str(tmp_path)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_story_run_passes_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["story", "run", str(ROOT / "examples/stories")]) == 0
    assert "8 of 8 stories came out as expected." in capsys.readouterr().err
    text = (ROOT / "examples/stories/wrong-bill.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("warning: withdrawn", "warning: cleared"), encoding="utf-8")
    assert run(["story", "run", str(wrong)]) == 1
    told = capsys.readouterr().out
    assert "FAILED  wrong-bill" in told
    assert "expected 2024-03-29: cleared; came 2024-03-29: withdrawn" in told


def test_story_run_tells_a_story_with_its_staff_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "examples/stories/zhou.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("{code: helped, measures", "{code: no-need, measures"), encoding="utf-8")
    assert run(["story", "run", str(wrong)]) == 1
    told = capsys.readouterr().out
    assert "with help: the case was closed as helped; expected no-need" in told
    wrong.write_text(text.replace("suggests: supplementary", "suggests: complementary"), encoding="utf-8")
    assert run(["story", "run", str(wrong)]) == 2
    assert "unknown measure `complementary-insurance`" in capsys.readouterr().err


def test_story_faults_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "examples/stories/wrong-bill.yaml").read_text(encoding="utf-8")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("level: blue", "level: azure"), encoding="utf-8")
    assert run(["story", "run", str(wrong)]) == 2
    assert "unknown level `azure`" in capsys.readouterr().err


def test_story_of_an_empty_folder_exits_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["story", "run", str(tmp_path)]) == 2
    assert "no *.yaml in this folder" in capsys.readouterr().err


def test_story_events(tmp_path: Path) -> None:
    out = tmp_path / "stories.jsonl"
    assert run(["story", "events", str(ROOT / "examples/stories"), "--out", str(out)]) == 0
    households = {
        json.loads(line)["subject"].split("/")[1].split(".")[0] for line in out.read_bytes().splitlines()
    }
    assert len(households) == 8
