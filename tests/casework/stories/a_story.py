"""What the tests of stories share: the files of Wuchang, and a story of examples/stories with its staff."""

from __future__ import annotations

from casework.assistance.measures_file import read_assistance
from casework.stories.acts import Staff
from casework.stories.staff_file import read_staff
from rules.compile import compile_policy
from streams.stories import Story, read_story
from tests.casework.cases.a_case import BOOK, CATALOG, POLICY
from tests.docs.pages import ROOT

STORIES = ROOT / "examples" / "stories"
HELPED = ("wang-fuhong", "zhou")
"""The stories that tell of staff."""

ASSISTANCE = read_assistance(ROOT / "casework/assistance/measures/wuchang.yaml", POLICY, CATALOG)
WHOLE_BOOK = BOOK.with_assistance(ASSISTANCE)
RULES = compile_policy(POLICY, CATALOG)


def helped(name: str) -> tuple[Story, Staff]:
    """A story and its staff."""
    story = read_story(STORIES / f"{name}.yaml", CATALOG)
    staff = read_staff(story, WHOLE_BOOK)
    assert staff is not None
    return story, staff
