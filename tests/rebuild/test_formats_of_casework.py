"""States of cases and of dispatch look as they did when they were first written.

If one does not: raise its ``FORMAT``, read both for a version, and write the later one in the version after.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
import pytest

from casework.alerts import state as alerts_state
from casework.cases import case, state_format
from rules.state_format import NewerFormatError
from tests.casework.alerts.a_district import District, alert
from tests.casework.cases.a_case import DAY, STREET, Desk
from tests.casework.cases.test_commitment import AID, signed

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
BEFORE_PERSONS = bytes.fromhex("""
019ca24831cf00064c00f1c2080001a37265643cac343230313036303033303035dc0016a448312d3106a8617373
6973746564cf00064c00f1c20800a37265643cac343230313036303033303035c2a4616e6e6182a765636f6e6f6d
7914a66865616c74680c9282b1686f73706974616c2d62696c6c732f703114b26368726f6e69632d696c6c6e6573
732f70310c92a86264323232643636a866386630326431619497ab61636b6e6f776c65646765cf00064c01c855ac
00c2cf00064c00f1c20800c000c097a57669736974cf00064c0b00adb800c2c0c000cf00064c0b00adb80097a468
656c70cf00064c150f996800c2cf00064c00f1c20800c000c097a6706170657273cf00064d264f9c4000c2c0c000
cf00064d264f9c400090c09296b46469736162696c6974792d737562736964696573a964656c697665726564a461
6e6e61c0ccb4c396a5646962616fa964656c697665726564a4616e6e61c0cd0384c394aa7061706572732d647565
cf00064c00f1c20800a4616e6e6191af70726f6f66206f6620696e636f6d65cf00064c00f1c20800c0c0c0c006c0
90900085a2633192a648312d312d32b035333265643631303237343062663533a2633292a648312d312d33b03535
3837303665653831363739613830a2633392a648312d312d34b033373032343166363034396433633030a2633492
a648312d312d35b062613165633937373636663564613962a2633592a648312d312d36b036656538653237393836
333566373337
""")
"""What a program that knew format 1 alone wrote: help to a person and help to the household, delivered under
a commitment; no measure says to whom."""
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


def test_a_case_that_names_persons_has_a_format_that_a_program_without_them_refuses() -> None:
    """It would take the person out, and a breach by the next program would take nothing back."""
    desk = signed()
    desk.send("deliver", **AID)
    assert state_format.encode(desk.home)[0] == 1
    desk.send("deliver", measure="disability-subsidies", amount_yuan=180, person="P7", under_commitment=True)
    raw = state_format.encode(desk.home)
    assert raw[0] == 2
    assert state_format.decode(raw) == desk.home
    assert state_format.encode(state_format.decode(raw)) == raw
    desk.send("visit", outcome="met")
    desk.send("commit", step="fulfil")
    desk.send("close", STREET, code="helped")
    assert desk.home.case is None
    assert state_format.encode(desk.home)[0] == 2  # the case closed last can be opened again


def test_a_case_from_before_persons_is_read_and_worked_on() -> None:
    desk = signed()
    desk.home, desk.sent = state_format.decode(BEFORE_PERSONS), 9  # later commands have other ids
    found = [(one.id, one.amount_yuan, one.under_commitment, one.person) for one in desk.case.measures]
    assert found == [("disability-subsidies", 180, True, None), ("dibao", 900, True, None)]
    desk.send("commit", STREET, step="break", reason="income was concealed")
    assert [one.state for one in desk.case.measures] == ["suspended", "suspended"]
    assert [one.key for one in desk.feedback] == ["household/H1"]  # to whom the other went is not known


@pytest.mark.parametrize("of", [state_format, alerts_state])
def test_a_newer_one_is_refused(of: Any) -> None:
    """As newer, and not as damaged: its worker leaves, and its partitions go to those that can read it."""
    newer = of.FORMAT + 1
    with pytest.raises(NewerFormatError, match=rf"format {newer}.*this program knows {of.FORMAT}.*newer"):
        of.decode(bytes((newer,)) + b"\x90")
