"""What the last lines of a server's log say about why it stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CAUSES: Sequence[tuple[str, str]] = (
    ("No space left on device", "its disk is full; free some space, or set HEARTHWATCH_DATA_DIR"),
    ("Address already in use", "its port was taken meanwhile; run `hearthwatch local up` again"),
    ("Failed to acquire lock on file", "another Kafka uses its data folder; stop that one first"),
    ("Cannot allocate memory", "the machine is out of memory; stop something large"),
    ("Could not reserve enough space", "the machine is out of memory; stop something large"),
    ("OutOfMemoryError", "it ran out of memory; stop something large"),
    (
        "Bad file format reading the append only file",
        "its data is damaged; `hearthwatch local reset` erases it",
    ),
    ("Permission denied", "it may not write to its folder; make that writable for this user"),
)

_STACK_FRAME = re.compile(r"\s+at |\s*\.\.\. \d+ more")


def known_cause(lines: Sequence[str]) -> str | None:
    """The cause and its fix in a few words, if the log has a sign of one."""
    for sign, cause in _CAUSES:
        if any(sign in line for line in lines):
            return cause
    return None


def telling(lines: Sequence[str], count: int) -> list[str]:
    """The last lines that are no stack frames, each cut to a readable length."""
    return [line[:240] for line in lines if not _STACK_FRAME.match(line)][-count:]
