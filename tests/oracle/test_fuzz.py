"""The program agrees with the oracle on a bounded selection of drawn cases.

More of them: ``ORACLE_SEEDS=FIRST:LAST pytest tests/oracle/test_fuzz.py``; with shrinking:
``python -m tests.oracle compare --seeds FIRST:LAST --out FOLDER``.
"""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from tests.oracle.fuzz import ProgramFailedError, difference_of, in_process
from tests.oracle.generate import generate

FIRST, LAST = (int(text) for text in os.environ.get("ORACLE_SEEDS", "0:100").split(":"))
CHUNK = 10


@pytest.mark.parametrize("first", range(FIRST, LAST, CHUNK))
@pytest.mark.timeout(600)
def test_program_agrees_with_the_oracle(first: int) -> None:
    program = in_process()
    for seed in range(first, min(first + CHUNK, LAST)):
        difference = difference_of(generate(seed), program)
        assert difference is None, f"python -m tests.oracle compare --seeds {seed}:{seed + 1}: {difference}"


@pytest.mark.parametrize(
    "text", ["2024-W01-1", "2024-02-30", "20240101", "２024-01-01", "2024-1-01", "", "0000-01-01"]
)
def test_until_is_a_real_date(text: str) -> None:
    """A faulty option ends with status 2 (policy, section 7); ISO week dates are none of ours."""
    with pytest.raises(ProgramFailedError, match="is no date"):
        in_process()(replace(generate(1, 5), until=text))


GOOD = generate(3, 10).lines[0]
LONG_LINES = {
    "blanks and an event, without line feed": ((GOOD, b" " * 70_000 + GOOD), False),
    "blanks and an event": ((GOOD, b" " * 70_000 + GOOD), True),
    "blanks alone": ((GOOD, b" " * 70_000), False),
    "blanks longer than a read, and a letter": ((GOOD, b" " * 3_000_000 + b"x", GOOD), True),
    "blanks longer than a read": ((GOOD, b"\t" * 3_000_000, GOOD), True),
    "letters longer than a read": ((b"x" * 3_000_000, GOOD), True),
    "64 KiB, and one more": (
        (GOOD[:-1] + b" " * (65_536 - len(GOOD)) + b"}", GOOD + b" " * (65_537 - len(GOOD))),
        True,
    ),
    "carriage returns": ((GOOD + b"\r", b"\r"), False),
    "nothing": ((), True),
}


@pytest.mark.parametrize("name", LONG_LINES)
def test_lines_of_odd_lengths(name: str) -> None:
    """Blank lines are skipped but counted, whatever their length; others are too large over 64 KiB."""
    lines, ended = LONG_LINES[name]
    assert difference_of(replace(generate(3, 10), lines=lines, ended=ended), in_process()) is None
