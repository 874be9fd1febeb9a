"""Log lines: one JSON object each or readable ones, with fields, and nothing that a department sent."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.logs import JsonLines, TextLines
from hearthwatch.run_folder import WorkerState
from hearthwatch.screen import last_line_of
from streams.errors import LedgerError
from streams.origins import ORIGIN, fields, origin_header, read_origin
from streams.records import Origin

ROOT = Path(__file__).parents[2]
PERSONAL = "Zhang San, 420106199001011234"


def written(formatter: logging.Formatter, error: BaseException | None = None, **extra: Any) -> str:
    out = io.StringIO()
    logger = logging.Logger("agents.stage")  # noqa: LOG001 - nobody else has it
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.warning("%s-%d is not claimed", "household.facts", 3, extra=extra, exc_info=error)
    return out.getvalue()


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except type(cause) as inner:
            raise error from inner
    except type(error) as outer:
        return outer


def test_a_json_line_has_fields_and_says_who_wrote_it() -> None:
    origin = Origin("life.health", 1, 77)
    text = written(
        JsonLines({"stage": "household", "worker": "household-1"}),
        **fields("household.facts", 3, 12, origin),
    )
    assert text.count("\n") == 1
    line = json.loads(text)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning",
        "logger": "agents.stage",
        "message": "household.facts-3 is not claimed",
        "stage": "household",
        "worker": "household-1",
        "topic": "household.facts",
        "partition": 3,
        "offset": 12,
        "origin_topic": "life.health",
        "origin_partition": 1,
        "origin_offset": 77,
    }


def test_a_line_for_people_ends_with_its_fields() -> None:
    text = written(TextLines({}), offset=12)
    assert text.endswith(" WARNING agents.stage: household.facts-3 is not claimed offset=12\n")
    assert "\x1b" not in text
    assert "\x1b[33mWARNING\x1b[0m" in written(TextLines({}, in_colour=True))


@pytest.mark.parametrize("formatter", [JsonLines({}), TextLines({})])
def test_what_an_exception_says_is_not_written_only_where_it_came_from(formatter: logging.Formatter) -> None:
    """A ValueError's text is mostly the value; our own errors and the system's name files and ids alone."""
    text = written(formatter, raised(ValueError(PERSONAL), KeyError(PERSONAL)))
    assert PERSONAL not in text
    assert "Zhang" not in text
    for word in ("ValueError", "KeyError", "test_logs.py", "in raised"):
        assert word in text
    own = written(formatter, raised(LedgerError("the ledger stands at commit 7")))
    assert "LedgerError: the ledger stands at commit 7" in own
    assert "no such file" in written(formatter, raised(FileNotFoundError(2, "no such file"))).lower()
    if isinstance(formatter, JsonLines):
        assert text.count("\n") == 1


def test_an_exception_that_ends_the_program_or_a_thread_is_a_line_too() -> None:
    code = f"""
import threading, warnings
from hearthwatch.logs import log_to_stderr
log_to_stderr("info", "json", stage="intake")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
warnings.warn("an old spelling")
raise RuntimeError({PERSONAL!r})
"""
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    thread, warning, end = map(json.loads, done.stderr.splitlines())
    assert (thread["message"], thread["stage"]) == ("a thread ended by ZeroDivisionError", "intake")
    assert "an old spelling" in warning["message"]
    assert (end["message"], end["level"], end["error"]) == (
        "the program ended by RuntimeError", "critical", "RuntimeError",
    )  # fmt: skip
    assert PERSONAL not in done.stderr


LEVELS = ["debug", "info", "warning", "error"]


@pytest.mark.parametrize("level", LEVELS)
def test_only_lines_of_the_level_and_above_are_written(level: str) -> None:
    code = f"""
import logging
from hearthwatch.logs import log_to_stderr
log_to_stderr({level!r}, "json", stage="intake")
for name in {LEVELS!r}:
    getattr(logging.getLogger("agents.stage"), name)("a line")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [json.loads(line)["level"] for line in done.stderr.splitlines()] == LEVELS[LEVELS.index(level) :]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("activation 6 needs a newer program", ": activation 6 needs a newer program"),
        (written(JsonLines({"stage": "intake"})).strip(), ": household.facts-3 is not claimed"),
        ("{half a line", ": {half a line"),
        ("[1]", ": [1]"),
        ("", ""),
    ],
)
def test_of_a_worker_that_died_its_last_words_are_told(tmp_path: Path, line: str, said: str) -> None:
    log = tmp_path / "intake-1.log"
    log.write_text(f"an earlier line\n{line}\n" if line else "", "utf-8")
    assert last_line_of(WorkerState("intake-1", "intake", "127.0.0.1", 1, str(log))) == said


def test_the_place_of_an_event_survives_its_header() -> None:
    origin = Origin("life.medical-insurance", 3, 10_482)
    assert origin_header(origin) == (ORIGIN, b"life.medical-insurance/3/10482")
    assert read_origin([("content-type", b"x"), origin_header(origin)]) == origin
    assert read_origin([]) is None
    for wrong in (None, b"", b"a/b/c", b"a/1/2/3", b"\xff/1/-2"):
        assert read_origin([(ORIGIN, wrong)]) is None


NOBODY = {"HEARTHWATCH_KAFKA_BOOTSTRAP": "127.0.0.1:1", "HEARTHWATCH_REDIS_URL": "redis://127.0.0.1:1/0"}


@pytest.mark.parametrize(
    "arguments",
    [
        ["household", "show", "H1"],
        ["deadletters", "list"],
        ["deadletters", "requeue", "--reason", "internal-error"],
        ["ledger", "show"],
        ["tick", "--until", "2026-01-01"],
        ["topics", "describe"],
        ["watch", "--from", "beginning", "--until-quiet", "1"],
        ["publish", str(ROOT / "examples" / "tutorial.jsonl")],
        ["up", "--clock", "log"],
    ],
    ids=" ".join,
)
def test_a_command_says_in_one_line_that_a_server_is_away(arguments: list[str], tmp_path: Path) -> None:
    """What aiokafka, kafka-python and redis-py log of it stays off the terminal."""
    environment = {**os.environ, **NOBODY, "HEARTHWATCH_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "hearthwatch", *arguments],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    assert done.returncode in {1, 3}, done.stderr
    for noise in ("Traceback", "aiokafka", "kafka.conn", "trying again", "Unclosed", "Topology"):
        assert noise not in done.stderr
    said = [line for line in done.stderr.splitlines() if not line.startswith(("Opening", "Creating"))]
    assert 1 <= len(said) <= 2, done.stderr


def test_verbose_shows_what_the_clients_log() -> None:
    code = """
import logging, sys
from hearthwatch import cli
@cli.root.command("says")
def says():
    logging.getLogger("aiokafka.conn").warning("lost it")
sys.exit(cli.run([*sys.argv[1:], "says"]))
"""
    for option, said in (([], ""), (["--verbose"], " WARNING aiokafka.conn: lost it\n")):
        done = subprocess.run(
            [sys.executable, "-c", code, *option], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr.endswith(said)
        assert bool(done.stderr) == bool(said)
