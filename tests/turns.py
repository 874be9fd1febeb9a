"""Which tests of a whole run go together, and which come first.

With ``-n 2 --dist loadfile`` a worker takes one file after the other. What is started for a whole folder
would then be started by both workers: such a folder is taken as if it were one file. And the longest come
first: one that begins last leaves the other worker without work.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

#: Folders with a town or a program of their own, which costs more to start than most of their tests take.
TOGETHER = ("tests/api/", "tests/bad_input/", "tests/casework/live/", "tests/ledger/")

#: Folders and files that take over half a minute of a quiet machine, the longest first.
FIRST = (
    "tests/agents/test_live_equals_backtest.py",
    "tests/operations/test_up.py",
    "tests/api/",
    "tests/faults/test_workers.py",
    "tests/faults/test_casework.py",
    "tests/faults/test_dispatch.py",
    "tests/faults/",
    "tests/rebuild/",
    "tests/agents/test_stage.py",
    "tests/demo/",
    "tests/bad_input/",
    "tests/hearthwatch/test_silence_live.py",
    "tests/operations/test_activation.py",
    "tests/operations/test_up_alerts.py",
    "tests/operations/test_go_live.py",
    "tests/docs/test_tutorial.py",
    "tests/casework/live/",
    "tests/bench/",
    "tests/watched/test_live.py",
    "tests/deploy/",
    "tests/agents/",
)


def turn(nodeid: str) -> int:
    """The place of a test's file: lower ones begin earlier."""
    return next((at for at, begin in enumerate(FIRST) if nodeid.startswith(begin)), len(FIRST))


def unit(nodeid: str) -> str:
    """What a worker takes as one."""
    path = nodeid.partition("::")[0]
    return next((folder for folder in TOGETHER if path.startswith(folder)), path)


class Turns(LoadScopeScheduling):
    """Gives out folders and files in the order in which they were collected."""

    def __init__(self, config: pytest.Config, log: Any = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
