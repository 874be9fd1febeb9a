"""Kafka's jars: named by Maven coordinate and pinned by SHA-256 in ``kafka.lock``, fetched once.

No Java is needed to fetch them: jgo resolves each coordinate of the lock in Python; nothing transitive is
looked up, because the lock is the whole closure. ``python -m deploy.local.jars`` writes a new lock.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import errno
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streams.errors import LocalStackError, TransportError

KAFKA_VERSION = "4.1.1"
ROOTS = (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", "org.slf4j:slf4j-simple:1.7.36")
"""What the lock is the closure of: the broker, and a logger that needs no configuration file."""

LOCK = Path(__file__).with_name("kafka.lock")
PARALLEL_DOWNLOADS = 4

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how many jars are there, and how many there are in all."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def coordinate(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def locked(path: Path = LOCK) -> tuple[Jar, ...]:
    """The jars of the lock: ``group:artifact:version sha256`` per line; ``#`` begins a comment."""
    jars = []
    for line in path.read_text("utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if not text:
            continue
        coordinate, sha256 = text.split()
        group, artifact, version = coordinate.split(":")
        jars.append(Jar(group, artifact, version, sha256))
    return tuple(jars)


def ensure(
    folder: Path,
    *,
    jars: Sequence[Jar] | None = None,
    repository: str | None = None,
    progress: Progress = lambda what, done, total: None,
) -> list[Path]:
    """See that every jar of the lock is in ``folder``, byte for byte; fetch what is missing or different.

    Args:
        repository: the URL of another Maven repository (a mirror); ``None`` for Maven Central.

    Returns:
        The paths of the jars, in the order of the lock: the class path.

    Raises:
        TransportError: a jar could not be fetched.
        LocalStackError: the folder cannot be written, or a repository gives other bytes than the lock says.
    """
    wanted = locked() if jars is None else tuple(jars)
    missing = [jar for jar in wanted if not _is_verified(folder / jar.file_name, jar.sha256)]
    done = len(wanted) - len(missing)
    if missing:
        progress(f"Fetching Kafka {KAFKA_VERSION}", done, len(wanted))
        with (
            _writable(folder),
            tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch,
            concurrent.futures.ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool,
        ):
            tasks = {pool.submit(_fetch, jar, folder, Path(scratch), repository): jar for jar in missing}
            try:
                for task in concurrent.futures.as_completed(tasks):
                    task.result()
                    done += 1
                    progress(f"Fetched {tasks[task].file_name}", done, len(wanted))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return [folder / jar.file_name for jar in wanted]


def _is_verified(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except (FileNotFoundError, NotADirectoryError):
        return False


@contextlib.contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """Make the folder; say in one line what stands in the way of writing there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise LocalStackError(
                f"no space left on the disk of {folder}: Kafka's jars need 45 MB there; free some, "
                "or name a folder on another disk with HEARTHWATCH_JARS_DIR"
            ) from None
        if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST}:
            raise LocalStackError(
                f"cannot write to {folder} ({error.strerror}): make it writable, or name another folder "
                "with HEARTHWATCH_JARS_DIR"
            ) from None
        raise


def _fetch(jar: Jar, folder: Path, scratch: Path, repository: str | None) -> None:
    """Fetch one jar beside its place, check it, and only then move it there."""
    from jgo.maven import MavenContext

    remote = None if repository is None else {"mirror": repository.rstrip("/")}
    home = os.environ.get("M2_REPO")
    shared = Path(home) if home else Path.home() / ".m2" / "repository"
    context = MavenContext(
        repo_cache=scratch,
        local_repos=[shared] if shared.is_dir() else [],  # where Maven keeps its own downloads; only read
        remote_repos=remote,
        timeout=60,
    )
    artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
    try:
        found = Path(artifact.resolve())
        if not _is_verified(found, jar.sha256) and found.is_relative_to(shared):
            found = Path(context.resolver.download(artifact) or found)
    except OSError as error:  # requests' errors are of this kind too
        if error.errno == errno.ENOSPC:
            raise
        raise TransportError(
            f"{jar.coordinate} could not be fetched ({_why(error)}): "
            "connect to the network and try again, or name a mirror with HEARTHWATCH_MAVEN_REPOSITORY"
        ) from None
    except RuntimeError as error:
        raise TransportError(f"{jar.coordinate} is not to be had: {_first_line(error)}") from None
    if not _is_verified(found, jar.sha256):
        raise LocalStackError(
            f"{jar.coordinate} has other bytes than deploy/local/kafka.lock says: it was damaged or "
            "replaced on the way; try again, or use another repository (HEARTHWATCH_MAVEN_REPOSITORY)"
        )
    place = folder / jar.file_name
    if found.is_relative_to(scratch):
        found.replace(place)
    else:
        copy = scratch / jar.file_name
        copy.write_bytes(found.read_bytes())
        copy.replace(place)


def _why(error: OSError) -> str:
    """What is behind an error of requests, whose own texts are paragraphs of nested objects."""
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "the repository's certificate is not trusted here"
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, requests.exceptions.ConnectionError):
        return "no connection"
    return error.strerror or _first_line(error)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def resolve_lock() -> list[Jar]:
    """Resolve the closure of ``ROOTS`` on the network and hash what is found (for a new lock)."""
    from jgo.maven import MavenContext

    with tempfile.TemporaryDirectory() as scratch:
        context: Any = MavenContext(repo_cache=Path(scratch), timeout=60)
        inputs, transitive = context.resolver.resolve([context.create_dependency(root) for root in ROOTS])
        jars = []
        for dependency in sorted(inputs + transitive, key=lambda d: (d.groupId, d.artifactId)):
            data = Path(dependency.artifact.resolve()).read_bytes()
            jars.append(
                Jar(
                    dependency.groupId,
                    dependency.artifactId,
                    dependency.version,
                    hashlib.sha256(data).hexdigest(),
                )
            )
    return jars


if __name__ == "__main__":
    lines = [f"# The closure of {' and '.join(ROOTS)}; written by python -m deploy.local.jars"]
    lines += [f"{jar.coordinate} {jar.sha256}" for jar in resolve_lock()]
    LOCK.write_text("\n".join(lines) + "\n", "utf-8")
    sys.stdout.write(f"{LOCK}: {len(lines) - 1} jars\n")
