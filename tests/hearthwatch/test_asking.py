"""What cannot be taken back is asked for, or said with ``--yes``; elsewhere nothing happens."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import click
import pytest

from hearthwatch import cli
from hearthwatch.cli.asking import ask


class Terminal(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


@click.command()
def erases() -> None:
    ask("Erase it?", what="this erases it")
    click.echo("erased")


@pytest.fixture
def erasing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "erases", erases)
    monkeypatch.setitem(cli.COMMANDS, "erases", f"{__name__}:erases")


@pytest.mark.usefixtures("erasing")
@pytest.mark.parametrize(
    ("typed", "status", "last"),
    [("y\n", 0, "erased"), ("n\n", 1, "Left as it is."), ("\n", 1, "Left as it is.")],
)
def test_who_sits_at_a_terminal_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str, status: int, last: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    assert cli.run(["erases"]) == status
    assert capsys.readouterr().out.splitlines()[-1].endswith(last)


@pytest.mark.usefixtures("erasing")
@pytest.mark.parametrize("typed", ["", "y\n"])
def test_a_script_is_told_how_to_say_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], typed: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    assert cli.run(["erases"]) == 2
    told = capsys.readouterr()
    assert told.err.endswith("this erases it: say so with --yes\n")
    assert told.out == ""


def test_a_repartition_without_a_terminal_names_yes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert cli.run(["repartition", "--household", "3", "--person", "2"]) == 2
    told = "this deletes the log of person.events and household.facts: say so with --yes\n"
    assert capsys.readouterr().err.endswith(told)
