"""``hearthwatch catalog`` and ``hearthwatch deadletters``: output and exit status."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from hearthwatch.cli import deadletters as command
from hearthwatch.cli import run
from streams.deadletters import DeadLetter, dead_letter_headers, read_dead_letter
from tests.streams.wire import CATALOG_TEXT, THEN_MS

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Run the command line: exit status, standard output, standard error."""
    monkeypatch.setenv("COLUMNS", "200")

    def call(*args: object) -> tuple[int, str, str]:
        status = run([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return status, out, err

    return call


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(CATALOG_TEXT, "utf-8")
    return path


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    path = tmp_path / "faulty.yaml"
    text = CATALOG_TEXT.replace("kind: boolean", "kind: bolean").replace("keep: 400d", "keep: 0d")
    path.write_text(text.replace("[health, civil-affairs]", "[helth]"), "utf-8")
    return path


def test_check_a_good_catalogue(cli: Cli, good: Path) -> None:
    status, out, err = cli("catalog", "check", good)
    assert (status, err) == (0, "")
    assert out == f"{good}: good. Catalogue wuchang, version 1: 3 departments, 2 event types.\n"
    status, out, _ = cli("catalog", "check", good, "--json")
    assert (status, json.loads(out)["faults"]) == (0, [])


def test_check_without_a_file_reads_the_one_of_the_settings(cli: Cli) -> None:
    status, out, _ = cli("catalog", "check", "--json")
    assert (status, json.loads(out)["departments"]) == (0, 15)


def test_check_reports_every_fault_with_its_line_and_a_caret(cli: Cli, faulty: Path) -> None:
    status, out, err = cli("catalog", "check", faulty)
    assert (status, out) == (2, "")
    assert err.splitlines()[:3] == [
        f"{faulty}:9:7: keep must be at least 1d, not 0d",
        " 9 | keep: 0d",
        "   |       ^",
    ]
    assert "did you mean `health`?" in err
    assert "did you mean `boolean`?" in err
    assert err.endswith(f"3 faults in {faulty}.\n")
    status, out, _ = cli("catalog", "check", faulty, "--json")
    assert status == 2
    assert [fault["line"] for fault in json.loads(out)["faults"]] == [9, 12, 20]


@pytest.mark.parametrize("subcommand", ["list", "asyncapi", "check"])
def test_what_cannot_be_read_is_one_clear_line(cli: Cli, tmp_path: Path, subcommand: str) -> None:
    option = [] if subcommand == "check" else ["--catalog"]
    empty = tmp_path / "empty.yaml"
    empty.touch()
    for path, why in (
        (tmp_path, "Is a directory"),
        (tmp_path / "nowhere.yaml", "No such file"),
        (empty, "the file is empty"),
    ):
        status, out, err = cli("catalog", subcommand, *option, path)
        assert (status, out) == (2, "")
        assert why in err
        assert "Traceback" not in err


def test_list(cli: Cli, good: Path) -> None:
    status, out, _ = cli("catalog", "list", "--catalog", good)
    assert status == 0
    assert "health.visit.made" in out
    assert "走访" in out
    assert "severity*" in out
    assert "every department" in out


def test_list_as_json_of_one_department(cli: Cli, good: Path) -> None:
    status, out, _ = cli("catalog", "list", "--catalog", good, "--department", "health", "--json")
    listed = json.loads(out)
    assert status == 0
    assert [one["topic"] for one in listed["departments"]] == ["life.health"]
    assert [one["type"] for one in listed["types"]] == ["health.visit.made", "fact.retracted"]
    status, _, err = cli("catalog", "list", "--catalog", good, "--department", "fire")
    assert (status, err) == (2, "unknown department `fire`: one of health, civil-affairs, public-security\n")


def test_asyncapi_in_yaml_and_in_json_is_the_same(cli: Cli, good: Path) -> None:
    _, as_json, _ = cli("catalog", "asyncapi", "--catalog", good, "--json")
    status, as_yaml, _ = cli("catalog", "asyncapi", "--catalog", good)
    assert status == 0
    assert yaml.safe_load(as_yaml) == json.loads(as_json)
    assert "&id" not in as_yaml  # aliases confuse readers


def test_schema(cli: Cli, good: Path) -> None:
    status, out, _ = cli("catalog", "schema", "home.damaged", "--catalog", good)
    assert status == 0
    assert json.loads(out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    _, out, _ = cli("catalog", "schema", "health.visit.made", "--catalog", good, "--data")
    assert json.loads(out)["required"] == ["severity"]
    status, out, err = cli("catalog", "schema", "home.damage", "--catalog", good)
    assert (status, out) == (2, "")
    assert "did you mean `home.damaged`?" in err


@pytest.mark.parametrize(
    "name", [["catalog"], ["catalog", "check"], ["catalog", "list"], ["deadletters", "list"]]
)
def test_help_teaches(cli: Cli, name: list[str]) -> None:
    status, out, _ = cli(*name, "--help")
    assert status == 0
    assert "Example:" in out or len(name) == 1


# -- dead letters -----------------------------------------------------------------------------------------


def letter(value: bytes = b"{\x1b[31m}") -> DeadLetter:
    headers = dead_letter_headers(
        [], topic="life.health", partition=1, offset=9, reason="not-json", message="$: expected JSON in UTF-8"
    )
    return read_dead_letter(
        partition=0, offset=4, timestamp_ms=THEN_MS, key=b"p-1", value=value, headers=headers
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """A topic with one dead letter; what was asked of it."""
    asked: dict[str, object] = {}

    def topic(_connection: object, **options: object) -> Iterator[DeadLetter]:
        asked.update(options)
        yield letter()

    monkeypatch.setattr(command, "read_dead_letters", topic)
    return asked


def test_dead_letters_are_listed_without_their_values(cli: Cli, asked: dict[str, object]) -> None:
    status, out, _ = cli(
        "deadletters", "list", "--reason", "not-json", "--topic", "life.health", "--last", "3"
    )
    assert status == 0
    assert asked == {"last": 3, "reason": "not-json", "origin_topic": "life.health"}
    for shown in (
        "not-json",
        "life.health/1@9",
        "$: expected JSON in UTF-8",
        "2024-03-02T00:00:00Z",
        "1 shown.",
    ):
        assert shown in out
    assert "p-1" not in out


def test_values_of_dead_letters_cannot_drive_the_terminal(cli: Cli, asked: dict[str, object]) -> None:
    status, out, _ = cli("deadletters", "list", "--values", "--all")
    assert status == 0
    assert asked["last"] is None
    assert "p-1" in out
    assert "\x1b" not in out
    assert "\\x1b[31m" in out


@pytest.mark.usefixtures("asked")
def test_dead_letters_as_json(cli: Cli) -> None:
    _, out, _ = cli("deadletters", "list", "--json")
    row = json.loads(out)
    assert row["origin"] == {"topic": "life.health", "partition": 1, "offset": 9}
    assert "value" not in row
    _, out, _ = cli("deadletters", "list", "--json", "--values")
    assert json.loads(out)["key"] == "p-1"


def test_a_broker_that_is_not_there_is_one_clear_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    status, out, err = cli("deadletters", "list")
    assert (status, out) == (3, "")
    assert err.startswith("no Kafka broker answers at 127.0.0.1:1 ")
    assert err.count("\n") == 1
