"""Whom the alerts of the stories reach by the routes of the demo, as dispatch decides, in simulated time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from casework.alerts.routes_file import read_routes
from casework.stories.judged import Outcome, Receipt, differences_in_help
from casework.stories.told import tell
from streams.timestamps import SECOND
from tests.casework.alerts.a_district import District
from tests.casework.cases.a_case import POLICY
from tests.casework.stories.a_story import HELPED, RULES, WHOLE_BOOK, helped
from tests.docs.pages import ROOT

ROUTES = read_routes(ROOT / "examples/routes/demo.yaml", POLICY)


@pytest.mark.parametrize("name", HELPED)
def test_each_alert_of_a_story_reaches_whom_it_tells_once(name: str) -> None:
    story, staff = helped(name)
    told = tell(story, staff, WHOLE_BOOK, RULES)
    district = District(start=f"{story.begins} 00:00")
    district.routes = ROUTES
    for at, alert in told.alerted:
        district.run((at - district.now) / SECOND)
        district.feed(alert)
    district.run_out()
    sent = district.sent()
    receipts = [Receipt(one["id"], send.team, send.channel) for send in sent for one in send.data["alerts"]]
    seen = Outcome(told.events, told.alerts, told.back, told.suggested, receipts)
    assert differences_in_help(staff, seen) == []
    assert len({send.key for send in sent}) == len(sent) == len(staff.alerts)
    # And somebody else's channel is a difference.
    other = [replace(receipts[0], channel="desk"), *receipts[1:]]
    assert len(differences_in_help(staff, replace(seen, receipts=other))) == 1
