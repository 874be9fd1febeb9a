"""``hearthwatch policy check`` and ``policy show``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from hearthwatch.cli import run
from hearthwatch.cli.policy_tables import print_policy
from rules.words import Language, Words
from tests.rules.policy_texts import CATALOG, POLICY, WHERE, catalog, edited, read


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good ``policy.yaml`` and ``catalog.yaml``, and where we are."""
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "catalog.yaml").write_text(CATALOG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


Output = pytest.CaptureFixture[str]


def test_check_of_a_good_policy(files: Path, capsys: Output) -> None:
    assert run(["policy", "check", "policy.yaml", "--catalog", "catalog.yaml"]) == 0
    assert capsys.readouterr().out == (
        "policy.yaml: good. Policy test, version 3: 2 dimensions, 2 levels, 5 indicators; "
        "it fits catalogue test, version 1.\n"
    )


def test_check_of_the_wuchang_policy(capsys: Output) -> None:
    assert run(["policy", "check"]) == 0
    assert "good. Policy wuchang" in capsys.readouterr().out


def test_check_of_a_policy_with_three_mistakes(files: Path, capsys: Output) -> None:
    text = edited(
        ("dimension: health", "dimension: helth"), (WHERE, "where: not plannd"), ("cap: 40", "cap: 41")
    )
    (files / "policy.yaml").write_text(text, encoding="utf-8")
    assert run(["policy", "check", "policy.yaml", "--catalog", "catalog.yaml"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "policy.yaml:12:3: the caps of the dimensions must sum to 100, not 101\n"
        " 12 |   - {id: health, title: {en: Health, zh: 健康}, cap: 41, members: sum}\n"
        "    |   ^\n"
        "policy.yaml:22:16: unknown dimension `helth`\n"
        " 22 |     dimension: helth\n"
        "    |                ^ did you mean `health`? one of: economy, health\n"
        "policy.yaml:25:16: unknown name `plannd`: expected a field of `health.hospital.admitted`\n"
        " 25 |     where: not plannd\n"
        "    |                ^ did you mean `planned`? "
        "one of: cost_yuan, mark, nights, note, planned, since, urgent, ward\n"
        "3 faults in policy.yaml.\n"
    )


def test_faults_as_json(files: Path, capsys: Output) -> None:
    (files / "policy.yaml").write_text(edited(("floor: blue", "floor: bleu")), encoding="utf-8")
    assert run(["policy", "check", "policy.yaml", "--catalog", "catalog.yaml", "--json"]) == 2
    assert json.loads(capsys.readouterr().out) == {
        "file": "policy.yaml",
        "faults": [
            {
                "file": "policy.yaml",
                "line": 31,
                "column": 12,
                "message": "unknown level `bleu`",
                "hint": "did you mean `blue`? one of: blue, red",
            }
        ],
    }


def test_good_as_json(files: Path, capsys: Output) -> None:
    assert run(["policy", "check", "policy.yaml", "--catalog", "catalog.yaml", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["policy"], report["indicators"], report["faults"]) == ("test", 5, [])


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_faulty_catalogue_is_told_with_its_own_lines(files: Path, capsys: Output, command: str) -> None:
    (files / "catalog.yaml").write_text(CATALOG.replace("keep: 1100d", "keep: 0d"), encoding="utf-8")
    assert run(["policy", command, "policy.yaml", "--catalog", "catalog.yaml"]) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        " 7 | keep: 0d",
        "   |       ^",
        "1 fault in catalog.yaml.",
    ]


@pytest.mark.parametrize("command", ["check", "show"])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "policy.yaml: cannot be read: No such file or directory\n"),
        (Path.mkdir, "policy.yaml: cannot be read: Is a directory\n"),
    ],
    ids=["missing", "a folder"],
)
def test_what_cannot_be_read_gives_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output, command: str, make: object, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(Path("policy.yaml"))  # type: ignore[operator]
    assert run(["policy", command, "policy.yaml"]) == 2
    assert capsys.readouterr().err == said


def test_an_empty_file(files: Path, capsys: Output) -> None:
    (files / "policy.yaml").write_text("", encoding="utf-8")
    assert run(["policy", "check", "policy.yaml", "--catalog", "catalog.yaml"]) == 2
    assert "policy.yaml:1:1: the file is empty" in capsys.readouterr().err


def test_show_as_json(files: Path, capsys: Output) -> None:
    arguments = [
        "policy",
        "show",
        "policy.yaml",
        "--catalog",
        "catalog.yaml",
        "--json",
        "--day",
        "2023-03-31",
    ]
    assert run([*arguments, "--dimension", "health"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["parameters"]["line_yuan"]["now"] == 910
    assert [one["id"] for one in data["indicators"]] == ["readmitted"]


def test_show_of_an_unknown_dimension(files: Path, capsys: Output) -> None:
    arguments = ["policy", "show", "policy.yaml", "--catalog", "catalog.yaml", "--dimension", "helth"]
    assert run(arguments) == 2
    assert "unknown dimension `helth`: one of health, economy" in capsys.readouterr().err


def shown(language: Language, dimension: str | None = None) -> str:
    console = Console(width=300, highlight=False)
    with console.capture() as captured:
        print_policy(Words(read(POLICY), catalog(), language, 19_100), dimension, console)
    return captured.get()


def test_show_has_everything_of_the_policy() -> None:
    text = shown("en")
    for said in (
        "Policy test, version 3",
        "time zone Asia/Shanghai",
        "values as of 2022-04-18",
        "reached at",
        "yuan per person and month",
        "Health · at most 40 points · members' points added · indicators: 1",
        "Economy · at most 60 points · members' points of the highest",
        "readmitted · each member",
        "in the last 90 days",
        "whole for 0 days, then down to 0 in 120 days",
        "alone warns: at least blue",
        "Basis: our own choice",
        "from 3: +18",
        "up to 1.5 × line_yuan = 1,365: +12",
        "benefit · household",
        "-20 if there is any",
    ):
        assert said in text, said


def test_show_in_chinese() -> None:
    text = shown("zh", "health")
    for said in ("健康 · 上限40分", "再次住院", "近90天内", "≥ 3：+18分", "依据：our own choice"):
        assert said in text, said
    assert "economy" not in text


def test_titles_are_no_markup(files: Path, capsys: Output) -> None:
    (files / "policy.yaml").write_text(
        edited(("title: {en: In hospital again,", 'title: {en: "[red]In[/red] [x]",')), encoding="utf-8"
    )
    assert run(["policy", "show", "policy.yaml", "--catalog", "catalog.yaml"]) == 0
    assert "[red]In[/red] [x]" in capsys.readouterr().out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_narrow_terminal_cuts_nothing_off(language: Language) -> None:
    console = Console(width=60, highlight=False)
    policy = read(
        edited(
            (
                WHERE,
                "where: ward in ['general'] and nights > 1 and not urgent and note == '" + "长" * 99 + "'",
            )
        )
    )
    with console.capture() as captured:
        print_policy(Words(policy, catalog(), language, 19_100), "health", console)
    assert "…" not in captured.get()
    assert captured.get().count("长") == 99
