"""Reference pages and code name the same things."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agents.metrics import DEFINITIONS
from hearthwatch.cli import root
from hearthwatch.cli.reference import cli_reference, commands
from hearthwatch.setting_sources import CONFIG_VARIABLE, variable_of
from hearthwatch.settings import Settings, load_settings
from rules.policy_file import read_policy
from streams import topics
from streams.catalog import BUILT_IN
from streams.catalog_file import read_catalog
from tests.docs.pages import ROOT, headings

REFERENCE = ROOT / "docs" / "reference"
DAY_MS = 86_400_000
REASONS = [
    "too-large",
    "not-json",
    "not-cloudevent",
    "unknown-type",
    "wrong-department",
    "bad-subject",
    "bad-time",
    "bad-data",
    "internal-error",
]


def named(page: str, pattern: str) -> set[str]:
    return {
        heading.strip("`")
        for heading in headings(REFERENCE / page)
        if re.fullmatch(pattern, heading.strip("`"))
    }


def test_each_setting_has_a_heading_and_each_heading_is_a_setting() -> None:
    expected = {variable_of(name) for name in Settings.model_fields} | {CONFIG_VARIABLE}
    assert named("settings.md", r"HEARTHWATCH_[A-Z0-9_]+") == expected


def test_each_metric_has_a_heading_and_each_heading_is_a_metric() -> None:
    assert named("metrics.md", r"hearthwatch_[a-z_]+") == {one.name for one in DEFINITIONS}


def test_each_built_in_type_has_a_heading_and_each_heading_is_one() -> None:
    assert named("events.md", r"[a-z0-9-]+(\.[a-z0-9-]+)+") == set(BUILT_IN)


def test_each_reason_has_a_heading_in_the_order_that_they_are_checked() -> None:
    assert [heading for heading in headings(REFERENCE / "events.md") if heading in REASONS] == REASONS


def test_the_code_gives_no_other_reasons() -> None:
    given = set()
    for path in [*ROOT.glob("streams/*.py"), *ROOT.glob("agents/*.py")]:
        given |= set(
            re.findall(r'(?:DecodeError|Malformed|Refused)\(\s*"([a-z-]+)"', path.read_text("utf-8"))
        )
    # The publisher's own, for lines that never reach Kafka.
    assert given - {"no-topic"} <= set(REASONS)
    assert given


def test_each_kind_of_field_has_its_row() -> None:
    page = (REFERENCE / "catalog.md").read_text("utf-8")
    for kind in ("integer", "money", "boolean", "date", "text", "choice"):
        assert f"| `{kind}` |" in page


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    written = (REFERENCE / "cli.md").read_text("utf-8")
    assert written == cli_reference(root), (
        "write it anew: python -m hearthwatch.cli.reference > docs/reference/cli.md"
    )


def test_each_command_has_a_heading_and_each_heading_is_a_command() -> None:
    assert named("cli.md", r"hearthwatch( [a-z-]+)*") == {"hearthwatch", *commands(root)}


def test_no_page_names_a_folder_of_the_machine_that_wrote_it() -> None:
    for page in REFERENCE.glob("*.md"):
        assert str(Path.home()) not in page.read_text("utf-8"), page
        assert str(ROOT) not in page.read_text("utf-8"), page


def test_each_topic_has_its_row() -> None:
    settings = load_settings()
    page = (REFERENCE / "topics.md").read_text("utf-8")
    planned = topics.planned(read_catalog(settings.catalog), clock="wall")
    names = {"life.<department>" if topic.name.startswith("life.") else topic.name for topic in planned}
    assert set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)) == names


def test_each_topic_is_kept_as_long_as_its_row_says_and_why_is_said_below() -> None:
    catalog = read_catalog(load_settings().catalog)
    page = (REFERENCE / "topics.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \|.*\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE))
    _, _, why = page.partition("## Why each is kept as long as it is")
    wall, log = (
        {
            topic.name: topic.settings
            for topic in topics.planned(catalog, clock=clock, life_retention_days=11, log_retention_days=31)
        }
        for clock in ("wall", "log")
    )
    days = {
        "-1": "for ever",
        str(11 * DAY_MS): "`life_retention_days`",
        str(31 * DAY_MS): "`log_retention_days`",
    }
    for name, settings in wall.items():
        if settings["cleanup.policy"] == "compact":
            kept = "newest of each key"
        else:
            kept, by_log = days[settings["retention.ms"]], days[log[name]["retention.ms"]]
            kept += "" if by_log == kept else f"; with `clock: log` {by_log}"
        row = "life.<department>" if name.startswith("life.") else name
        assert rows[row] == kept, name
        told = re.sub(r"^(life|hearthwatch\.snapshots)\..*", r"\1.*", name)
        assert f"`{told}`" in why, name


@pytest.mark.parametrize("field", ["because", "cause", "dimensions", "previous_community", "policy"])
def test_the_warning_message_is_described(field: str) -> None:
    assert f"`{field}`" in (REFERENCE / "warnings.md").read_text("utf-8")


def test_the_levels_that_the_pages_speak_of_are_those_of_the_policy() -> None:
    settings = load_settings()
    policy = read_policy(settings.policy, read_catalog(settings.catalog))
    assert [level.id for level in policy.levels] == ["blue", "yellow", "orange", "red"]
