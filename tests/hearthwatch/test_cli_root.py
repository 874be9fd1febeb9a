"""The root of the command line: the table of subcommands, exit statuses, no tracebacks."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from hearthwatch import __version__, cli
from streams.errors import (
    BrokerUnavailableError,
    Fault,
    FileFaults,
    HearthwatchError,
    InputError,
    LedgerError,
)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A subcommand `fails` that raises what is put into the list."""
    raised: list[BaseException] = []

    @click.command()
    def fails() -> None:
        raise raised[0]

    monkeypatch.setattr(sys.modules[__name__], "fails", fails, raising=False)
    monkeypatch.setitem(cli.COMMANDS, "fails", f"{__name__}:fails")
    return raised


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_entry_of_the_table_is_a_command_with_help_that_teaches(name: str) -> None:
    command = cli.root.get_command(click.Context(cli.root), name)
    assert command is not None, f"{cli.COMMANDS[name]} is missing"
    assert command.help
    subcommands = command.commands.values() if isinstance(command, click.Group) else [command]
    assert any("hearthwatch" in (one.epilog or one.help or "") for one in [command, *subcommands])


def test_the_table_is_in_alphabetical_order() -> None:
    assert list(cli.COMMANDS) == sorted(cli.COMMANDS)


def test_a_command_imports_only_its_own_module() -> None:
    """`hearthwatch --version` must not wait for Kafka's clients."""
    code = (
        "import sys; from hearthwatch.cli import run; assert run(['--version']) == 0; "
        "sys.exit(bool({'faust', 'aiokafka', 'kafka', 'redis', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    for name in ("doctor", "local"):
        assert f"\n  {name}" in out


@pytest.mark.parametrize("group", ["", *sorted(cli.COMMANDS)])
def test_a_narrow_terminal_gets_whole_sentences(
    group: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert cli.run([*([group] if group else []), "--help"]) == 0
    _, _, commands = capsys.readouterr().out.partition("Options:")
    assert "..." not in commands


def test_every_command_stands_in_one_section_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    told = [name for names in cli.SECTIONS.values() for name in names]
    assert sorted(told) == sorted(cli.COMMANDS)
    assert cli.run(["--help"]) == 0
    out = capsys.readouterr().out
    places = [out.index(f"\n{title}:") for title in cli.SECTIONS]
    assert places == sorted(places)
    assert "\nCommands:" not in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out.strip().endswith(__version__)


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (InputError("the file is empty"), 2, "the file is empty\n"),
        (BrokerUnavailableError("no broker"), 3, "no broker\n"),
        (LedgerError("state and log differ"), 1, "state and log differ\n"),
        (HearthwatchError("something"), 1, "something\n"),
        (click.ClickException("found problems"), 1, "Error: found problems\n"),
        (click.FileError("a", "is a directory"), 2, "Error: Could not open file 'a': is a directory\n"),
        (IsADirectoryError(errno.EISDIR, "x", "events"), 2, "events: is a directory\n"),
        (OSError(errno.ENOSPC, "x", "out.jsonl"), 2, "out.jsonl: no space left on device\n"),
        (click.Abort(), 130, "Interrupted.\n"),
        (KeyboardInterrupt(), 130, ""),
        (click.exceptions.Exit(7), 7, ""),
    ],
)
def test_exit_status_and_text_of_errors(
    command: list[BaseException],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    text: str,
) -> None:
    command.append(error)
    assert cli.run(["fails"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.lstrip("\n") == text or (status == 130 and err.strip() in {"", "Interrupted."})


def test_every_fault_of_a_file_is_told(
    command: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    command.append(FileFaults([Fault("a.yaml", 1, 2, "wrong"), Fault("a.yaml", 3, 4, "too")]))
    assert cli.run(["fails"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["a.yaml:1:2: wrong", "a.yaml:3:4: too"]


def test_an_error_of_ours_keeps_its_traceback(command: list[BaseException]) -> None:
    command.append(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        cli.run(["fails"])
    command[0] = OSError(errno.ECONNRESET, "not of a file")
    with pytest.raises(OSError, match="not of a file"):
        cli.run(["fails"])


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"], ["local", "no-such"]])
def test_a_wrong_command_line_is_bad_input(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(arguments) == 2
    assert "No such" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["case", "ack", "H-1-1", "--seen", "x"], "Error: --seen: `x` is no whole number\n"),
        (["token", "add", "a", "--role", "policy", "--days", "0"],
         "Error: --days: 0 is out of range: expected a whole number from 1 to 3650\n"),
        (["local", "logs", "redis"], "Error: kafka|valkey: 'redis' is not one of 'kafka', 'valkey'.\n"),
        (["up", "--scale", "x=2"], "Error: --scale: 'x=2': expected STAGE=N, such as household=2\n"),
    ],
)  # fmt: skip
def test_a_faulty_value_is_told_by_its_option(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(arguments) == 2
    assert capsys.readouterr().err.endswith(told)


def test_a_command_whose_module_is_not_there_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "later", "hearthwatch.cli.later:later")
    assert cli.run(["later"]) == 2


def test_a_command_whose_module_lacks_a_package_fails_loudly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cli.COMMANDS, "doctor", "hearthwatch.cli.doctor:doctor")
    monkeypatch.delitem(sys.modules, "hearthwatch.cli.doctor", raising=False)
    monkeypatch.setitem(sys.modules, "hearthwatch.settings", None)
    with pytest.raises(ModuleNotFoundError):
        cli.run(["doctor"])


def test_the_config_option_is_the_variable_for_workers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HEARTHWATCH_CONFIG", "")
    (tmp_path / "a.toml").write_text("clock = 'sun'")
    monkeypatch.chdir(tmp_path)
    assert cli.run(["--config", "a.toml", "local", "status"]) == 2
    assert os.environ["HEARTHWATCH_CONFIG"] == str(tmp_path / "a.toml")
    assert capsys.readouterr().err == f"{tmp_path}/a.toml: clock: got 'sun'; allowed: `wall` or `log`\n"


def test_output_into_a_pipe_that_closes_is_no_error() -> None:
    command = f"{sys.executable} -m hearthwatch local --help | head -c 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=False)
    assert done.stderr == b""
