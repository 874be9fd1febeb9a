"""What staff may do when, what comes of it, and why it is refused."""

from __future__ import annotations

import json

import pytest

from casework.cases import state_format
from casework.cases.case_events import replay
from casework.cases.commands import Actor, Command, Unreadable, decode_record
from tests.casework.cases.a_case import ANNA, AUDITOR, BEN, DAY, DISTRICT, HOME, HOUR, STREET, Desk


def visited() -> Desk:
    desk = Desk()
    desk.warn(1)
    desk.send("acknowledge")
    desk.send("visit", outcome="met")
    return desk


def assessed() -> Desk:
    desk = visited()
    desk.send("assess", level="severe", causes=["illness"])
    return desk


def assisted() -> Desk:
    desk = assessed()
    desk.send("propose", measure="tutoring")
    desk.send("approve", STREET, measure="tutoring")
    desk.send("deliver", measure="tutoring")
    return desk


def test_from_a_warning_to_help() -> None:
    desk = Desk()
    desk.warn(1)
    assert (desk.case.id, desk.case.state, desk.case.version) == ("H1-1", "new", 1)
    assert desk.told() == ["raised"]
    answer = desk.send("acknowledge")
    assert (answer.before, answer.after, answer.id) == ("new", "acknowledged", "H1-1-2")
    assert desk.told() == ["resolve"]
    assert desk.case.officer == "anna"
    for name, actor, data, state in (
        ("assign", STREET, {"to": "carl"}, "acknowledged"),
        ("visit", ANNA, {"outcome": "met", "note": "three rooms"}, "visited"),
        ("assess", ANNA, {"level": "severe", "causes": ["illness"]}, "assessed"),
        ("propose", ANNA, {"measure": "tutoring"}, "assessed"),
        ("approve", STREET, {"measure": "tutoring"}, "assessed"),
        ("deliver", ANNA, {"measure": "tutoring"}, "assisted"),
        ("refer", ANNA, {"to": "justice"}, "assisted"),
        ("comment", ANNA, {"text": "they are glad"}, "assisted"),
        ("close", ANNA, {"code": "helped"}, "closed"),
    ):
        answer = desk.send(name, actor, **data)
        assert answer.after == desk.case.state == state, answer
    assert desk.told() == ["resolve"] * 4  # of the visit, the assessment, the help, and of everything
    assert desk.home.case is None
    assert [event.version for event in desk.events] == list(range(1, 12))
    measure = desk.case.measures[0]
    assert (measure.state, measure.by, measure.approved_by) == ("delivered", "anna", "li")


@pytest.mark.parametrize(
    ("outcome", "state", "runs"),
    [("met", "visited", False), ("absent", "acknowledged", True), ("refused", "visited", False),
     ("moved-away", "visited", False)],
)  # fmt: skip
def test_what_comes_of_a_visit(outcome: str, state: str, runs: bool) -> None:
    desk = Desk()
    desk.warn(1)
    desk.told()
    desk.send("visit", outcome=outcome)
    assert desk.case.state == state
    assert desk.told() == ["resolve"]  # who was there has answered
    clock = desk.case.clock("visit")
    assert clock is not None
    assert clock.is_running is runs


def test_an_assessment_needs_a_visit_that_met_them() -> None:
    desk = Desk()
    desk.warn(1)
    desk.send("acknowledge")
    assert desk.refused("assess", level="light") == "wrong-state"
    desk.send("visit", outcome="refused")
    assert desk.refused("assess", level="light") == "not-yet"
    desk.send("visit", outcome="met")
    assert desk.send("assess", level="light").after == "assessed"
    assert desk.send("assess", level="severe").type == "assessed"
    assert desk.case.assessment is not None
    assert desk.case.assessment.level == "severe"


