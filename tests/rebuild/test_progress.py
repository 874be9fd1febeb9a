"""How far a rebuild is: a bar on a terminal, and nothing that a script would have to pass over."""

from __future__ import annotations

import re

import pytest

from hearthwatch.cli.rebuild import shown

WHAT = "household household.facts/1: replaying"


def test_a_terminal_sees_what_goes_on_and_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # Rich's own word for a terminal
    monkeypatch.setenv("COLUMNS", "120")
    with shown(False) as tell:
        tell(WHAT, 0, 0)
        tell(WHAT, 250, 1_000)
    told = capsys.readouterr()
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", told.err)
    assert re.search(re.escape(WHAT) + r" .*25 %", plain)
    assert told.out == "", "standard output is for what the command says"


@pytest.mark.parametrize("as_json", [False, True])
def test_elsewhere_nothing_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    if as_json:
        monkeypatch.setenv("FORCE_COLOR", "1")
    else:
        monkeypatch.delenv("FORCE_COLOR", raising=False)
    with shown(as_json) as tell:
        tell(WHAT, 250, 1_000)
    assert capsys.readouterr() == ("", "")
