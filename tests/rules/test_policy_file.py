"""A good policy as it is read (policy page, section 1): every key, every default."""

from __future__ import annotations

import datetime as dt
import hashlib
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.expression import Active, Compare, Flag, Name, Not, PointsOf
from rules.policy import Dimension, Level, Measure, Parameter, Points
from rules.policy_file import read_policy
from streams.errors import FileFaults, InputError
from tests.conformance.case_files import Case, all_cases
from tests.rules.policy_texts import FLAT, MEMBERS, POLICY, WHERE, catalog, edited, faults_of, read


def day(text: str) -> int:
    return (dt.date.fromisoformat(text) - dt.date(1970, 1, 1)).days


def test_head_of_the_policy() -> None:
    policy = read(POLICY)
    assert (policy.id, policy.version, policy.timezone, policy.keep_days) == (
        "test",
        3,
        "Asia/Shanghai",
        1100,
    )
    assert policy.digest == hashlib.sha256(POLICY.encode()).hexdigest()
    assert policy.dimensions == (
        Dimension("health", 40, "sum", {"en": "Health", "zh": "健康"}),
        Dimension("economy", 60, "max", {"en": "Economy", "zh": "经济"}),
    )
    assert policy.levels == (Level("blue", 40, 32), Level("red", 70, 60))
    assert policy.money_fields == {
        ("health.hospital.admitted", "cost_yuan"),
        ("health.clinic.visited", "mark"),
        ("income.assessed", "monthly_yuan"),
        ("benefit.granted", "amount_yuan"),
    }


def test_parameters_have_dates() -> None:
    values = ((day("2022-04-01"), Fraction(910)), (day("2023-04-01"), Fraction(1925, 2)))
    line = read(POLICY).parameters["line_yuan"]
    assert line == Parameter("line_yuan", values, "yuan per person and month", "a notice")
    assert line.at(day("2023-03-31")) == 910
    assert line.at(day("2023-04-01")) == Fraction(1925, 2)
    assert line.at(day("2000-01-01")) == 910  # before its earliest date, the value of that date


def test_dates_of_a_parameter_may_stand_in_any_order() -> None:
    text = edited(("{2022-04-01: 910, 2023-04-01: 962.50}", "{2023-04-01: 962.50, 2022-04-01: 910}"))
    assert read(text).parameters == read(POLICY).parameters


def test_person_tier_indicator() -> None:
    one = read(POLICY).indicators[0]
    assert (one.index, one.id, one.dimension, one.tier) == (0, "readmitted", 0, "person")
    assert one.measure == Measure(
        types=("health.hospital.admitted",),
        about_person=True,
        where=Not(Flag(Name("planned"))),
        until=("health.recovered",),
        within_days=90,
    )
    assert [(bound.text, points) for bound, points in one.points.bounds] == [("2", 12), ("3", 18)]
    assert one.points.at_least
    assert (one.fades, one.floor) == ((0, 120), 0)
    assert one.title == {"en": "In hospital again", "zh": "再次住院"}
    assert one.because == {"en": "was in hospital again", "zh": "再次住院"}
    assert one.basis == "our own choice"


def test_household_tier_indicators() -> None:
    _, income, spending, benefit, no_earner = read(POLICY).indicators
    assert income.measure == Measure(
        ("income.assessed",), True, "latest", "monthly_yuan", is_money=True, across="per_member"
    )
    assert not income.points.at_least
    assert [bound.value({"line_yuan": Fraction(910)}) for bound, _ in income.points.bounds] == [910, 1365]
    assert spending.percent_of == Measure(
        ("income.assessed",), True, "latest", "monthly_yuan", is_money=True, within_days=365, across="sum"
    )
    assert spending.times == 12
    assert benefit.measure == Measure(("benefit.granted",), False, until=("benefit.ended",))
    assert benefit.points == Points(flat=-20)
    assert (no_earner.measure, no_earner.share) == (None, False)


def test_defaults() -> None:
    """`measure` is count and `times` 1 unless said; titles, parameters and the like may be absent."""
    begin, end = POLICY.index("parameters:"), POLICY.index("dimensions:")
    text = (POLICY[:begin] + POLICY[end:]).replace('"line_yuan"', "1").replace('"1.5 * line_yuan"', "2")
    text = text.replace(", times: 12", "").replace("    measure: count\n", "")
    policy = read(text)
    assert policy.parameters == {}
    assert policy.indicators[2].times == 1
    assert policy.indicators[0].measure is not None
    assert policy.indicators[0].measure.function == "count"
    assert policy.indicators[3].title == {}
    assert not policy.indicators[4].share