def test_a_measure_goes_its_way_and_nobody_approves_their_own() -> None:
    desk = assessed()
    assert desk.refused("approve", STREET, measure="tutoring") == "not-yet"
    desk.send("propose", STREET, measure="tutoring")
    assert desk.refused("propose", measure="tutoring") == "not-yet"
    assert desk.refused("approve", ANNA, measure="tutoring") == "forbidden"
    assert desk.refused("approve", STREET, measure="tutoring") == "own-proposal"
    assert desk.refused("deliver", measure="tutoring") == "not-yet"
    desk.send("approve", DISTRICT, measure="tutoring", amount_yuan=300)
    assert desk.send("deliver", measure="tutoring").after == "assisted"
    assert desk.case.measures[0].amount_yuan == 300
    assert desk.send("propose", measure="tutoring").type == "proposed"  # once more, for the next month
    assert len(desk.case.measures) == 2


@pytest.mark.parametrize(
    ("desk", "data", "reason"),
    [
        (visited, {"code": "helped"}, "wrong-state"),
        (assisted, {"code": "helped"}, None),
        (assisted, {"code": "no-need"}, "wrong-state"),
        (visited, {"code": "no-need"}, None),
        (assessed, {"code": "helped-already"}, None),
        (visited, {"code": "refused"}, None),
        (visited, {"code": "moved-away"}, None),
        (visited, {"code": "deceased"}, None),
        (visited, {"code": "data-wrong"}, "bad-data"),
        (visited, {"code": "data-wrong", "source": "health"}, None),
        (visited, {"code": "no-need", "source": "health"}, "bad-data"),
        (visited, {"code": "duplicate"}, "bad-data"),
        (visited, {"code": "duplicate", "duplicate_of": "H1-1"}, "bad-data"),
        (visited, {"code": "duplicate", "duplicate_of": "H7-2"}, None),
        (visited, {"code": "duplicate", "duplicate_of": "~p7-2"}, None),
        (visited, {"code": "duplicate", "duplicate_of": "H1-7"}, "bad-data"),
        (visited, {"code": "duplicate", "duplicate_of": "H7"}, "bad-data"),
        (visited, {"code": "duplicate", "duplicate_of": "the Zhous-1"}, "bad-data"),
        (visited, {"code": "bored"}, "bad-data"),
    ],
)
def test_close_codes(desk: object, data: dict[str, str], reason: str | None) -> None:
    at_work: Desk = desk()  # type: ignore[operator]
    if reason is not None:
        assert at_work.refused("close", **data) == reason
        assert at_work.home.case is not None
        return
    assert at_work.send("close", **data).after == "closed"
    assert at_work.case.code == data["code"]
    assert at_work.home.next_due is None
    assert at_work.home.past[-1].id == "H1-1"


def test_a_duplicate_of_the_same_household_names_a_case_that_there_was() -> None:
    desk = visited()
    desk.send("close", code="refused")
    desk.warn(2)
    assert desk.refused("close", code="duplicate", duplicate_of="H1-3") == "bad-data"
    assert desk.send("close", code="duplicate", duplicate_of="H1-1").after == "closed"


def test_nobody_puts_away_an_unvisited_case_of_the_highest_level_alone() -> None:
    desk = Desk()
    desk.warn(1, "raised", "red")
    assert desk.refused("close", code="duplicate", duplicate_of="H7-2") == "forbidden"
    desk.send("visit", outcome="absent")
    assert desk.refused("close", code="duplicate", duplicate_of="H7-2") == "forbidden"
    assert desk.send("close", STREET, code="duplicate", duplicate_of="H7-2").after == "closed"
    seen = Desk()
    seen.warn(1, "raised", "red")
    seen.send("visit", outcome="met")
    assert seen.send("close", code="duplicate", duplicate_of="H7-2").after == "closed"


def test_a_case_that_an_earlier_program_left_assessed_though_it_is_helped_can_be_closed_as_helped() -> None:
    desk = assisted()
    desk.case.state = "assessed"
    assert desk.refused("close", code="no-need") == "not-yet"
    assert desk.send("close", code="helped").after == "closed"
    assert assessed().refused("close", code="helped") == "not-yet"


