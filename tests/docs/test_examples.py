"""The programs in examples/ say how they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("program", sorted(EXAMPLES.rglob("*.py")), ids=lambda path: path.name)
@pytest.mark.parametrize("arguments", [[], ["H-lin"], ["H-lin", "today"]], ids=["none", "few", "no-day"])
def test_a_wrong_call_is_answered_with_the_usage(program: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Usage: " in done.stderr
    assert "Traceback" not in done.stderr
