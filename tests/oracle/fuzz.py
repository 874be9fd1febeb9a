"""Differential fuzzing: the oracle against the program, over seeds, with shrinking.

The program is either a command (its arguments are those of the backtest) or, for speed,
the same command called in this process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from tests.oracle.backtest import Outputs, backtest
from tests.oracle.compare import first_difference, read_outputs
from tests.oracle.generate import Case, generate

Program: TypeAlias = Callable[[Case], Outputs]


class ProgramFailedError(Exception):
    """The program did not end with status 0."""


@dataclass(frozen=True)
class Finding:
    """A case on which both disagree, as small as it could be made."""

    seed: int
    case: Case
    difference: str


def _arguments(case: Case, folder: Path) -> list[str]:
    case.write(folder)
    until = [] if case.until is None else ["--until", case.until]
    outputs = {"out": "warnings.jsonl", "scores": "scores.jsonl", "rejections": "rejections.jsonl"}
    options = [text for name, file in outputs.items() for text in (f"--{name}", str(folder / file))]
    files = ["--catalog", str(folder / "catalog.yaml"), "--policy", str(folder / "policy.yaml")]
    return ["backtest", str(folder / "events.jsonl"), *files, *options, *until]


def command(words: list[str]) -> Program:
    """The program as a command, such as ``["hearthwatch"]``."""

    def run(case: Case) -> Outputs:
        with tempfile.TemporaryDirectory(prefix="oracle-") as name:
            folder = Path(name)
            done = subprocess.run(
                [*words, *_arguments(case, folder)], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise ProgramFailedError(f"exit status {done.returncode}: {done.stderr.strip()[-2000:]}")
            return read_outputs(folder)

    return run


def in_process() -> Program:
    """The program's command line, called in this process."""
    from click.testing import CliRunner

    from hearthwatch.cli.backtest import backtest as program

    def run(case: Case) -> Outputs:
        with tempfile.TemporaryDirectory(prefix="oracle-") as name:
            folder = Path(name)
            result = CliRunner().invoke(program, _arguments(case, folder)[1:])
            if result.exception is not None and not isinstance(result.exception, SystemExit):
                text = "".join(traceback.format_exception(result.exception))
                raise ProgramFailedError(text[-3000:]) from result.exception
            if result.exit_code != 0:
                raise ProgramFailedError(f"exit status {result.exit_code}: {result.output[-2000:]}")
            return read_outputs(folder)

    return run


def difference_of(case: Case, program: Program) -> str | None:
    """How the program differs from the oracle on a case; None if it does not."""
    expected = backtest(case.catalog, case.policy, case.events, case.until_day)
    try:
        actual = program(case)
    except ProgramFailedError as error:
        return f"the program failed: {error}"
    return first_difference(expected, actual)


def shrink(case: Case, program: Program, seconds: float = 60.0) -> Case:
    """Drop lines, and days after the last, while both still disagree."""
    end = time.monotonic() + seconds
    if case.until is not None:
        without = replace(case, until=None)
        if difference_of(without, program) is not None:
            case = without
    size = max(1, len(case.lines) // 2)
    while size >= 1 and time.monotonic() < end:
        at, smaller = 0, False
        while at < len(case.lines) and time.monotonic() < end:
            rest = replace(case, lines=case.lines[:at] + case.lines[at + size :])
            if difference_of(rest, program) is not None:
                case, smaller = rest, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return case


def run_seeds(seeds: Iterable[int], program: Program, *, size: int | None = None) -> Iterable[Finding]:
    """Every seed on which both disagree, shrunk."""
    for seed in seeds:
        case = generate(seed, size)
        if difference_of(case, program) is not None:
            case = shrink(case, program)
            yield Finding(seed, case, difference_of(case, program) or "it does not come back")


def keep(finding: Finding, folder: Path) -> Path:
    """Write a finding as a case, with what the oracle gives and the difference."""
    place = folder / f"seed-{finding.seed}"
    write_case(finding.case, place)
    (place / "difference.txt").write_text(finding.difference + os.linesep, encoding="utf-8")
    return place


def write_case(case: Case, place: Path) -> None:
    """A folder of conformance: the inputs, and what the oracle makes of them."""
    from tests.oracle.__main__ import write_lines

    case.write(place)
    outputs = backtest(case.catalog, case.policy, case.events, case.until_day)
    rejections = [{"line": entry["line"], "reason": entry["reason"]} for entry in outputs.rejections]
    write_lines(place / "warnings.jsonl", outputs.warnings)
    write_lines(place / "scores.jsonl", outputs.scores)
    write_lines(place / "rejections.jsonl", rejections)
