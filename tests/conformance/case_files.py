"""The conformance cases: folders with a catalogue, a policy, events, and what has to come out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"


@dataclass(frozen=True)
class Case:
    """One folder of ``cases/``."""

    folder: Path

    @property
    def name(self) -> str:
        """Such as ``edges/z06-first-reason``."""
        return self.folder.relative_to(CASES).as_posix()

    @property
    def catalog(self) -> Path:
        """The catalogue file."""
        return self.folder / "catalog.yaml"

    @property
    def policy(self) -> Path:
        """The policy file."""
        return self.folder / "policy.yaml"

    @property
    def events(self) -> Path:
        """The event file."""
        return self.folder / "events.jsonl"

    @property
    def until(self) -> str | None:
        """The date for ``--until``, if the case has one."""
        path = self.folder / "until"
        return path.read_text("utf-8").strip() if path.exists() else None

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines of the event file that are not blank, numbered from 1, without their line feed."""
        for number, line in enumerate(self.events.read_bytes().split(b"\n"), start=1):
            if line.strip(b" \t\r"):
                yield number, line

    def expected(self, what: str) -> list[dict[str, Any]]:
        """The rows of ``warnings``, ``scores`` or ``rejections``."""
        text = (self.folder / f"{what}.jsonl").read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def all_cases() -> list[Case]:
    """Every case, by name."""
    return sorted((Case(path.parent) for path in CASES.glob("*/*/events.jsonl")), key=lambda case: case.name)
