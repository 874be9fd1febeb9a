"""How far a file has been published: a small state file that is checked before it is believed.

The position is a number of bytes and the SHA-256 of those bytes. So a file that has grown goes on, and one
that has changed before the position starts again from its beginning, which loses nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any, BinaryIO, Final

from streams.errors import InputError

_CHUNK: Final = 1_048_576


class Tracker:
    """What has been dealt with, from the beginning of a file.

    Attributes:
        lines: whole lines.
        bytes: bytes of those lines, line ends included.
    """

    def __init__(self) -> None:
        self.lines = 0
        self.bytes = 0
        self._digest = hashlib.sha256()

    def passed(self, raw: bytes) -> None:
        """The next line, with its line end, has been dealt with."""
        self.lines += 1
        self.bytes += len(raw)
        self._digest.update(raw)

    @property
    def digest(self) -> str:
        """SHA-256 of these bytes, in hex."""
        return self._digest.hexdigest()

    @classmethod
    def over(cls, source: BinaryIO, lines: int, size: int) -> Tracker:
        """The tracker after the first ``size`` bytes of a file; leaves the file there."""
        tracker = cls()
        while tracker.bytes < size and (chunk := source.read(min(_CHUNK, size - tracker.bytes))):
            tracker.bytes += len(chunk)
            tracker._digest.update(chunk)
        tracker.lines = lines
        return tracker


class Position:
    """The state file of one file on one cluster.

    Args:
        folder: where state files are kept; made when the first is written.
        file: the file being published.
        target: what it is published to: the cluster's id and the topic, if one was forced. Another cluster
            (an embedded broker that was reset is one) has seen nothing of the file.
    """

    def __init__(self, folder: Path, file: Path, target: str) -> None:
        self._file = str(file.resolve())
        self._target = target
        name = hashlib.sha256(f"{self._file}\n{target}".encode()).hexdigest()[:24]
        self.path = folder / f"{name}.json"

    def resume(self, source: BinaryIO) -> tuple[Tracker, str]:
        """Move a freshly opened file to the kept position; return it with a note for the user."""
        state = self._read()
        if state is None:
            return Tracker(), ""
        lines, size = state["lines"], state["bytes"]
        tracker = Tracker.over(source, lines, size)
        if tracker.bytes == size and tracker.digest == state["sha256"]:
            return tracker, f"goes on after line {lines:,}"
        source.seek(0)
        return (
            Tracker(),
            f"changed since an earlier run stopped after line {lines:,}: starts from the beginning",
        )

    def save(self, tracker: Tracker) -> None:
        """Keep a position; after a crash the file holds this one or the one before, never half of one."""
        state = {
            "file": self._file,
            "target": self._target,
            "lines": tracker.lines,
            "bytes": tracker.bytes,
            "sha256": tracker.digest,
        }
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            written = self.path.with_suffix(".new")
            with written.open("w") as out:
                json.dump(state, out)
                out.flush()
                os.fsync(out.fileno())
            written.replace(self.path)
        except OSError as error:
            raise InputError(f"{self.path}: the position cannot be kept there: {error.strerror}") from None

    def forget(self) -> None:
        """The file is through: a further run is meant to publish it once more."""
        self.path.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        try:
            state = json.loads(self.path.read_bytes())
            if (
                state["target"] == self._target
                and min(state["lines"], state["bytes"]) >= 0
                and state["sha256"]
            ):
                return dict(state)
        except (OSError, ValueError, KeyError, TypeError):
            # Not there, or written by something else: publishing from the beginning loses nothing.
            return None
        return None
