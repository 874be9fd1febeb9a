"""Prometheus is the one program here that no Python package brings: where it is missing, that is said."""

from __future__ import annotations

import shutil

import pytest

NOT_INSTALLED = "prometheus is not installed (Debian: apt install prometheus)"
_missing: set[str] = set()


def installed(program: str, what: str) -> str:
    """The path of a program; without it the test is skipped, and that is told at the end."""
    path = shutil.which(program)
    if path is None:
        _missing.add(what)
        pytest.skip(NOT_INSTALLED)
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
        terminalreporter.write_line(f"NOT TESTED: {what}: {NOT_INSTALLED}", red=True, bold=True)
