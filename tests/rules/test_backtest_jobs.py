"""A backtest on several cores gives what one core gives."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from hearthwatch.cli import run
from rules.backtest_jobs import Groups
from tests.conformance.agreement import by_household, load
from tests.conformance.case_files import Case, all_cases

LARGE = [case for case in all_cases() if case.name.startswith(("generated", "stories"))]


@pytest.mark.parametrize("case", LARGE, ids=lambda case: case.name)
def test_several_jobs_agree_with_one(case: Case, tmp_path: Path) -> None:
    until = ["--until", case.until] if case.until else []
    for jobs in (1, 3):
        out = [f"--{name}={tmp_path / name}-{jobs}" for name in ("out", "scores", "rejections")]
        files = ["--catalog", str(case.catalog), "--policy", str(case.policy)]
        assert run(["backtest", str(case.events), *files, *out, *until, f"--jobs={jobs}"]) == 0
    assert by_household(load(tmp_path / "out-1")) == by_household(load(tmp_path / "out-3"))
    assert load(tmp_path / "scores-1") == load(tmp_path / "scores-3")
    assert load(tmp_path / "rejections-1") == load(tmp_path / "rejections-3")


def test_who_belongs_together_is_dealt_to_one_hand() -> None:
    groups = Groups()
    numbers = [groups.number(name) for name in ("a", "b", "c", "d", "a")]
    assert numbers == [0, 1, 2, 3, 0]
    groups.join(0, 1)
    groups.join(1, 2)
    hands = groups.deal(array("i", [0, 1, 2, 3, 3]), 2)
    assert len({hands[number] for number in (0, 1, 2)}) == 1
    assert hands[3] != hands[0]
