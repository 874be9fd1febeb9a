"""The backtest command: files in, files out, exit status (policy.md, 7)."""

from __future__ import annotations

import gc
import json
from pathlib import Path

import pytest

from hearthwatch.cli import run
from rules.backtest import uncollected
from tests.rules.a_policy import CATALOG, POLICY

JOIN = {
    "specversion": "1.0",
    "id": "j1",
    "source": "/t/civil",
    "type": "registry.member.joined",
    "subject": "person/p1",
    "time": "2024-02-01T08:00:00+08:00",
    "data": {"household": "A", "role": "head"},
}
ILL = JOIN | {
    "id": "i1",
    "source": "/t/health",
    "type": "health.ill",
    "time": "2024-02-02T08:00:00+08:00",
    "data": {"severity": 3},
}


class Bench:
    """A folder with a catalogue, a policy and events; calls the command on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "catalog.yaml").write_text(CATALOG, "utf-8")
        (folder / "policy.yaml").write_text(POLICY, "utf-8")

    def events(self, *lines: object, end: str = "\n") -> None:
        text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
        (self.folder / "events.jsonl").write_text(text + end, "utf-8")

    def run(self, *options: str, events: str = "events.jsonl") -> int:
        at = {name: str(self.folder / name) for name in ("catalog.yaml", "policy.yaml", "w", "s", "r")}
        return run([
            "backtest", str(self.folder / events), "--catalog", at["catalog.yaml"],
            "--policy", at["policy.yaml"],
            "--out", at["w"], "--scores", at["s"], "--rejections", at["r"], *options,
        ])  # fmt: skip

    def lines(self, name: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in (self.folder / name).read_text("utf-8").splitlines()]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_warnings_scores_and_rejections_are_written(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.events(JOIN, "", "{broken", " \t\r", ILL, end="")
    assert bench.run() == 0
    (warning,) = bench.lines("w")
    assert warning["id"] == "A-1"
    (score,) = bench.lines("s")
    assert (score["household"], score["score"], score["level"]) == ("A", 25, "blue")
    (rejection,) = bench.lines("r")
    assert (rejection["line"], rejection["reason"]) == (3, "not-json"), "blank lines are skipped but counted"
    assert "line 3: not-json: " in capsys.readouterr().err


def test_only_the_first_twenty_rejections_are_shown_then_a_count(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.events(*["nonsense"] * 25)
    assert bench.run() == 0
    shown = capsys.readouterr().err
    assert shown.count(": not-json: ") == 20
    assert "25" in shown
    assert len(bench.lines("r")) == 25


def test_until_ticks_on_and_an_earlier_day_does_nothing(bench: Bench) -> None:
    bench.events(JOIN, ILL)
    assert bench.run("--until", "2024-03-30") == 0
    assert [warning["type"] for warning in bench.lines("w")] == ["warning.raised", "warning.cleared"]
    assert bench.run("--until", "2023-01-01") == 0
    assert len(bench.lines("w")) == 1


def test_an_empty_file_is_read_to_its_end(bench: Bench) -> None:
    bench.events(end="")
    assert bench.run("--until", "2024-03-30") == 0
    assert bench.lines("w") == bench.lines("s") == bench.lines("r") == []


@pytest.mark.parametrize("events", ["nothing.jsonl", "."])
def test_a_missing_file_or_a_directory_is_said_in_one_line(
    bench: Bench, events: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.run(events=events) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_date_that_is_none_is_refused(bench: Bench) -> None:
    bench.events(JOIN)
    for text in ("2024-02-30", "20240230", "tomorrow", "2024-2-3"):
        assert bench.run("--until", text) == 2


def test_a_faulty_policy_is_never_half_used(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.events(JOIN, ILL)
    policy = bench.folder / "policy.yaml"
    policy.write_text(POLICY.replace("cap: 60", "cap: 61").replace("max(severity)", "max(severty)"), "utf-8")
    assert bench.run() == 2
    assert not (bench.folder / "w").exists()
    shown = capsys.readouterr().err
    assert "severty" in shown
    assert f"{policy}:" in shown


def test_a_line_far_too_long_is_rejected_and_not_kept(bench: Bench) -> None:
    bench.events(JOIN, ILL | {"filler": "x" * 10_000_000}, ILL)
    assert bench.run() == 0
    (rejection,) = bench.lines("r")
    assert (rejection["line"], rejection["reason"]) == (2, "too-large")
    assert len(bench.lines("w")) == 1


def test_the_collector_is_off_for_a_run_and_on_again_also_after_a_fault() -> None:
    def fail() -> None:
        with uncollected():
            assert not gc.isenabled()
            raise ValueError("x")

    assert gc.isenabled()
    with pytest.raises(ValueError, match="x"):
        fail()
    assert gc.isenabled()
