"""Both stories of the district end in help on real servers: their cases, and what the score knows of it."""

from __future__ import annotations

import pytest

from tests.casework.live.town import Lived
from tests.casework.stories.a_story import HELPED

pytestmark = pytest.mark.timeout(400)


def test_both_families_are_warned_of_and_helped_as_told(lived: Lived) -> None:
    assert lived.warned == []
    assert [(one.story.id, one.problems) for one in lived.helped] == [(name, ()) for name in HELPED]
    assert lived.dead == []


def test_the_case_of_mr_zhou_is_closed_with_what_the_issue_names(lived: Lived) -> None:
    case = lived.households["zhou"].last
    assert case is not None
    assert (case.state, case.code) == ("closed", "helped")
    given = {measure.id: measure for measure in case.measures}
    assert set(given) == {"dibao", "supplementary-insurance", "tutoring"}
    assert all(one.state == "delivered" for one in given.values())
    assert all(one.approved_by not in (None, one.by) for one in given.values())


def test_wang_fuhong_s_papers_came_after_the_help(lived: Lived) -> None:
    case = lived.households["wang-fuhong"].last
    assert case is not None
    assert case.commitment is not None
    assert (case.code, case.commitment.state) == ("helped", "fulfilled")
    (aid,) = [one for one in case.measures if one.under_commitment]
    assert (aid.id, aid.approved_by) == ("temporary-aid", None)
    events = [(event["type"], event["time"]) for event in lived.of("wang-fuhong").outcome.events]
    times = dict(events)
    assert times["case.commitment.signed"] < times["case.commitment.fulfilled"]


def test_the_score_knows_what_was_found_and_given(lived: Lived) -> None:
    told = "\n".join(lived.households["zhou"].why)
    assert "Dibao is paid" in told
    told = "\n".join(lived.households["wang-fuhong"].why)
    assert "A visit found difficulties" in told or "Temporary aid was paid" in told
