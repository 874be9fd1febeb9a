"""``hearthwatch token``: the token once on standard output, and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hearthwatch.cli import run
from hearthwatch.tokens import TokenBook, read_tokens

HERE = "420106003005"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tokens.json"
    monkeypatch.setenv("HEARTHWATCH_TOKENS", str(path))
    return path


def test_a_token_is_made_listed_and_revoked(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["token", "add", "anna", "--role", "community", "--community", HERE, "--days", "30"]) == 0
    out, err = capsys.readouterr()
    text = out.strip()
    (token,) = read_tokens(path)
    assert TokenBook(path).find(text, 0.0) == token
    assert token.id in err
    assert text not in err
    assert run(["token", "list"]) == 0
    listed = capsys.readouterr().out
    assert "anna" in listed
    assert HERE in listed
    assert token.sha256 not in listed
    assert run(["token", "revoke", token.id]) == 0
    assert "is revoked" in capsys.readouterr().out
    assert read_tokens(path) == ()
    assert run(["token", "list"]) == 0
    assert "No tokens." in capsys.readouterr().out


def test_json_has_the_same(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["token", "add", "plan", "--role", "policy", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["token"].startswith(f"hw_{made['id']}_")
    assert run(["token", "list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert listed == {name: value for name, value in made.items() if name != "token"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["add", "anna", "--role", "community"], "needs at least one code of 12 digits"),
        (["add", "anna", "--role", "street", "--community", HERE], "takes codes of 9 digits"),
        (["add", "", "--role", "policy"], "expected 1 to 128 characters"),
        (["revoke", "00000000"], "`hearthwatch token list` shows them"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert run(["token", *words]) == 2
    assert said in capsys.readouterr().err
    assert not path.exists()


def test_without_a_file_it_says_how_to_name_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HEARTHWATCH_TOKENS", raising=False)
    assert run(["token", "list"]) == 2
    assert "--file or HEARTHWATCH_TOKENS" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(tmp_path / "nowhere" / "tokens.json")
    assert run(["token", "add", "plan", "--role", "policy", "--file", file]) == 2
    assert "nowhere" in capsys.readouterr().err
