"""The part `staff` of a story's file: what is wrong is told at its place, all of it at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.stories.staff_file import CODES, COMMITMENTS, read_staff
from streams.errors import FileFaults
from streams.stories import read_story
from tests.casework.cases.a_case import CATALOG
from tests.casework.stories.a_story import HELPED, STORIES, WHOLE_BOOK, helped

HEAD = """\
name: A story that is long enough to be one
story: small
policy_date: 2024-01-02
until: 2024-06-30
community: 420106007003
members:
  - {id: mother, role: head}
events: []
expect: []
"""
STAFF = """\
staff:
  people:
    - {id: lin, role: community}
  acts:
    - {on: 2024-05-11, at: "10:20", who: lin, does: acknowledge, case: acknowledged}
  alerts: []
  back: []
  end: {code: helped, measures: []}
"""


def faults(tmp_path: Path, staff: str) -> list[str]:
    path = tmp_path / "small.yaml"
    path.write_text(HEAD + staff, "utf-8")
    story = read_story(path, CATALOG)
    try:
        read_staff(story, WHOLE_BOOK)
    except FileFaults as error:
        return [f"{fault.line}:{fault.column}: {fault.message}" for fault in error.faults]
    return []


def test_a_small_one_is_read(tmp_path: Path) -> None:
    assert faults(tmp_path, STAFF) == []


def test_a_story_without_staff_has_none(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(HEAD, "utf-8")
    story = read_story(path, CATALOG)
    assert read_staff(story, WHOLE_BOOK) is None
    assert story.when_helped() is story


def test_people_answer_for_the_story_s_community_and_persons_are_full_ids() -> None:
    story, staff = helped("zhou")
    scopes = {act.by.id: act.by.communities for act in staff.acts}
    assert scopes == {"lin": ("420106007003",), "gao": ("420106007",)}
    given = [act for act in staff.acts if act.does == "deliver"]
    tutoring = next(act for act in given if act.data["measure"] == "tutoring")
    assert tutoring.data["person"] == f"{story.household}.daughter"
    assert tutoring.title["zh"] == "两名大学生志愿者"


def test_a_finding_is_about_a_member_or_the_household(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    visit = (
        "who: lin, does: visit, with: {outcome: met, findings: ["
        "{type: community.visit.recorded, subject: household, data: {severity: 2}}, "
        "{type: elderly.living-alone.confirmed, subject: mother}]}"
    )
    path.write_text(HEAD + STAFF.replace("who: lin, does: acknowledge, case: acknowledged", visit), "utf-8")
    staff = read_staff(read_story(path, CATALOG), WHOLE_BOOK)
    assert staff is not None
    assert staff.acts[0].data["findings"] == [
        {"type": "community.visit.recorded", "subject": "household/story-small", "data": {"severity": 2}},
        {"type": "elderly.living-alone.confirmed", "subject": "person/story-small.mother"},
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("does: acknowledge", "does: acknowlege", "14:53: unknown command `acknowlege`"),
        ("who: lin,", "who: wu,", "14:42: unknown person `wu`"),
        ("case: acknowledged", "case: done", "14:72: unknown state `done`"),
        ("role: community", "role: mayor", "12:23: unknown role `mayor`"),
        ("code: helped", "code: help", "17:15: unknown close code `help`"),
        ("measures: []", "measures: [soup]", "17:34: unknown measure `soup`"),
        ("back: []", "back: [benefit.soup.granted]", "16:10: unknown event type `benefit.soup.granted`"),
        ("  alerts: []\n", "", "11:3: `staff` lacks the key `alerts`"),
        ('at: "10:20"', 'at: "10.20"', "14:28: a time of day `10.20` is malformed: expected a text"),
        (
            "on: 2024-05-11",
            "on: 2024-05-32",
            "14:12: `2024-05-32` is no day: expected one such as 2024-03-01",
        ),
        (
            "case: acknowledged}",
            "with: {outcome: met}}",
            (
                "14:72: `acknowledge` does not take this: expected no other fields, and found a field that"
                " is not known; it takes: note"
            ),
        ),
        (
            "  alerts: []",
            '    - {on: 2024-05-11, at: "10:20", who: lin, does: acknowledge}\n  alerts: []',
            "15:7: 2024-05-11 10:20 is not after the act above it: acts stand in order of time",
        ),
        (
            "alerts: []",
            "alerts: [{on: 2024-05-11, alert: raise, level: purple}]",
            "15:36: unknown alert `raise`",
        ),
    ],
)
def test_each_fault_is_told_at_its_place(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in STAFF
    found = faults(tmp_path, STAFF.replace(old, new))
    assert any(fault.startswith(expected) for fault in found), found


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    wrong = STAFF.replace("does: acknowledge", "does: wave").replace("code: helped", "code: fed")
    assert len(faults(tmp_path, wrong)) == 2


def test_other_warnings_need_those_who_help(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(f"{HEAD}expect_when_helped: []\n", "utf-8")
    with pytest.raises(FileFaults, match="`expect_when_helped` needs `staff`, who help"):
        read_story(path, CATALOG)


def test_the_words_are_those_of_the_cases() -> None:
    from typing import get_args

    from casework.cases.case import CloseCode, CommitmentState

    assert get_args(CloseCode) == CODES
    assert get_args(CommitmentState) == COMMITMENTS


@pytest.mark.parametrize("name", HELPED)
def test_the_examples_hold_no_word_that_is_read_as_something_else(name: str) -> None:
    assert (STORIES / f"{name}.yaml").is_file()
    _, staff = helped(name)
    assert all(isinstance(act.data.get("amount_yuan", 0), int) for act in staff.acts)
