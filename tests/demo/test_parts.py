"""The demo's tally and what it shows, without servers."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from casework.cases.book import Book
from hearthwatch.cli.demo import _print_next
from hearthwatch.demo.help_text import HelpText
from hearthwatch.demo.helping import Did, Helped
from hearthwatch.demo.names import family_name, story_name
from hearthwatch.demo.screen import Lines, Screen
from hearthwatch.demo.servers import DemoServers
from hearthwatch.demo.summary import Result, print_summary
from hearthwatch.demo.tally import Rate, Tally
from hearthwatch.demo.timeline import Timeline
from hearthwatch.demo.words import WORDS
from rules.policy import Policy
from rules.words import Language
from tests.demo.a_day import message, warning


def test_latency_is_from_publishing_the_cause_to_seeing_the_warning(
    tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hearthwatch.demo.tally.time.time", lambda: 1000.0)
    tally.publishing([json.dumps({"source": "/wuchang/health", "id": "e1", "subject": "person/p"}).encode()])
    tally.warned(
        [warning("h1", 1, "blue"), warning("h2", 1, "blue", reason="day", cause={"day": "2024-05-11"})]
    )
    assert tally.latencies_ms == [500.0]
    assert tally.latency_ms(0.99) == 500.0


def test_households_are_counted_at_their_newest_level(tally: Tally) -> None:
    tally.warned([warning("h1", 1, "blue"), warning("h2", 1, "red"), warning("h1", 2, None)])
    counts = tally.households_by_level()
    assert (counts["red"], counts["blue"]) == (1, 0)
    assert sum(counts.values()) == len(tally.timeline.households | {"h1", "h2"})


def test_a_story_is_judged_up_to_its_own_end(tally: Tally) -> None:
    story = next(one for one in tally.timeline.stories if not one.expected)
    tally.warned([warning(story.household, 1, "blue", day="2099-01-01")])
    outcome = next(one for one in tally.outcomes() if one.story is story)
    assert outcome.is_as_told
    tally.warned([warning(story.household, 2, "blue", day=story.until)])
    outcome = next(one for one in tally.outcomes() if one.story is story)
    assert not outcome.is_as_told


def test_a_rate_forgets_what_is_old() -> None:
    now = 0.0
    rate = Rate(now=lambda: now)
    rate.add(10)
    assert rate.per_second() == 5.0
    now = 3.0
    assert (rate.per_second(), rate.total) == (0.0, 10)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_screen_fits_its_width(tally: Tally, language: Language, width: int) -> None:
    tally.reached("2024-05-11", events=100, days=3, rejected=1)
    entries = [{"indicator": one.id, "points": 3} for one in tally.policy.indicators[:5]]
    tally.warned([warning("story-zhou", 1, "blue", because=entries)])
    tally.alerted([message("m1", "story-zhou-1")], "2024-05-11", 0)
    console = Console(width=width, height=40, record=True, file=None, force_terminal=True)
    with console.capture() as captured:
        console.print(Screen(tally, language))
    shown = captured.get()
    assert WORDS[language]["stories"] in shown
    assert WORDS[language]["help"] in shown
    assert "story-zhou" in shown


def test_plain_lines_tell_a_storys_warning_once(tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(tally, "en")
    tally.reached("2024-05-11", events=1, days=1, rejected=0)
    tally.warned([warning("story-zhou", 1, "blue"), warning("h9", 1, "blue")])
    lines.day()
    lines.day()
    told = capsys.readouterr().out
    assert told.count("Zhou: raised Blue - watch: ") == 1
    assert "h9" not in told
    assert told.count("2024-05-11  1 events") == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_summary_says_which_story_went_wrong(
    tally: Tally, helped: tuple[Helped, ...], language: Language
) -> None:
    expected = Counter(one.reason for one in tally.timeline.bad)
    result = Result(tally, 60.0, 20.0, expected, helped)
    assert not result.is_good
    console = Console(width=150, force_terminal=False)
    with console.capture() as captured:
        print_summary(result, language, console)
    assert "zhou: warning 1 did not come" in captured.get()
    told = result.as_json()
    assert told["rejected_as_expected"] is True
    assert {one["story"] for one in told["stories"] if one["as_told"]} == {
        one.id for one in tally.timeline.stories if not one.expected
    }


def test_both_languages_have_the_same_words() -> None:
    assert set(WORDS["en"]) == set(WORDS["zh"])


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 40), (120, 24), (120, 40)])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_part_of_the_screen_is_seen_in_usual_terminals(
    tally: Tally, language: Language, width: int, height: int
) -> None:
    done = len(tally.timeline.before) + len(tally.timeline.days)
    tally.reached("2024-05-11", events=9_448, days=done, rejected=9)
    entries = [{"indicator": one.id, "points": 3} for one in tally.policy.indicators[:5]]
    tally.warned([warning(f"h{n}", 1, "blue", because=entries) for n in range(30)])
    tally.warned([warning("h0", 2, None, type="warning.cleared", previous_level="blue")])
    tally.alerted([message(f"m{n}", "story-zhou-1") for n in range(8)], "2024-05-11", 0)
    tally.alerted([message("m9", "story-job-found-again-1")], "2024-05-11", 0)
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    with console.capture() as captured:
        console.print(Screen(tally, language))
    lines = captured.get().rstrip("\n").split("\n")
    assert len(lines) < height
    assert max(map(cell_len, lines)) <= width
    words = WORDS[language]
    assert words["title"] in lines[0]
    assert words["rejected"] in lines[0]
    shown = "\n".join(lines)
    assert {"en": "Job found again  ", "zh": "重新就业  "}[language] in shown
    for level in tally.policy.levels:
        assert level.title[language] in shown
    for part in ("stories", "help", "newest"):
        assert words[part] in shown
    assert words["was"].format(level=tally.policy.levels[0].title[language]) in shown
    assert {"en": "none", "zh": "无 "}[language] not in lines[-1]


def test_warnings_and_help_of_a_day_are_told_by_the_time(
    tally: Tally, helped: tuple[Helped, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """They come on ways of their own, in any order."""
    lines = Lines(tally, "en")
    staff = helped[0].staff
    act = staff.acts[0]
    event = next(
        one for one in helped[0].outcome.events if one["data"].get("command") == act.id(staff.household)
    )
    tally.acted(Did(staff, act, event))
    later = warning("story-zhou", 1, "blue", day="2024-05-11")
    before = warning("story-zhou", 2, None, type="warning.withdrawn", day="2024-03-29", previous_level="blue")
    tally.warned([later, before])
    tally.reached("2024-05-11", events=1, days=1, rejected=0)
    lines.day()
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  20")]
    assert [line[2:12] for line in told] == ["2024-03-29", act.day, "2024-05-11"]
    assert told[0].startswith("  2024-03-29 Zhou: withdrawn: ")


def test_all_stories_and_teams_have_names_in_both_languages(
    timeline: Timeline, tally: Tally, policy: Policy, book: Book
) -> None:
    for story in timeline.stories:
        assert story_name(story, "en") == story.name
        assert not story_name(story, "zh").isascii()
        assert not family_name(story.id, "zh").isascii()
    told = message("m", "story-zhou-1")
    teams = {"community-007003": {"en": "Huanghelou Street, community 3", "zh": "黄鹤楼街道第三社区"}}
    assert HelpText(policy, book, "en", teams).news(told).startswith("Huanghelou Street, community 3 is told")
    assert "黄鹤楼街道第三社区" in HelpText(policy, book, "zh", teams).news(told)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_summary_is_even_at_the_edges(
    tally: Tally, helped: tuple[Helped, ...], language: Language
) -> None:
    result = Result(tally, 60.0, 20.0, Counter(one.reason for one in tally.timeline.bad), helped)
    for width in (80, 120):
        console = Console(width=width, force_terminal=False)
        with console.capture() as captured:
            print_summary(result, language, console)
        lines = captured.get().splitlines()
        assert max(map(cell_len, lines)) <= width
        indents = {len(line) - len(line.lstrip()) for line in lines if line}
        assert indents == {0, 2, 4}
        # Behind the parts in two and four columns nothing is padded.
        assert [line for line in lines if "✓" in line and line.endswith(" ")] == []


def test_what_is_typed_next_is_short_and_leads_to_the_demo(
    tally: Tally, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", [str(tmp_path / "bin" / "hearthwatch")])
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("HEARTHWATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HEARTHWATCH_DATA_DIR", str(tmp_path))
    servers = DemoServers(tmp_path / ("long" * 30))
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        _print_next(servers, console, WORDS["en"], keep=True)
    lines = [line.strip() for line in captured.get().splitlines()]
    assert "unset HEARTHWATCH_DATA_DIR" in lines
    assert f"export HEARTHWATCH_CONFIG={servers.config}" in lines
    assert "bin/hearthwatch household show story-zhou" in lines
    assert sum("long" in line for line in lines) == 1
