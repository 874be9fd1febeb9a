"""`hearthwatch topics` and `hearthwatch publish` as a person calls them: exit status, texts and JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hearthwatch.cli import run
from tests.publish.broker import Broker, events, written


@pytest.fixture(autouse=True)
def _settings(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", broker.connection.bootstrap)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("HEARTHWATCH_CLOCK", "log")
    monkeypatch.chdir(tmp_path)


def catalog_file(tmp_path: Path, department: str) -> Path:
    path = tmp_path / "catalog.yaml"
    path.write_text(
        f"catalog: tests\nversion: 1\nsource_root: /tests\ndepartments:\n  - id: {department}\n"
        f"events:\n  - {{type: a.b, departments: [{department}], subject: person}}\n"
    )
    return path


def test_topics_are_created_then_as_planned(
    department: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = str(catalog_file(tmp_path, department))
    assert run(["topics", "describe", "--catalog", catalog, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["topics"][0]["state"] == "missing"
    run(["topics", "create", "--catalog", catalog, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["topics"][0]["name"], told["topics"][0]["state"]) == (f"life.{department}", "created")
    run(["topics", "describe", "--catalog", catalog, "--json"])
    assert json.loads(capsys.readouterr().out)["topics"][0]["state"] == "as-planned"


def test_a_topic_with_other_settings_is_named_and_exits_1(
    department: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalog = str(catalog_file(tmp_path, department))
    run(["topics", "create", "--catalog", catalog, "--clock", "log"])
    capsys.readouterr()
    assert run(["topics", "create", "--catalog", catalog, "--clock", "wall"]) == 1
    told = capsys.readouterr()
    assert f"life.{department}: message.timestamp.type is CreateTime, expected LogAppendTime" in told.err
    assert f"life.{department}" in told.out


def test_publishing_a_file_prints_a_summary(
    life: str, department: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "events.jsonl", events(department, 20))
    assert run(["publish", str(file)]) == 0
    assert "events.jsonl: 20 published in" in capsys.readouterr().out
    assert run(["publish", str(file), "--json", "--binary"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["published"], told["rejected"], told["line"], told["rejects"]) == (20, 0, 20, None)


def test_rejected_lines_exit_1_and_stand_beside_the_file(
    life: str, department: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "events.jsonl", [*events(department, 2), b'{"source": "/tests/cut\n'])
    assert run(["publish", str(file)]) == 1
    told = capsys.readouterr().out
    assert "2 published" in told
    assert "1 not sent (1 not-json)" in told
    kept = json.loads((tmp_path / "events.jsonl.rejects").read_text())
    assert (kept["line"], kept["reason"], kept["text"]) == (3, "not-json", '{"source": "/tests/cut')


def test_several_files_go_one_after_the_other(
    life: str, department: str, tmp_path: Path, broker: Broker
) -> None:
    one = written(tmp_path / "one.jsonl", events(department, 3))
    two = written(tmp_path / "two.jsonl", events(department, 3, 3))
    assert run(["publish", str(one), str(two)]) == 0
    assert len(broker.records(life)) == 6


def test_a_given_topic_takes_broken_lines(life: str, tmp_path: Path, broker: Broker) -> None:
    file = written(tmp_path / "events.jsonl", [b'{"trunc\n'])
    assert run(["publish", str(file), "--topic", life]) == 0
    assert [record.value for record in broker.records(life)] == [b'{"trunc']


def test_an_empty_file_says_so(life: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path / "events.jsonl", [])
    assert run(["publish", str(file)]) == 0
    assert capsys.readouterr().err.strip() == f"{file}: is empty: nothing to publish"


def test_a_folder_and_a_missing_file_are_one_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["publish", str(tmp_path), str(tmp_path / "nowhere.jsonl")]) == 2
    told = capsys.readouterr().err.splitlines()
    assert told == [
        f"{tmp_path}: is a folder: expected a file of events, one JSON object a line",
        f"{tmp_path / 'nowhere.jsonl'}: cannot be read: No such file or directory",
    ]


@pytest.mark.parametrize(
    "command", [["publish", "events.jsonl"], ["topics", "create"], ["topics", "describe"]]
)
def test_a_broker_that_is_not_there_exits_3_with_one_line(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path / "events.jsonl", events("any", 1))
    monkeypatch.setenv("HEARTHWATCH_KAFKA_BOOTSTRAP", "127.0.0.1:1")
    assert run(command) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("no Kafka broker answers at 127.0.0.1:1 (Connection refused)")


def test_a_broker_without_topics_says_how_to_make_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = written(tmp_path / "events.jsonl", events("any", 1))
    assert run(["publish", str(file), "--topic", "life.nowhere"]) == 2
    assert "`hearthwatch topics create`" in capsys.readouterr().err


def test_ctrl_c_sends_what_was_read_and_says_where_it_stopped(
    life: str, department: str, broker: Broker, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "hearthwatch", "publish", "-"],
        env=dict(os.environ),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin is not None
        process.stdin.write(b"".join(events(department, 25)))
        process.stdin.flush()
        broker.wait_for(life, 25)  # then it waits for more on its standard input
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    assert b"25 published" in out
    assert b"-: interrupted after line 25" in err
