"""Programs that no Python package brings: where one is missing, it is said what was not tested."""

from __future__ import annotations

import shutil

import pytest

_missing: set[str] = set()


def installed(program: str, what: str, package: str = "prometheus") -> str:
    """The path of a program; without it the test is skipped, and it is told at the end what was left out."""
    path = shutil.which(program)
    if path is None:
        why = f"{program} is not installed (Debian: apt install {package})"
        _missing.add(f"{what}: {why}")
        pytest.skip(why)
    return path


@pytest.fixture(scope="session")
def promtool() -> str:
    return installed("promtool", "alert rules by their unit tests")


@pytest.fixture(scope="session")
def prometheus() -> str:
    return installed("prometheus", "alerts and dashboards on a live Prometheus")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested."""
    for what in sorted(_missing):
        terminalreporter.write_line(f"NOT TESTED: {what}", red=True, bold=True)
