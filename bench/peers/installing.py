"""Peers are installed beside the project, never into its environment: a venv and a jar in the data directory.

What cannot be installed is told with its reason, and the other programs run without it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.machine import ROOT
from deploy.local import default_data_dir

Progress = Callable[[str], None]

HERE: Final = ROOT / "bench" / "peers"
REQUIREMENTS: Final = HERE / "requirements.txt"
MAVEN_PROJECT: Final = HERE / "kafka_streams"
#: What each Python peer imports first.
PYTHON_PEERS: Final = {
    "floor": "confluent_kafka",
    "quix": "quixstreams",
    "quix-slow": "quixstreams",
    "bytewax": "bytewax",
}
_TOLD_LINES: Final = 3


@dataclass(slots=True)
class Installed:
    """Where the peers are.

    Attributes:
        python: of the peers' venv.
        class_path: of the Kafka Streams program.
        missing: why a peer cannot run, by its name.
    """

    python: Path
    class_path: str
    missing: dict[str, str] = field(default_factory=dict)


class InstallError(Exception):
    """A peer cannot be had here; says why in one line."""


def install(progress: Progress, wanted: Iterable[str], folder: Path | None = None) -> Installed:
    """Install what is not there yet.

    Args:
        wanted: names of peers; only what they need is installed.
        folder: where to; ``bench-peers`` of the data directory (HEARTHWATCH_DATA_DIR) unless given.
    """
    wanted = set(wanted)
    if folder is None:
        data = os.environ.get("HEARTHWATCH_DATA_DIR")
        folder = (Path(data) if data else default_data_dir()) / "bench-peers"
    python = folder / f"venv-{_digest([REQUIREMENTS], sys.version)}"
    sources = [MAVEN_PROJECT / "pom.xml", *sorted((MAVEN_PROJECT / "src").rglob("*.java"))]
    target = folder / f"kafka-streams-{_digest(sources)}"
    out = Installed(python / "bin" / "python", os.pathsep.join([f"{target}/peer.jar", f"{target}/lib/*"]))
    if found := wanted & PYTHON_PEERS.keys():
        try:
            _venv(python, progress)
        except InstallError as error:
            out.missing |= dict.fromkeys(found, str(error))
        else:
            for name in sorted(found):
                check = [str(out.python), "-c", f"import {PYTHON_PEERS[name]}"]
                if subprocess.run(check, capture_output=True, check=False).returncode:
                    out.missing[name] = f"no {PYTHON_PEERS[name]} for this Python ({sys.version.split()[0]})"
    if found := {name for name in wanted if name.startswith("kafka-streams")}:
        try:
            _maven(target, progress)
        except InstallError as error:
            out.missing |= dict.fromkeys(found, str(error))
    return out


def _digest(files: Iterable[Path], *more: str) -> str:
    digest = hashlib.sha256("\0".join(more).encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _venv(folder: Path, progress: Progress) -> None:
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    progress(f"making {folder}")
    _run([sys.executable, "-m", "venv", str(folder)], progress, shown=())
    _run(
        [
            str(folder / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check",
            "--no-input", "--require-hashes", "--only-binary", ":all:", "-r", str(REQUIREMENTS),
        ],
        progress,
        shown=("Collecting ", "Installing "),
    )  # fmt: skip
    (folder / "complete").touch()


def _maven(folder: Path, progress: Progress) -> None:
    for program in ("java", "mvn"):
        if shutil.which(program) is None:
            raise InstallError(f"`{program}` is not on the PATH: Java 17 or later and Maven are needed")
    if (folder / "complete").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    progress("building the Kafka Streams program with Maven")
    _run(
        ["mvn", "-B", "-ntp", "-f", str(MAVEN_PROJECT / "pom.xml"), f"-Dpeers.target={folder}", "package"],
        progress,
        shown=("[INFO] --- ",),
    )
    (folder / "complete").touch()


def _run(command: Sequence[str], progress: Progress, *, shown: Sequence[str]) -> None:
    """Run something that takes a while, and tell of it in its own words."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.strip())
            if any(line.startswith(word) for word in shown):
                progress(" ".join(line.split()[:4])[:90])
    if process.returncode:
        told = [line for line in lines if line and ("ERROR" in line or "error" in line)] or lines
        name = Path(command[0]).name
        raise InstallError(f"{name} ended with {process.returncode}: " + " / ".join(told[:_TOLD_LINES]))
