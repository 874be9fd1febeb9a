"""The demo's timeline, its tally and what it shows, without servers."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from hearthwatch.demo.screen import Lines, Screen
from hearthwatch.demo.summary import Result, print_summary
from hearthwatch.demo.tally import Rate, Tally
from hearthwatch.demo.timeline import Timeline, read_timeline
from hearthwatch.demo.words import WORDS
from hearthwatch.settings import load_settings
from hearthwatch.warning_text import Language
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
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
def timeline(catalog: Catalog) -> Timeline:
    return read_timeline(catalog)


@pytest.fixture
def tally(timeline: Timeline, policy: Policy) -> Tally:
    return Tally(timeline, policy)


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


def test_the_demo_without_its_examples_says_what_to_do(catalog: Catalog, tmp_path: Any) -> None:
    with pytest.raises(InputError, match="needs the folder `examples`"):
        read_timeline(catalog, tmp_path)


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
    console = Console(width=width, height=40, record=True, file=None, force_terminal=True)
    with console.capture() as captured:
        console.print(Screen(tally, language))
    shown = captured.get()
    assert WORDS[language]["stories"] in shown
    assert "story-zhou" in shown


def test_plain_lines_tell_a_storys_warning_once(tally: Tally, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(tally, "en")
    tally.reached("2024-05-11", events=1, days=1, rejected=0)
    tally.warned([warning("story-zhou", 1, "blue"), warning("h9", 1, "blue")])
    lines.day()
    lines.day()
    told = capsys.readouterr().out
    assert told.count("story-zhou") == 1
    assert "h9" not in told
    assert told.count("2024-05-11  1 events") == 1


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_summary_says_which_story_went_wrong(tally: Tally, language: Language) -> None:
    expected = Counter(one.reason for one in tally.timeline.bad)
    result = Result(tally, 60.0, 20.0, expected)
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