def test_a_helped_case_that_goes_on_was_helped_and_not_without_need() -> None:
    desk = assisted()
    desk.send("close", code="helped")
    assert desk.send("reopen", STREET, reason="the roof leaks again").after == "assisted"
    assert desk.case.clock("help").is_running  # type: ignore[union-attr]
    for code in ("no-need", "helped-already"):
        assert desk.refused("close", code=code) == "wrong-state"
    assert desk.send("propose", measure="charity").type == "proposed"
    assert desk.send("close", code="helped").after == "closed"


def test_a_closed_case_goes_on_where_it_stood() -> None:
    desk = assessed()
    desk.send("close", code="no-need")
    assert desk.refused("visit", outcome="met") == "wrong-state"
    assert desk.send("comment", text="a neighbour called").after == "closed"
    desk.told()
    answer = desk.send("reopen", STREET, reason="a neighbour called")
    assert (answer.before, answer.after) == ("closed", "assessed")
    assert desk.told() == ["reopened"]
    assert desk.home.last is None
    assert desk.case.code is None
    clock = desk.case.clock("help")
    assert clock is not None
    assert clock.is_running


def test_reopening_comes_too_late_after_its_time_or_beside_another_case() -> None:
    desk = visited()
    desk.send("close", code="refused")
    desk.warn(2)
    closed = desk.home.last
    assert closed is not None
    late = Command("x", HOME, "H1-1", "reopen", closed.version, STREET, "", {"reason": "why"})
    assert desk.take(late)[0].data["reason"] == "not-yet"
    other = visited()
    other.send("close", code="refused")
    other.at += 91 * DAY
    assert other.refused("reopen", reason="why") == "too-late"


# -- who ---------------------------------------------------------------------------------------------
def test_only_who_is_responsible_may_act_and_others_learn_nothing() -> None:
    desk = Desk()
    desk.warn(1)
    assert desk.refused("acknowledge", BEN) == "forbidden"
    assert desk.refused("acknowledge", Actor("x", "community")) == "forbidden"
    assert desk.refused("acknowledge", AUDITOR) == "forbidden"
    policy = Actor("po", "policy", ("420106",))
    assert desk.refused("acknowledge", policy) == "forbidden"
    assert desk.send("comment", policy, text="a rule needs another look").type == "commented"
    unknown = Command("u", HOME, "H1-9", "acknowledge", 1, BEN)
    assert desk.take(unknown)[0].data["reason"] == "forbidden"
    unknown = Command("v", HOME, "H1-9", "acknowledge", 1, ANNA)
    assert desk.take(unknown)[0].data["reason"] == "unknown-case"


def test_a_household_without_a_community_is_the_districts() -> None:
    desk = Desk()
    desk.warn(1, community=None)
    assert desk.refused("acknowledge", STREET) == "forbidden"
    assert desk.send("acknowledge", DISTRICT).after == "acknowledged"
    assert {record.key for record in desk.alerts} == {"district"}


# -- two at once, and twice --------------------------------------------------------------------------
def test_of_two_officers_at_once_the_second_is_told_to_look_again() -> None:
    desk = Desk()
    desk.warn(1)
    first, second = desk.command("acknowledge"), desk.command("visit", STREET, outcome="absent")
    assert desk.take(first)[0].type == "acknowledged"
    answer = desk.take(second)[0]
    assert (answer.type, answer.data["reason"], answer.id) == ("refused", "stale", "c2-refused")
    assert desk.case.version == 2


def test_a_command_that_comes_again_is_answered_again_and_done_once() -> None:
    desk = Desk()
    desk.warn(1)
    command = desk.command("acknowledge")
    first = desk.take(command)[0]
    desk.at += HOUR
    (again,) = desk.take(command)
    assert (again.type, again.command, again.data) == ("repeated", command.id, {"answer": first.id})
    assert again.changes == {}
    assert desk.case.version == 2
    refused = desk.command("assess", level="light")
    assert desk.take(refused)[0].id == "c2-refused"
    desk.send("visit", outcome="met")
    assert desk.take(refused)[0].data == {"answer": "c2-refused"}


