"""A policy in words: what officials read has to say what the rules do."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given, settings

from rules.expression_text import read_condition
from rules.policy import Policy
from rules.policy_data import policy_data
from rules.words import Language, Words, expression_text, number_text
from tests.rules.policy_texts import MEMBERS, POLICY, WHERE, catalog, edited, read
from tests.rules.test_expression_text import SCOPE, TREES, good

DAY = (dt.date(2022, 12, 31) - dt.date(1970, 1, 1)).days


def words(language: Language, policy: Policy | None = None, *, day: int = DAY) -> Words:
    return Words(policy or read(POLICY), catalog(), language, day)


@pytest.mark.parametrize(
    ("language", "index", "measured"),
    [
        (
            "en",
            0,
            (
                "number of: health.hospital.admitted, in the last 90 days, "
                "where not planned, until health.recovered"
            ),
        ),
        ("zh", 0, "health.hospital.admitted的次数，近90天内，条件：非 planned，遇health.recovered即终止"),
        ("en", 1, "latest monthly_yuan of: income.assessed, per member of the household"),
        (
            "en",
            2,
            (
                "total cost_yuan of: health.hospital.admitted, added over the members; "
                "in percent of 12 times "
                "(latest monthly_yuan of: income.assessed, in the last 365 days, added over the members)"
            ),
        ),
        ("en", 4, "number of members with age ≥ 18 and age < 60 and not “In hospital again” applies"),
        ("zh", 4, "符合条件的成员数：年龄 ≥ 18 且 年龄 < 60 且 非 「再次住院」成立"),
    ],
)
def test_what_is_measured(language: Language, index: int, measured: str) -> None:
    one = words(language)
    assert one.measured(one.policy.indicators[index]) == measured


def test_points_floor_and_fading() -> None:
    en, zh = words("en"), words("zh")
    first = en.policy.indicators[0]
    assert en.points(first.points) == ["from 2: +12", "from 3: +18"]
    assert zh.points(first.points) == ["≥ 2：+12分", "≥ 3：+18分"]
    assert en.fading(first) == "whole for 0 days, then down to 0 in 120 days"
    assert en.floor(first) == "alone warns: at least blue"
    assert en.points(en.policy.indicators[3].points) == ["-20 if there is any"]
    assert en.fading(en.policy.indicators[1]) == en.floor(en.policy.indicators[1]) == ""


def test_bounds_are_given_with_the_parameters_of_the_day() -> None:
    points = read(POLICY).indicators[1].points
    assert words("en").points(points) == ["up to line_yuan = 910: +20", "up to 1.5 × line_yuan = 1,365: +12"]
    later = words("en", day=DAY + 365)
    assert later.points(points) == ["up to line_yuan = 962.5: +20", "up to 1.5 × line_yuan = 1,443.75: +12"]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("(planned or urgent) and nights > 3", "(planned or urgent) and nights > 3"),
        ("not (planned and urgent)", "not (planned and urgent)"),
        ("planned and urgent or nights != 1000.5", "planned and urgent or nights ≠ 1,000.5"),
        ("planned == false", "planned = no"),
        ("ward not in ['general', 'surgery']", "ward is none of “general”, “surgery”"),
        ("since in ['2024-02-29']", "since is one of “2024-02-29”"),
    ],
)
def test_conditions(where: str, said: str) -> None:
    one = words("en", read(edited((WHERE, f'where: "{where}"'))))
    measure = one.policy.indicators[0].measure
    assert measure is not None
    assert measure.where is not None
    assert one.condition(measure.where) == said


def test_members_in_chinese() -> None:
    text = edited(
        (MEMBERS, "members: role in ['head', 'spouse'] and sex == 'female' or points(\"readmitted\") > 3")
    )
    one = words("zh", read(text))
    assert one.measured(one.policy.indicators[4]) == (
        "符合条件的成员数：身份 属于 户主、配偶 且 性别 = 女 或 「再次住院」得分 > 3"
    )


@pytest.mark.parametrize(
    ("number", "text"),
    [("12", "12"), ("-1234567", "-1,234,567"), ("-0.05", "-0.05"), ("1000.5", "1,000.5"), ("1/3", "1/3")],
)
def test_number(number: str, text: str) -> None:
    from fractions import Fraction

    assert number_text(Fraction(number)) == text


@settings(max_examples=150, deadline=None)
@given(TREES)
def test_an_expression_as_text_reads_as_the_same_rule(tree: object) -> None:
    """The text with the fewest brackets means the same; `and` and `or` may only be grouped anew."""
    text = expression_text(tree)  # type: ignore[arg-type]
    assert expression_text(good(text)) == text
    faults: list[str] = []
    assert read_condition(text, SCOPE, lambda *_: faults.append("")) is not None


def test_policy_as_plain_values() -> None:
    data = json.loads(json.dumps(policy_data(read(POLICY), day=DAY)))
    assert data["day"] == "2022-12-31"
    assert data["parameters"]["line_yuan"]["values"] == {"2022-04-01": 910, "2023-04-01": 962.5}
    assert data["parameters"]["line_yuan"]["now"] == 910
    assert data["levels"][0] == {"id": "blue", "title": {}, "at": 40, "clear": 32}
    readmitted, income, spending, benefit, no_earner = data["indicators"]
    assert readmitted["where"] == "not planned"
    assert readmitted["fades"] == {"after_days": 0, "over_days": 120}
    assert readmitted["floor"] == "blue"
    assert income["points"]["at_most"][1] == {"bound": "1.5 * line_yuan", "now": 1365, "points": 12}
    assert spending["percent_of"]["times"] == 12
    assert spending["unit"] == "yuan"
    assert benefit["points"] == -20
    assert no_earner["members"] == 'age >= 18 and age < 60 and not active("readmitted")'
