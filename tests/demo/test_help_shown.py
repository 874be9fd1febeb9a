"""What the demo says of help, and when it is good."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from casework.cases.book import Book
from casework.stories.told import tell
from hearthwatch.demo.help_text import HelpText
from hearthwatch.demo.helping import Did, Helped, Messages
from hearthwatch.demo.screen import Lines
from hearthwatch.demo.summary import Result, print_summary
from hearthwatch.demo.tally import Tally
from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import compile_policy
from rules.policy import Policy
from rules.words import Language
from streams.catalog import Catalog
from streams.warnings_topic import read_warning
from tests.demo.a_day import message


def good(tally: Tally, policy: Policy, catalog: Catalog, book: Book) -> None:
    """Let every story come out as told."""
    rules = compile_policy(policy, catalog)
    for story in tally.timeline.stories:
        staff = next((one for one in tally.timeline.staff if one.household == story.household), None)
        if staff is not None:
            warnings = tell(story, staff, book, rules).warnings
        else:
            backtest = Backtest(catalog, policy, rules)
            for number, line in enumerate(story.lines, start=1):
                backtest.feed(number, line)
            backtest.finish(day_from_text(story.until))
            warnings = [json.loads(one.body) for one in backtest.warnings]
        records = [read_warning(json.dumps(body).encode(), seen_seconds=1.0) for body in warnings]
        tally.warned([record for record in records if record is not None])


def test_a_demo_is_good_only_if_both_families_were_helped(
    tally: Tally, helped: tuple[Helped, ...], policy: Policy, catalog: Catalog, book: Book
) -> None:
    dead = Counter(one.reason for one in tally.timeline.bad)
    good(tally, policy, catalog, book)
    assert Result(tally, 60.0, 20.0, dead, helped).is_good
    assert not Result(tally, 60.0, 20.0, dead, helped[:1]).is_good
    worse = replace(helped[0], problems=("act 2 was not answered",))
    result = Result(tally, 60.0, 20.0, dead, (worse, helped[1]))
    assert not result.is_good
    console = Console(width=150, force_terminal=False)
    with console.capture() as captured:
        print_summary(result, "en", console)
    assert "wang-fuhong: act 2 was not answered" in captured.get()
    (first, second) = result.as_json()["help"]
    assert (first["as_told"], second["as_told"]) == (False, True)
    assert second["measures"] == ["supplementary-insurance", "tutoring", "dibao"]
    assert (first["commitment"], second["closed"]) == ("fulfilled", "helped")


def test_a_family_s_help_is_told_in_a_sentence(
    helped: tuple[Helped, ...], policy: Policy, book: Book
) -> None:
    english, chinese = HelpText(policy, book, "en"), HelpText(policy, book, "zh")
    assert [english.family(one) for one in helped] == [
        (
            "Wang Fuhong: warned 2024-04-09, visited 2024-04-10, commitment signed 2024-05-20, psychological "
            "comfort + temporary aid at once + medical assistance, papers 2024-06-12, closed: helped"
        ),
        (
            "Zhou: warned 2024-05-11, visited 2024-05-13, supplementary medical insurance + two student "
            "volunteers + dibao, closed: helped"
        ),
    ]
    assert chinese.family(helped[1]) == (
        "周家：2024-05-11 预警，2024-05-13 走访，补充医疗保险 + 两名大学生志愿者 + 低保，结案：已落实救助帮扶"
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_act_and_message_of_the_stories_has_words(
    helped: tuple[Helped, ...], policy: Policy, book: Book, language: Language
) -> None:
    texts = HelpText(policy, book, language)
    for one in helped:
        answers = {event["data"]["command"]: event for event in one.outcome.events}
        for act in one.staff.acts:
            line = texts.news(Did(one.staff, act, answers[act.id(one.staff.household)]))
            assert line.startswith(f"{act.by.id} ")
            assert act.by.id != line.strip()
    told = texts.news(message("m", "story-zhou-1", "escalated"))
    assert (
        told
        == {
            "en": "community-007003 is told by mail: Overdue (Blue - watch)",
            "zh": "经邮件通知 community-007003：逾期上报 (蓝色·关注)",
        }[language]
    )


def test_a_message_that_says_the_same_of_several_deadlines_says_it_once(policy: Policy, book: Book) -> None:
    one = message("m", "story-zhou-1", "escalated")
    told = HelpText(policy, book, "en").news(replace(one, alerts=one.alerts * 3))
    assert told == "community-007003 is told by mail: 3 × Overdue (Blue - watch)"


def test_an_act_that_was_refused_is_shown_with_its_reason(
    helped: tuple[Helped, ...], policy: Policy, book: Book
) -> None:
    staff = helped[0].staff
    event = {"type": "case.refused", "data": {"details": {"reason": "stale", "message": "look again"}}}
    told = HelpText(policy, book, "en").news(Did(staff, staff.acts[1], event))
    assert told == "chen: visit: refused: stale"


def test_messages_are_read_as_they_come_and_each_once(tmp_path: Path) -> None:
    def line(key: str, case: str) -> str:
        alerts = [{"id": f"{case}-1-raised", "case": case, "kind": "raised", "level": "blue"}]
        told = {"key": key, "channel": "mail", "member": "", "team": "community-007003", "kind": "alerts"}
        return json.dumps(told | {"alerts": alerts, "text": {"title": "t", "body": "b"}}) + "\n"

    messages = Messages(tmp_path, ["mail", "hook"])
    assert messages.fresh() == []
    file = tmp_path / "mail.jsonl"
    half = line("k2", "story-zhou-1")
    file.write_text(line("k1", "story-zhou-1") + half[:20], "utf-8")
    assert [one.key for one in messages.fresh()] == ["k1"]
    with file.open("a", encoding="utf-8") as more:
        more.write(half[20:] + line("k1", "story-zhou-1"))
    assert [one.key for one in messages.fresh()] == ["k2"]
    assert [one.key for one in messages.all] == ["k1", "k2"]
    (receipt,) = messages.all[0].receipts
    assert (receipt.alert, receipt.team, receipt.channel) == (
        "story-zhou-1-1-raised",
        "community-007003",
        "mail",
    )


def test_the_tally_counts_what_went_out_and_shows_what_is_about_a_story(tally: Tally) -> None:
    several = replace(
        message("m3", "h9-1"), alerts=(*message("m", "h9-1").alerts, *message("m", "h8-1").alerts)
    )
    tally.alerted(
        [message("m1", "story-zhou-1"), message("m2", "h7-1", channel="desk"), several], "2024-05-11", 7
    )
    assert tally.alerts == 4
    assert tally.messages == {"mail": 2, "desk": 1}
    assert [(one.day, one.household) for one in tally.news] == [("2024-05-11", "story-zhou")]


def test_plain_lines_tell_what_is_done_once(tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(tally, "en")
    tally.alerted([message("m1", "story-zhou-1")], "2024-05-11", 0)
    lines.day()
    lines.day()
    told = capsys.readouterr().out
    assert told.count("Zhou: community-007003 is told by mail: New warning (Blue - watch)") == 1
