"""The demo's timeline, its tally and what it shows, without servers."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from casework.cases.book import Book
from casework.stories.judged import Outcome, differences_in_help
from casework.stories.told import tell
from hearthwatch.casework_files import casebook
from hearthwatch.cli.demo import _print_next
from hearthwatch.demo.help_text import HelpText
from hearthwatch.demo.helping import Did, Helped, Message, Messages
from hearthwatch.demo.names import family_name, story_name
from hearthwatch.demo.screen import Lines, Screen
from hearthwatch.demo.servers import DemoServers
from hearthwatch.demo.summary import Result, print_summary
from hearthwatch.demo.tally import Rate, Tally
from hearthwatch.demo.timeline import Day, Timeline, is_of_household, read_timeline
from hearthwatch.demo.words import WORDS
from hearthwatch.settings import load_settings
from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from rules.words import Language
from streams.catalog import JOINED, Catalog
from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.errors import DecodeError, InputError
from streams.outgoing import instant_ms
from streams.warnings_topic import WarningRecord, read_warning


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(load_settings().catalog)


@pytest.fixture(scope="module")
def policy(catalog: Catalog) -> Policy:
    return read_policy(load_settings().policy, catalog)


@pytest.fixture(scope="module")
def book(catalog: Catalog, policy: Policy) -> Book:
    return casebook(load_settings(), catalog, policy)


@pytest.fixture(scope="module")
def timeline(catalog: Catalog, book: Book) -> Timeline:
    return read_timeline(catalog, book)


@pytest.fixture
def tally(timeline: Timeline, policy: Policy, book: Book) -> Tally:
    return Tally(timeline, policy, book)


@pytest.fixture(scope="module")
def helped(timeline: Timeline, policy: Policy, catalog: Catalog, book: Book) -> tuple[Helped, ...]:
    """The help of the stories as it comes out without servers."""
    stories = {story.household: story for story in timeline.stories}
    found = []
    for staff in timeline.staff:
        told = tell(stories[staff.household], staff, book, compile_policy(policy, catalog))
        seen = Outcome(told.events, told.alerts, told.back, told.suggested)
        problems = differences_in_help(staff, seen)
        found.append(Helped(stories[staff.household], staff, seen, tuple(problems)))
    return tuple(found)


def warning(household: str, number: int, level: str | None, **data: Any) -> WarningRecord:
    type = data.pop("type", "warning.raised")
    body = {
        "id": f"{household}-{number}",
        "type": type,
        "data": {
            "household": household,
            "level": level,
            "previous_level": None,
            "score": 40,
            "previous_score": 2,
            "day": "2024-05-11",
            "reason": "fact",
            "cause": {"source": "/wuchang/health", "id": "e1", "subject": "person/p"},
            "because": [],
            **data,
        },
    }
    record = read_warning(json.dumps(body).encode(), seen_seconds=1000.5)
    assert record is not None
    return record


def message(key: str, case: str, kind: str = "raised", channel: str = "mail") -> Message:
    alert = {"id": f"{case}-1-{kind}", "case": case, "kind": kind, "level": "blue"}
    return Message(key, channel, "community-007003", "alerts", (alert,), "told")


def test_every_line_but_the_bad_ones_is_accepted(timeline: Timeline, catalog: Catalog) -> None:
    decoder = Decoder(catalog)
    count = 0
    for day in [*timeline.before, *timeline.days]:
        for wave in day.waves:
            for line in wave:
                decoder.line(line)
                count += 1
    assert count == timeline.events
    assert count > 5_000


def test_every_bad_event_has_its_reason_and_all_reasons_are_shown(
    timeline: Timeline, catalog: Catalog
) -> None:
    decoder = Decoder(catalog)
    for day in timeline.days:
        for bad in day.bad:
            noon = instant_ms(f"{day.label}T12:00:00+08:00")
            assert noon is not None
            with pytest.raises(DecodeError) as told:
                decoder.record(bad.topic, bad.line, [], noon)
            assert told.value.reason == bad.reason
    assert {bad.reason for bad in timeline.bad} == {
        "too-large",
        "not-json",
        "not-cloudevent",
        "unknown-type",
        "wrong-department",
        "bad-subject",
        "bad-time",
        "bad-data",
    }


def test_a_story_has_at_most_one_line_in_a_wave_and_all_in_order(timeline: Timeline) -> None:
    for story in timeline.stories:
        told = set(story.lines)
        order = []
        for day in timeline.days:
            for wave in day.waves:
                ours = [line for line in wave if line in told]
                assert len(ours) <= 1
                order += ours
        assert order == list(story.lines)


def test_days_and_quarters_are_in_order_and_no_story_speaks_before_its_day(timeline: Timeline) -> None:
    for days in (timeline.before, timeline.days):
        labels = [day.label for day in days]
        assert labels == sorted(labels)
    assert timeline.days[0].label == min(story.begins for story in timeline.stories)
    assert timeline.until.isoformat() == max(story.until for story in timeline.stories)


def test_what_staff_do_comes_after_the_stories_and_before_everybody_else(timeline: Timeline) -> None:
    of_stories = {line for story in timeline.stories for line in story.lines}
    for day in timeline.days:
        for number, wave in enumerate(day.waves):
            assert not day.told or number >= day.acts_at or set(wave) <= of_stories
            assert number < day.acts_at or not set(wave) & of_stories
        times = [act.at for _, act in day.acts]
        assert times == sorted(times)
        assert {act.day for _, act in day.acts} <= {day.label}
        assert day.told or not day.acts
    acts = [act for day in timeline.days for _, act in day.acts]
    assert len(acts) == sum(len(staff.acts) for staff in timeline.staff) > 30
    assert {staff.household for staff in timeline.staff} == {"story-zhou", "story-wang-fuhong"}


def test_an_event_of_a_day_comes_before_the_acts_of_that_day(timeline: Timeline) -> None:
    """Acts are played behind a day's events of the stories, so none of these may be later."""
    for story in timeline.stories:
        for staff in timeline.staff:
            if staff.household != story.household:
                continue
            for act in staff.acts:
                same = [arrival for arrival in story.arrivals if arrival.startswith(act.day)]
                assert all(instant_ms(arrival.replace("+", ":00+")) * 1000 < act.at for arrival in same)  # type: ignore[operator]


