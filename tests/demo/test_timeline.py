"""The demo's timeline: which lines are sent when, and in which order."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest

from casework.cases.book import Book
from hearthwatch.demo.timeline import Day, Timeline, is_of_household, read_timeline
from streams.catalog import JOINED, Catalog
from streams.envelope import Decoder
from streams.errors import DecodeError, InputError
from streams.outgoing import instant_ms


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
