"""How a peer's program tells what it costs: a line of JSON for each mark, and one at the end.

A mark is a number of records; at each one the CPU of the whole process (user and system, all threads) and the
time are written to standard output. Standard library only.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from typing import Any


class Marks:
    """Counts records, and tells what was used at each mark.

    Attributes:
        records: how many there were.
        next: the next mark.
    """

    def __init__(self, marks: list[int]) -> None:
        self._marks = iter(marks)
        self.records = 0
        self.next: float = next(self._marks)

    def count(self, more: int = 1) -> None:
        """So many records are through."""
        self.records += more
        if self.records >= self.next:
            self._tell()

    def _tell(self) -> None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        cpu = used.ru_utime + used.ru_stime
        say({"records": self.records, "cpu": cpu, "wall": time.monotonic()})
        while self.records >= self.next:
            self.next = next(self._marks, float("inf"))


def say(fields: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


def order() -> dict[str, Any]:
    """What the program has to do: one line of JSON on standard input."""
    taken: dict[str, Any] = json.loads(sys.stdin.readline())
    return taken


def done(state_bytes: int, states: int, versions: dict[str, str]) -> None:
    """The last line: everything is committed.

    Args:
        state_bytes: of all states together, as they are stored; 0 where the program cannot tell.
    """
    say({"done": True, "state_bytes": state_bytes, "states": states, "versions": versions})