def test_the_demo_without_its_examples_says_what_to_do(catalog: Catalog, book: Book, tmp_path: Any) -> None:
    with pytest.raises(InputError, match="needs the folder `examples`"):
        read_timeline(catalog, book, tmp_path)


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


# -- help ----------------------------------------------------------------------------------------------
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


# -- the screen ----------------------------------------------------------------------------------------
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


# -- always the same -----------------------------------------------------------------------------------
def test_no_household_has_two_lines_in_a_wave_whose_order_is_open(timeline: Timeline) -> None:
    """Topics of two departments, and the ways of persons and of households, have no common order."""
    homes: dict[str, str] = {}
    arrived: dict[str, list[str]] = defaultdict(list)
    for day in [*timeline.before, *timeline.days]:
        for wave in day.waves:
            ways: dict[str, set[tuple[str, bool]]] = defaultdict(set)
            for line in wave:
                event = json.loads(line)
                subject, is_home = event["subject"], is_of_household(line)
                if event["type"] == JOINED:
                    homes[subject] = event["data"]["household"]
                home = subject.partition("/")[2] if is_home else homes.get(subject, subject)
                ways[home].add((event["source"], is_home))
                arrived[home].append(event["time"])
            assert max(map(len, ways.values())) == 1
    for times in arrived.values():
        assert times == sorted(times)


def test_a_quarter_ends_on_its_last_day() -> None:
    ends = [Day(label).last.isoformat() for label in ("2013-Q1", "2013-Q2", "2016-Q4", "2024-02-29")]
    assert ends == ["2013-03-31", "2013-06-30", "2016-12-31", "2024-02-29"]
