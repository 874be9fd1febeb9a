"""``hearthwatch status`` while Kafka is silent: workers go on telling the lag that they last heard of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from hearthwatch.cli import status
from hearthwatch.run_folder import RunFolder, RunState, WorkerState
from hearthwatch.settings import load_settings


@pytest.mark.parametrize(("answers", "lag"), [(True, 7), (False, None)])
def test_a_lag_is_shown_only_while_it_is_known(
    answers: bool,
    lag: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = WorkerState("person-1", "person", "127.0.0.1", 1, "person.log", state="ready", pid=os.getpid())
    state = RunState(os.getpid(), 0.0, True, True, "catalog", "policy", "wall", [worker])
    server: dict[str, Any] = {"address": "host:1", "error": ""}
    monkeypatch.setattr(RunFolder, "running", lambda self: state)
    monkeypatch.setattr(
        status, "ask_ready", lambda *_: {"pid": os.getpid(), "ready": True, "lag": {"person.events": 7.0}}
    )
    monkeypatch.setattr(status, "_kafka", lambda _: {**server, "answers": answers})
    monkeypatch.setattr(status, "_redis", lambda _: {**server, "answers": True})
    found = status.look(load_settings(data_dir=tmp_path))
    (told,) = found["workers"]
    assert told["lag"] == lag
    assert told["lag_by_topic"] == ({} if lag is None else {"person.events": lag})
    assert found["ready"] is answers
    status._print(found)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("person-1")]
    assert row.split()[4] == ("?" if lag is None else "7")
