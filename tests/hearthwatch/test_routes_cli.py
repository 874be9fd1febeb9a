"""``hearthwatch routes check`` and ``routes who``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hearthwatch.cli import run

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "examples" / "routes" / "wuchang.yaml")

Output = pytest.CaptureFixture[str]


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the example as ``routes.yaml``, with three mistakes."""
    text = Path(EXAMPLE).read_text("utf-8")
    for old, new in (
        ("kind: webhook", "kind: webhok"),
        ("next: district", "next: distrct"),
        ("[blue]", "[red]"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "routes.yaml").write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "routes.yaml"


def test_check_of_a_good_file(capsys: Output) -> None:
    assert run(["routes", "check", EXAMPLE]) == 0
    assert capsys.readouterr().out == (
        f"{EXAMPLE}: good. Routes wuchang, version 1: 18 teams, 37 members, 5 channels.\n"
    )


def test_check_names_every_fault_with_its_line(broken: Path, capsys: Output) -> None:
    assert run(["routes", "check", "routes.yaml"]) == 2
    told = capsys.readouterr().err
    assert "unknown kind `webhok`" in told
    assert "did you mean `webhook`?" in told
    assert "unknown team `distrct`" in told
    assert "the highest level `red` never waits" in told
    assert told.endswith("3 faults in routes.yaml.\n")
    assert run(["routes", "check", "routes.yaml", "--json"]) == 2
    assert [fault["line"] > 0 for fault in json.loads(capsys.readouterr().out)["faults"]] == [True] * 3


def test_check_does_not_show_the_line_of_an_address(broken: Path, capsys: Output) -> None:
    text = broken.read_text("utf-8").replace('"${S001_A_SMS}"', "sms://13807112345")
    broken.write_text(text, "utf-8")
    assert run(["routes", "check", "routes.yaml"]) == 2
    told = capsys.readouterr().err
    assert "the contact by `sms` is secret and must not stand in this file" in told
    assert "13807112345" not in told
    assert run(["routes", "who", "none", "--routes", "routes.yaml"]) == 2
    told = capsys.readouterr().err
    assert "must not stand in this file" in told
    assert "13807112345" not in told


def test_check_of_the_secrets(tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_ROBOT_KEY", "robot-key")
    assert run(["routes", "check", EXAMPLE, "--secrets"]) == 1
    captured = capsys.readouterr()
    first, more, *names = captured.err.splitlines()
    assert first.startswith("CONSOLE_HOOK_URL is not set: set it, or CONSOLE_HOOK_URL_FILE")
    assert more == f"and {1 + 3 * 37} more in the same way:"
    assert len(" ".join(names).split()) == 1 + 3 * 37
    assert len(names) < 25
    assert "DESK_ROBOT_KEY" not in captured.err
    assert run(["routes", "check", EXAMPLE, "--secrets", "--json"]) == 1
    assert len(json.loads(capsys.readouterr().out)["missing"]) == 2 + 3 * 37


def test_who_is_on_call_on_national_day(capsys: Output) -> None:
    assert run(["routes", "who", "420106007003", "--at", "2026-10-03T09:00", "--routes", EXAMPLE]) == 0
    assert capsys.readouterr().out == (
        "420106007003 at 2026-10-03 09:00 in Asia/Shanghai (a holiday):\n"
        "1. community-007003 (community): c007003-a by wecom, sms\n"
        "2. street-007 (street): s007-b by wecom, sms, mail\n"
        "3. district (district): desk-c by wecom, sms; all in desk-screen, console\n"
    )


@pytest.mark.parametrize(
    ("at", "day", "member"),
    [
        ("2026-10-10T09:00", "work", "c007003-a"),  # the Saturday that makes up for National Day
        ("2026-10-11T09:00", "rest", "c007003-b"),
        ("2026-10-11T00:30:00Z", "rest", "c007003-b"),  # 08:30 in Wuhan: just handed over
        ("2026-10-11T00:29:00Z", "rest", "c007003-a"),
    ],
)
def test_who_as_json(at: str, day: str, member: str, capsys: Output) -> None:
    assert run(["routes", "who", "420106007003", "--at", at, "--routes", EXAMPLE, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["day"], shown["day_is_assumed"]) == (day, False)
    assert [one["member"] for one in shown["teams"][0]["on_call"]] == [member]


def test_without_a_community_it_is_the_desk_and_now_is_the_default(capsys: Output) -> None:
    assert run(["routes", "who", "none", "--routes", EXAMPLE]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a household without a community at ")
    assert lines[1].startswith("1. district (district): desk-")


def test_a_community_that_no_team_serves_is_said_to_go_to_the_desk(capsys: Output) -> None:
    assert run(["routes", "who", "420106999999", "--at", "2026-10-03T09:00", "--routes", EXAMPLE]) == 0
    head, told, desk = capsys.readouterr().out.splitlines()
    assert head == "420106999999 at 2026-10-03 09:00 in Asia/Shanghai (a holiday):"
    assert told.startswith("No team below the district is for it")
    assert desk.startswith("1. district (district): ")


def test_a_year_that_nobody_has_announced_is_said_to_be_assumed(capsys: Output) -> None:
    assert run(["routes", "who", "none", "--at", "2051-10-01", "--routes", EXAMPLE]) == 0
    assert "assumed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["12345"], ["420106007003", "--at", "tomorrow"], ["420106199001011234"]]
)
def test_what_is_no_community_or_no_time(arguments: list[str], capsys: Output) -> None:
    assert run(["routes", "who", *arguments, "--routes", EXAMPLE]) == 2
    assert "expected" in capsys.readouterr().err


def test_who_goes_by_the_routes_of_the_settings(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["routes", "who", "none"]) == 2
    assert "HEARTHWATCH_ROUTES" in capsys.readouterr().err
    monkeypatch.setenv("HEARTHWATCH_ROUTES", EXAMPLE)
    assert run(["routes", "who", "none"]) == 0
    assert "1. " in capsys.readouterr().out
