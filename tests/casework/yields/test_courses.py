"""The course of one case: what it is counted as after each thing that may befall it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.cases.case import Household
from casework.yields.counting import OTHER as OTHER_SOURCE
from casework.yields.counting import Cohort, WrongData, count
from casework.yields.course import Course, Courses
from rules.calendar import Calendar
from tests.casework.cases.a_case import BOOK, COMMUNITY, DAY, DISTRICT, OTHER, STREET
from tests.casework.cases.test_step_properties import Run, logs
from tests.casework.yields.a_district import ENDINGS, NO_NEED, Family, because, courses, feed, opened

COHORT = Cohort(Calendar("Asia/Shanghai"))


def course_of(family: Family) -> Course:
    (found,) = courses(family)
    return found


@pytest.mark.parametrize(
    ("ending", "acknowledged", "visited", "need", "helped", "code"),
    [
        ("waiting", 0, 0, None, 0, None),
        ("acknowledged", 1, 0, None, 0, None),
        ("absent", 1, 0, None, 0, None),
        ("met", 1, 1, None, 0, None),
        ("assessed", 1, 1, True, 0, None),
        ("no difficulty", 1, 1, False, 0, None),
        ("assisted", 1, 1, True, 1, None),
        ("helped", 1, 1, True, 1, "helped"),
        ("helped already", 1, 1, False, 0, "helped-already"),
        ("no need", 1, 1, False, 0, "no-need"),  # the code has the last word, whatever was assessed
        ("refused", 1, 0, False, 0, "refused"),
        ("deceased", 1, 0, False, 0, "deceased"),
        ("data wrong", 1, 0, False, 0, "data-wrong"),
        ("withdrawn", 0, 0, False, 0, "data-wrong"),
        ("duplicate", 0, 0, False, 0, "duplicate"),
    ],
)
def test_each_ending_is_counted_as_what_it_is(
    ending: str, acknowledged: int, visited: int, need: bool | None, helped: int, code: str | None
) -> None:
    family = opened()
    ENDINGS[ending](family)
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.warned, total.acknowledged, total.visited, total.helped) == (
        1, acknowledged, visited, helped
    )  # fmt: skip
    assert (total.need, total.waiting) == (int(need is True), int(need is None))
    assert total.codes == ({} if code is None else {code: 1})
    assert total.open == (code is None)


def test_every_ending_of_the_parameters_is_tried() -> None:
    (mark,) = test_each_ending_is_counted_as_what_it_is.pytestmark
    assert [row[0] for row in mark.args[1]] == list(ENDINGS)


def test_data_that_were_wrong_name_their_source_and_who_found_out() -> None:
    found, itself = opened("H2"), opened("H3")
    ENDINGS["data wrong"](found)
    ENDINGS["withdrawn"](itself)
    again = opened("H4")
    ENDINGS["data wrong"](again)
    told = courses(found, itself, again)
    rows = count(told, COHORT, departments={"housing", "health"}).wrong_data
    assert rows == [WrongData("housing", 2, 0), WrongData("health", 0, 1)]
    rows = count(told, COHORT, departments={"health"}).wrong_data  # what staff wrote might be a name
    assert rows == [WrongData(OTHER_SOURCE, 2, 0), WrongData("health", 0, 1)]


def test_a_case_that_is_reopened_counts_once_with_its_last_ending() -> None:
    family = opened()
    ENDINGS["no need"](family)
    family.send("reopen", STREET, reason="the neighbours called")
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.warned, total.open, total.codes, total.reopened, total.need) == (1, 1, {}, 1, 1)
    family.helped().send("close", code="helped")
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.warned, total.open, total.codes, total.reopened) == (1, 0, {"helped": 1}, 1)
    assert (total.need, total.helped) == (1, 1)


def test_a_warning_that_joins_an_open_case_opens_none_and_lends_it_its_indicators() -> None:
    family = opened("H1", "bills")
    family.warn(2, "upgraded", "red", because=because("violence", violence="police"))
    found = courses(family)
    (course,) = found
    assert (course.joined, course.level, course.indicators) == (1, "red", {"bills", "violence"})
    assert found.departments(course) == {"health", "police"}
    assert count(found, COHORT).total.warned == 1


def test_what_comes_after_the_family_was_met_is_not_what_led_to_the_visit() -> None:
    family = opened("H1", "bills")
    family.visited("severe")
    family.warn(2, "upgraded", "red", community=OTHER, because=because("visit-found-need", visit="civil"))
    course = course_of(family)
    assert (course.joined, course.level, course.indicators) == (1, "orange", {"bills"})
    assert course.community == COMMUNITY
    assert course.warnings == ["H1-1"]


def test_a_family_that_moves_before_it_is_met_counts_where_it_is_met() -> None:
    family = opened()
    family.warn(2, "moved", community=OTHER)
    assert course_of(family).community == OTHER


def test_a_family_that_was_never_met_counts_where_its_case_was_closed() -> None:
    family = opened()
    family.send("acknowledge")
    family.send("close", code="moved-away")
    (event,) = family.warn(2, "moved", community=OTHER)
    assert (event.type, event.community) == ("noted", OTHER)
    assert course_of(family).community == COMMUNITY
    family.send("reopen", STREET, reason="they are to be visited there")
    assert course_of(family).community == OTHER


def test_points_below_0_are_not_behind_a_warning() -> None:
    family = Family()
    entries = because("bills", "pension", pension="social-security")
    entries[1]["points"] = -5
    family.warn(1, because=entries)
    found = courses(family)
    (course,) = found
    assert course.indicators == {"bills"}
    assert found.departments(course) == {"health"}


def test_a_warning_without_facts_rests_on_no_department_and_one_that_is_missing_is_not_known() -> None:
    family = Family()
    entries = because("single-parent")
    entries[0]["facts"] = []
    family.warn(1, because=entries)
    found = courses(family)
    assert found.departments(next(iter(found))) == frozenset()
    found = courses(family, with_warnings=False)
    assert found.departments(next(iter(found))) is None


def test_help_that_a_broken_commitment_suspended_is_no_help() -> None:
    family = opened()
    family.send("acknowledge")
    family.send("commit", step="sign", papers=["income"], allows_checks=True)
    family.send("deliver", measure="temporary-aid", amount_yuan=2000, under_commitment=True)
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.visited, total.need, total.helped) == (0, 1, 1)
    family.send("commit", DISTRICT, step="break", reason="untrue")
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.need, total.waiting, total.helped) == (0, 1, 0)


def test_warnings_that_after_care_quiets_are_counted_apart() -> None:
    family = opened()
    ENDINGS["no need"](family)
    family.later(DAY)
    family.warn(2, because=because("bills"))
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.warned, total.quieted) == (1, 1)


def test_a_later_case_of_the_same_family_is_another_case() -> None:
    family = opened()
    ENDINGS["helped"](family)
    family.later(200 * DAY)
    family.warn(2, because=because("eviction"))
    total = count(courses(family), COHORT, no_need=NO_NEED).total
    assert (total.warned, total.open, total.helped) == (2, 1, 1)


def test_refused_and_repeated_commands_change_nothing() -> None:
    family = opened()
    before = course_of(family)
    assert super(Family, family).send("assess", level="severe").type == "refused"
    command = family.command("acknowledge")
    family.take(command)
    once = course_of(family)
    family.take(command)
    assert family.types()[-1] == "repeated"
    assert course_of(family) == once
    assert (before.was_acknowledged, once.was_acknowledged) == (False, True)


def test_what_is_none_of_either_topic_is_counted_and_passed_over() -> None:
    found = Courses()
    for value in (
        None,
        b"",
        b"{}",
        b"\xff",
        b'{"id": "1", "type": "life.x", "time": "", "data": {}}',
        b"[1]",
    ):
        found.take(value)
    feed(found, [b'{"id": "H1-2", "type": "warning.cleared", "time": "", "data": {}}'])
    assert (len(found), found.unreadable) == (0, 6)


def test_an_excerpt_without_the_beginning_of_a_case_is_passed_over() -> None:
    found = Courses()
    family = opened()
    ENDINGS["helped"](family)
    feed(found, family.records[1:])
    assert (len(found), found.unreadable) == (0, 0)


@given(logs)
def test_it_agrees_with_the_state_that_the_step_keeps(log: list[tuple[int, object]]) -> None:
    run = Run(log, BOOK)  # type: ignore[arg-type]
    found = Courses()
    bodies = [event.body() for effects in run.said for event in effects.events]
    feed(found, bodies)
    home: Household = run.home
    by_id = found._cases
    for case in (home.case, home.last):
        if case is not None:
            course = by_id[case.id]
            assert (course.was_met, course.is_helped) == (case.was_met, case.is_helped)
            assert (course.code, course.source) == (case.code, case.source)
            assert course.found == (None if case.assessment is None else case.assessment.level)
            assert course.opened == case.opened
    for past in home.past:
        assert by_id[past.id].code == past.code


@given(logs, st.data())
def test_repeats_change_nothing(log: list[tuple[int, object]], data: st.DataObject) -> None:
    run = Run(log, BOOK)  # type: ignore[arg-type]
    bodies = [event.body() for effects in run.said for event in effects.events]
    once, twice = Courses(), Courses()
    feed(once, bodies)
    # A worker that died between sending and committing sends again all since its last commit.
    for number, body in enumerate(bodies):
        twice.take(body)
        feed(twice, bodies[data.draw(st.integers(max(0, number - 4), number + 1)) : number + 1])
    assert list(once) == list(twice)
