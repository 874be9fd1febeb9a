"""The two commands' setup: what is locked, and what is said where it cannot work."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = {
    "run": [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]],
    "dev": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["dependency-groups"]["build"],
        *PROJECT["dependency-groups"]["dev"],
    ],
}


def locked(name: str) -> dict[str, str]:
    """Package -> version, of one lock."""
    text = (ROOT / "requirements" / f"{name}.lock").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", text, re.MULTILINE))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_every_requirement_of_the_project_in_its_bounds(name: str) -> None:
    versions = locked(name)
    for line in LOCKS[name]:
        requirement = Requirement(line)
        version = versions.get(requirement.name.lower().replace("_", "-"))
        assert version is not None, f"{requirement.name}: just lock"
        assert requirement.specifier.contains(version), f"{line}, locked {version}: just lock"


def test_dev_has_what_run_has_in_the_same_versions() -> None:
    assert locked("run").items() <= locked("dev").items()


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_a_hash_and_no_index_or_host_is_named(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.lock").read_text("utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(locked(name))
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?:|--(extra-)?index|--find-links|--trusted-host", text)


@pytest.mark.parametrize("script", ["scripts/setup", "scripts/test", "scripts/demo", ".ci/run"])
def test_scripts_can_be_run_and_stop_at_the_first_fault(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & stat.S_IXUSR
    assert "set -euo pipefail" in path.read_text("utf-8")
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout with the scripts alone, and a PATH without Python, uv, Java or anything else but basics."""
    shutil.copytree(ROOT / "scripts", tmp_path / "checkout" / "scripts")
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "env", "dirname", "readlink", "rm", "cat"):
        found = shutil.which(tool)
        assert found is not None
        (tmp_path / "bin" / tool).symlink_to(found)
    return tmp_path


def setup(bare: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(bare / "checkout" / "scripts" / "setup"), *arguments],
        env={"PATH": str(bare / "bin"), "HOME": str(bare)},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_python_setup_says_what_is_missing(bare: Path) -> None:
    done = setup(bare)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11 or newer was not found")
    assert done.stderr.count("\n") == 1
    assert not (bare / "checkout" / ".venv").exists()


def test_a_python_that_is_too_old_or_broken_is_passed_over(bare: Path) -> None:
    """As the shims of version managers are for versions that are not installed."""
    for name in ("python3.12", "python3"):
        (bare / "bin" / name).write_text("#!/usr/bin/env bash\nexit 1\n")
        (bare / "bin" / name).chmod(0o755)
    done = setup(bare)
    assert done.returncode == 1
    assert done.stderr.startswith("setup: Python 3.11 or newer was not found")


def test_setup_takes_one_option_only(bare: Path) -> None:
    done = setup(bare, "--all")
    assert done.returncode == 2
    assert done.stderr == "usage: scripts/setup [--dev]\n"
