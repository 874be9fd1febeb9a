"""Stories: what happens to one household, written so that an official can read and write it.

A story is a YAML file: a sentence, the day it begins on, the members, dated events, and the warnings that
are expected. It becomes lines of structured CloudEvents, in order of arrival, for a backtest, the live
pipeline or the demo. Here nothing is scored: :func:`differences` compares warnings that others made.

The form of the file is docs/reference/stories.md; examples are in examples/stories.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from streams.catalog import Catalog
from streams.errors import Fault, FileFaults
from streams.story_file import Expected, Story, StoryFile
from streams.yamlfile import read_yaml

__all__ = ["Expected", "Story", "differences", "in_order", "read_stories", "read_story"]


def read_story(
    path: str | Path,
    catalog: Catalog,
    *,
    levels: Collection[str] | None = None,
    indicators: Collection[str] | None = None,
) -> Story:
    """Read one story.

    Args:
        levels, indicators: ids of a policy; where given, other ones in ``expect`` are faults.

    Raises:
        InputError: the file cannot be read.
        FileFaults: every fault at once, with its place.
    """
    source, root = read_yaml(path)
    story = StoryFile(source, catalog, levels, indicators).story(root)
    source.check()
    assert story is not None
    return story


def read_stories(
    folder: str | Path,
    catalog: Catalog,
    *,
    levels: Collection[str] | None = None,
    indicators: Collection[str] | None = None,
) -> tuple[Story, ...]:
    """Every ``*.yaml`` of a folder, by file name; the faults of all files at once."""
    stories: list[Story] = []
    faults: list[Fault] = []
    for path in sorted(Path(folder).glob("*.yaml")):
        try:
            stories.append(read_story(path, catalog, levels=levels, indicators=indicators))
        except FileFaults as error:
            faults.extend(error.faults)
    if faults:
        raise FileFaults(faults)
    return tuple(stories)


def in_order(stories: Iterable[Story]) -> list[bytes]:
    """The lines of several stories as one file, in order of arrival."""
    dated: list[tuple[str, bytes]] = []
    for story in stories:
        dated.extend(zip(story.arrivals, story.lines, strict=True))
    return [line for _, line in sorted(dated, key=lambda pair: pair[0])]


def differences(story: Story, warnings: Iterable[Mapping[str, Any]]) -> list[str]:
    """Compare a story with the warning messages that it led to; empty when it came out as expected.

    Args:
        warnings: bodies of warning messages, in order; those of other households are passed over, and a
            repeated one (the same id) counts once.
    """
    found: dict[str, Mapping[str, Any]] = {}
    for warning in warnings:
        if warning["data"]["household"] == story.household:
            found.setdefault(warning["id"], warning)
    got = list(found.values())
    problems = []
    for number, expected in enumerate(story.expected, start=1):
        if number > len(got):
            problems.append(f"warning {number} did not come: expected {expected}")
            continue
        data = got[number - 1]["data"]
        named = {entry["indicator"] for entry in data["because"]}
        actual = Expected(data["day"], got[number - 1]["type"].removeprefix("warning."), data["level"])
        if (actual.day, actual.change, actual.level) != (expected.day, expected.change, expected.level):
            came = _described(got[number - 1])
            problems.append(f"warning {number} differs: expected {expected}; came {came}")
        elif missing := [indicator for indicator in expected.because if indicator not in named]:
            problems.append(f"warning {number} ({actual}) does not name {', '.join(missing)}")
    problems.extend(
        f"an unexpected warning came: {_described(warning)}" for warning in got[len(story.expected) :]
    )
    return problems


def _described(warning: Mapping[str, Any]) -> str:
    data = warning["data"]
    change = warning["type"].removeprefix("warning.")
    because = ", ".join(f"{entry['indicator']} {entry['points']:+}" for entry in data["because"])
    level = f" at {data['level']}" if data["level"] is not None else ""
    return f"{data['day']}: {change}{level} with {data['score']} points ({because or 'nothing'})"
