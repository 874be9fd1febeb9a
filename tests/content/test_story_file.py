"""The file of a story: how it becomes events, and how its faults are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from streams.catalog_file import read_catalog
from streams.errors import FileFaults, InputError
from streams.stories import Story, in_order, read_stories, read_story

ROOT = Path(__file__).parents[2]
CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")
GOOD = """\
name: An elderly resident falls ill and recovers
story: resident
policy_date: 2024-01-02
until: 2024-12-31
community: 420106015002
members:
  - {id: resident, role: head, born: 1944-06-16, sex: female}
  - {id: lodger, role: other}
events:
  - {on: 2024-01-05, who: resident, what: elderly.living-alone.confirmed}
  - {on: 2024-01-05, who: resident, what: insurance.bill.settled, id: bill, with: {self_paid_yuan: 12.50}}
  - on: 2024-02-01
    recorded: 2024-02-03
    at: "14:30"
    who: resident
    what: insurance.bill.settled
    corrects: bill
    with: {self_paid_yuan: 10, inpatient: false}
  - {on: 2024-02-05, who: resident, what: fact.retracted, retracts: bill}
  - on: 2024-03-01
    who: household
    what: community.visit.recorded
    by: government-services
    with: {severity: 0}
  - {on: 2024-04-01, who: lodger, what: registry.member.left, with: {reason: moved}}
expect:
  - {on: 2024-03-01, warning: raised, level: blue, because: living-alone}
  - {on: 2024-04-01, warning: cleared}