def test_share_of_members() -> None:
    text = edited(
        (MEMBERS, "members: sex == 'female' and role in ['head', 'spouse'] and points(\"readmitted\") > 0"),
        ("measure: count\n    points", "measure: share\n    points"),
    )
    assert read(text).indicators[4].share


def test_points_and_active_may_name_what_stands_further_down() -> None:
    begin = POLICY.index("  - id: no-earner")
    first = POLICY.index("  - id: readmitted")
    policy = read(POLICY[:first] + POLICY[begin:] + POLICY[first:begin])
    assert policy.indicators[0].id == "no-earner"
    text = edited((MEMBERS, 'members: points("readmitted") >= 12 or active("readmitted")'))
    members = read(text).indicators[4].members
    assert members is not None
    assert {type(members.left), type(members.right)} == {Compare, Active}  # type: ignore[union-attr]
    assert members.left == Compare(PointsOf("readmitted"), ">=", Fraction(12))  # type: ignore[union-attr]


def test_a_bound_may_stand_twice_by_value() -> None:
    policy = read(edited(("{2: 12, 3: 18}", '{2: 12, 2.0: 18, "1 + 1": 5}')))
    assert [points for _, points in policy.indicators[0].points.bounds] == [12, 18, 5]


def test_scalars_are_read_by_their_text() -> None:
    policy = read(edited((FLAT, "points: 010"), ("version: 3", "version: 3.0")))
    assert policy.indicators[3].points.flat == 10
    assert policy.version == 3


def test_days_and_durations_at_their_limits() -> None:
    policy = read(edited(("within: 90d", "within: 1100d"), ("over: 120d", "over: 1d")))
    assert policy.indicators[0].measure is not None
    assert policy.indicators[0].measure.within_days == 1100
    assert policy.indicators[0].fades == (0, 1)


def test_levels_at_their_limits() -> None:
    policy = read(
        edited(("at: 40, clear: 32", "at: 2, clear: 1"), ("at: 70, clear: 60", "at: 100, clear: 99"))
    )
    assert [(level.at, level.clear) for level in policy.levels] == [(2, 1), (100, 99)]


def test_several_types_with_fields_of_only_some_of_them() -> None:
    """A type or field is known if any of the `from` types has it; integer and money may differ in `where`."""
    text = edited(
        ("from: [health.hospital.admitted]", "from: [health.hospital.admitted, health.clinic.visited]"),
        (WHERE, "where: mark > 2.5 and urgent and ward in ['day', 'surgery'] and since >= \"2024-02-29\""),
    )
    assert not faults_of(text)


def test_the_file_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, encoding="utf-8")
    assert read_policy(path, catalog()) == read(POLICY)


@pytest.mark.parametrize("name", ["", "missing.yaml"])
def test_a_folder_or_a_missing_file_is_told_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_policy(tmp_path / name, catalog())
    assert "cannot be read" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "policy.yaml:1:1: the file is empty"),
        ("[]", "policy.yaml:1:1: the policy must be a mapping, not a list"),
        ("policy: ]", "policy.yaml:1:9: broken YAML"),
        ("policy: x\n\tversion: 1", "policy.yaml:2:1: broken YAML"),
    ],
)
def test_what_is_no_policy_at_all(text: str, message: str) -> None:
    with pytest.raises(FileFaults) as caught:
        read(text)
    assert str(caught.value).startswith(message), str(caught.value)


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_policies_of_the_conformance_cases_are_good(case: Case) -> None:
    from streams.catalog_file import read_catalog

    policy = read_policy(case.policy, read_catalog(case.catalog))
    assert policy.dimensions


PIECES = POLICY.splitlines(keepends=True)


@settings(max_examples=120, deadline=None)
@given(st.integers(0, len(PIECES) - 1), st.sampled_from(["", "  x: 1\n", "    - 1\n", "⟂\n"]), st.booleans())
def test_a_broken_policy_gives_faults_with_places_and_never_a_traceback(
    at: int, put: str, drop: bool
) -> None:
    text = "".join([*PIECES[:at], put, *PIECES[at + drop :]])
    for fault in faults_of(text):
        assert 1 <= fault.line <= text.count("\n") + 2
        assert fault.column >= 1
        assert fault.message
