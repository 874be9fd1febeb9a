"""Files that commands write, a line at a time: to a path, or to standard output as ``-``."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, Self

from streams.errors import InputError

_STANDARD_OUTPUT = "-"


class Lines:
    """Lines going to a file; without a path they are dropped.

    Raises:
        InputError: the file cannot be opened, or not be written to the end.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: BinaryIO | None = None

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                is_piped = str(self._path) == _STANDARD_OUTPUT
                self._file = sys.stdout.buffer if is_piped else self._path.open("wb")
            except OSError as error:
                raise self._fault(error) from None
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is None:
            return
        try:
            # What is buffered may find the disk full only now.
            if self._file is sys.stdout.buffer:
                self._file.flush()
            else:
                self._file.close()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._fault(error) from None

    def write(self, line: bytes) -> None:
        """Write a line, without its LF."""
        if self._file is None:
            return
        try:
            self._file.write(line + b"\n")
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._fault(error) from None

    def write_all(self, lines: Iterable[bytes]) -> int:
        """Write lines; return how many."""
        count = 0
        for line in lines:
            self.write(line)
            count += 1
        return count

    def _fault(self, error: OSError) -> InputError:
        return InputError(f"{self._path}: cannot be written: {error.strerror}")


def keep_apart(read: Iterable[Path], written: Iterable[tuple[str, Path | None]]) -> None:
    """Refuse to write over a file that is read, and to write two things into one file.

    Args:
        written: option and path.

    Raises:
        InputError: two names mean the same file.
    """
    taken = {key: f"`{path}` is read" for path in read if (key := _key(path, is_read=True)) is not None}
    for option, path in written:
        key = None if path is None else _key(path, is_read=False)
        if key is None:
            continue
        if key in taken:
            raise InputError(f"{option}: {taken[key]} by this command too: name another file")
        taken[key] = f"`{path}` is written"


def _key(path: Path, *, is_read: bool) -> object:
    """What two names of one file share; None for what is no file, such as /dev/null."""
    if str(path) == _STANDARD_OUTPUT:
        return None if is_read else _STANDARD_OUTPUT
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
