"""States of cases and of dispatch look as they did when they were first written.

If one does not: raise its ``FORMAT``, read both for a version, and write the later one in the version after.
"""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from casework.alerts import state as alerts_state
from casework.cases import case, state_format
from tests.casework.alerts.a_district import District, alert
from tests.casework.cases.a_case import DAY, Desk

CASE_FIELDS = (
    "Clock(kind,due,is_assumed,done,overdue,told,next) "
    "Visit(time,by,outcome) "
    "Assessment(time,by,level,causes,told_as) "
    "Measure(id,state,by,approved_by,amount_yuan,under_commitment,person) "
    "Commitment(state,changed,by,papers) "
    "Known(points,facts) "
    "Case(id,version,state,opened,level,score,community,is_baseline,officer,because,known,clocks,visits,"
    "assessment,measures,commitment,changed,closed,code,source,duplicate_of,basis) "
    "Household(id,at,warned,level,score,community,case,last,past,flags,barred,answered)"
)
"""Each Struct of a case's state with its fields, in the order in which they are written."""
DISPATCH_FIELDS = (
    "Waiting(alert,since,until,silence) "
    "Told(alert,next,left) "
    "Group(team,community,waiting,told,last,due) "
    "Digest(team,channel,alerts,last,due) "
    "Message(id,team,kind,alerts,channel,crew,pending,flying,lost,reached,tries,rounds,due,retry_after,"
    "over) "
    "State(now,made,groups,digests,messages,rates,silences,seen,cases,swept)"
)


def fields_of(*structs: type[msgspec.Struct]) -> str:
    return " ".join(f"{one.__name__}({','.join(one.__struct_fields__)})" for one in structs)


def a_case_at_work() -> case.Household:
    desk = Desk()
    desk.warn(1)
    desk.send("acknowledge")
    desk.send("visit", outcome="met", note="at home")
    assert desk.send("assess", level="severe", causes=["illness"]).type == "assessed"
    desk.later(DAY)
    return desk.home


def a_district_at_work() -> alerts_state.State:
    district = District()
    district.feed(alert("H1-1", level="red"), alert("H2-1", level="blue"))
    return district.state


def test_a_case_is_written_as_it_was() -> None:
    found = fields_of(
        case.Clock, case.Visit, case.Assessment, case.Measure, case.Commitment, case.Known, case.Case,
        case.Household,
    )  # fmt: skip
    assert found == CASE_FIELDS
    raw = state_format.encode(a_case_at_work())
    assert raw[0] == 1
    assert hashlib.sha256(raw).hexdigest()[:16] == "7e6ba45f94beea61"
    assert state_format.encode(state_format.decode(raw)) == raw


def test_a_districts_alerts_are_written_as_they_were() -> None:
    found = fields_of(
        alerts_state.Waiting, alerts_state.Told, alerts_state.Group, alerts_state.Digest,
        alerts_state.Message, alerts_state.State,
    )  # fmt: skip
    assert found == DISPATCH_FIELDS
    raw = alerts_state.encode(a_district_at_work())
    assert raw[0] == 1
    assert hashlib.sha256(raw).hexdigest()[:16] == "d76d6e1093738dcb"
    assert alerts_state.encode(alerts_state.decode(raw)) == raw


@pytest.mark.parametrize("decode", [state_format.decode, alerts_state.decode])
def test_a_newer_one_is_refused(decode: object) -> None:
    with pytest.raises(state_format.StateFormatError, match=r"format 2.*this program knows 1.*newer"):
        decode(b"\x02\x90")  # type: ignore[operator]
