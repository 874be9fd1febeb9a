"""The folder of an embedded stack: where it is, who holds it, and whether its disk has room."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from streams.errors import LocalStackError

LEAST_FREE_BYTES = 200 * 2**20
"""Kafka stops itself when its disk is full, so a start without room to work in is refused."""


def default_data_dir() -> Path:
    """The folder of this program in the user's data directory."""
    return Path(platformdirs.user_data_dir("hearthwatch", appauthor=False))


def default_jars_dir() -> Path:
    """Where Kafka's jars are kept: the same for every data directory."""
    return Path(os.environ.get("HEARTHWATCH_JARS_DIR") or default_data_dir() / "jars")


def default_java_options() -> str:
    """Options of Kafka's JVM beside ours: none, unless the environment names some."""
    return os.environ.get("HEARTHWATCH_JAVA_OPTIONS", "")


@contextlib.contextmanager
def locked(data_dir: Path, folder: Path) -> Iterator[None]:
    """Hold the lock of a stack's folder; another program's start or stop is waited for.

    Args:
        folder: within the data directory; both are made.

    Raises:
        LocalStackError: they cannot be written.
    """
    try:
        # For this user only: what is kept here is about families, and the servers ask no password.
        data_dir.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _disk_full(data_dir) from None
        raise LocalStackError(
            f"cannot write to {folder} ({error.strerror}): make it writable, or choose another "
            "folder with HEARTHWATCH_DATA_DIR"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def check_disk(data_dir: Path, folder: Path) -> None:
    """Refuse to start where there is no room to work in.

    Raises:
        LocalStackError: there is none.
    """
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise LocalStackError(
            f"only {free // 2**20} MiB are free on the disk of {data_dir}, Kafka and Valkey need "
            f"{LEAST_FREE_BYTES // 2**20}: free some, or choose another disk with HEARTHWATCH_DATA_DIR"
        )


def _disk_full(folder: Path) -> LocalStackError:
    return LocalStackError(
        f"no space left on the disk of {folder}: free some, or choose another disk with HEARTHWATCH_DATA_DIR"
    )


@contextlib.contextmanager
def disk_full_is_ours(folder: Path) -> Iterator[None]:
    """Say in one line that the disk is full, wherever in the start it shows."""
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise _disk_full(folder) from None
        raise
