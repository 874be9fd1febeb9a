"""Every story of examples/stories, told as a backtest: each warning on its day, and no other one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import Rules, compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.stories import Story, differences, in_order, read_stories

ROOT = Path(__file__).parents[2]
STORIES = ROOT / "examples" / "stories"
NAMES = sorted(path.stem for path in STORIES.glob("*.yaml"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT / "streams/catalogs/wuchang.yaml")


@pytest.fixture(scope="module")
def policy(catalog: Catalog) -> Policy:
    return read_policy(ROOT / "rules/policies/wuchang.yaml", catalog)


@pytest.fixture(scope="module")
def rules(policy: Policy, catalog: Catalog) -> Rules:
    return compile_policy(policy, catalog)


@pytest.fixture(scope="module")
def stories(catalog: Catalog, policy: Policy) -> dict[str, Story]:
    levels, indicators = [level.id for level in policy.levels], [one.id for one in policy.indicators]
    found = read_stories(STORIES, catalog, levels=levels, indicators=indicators)
    return {Path(story.path).stem: story for story in found}


class Told:
    """A backtest of some lines: its warnings, and the score after each line."""

    def __init__(
        self, lines: list[bytes], until: str, catalog: Catalog, policy: Policy, rules: Rules
    ) -> None:
        backtest = Backtest(catalog, policy, rules)
        for number, line in enumerate(lines, start=1):
            assert backtest.feed(number, line) is None
        backtest.finish(day_from_text(until))
        self.warnings: list[dict[str, Any]] = [json.loads(warning.body) for warning in backtest.warnings]


def told(story: Story, catalog: Catalog, policy: Policy, rules: Rules) -> Told:
    return Told(list(story.lines), story.until, catalog, policy, rules)


@pytest.mark.parametrize("name", NAMES)
def test_story(name: str, stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules) -> None:
    story = stories[name]
    assert differences(story, told(story, catalog, policy, rules).warnings) == []


def test_the_stories_of_the_issue_are_all_there() -> None:
    assert NAMES == [
        "job-found-again", "pension-stops", "retired-couple", "stable-dibao", "wang-fuhong",
        "well-off-operation", "wrong-bill", "zhou",
    ]  # fmt: skip


def test_the_id_of_a_story_is_its_file_name(stories: dict[str, Story]) -> None:
    assert {name: story.id for name, story in stories.items()} == {name: name for name in NAMES}


def test_mr_zhou_is_raised_between_his_first_admission_and_the_end_of_his_income(
    stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    story = stories["zhou"]
    days = {}
    for line in story.lines:
        event = json.loads(line)
        days.setdefault(event["type"], event["time"][:10])
    warnings = told(story, catalog, policy, rules).warnings
    first, last = warnings[0], warnings[-1]
    assert first["type"] == "warning.raised"
    assert days["health.hospital.admitted"] < first["data"]["day"] <= days["work.platform.stopped"]
    named = {entry["indicator"]: entry["person"] for entry in last["data"]["because"]}
    assert named["readmitted"] == "story-zhou.zhou"
    assert named["marks-falling"] == "story-zhou.daughter"
    assert "income-below-line" in named


def test_wang_fuhong_is_raised_on_the_day_of_the_diagnosis(
    stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    story = stories["wang-fuhong"]
    warnings = told(story, catalog, policy, rules).warnings
    kinds = {json.loads(line)["id"]: json.loads(line)["type"] for line in story.lines}
    causes = [kinds[warning["data"]["cause"]["id"]] for warning in warnings]
    assert causes == ["health.illness.diagnosed", "insurance.bill.settled", "insurance.bill.settled"]
    assert [warning["type"] for warning in warnings[1:]] == ["warning.upgraded"] * 2


@pytest.mark.parametrize("name", ["well-off-operation", "retired-couple", "stable-dibao"])
def test_these_stay_silent(name: str, stories: dict[str, Story]) -> None:
    assert stories[name].expected == ()


def test_all_stories_in_one_file_come_out_as_each_alone(
    stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    until = max(story.until for story in stories.values())
    together = Told(in_order(stories.values()), until, catalog, policy, rules).warnings
    for story in stories.values():
        seen = [warning for warning in together if warning["data"]["day"] <= story.until]
        assert differences(story, seen) == []


def test_a_story_told_twice_gives_nothing_new(
    stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    """Duplicates change nothing: each line may come twice."""
    story = stories["zhou"]
    doubled = [line for line in story.lines for _ in range(2)]
    assert differences(story, Told(doubled, story.until, catalog, policy, rules).warnings) == []


def test_one_warning_too_many_or_too_few_is_a_difference(
    stories: dict[str, Story], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    story = stories["zhou"]
    warnings = told(story, catalog, policy, rules).warnings
    assert differences(story, warnings[:-1]) == [f"warning 3 did not come: expected {story.expected[-1]}"]
    extra = {**warnings[-1], "id": "story-zhou-4"}
    assert differences(story, [*warnings, extra])[0].startswith(
        "an unexpected warning came: 2024-06-28: upgraded"
    )
    assert differences(story, [*warnings, warnings[-1]]) == [], "a repeated message counts once"
    poorer = json.loads(json.dumps(warnings))
    poorer[0]["data"]["because"] = []
    assert "does not name readmitted, major-illness, hospital-bills" in differences(story, poorer)[0]
    later = json.loads(json.dumps(warnings))
    later[1]["data"]["day"] = "2024-06-11"
    assert differences(story, later)[0].startswith(
        "warning 2 differs: expected 2024-06-10: upgraded at orange"
    )