def test_an_id_is_not_used_for_two_commands() -> None:
    desk = Desk()
    desk.warn(1)
    desk.take(desk.command("acknowledge"))
    other = Command("c1", HOME, "H1-1", "visit", 2, ANNA, "", {"outcome": "met"})
    (answer,) = desk.take(other)
    assert (answer.data["reason"], answer.id) == ("id-taken", "c1-taken")
    assert desk.case.visits == []


def test_the_ids_of_a_household_are_remembered_up_to_a_number_and_then_it_is_stale() -> None:
    desk = Desk()
    desk.warn(1)
    first = desk.command("acknowledge")
    desk.take(first)
    for _ in range(64):
        desk.send("comment", text="still here")
    assert len(desk.home.answered) == 64
    assert desk.take(first)[0].data["reason"] == "stale"


# -- what is wrong with it ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("visit", {}, "missing required field `outcome`"),
        ("visit", {"outcome": "Mr Zhou was angry"}, "a value that is none of the choices - at `$.outcome`"),
        ("assess", {"level": "odd"}, "$.data.level: one of: none, light, moderate, severe"),
        ("assess", {"level": "light", "causes": ["illness", "illness"]}, "a cause stands twice"),
        ("comment", {"text": "x" * 2001}, "length <= 2000"),
        ("acknowledge", {"colour": "red"}, "a field that is not known; it takes: note"),
        ("dance", {}, "there is no such command; one of: acknowledge, assign"),
    ],
)
def test_bad_data_says_what_is_wrong_and_not_what_stood_there(
    name: str, data: dict[str, str], says: str
) -> None:
    desk = visited()
    answer = desk.send(name, **data)
    assert answer.data["reason"] == "bad-data"
    assert says in answer.data["message"]
    assert "Zhou" not in answer.data["message"]


def test_the_lists_of_a_state_are_bounded() -> None:
    desk = visited()
    for _ in range(49):
        desk.send("visit", outcome="absent")
    assert desk.refused("visit", outcome="absent") == "too-many"


def test_a_field_that_is_not_known_is_not_named_in_the_record() -> None:
    desk = Desk()
    desk.warn(1)
    name = "Zhou Wei 420106199001011234"
    finding = {"type": "income.earnings.assessed", "subject": "person/p1", name: 800}
    for command, data in (
        ("acknowledge", {name: 1}),
        ("visit", {"outcome": "met", "findings": [finding]}),
        ("acknowledge", {f"{name}` - at `$.note": 1}),
    ):
        assert desk.refused(command, **data) == "bad-data"
        assert "not known" in desk.events[-1].data["message"]
        assert b"Zhou" not in desk.events[-1].body()
    assert "at `$.findings[0]`" in desk.events[-2].data["message"]
    record = decode_record(json.dumps({"kind": "command", name: 1}).encode())
    assert isinstance(record, Unreadable)
    assert "Zhou" not in record.why


def test_a_replay_gives_the_state_also_where_a_forgotten_refusal_was_sent_again() -> None:
    desk = Desk()
    desk.warn(1)
    command = desk.command("assess", ANNA, level="severe")
    desk.take(command)
    for _ in range(70):
        desk.at += HOUR
        desk.send("comment", text="not at home")
    again = desk.take(command)[-1]
    assert (again.type, again.id) == ("refused", f"{command.id}-refused")
    bodies = [event.body() for event in desk.events]
    assert state_format.encode(replay(HOME, bodies)) == state_format.encode(desk.home)
    twice = [*bodies, bodies[1], *bodies[-3:]]  # what a crash may leave on the topic
    assert state_format.encode(replay(HOME, twice)) == state_format.encode(desk.home)