"""


def read(tmp_path: Path, text: str = GOOD, **limits: Any) -> Story:
    path = tmp_path / "story.yaml"
    path.write_text(text, encoding="utf-8")
    return read_story(path, CATALOG, **limits)


def faults(tmp_path: Path, text: str, **limits: Any) -> list[str]:
    with pytest.raises(FileFaults) as caught:
        read(tmp_path, text, **limits)
    return [str(fault).removeprefix(f"{tmp_path}/") for fault in caught.value.faults]


def test_registration_comes_first_then_events_in_order_of_arrival(tmp_path: Path) -> None:
    story = read(tmp_path)
    events = [json.loads(line) for line in story.lines]
    assert [event["type"] for event in events[:3]] == [
        "registry.household.registered", "registry.member.joined", "registry.member.joined",
    ]  # fmt: skip
    assert events[0]["data"] == {"community": "420106015002"}
    assert events[1]["data"] == {
        "household": "story-resident", "role": "head", "birth": "1944-06-16", "sex": "female",
    }  # fmt: skip
    assert events[2]["data"] == {"household": "story-resident", "role": "other"}
    assert list(story.arrivals) == sorted(story.arrivals)
    assert story.arrivals[5] == "2024-02-03T14:30+08:00"


def test_an_event_has_its_envelope(tmp_path: Path) -> None:
    events = [json.loads(line) for line in read(tmp_path).lines]
    assert events[3] == {
        "specversion": "1.0",
        "id": "story-resident.event-1",
        "source": "/wuchang/civil-affairs",
        "type": "elderly.living-alone.confirmed",
        "subject": "person/story-resident.resident",
        "time": "2024-01-05T09:01:00+08:00",
        "data": {},
    }
    assert events[4]["time"] == "2024-01-05T09:02:00+08:00"
    assert events[4]["data"] == {"self_paid_yuan": "12.50"}, "fen stay exact"


def test_corrections_retractions_and_late_records(tmp_path: Path) -> None:
    events = [json.loads(line) for line in read(tmp_path).lines]
    correction, retraction = events[5], events[6]
    assert correction["supersedes"] == "story-resident.bill"
    assert correction["recordedtime"] == "2024-02-03T14:30:00+08:00"
    assert correction["data"] == {"self_paid_yuan": 10, "inpatient": False}
    assert retraction["supersedes"] == "story-resident.bill"
    assert retraction["source"] == "/wuchang/medical-insurance", "the department that sent the bill"
    assert retraction["data"] == {"reason": "booked by mistake"}


def test_departments_and_households(tmp_path: Path) -> None:
    visit = json.loads(read(tmp_path).lines[7])
    assert (visit["source"], visit["subject"]) == ("/wuchang/government-services", "household/story-resident")


def test_expectations(tmp_path: Path) -> None:
    raised, cleared = read(tmp_path).expected
    assert str(raised) == "2024-03-01: raised at blue, because of living-alone"
    assert str(cleared) == "2024-04-01: cleared"


def test_stories_interleave_by_arrival(tmp_path: Path) -> None:
    one = read(tmp_path)
    two = read(tmp_path, GOOD.replace("story: resident", "story: second"))
    lines = in_order([one, two])
    assert len(lines) == 2 * len(one.lines)
    times = [json.loads(line).get("recordedtime", json.loads(line)["time"]) for line in lines]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("story: resident", "story: Mrs Li", "2:8: the id of a story `Mrs Li` is malformed"),
        (
            "name: An elderly resident falls ill and recovers",
            "name: Li",
            "1:7: the name of a story is a sentence",
        ),
        (
            "until: 2024-12-31",
            "until: 2023-12-31",
            "4:8: the story ends on 2023-12-31, before it begins on 2024-01-02",
        ),
        ("policy_date: 2024-01-02", "policy_date: 2024-02-30", "3:14: `2024-02-30` is no day"),
        ("community: 420106015002", "community: Wuchang", "5:12: a community `Wuchang` is malformed"),
        ("role: head", "role: boss", "7:26: unknown role `boss`"),
        ("id: lodger, ", "id: resident, ", "8:10: the id `resident` is taken"),
        (
            "what: elderly.living-alone.confirmed",
            "what: elderly.living-alone.confirm",
            "10:43: unknown event type `elderly.living-alone.confirm` (did you mean",
        ),
        (
            "{on: 2024-01-05, who: resident, what: elderly",
            "{on: 2024-01-05, who: neighbour, what: elderly",
            "10:27: unknown member `neighbour`",
        ),
        (
            "who: household",
            "who: resident",
            "21:10: `community.visit.recorded` is about `household`, not `resident`",
        ),
        (
            "self_paid_yuan: 12.50",
            "self_paid: 12.50",
            "11:84: `insurance.bill.settled` has no field `self_paid` (did you mean `self_paid_yuan`?",
        ),
        (
            "self_paid_yuan: 12.50",
            "self_paid_yuan: lots",
            "11:100: `self_paid_yuan` must be a number, not `lots`",
        ),
        ("self_paid_yuan: 12.50", "self_paid_yuan: -5", "11:100: bad-data: "),
        ("self_paid_yuan: 12.50", "self_paid_yuan: 12.505", "11:100: bad-data: "),
        ("inpatient: false", "inpatient: no", "18:43: unknown value `no` (one of: false, true)"),
        ("corrects: bill", "corrects: bil", "17:15: no event above has the id `bil` (did you mean `bill`?"),
        (
            "retracts: bill",
            "corrects: bill",
            "19:69: `fact.retracted` takes the key `retracts`, not `corrects`",
        ),
        (
            "{on: 2024-02-05,",
            "{on: 2024-01-05,",
            "19:5: 2024-01-05 lies before the day above it (2024-02-03)",
        ),
        ("by: government-services", "by: education", "23:9: unknown department `education`"),
        ('at: "14:30"', "at: noon", "14:9: a time of day `noon` is malformed"),
        ("warning: cleared", "warning: cleard", "28:31: unknown warning `cleard` (did you mean `cleared`?"),
        ("warning: cleared", "warning: cleared, level: blue", "28:5: a warning that is cleared has no level"),
        ("level: blue, ", "", "27:5: a warning that is raised has a level"),
        ("expect:", "expects:", "26:1: unknown key `expects` in a story (did you mean `expect`?"),
    ],
)
def test_a_fault_has_its_place(old: str, new: str, fault: str, tmp_path: Path) -> None:
    assert GOOD.count(old) == 1
    found = faults(tmp_path, GOOD.replace(old, new))
    assert any(text.startswith(f"story.yaml:{fault}") for text in found), found


def test_all_faults_in_one_go(tmp_path: Path) -> None:
    text = (
        GOOD.replace("role: head", "role: boss")
        .replace("{severity: 0}", "{severity: 9}")
        .replace("    at: ", "    ta: ")
    )
    assert [fault.split(": ")[0] for fault in faults(tmp_path, text)] == [
        "story.yaml:7:26",
        "story.yaml:14:5",
        "story.yaml:24:22",
    ]


def test_levels_and_indicators_are_held_against_the_policy(tmp_path: Path) -> None:
    read(tmp_path, levels=["blue"], indicators=["living-alone"])
    found = faults(tmp_path, GOOD, levels=["amber"], indicators=["alone"])
    assert [text.split(" (")[0] for text in found] == [
        "story.yaml:27:46: unknown level `blue`",
        "story.yaml:27:61: unknown indicator `living-alone`",
    ]


@pytest.mark.parametrize("text", ["", "- a list\n", "name: [\n", "name: x\n"])
def test_what_is_no_story_is_a_fault_and_no_traceback(text: str, tmp_path: Path) -> None:
    assert faults(tmp_path, text)


@pytest.mark.parametrize("key", ["members", "events", "expect"])
def test_a_missing_list_is_named(key: str, tmp_path: Path) -> None:
    import yaml

    whole = yaml.load(GOOD, Loader=yaml.BaseLoader)
    del whole[key]
    assert any(f"a story lacks the key `{key}`" in text for text in faults(tmp_path, yaml.safe_dump(whole)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_story(tmp_path / "none.yaml", CATALOG)


def test_the_faults_of_every_file_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD.replace("role: head", "role: boss"))
    (tmp_path / "b.yaml").write_text(GOOD.replace("role: other", "role: boss"))
    with pytest.raises(FileFaults) as caught:
        read_stories(tmp_path, CATALOG)
    assert [Path(fault.path).name for fault in caught.value.faults] == ["a.yaml", "b.yaml"]


def test_the_example_of_the_reference_is_a_story(tmp_path: Path) -> None:
    page = (ROOT / "docs/reference/stories.md").read_text(encoding="utf-8")
    text = page.split("```yaml\n")[1].split("```")[0]
    assert read(tmp_path, text).id == "pension-stops"
