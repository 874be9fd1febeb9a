"""Explanations name every dimension, indicator, person and fact behind a score."""

from __future__ import annotations

import pytest

from rules.backtest import Backtest
from rules.explain import Language, explain, measured_text, sentences, value_text
from rules.household import Household
from tests.rules.a_policy import DAY_ZERO, Events, catalog, rules

RULES = rules()
CATALOG = catalog()


def family() -> Household:
    """A child is ill, the father lost his job, and the income is below the line."""
    made = Events()
    run = Backtest(CATALOG, RULES.policy, RULES)
    for event in (
        made.fact("registry.household.registered", "A", 0, source="/t/civil", community="420106001001"),
        made.joined("p1", "A", 0, "head", birth="1980-01-01", sex="male"),
        made.joined("p2", "A", 0, "child", birth="2015-01-01"),
        made.fact("health.ill", "p2", 1, severity=3),
        made.fact("work.lost", "p1", 2, source="/t/work"),
        made.fact("income.assessed", "p1", 2, source="/t/civil", yuan=50_000),
    ):
        run.take(event)
    run.finish(DAY_ZERO + 13)
    return run.households["A"]


def test_everything_behind_the_score_is_there() -> None:
    shown = explain(family(), RULES, CATALOG)
    assert (shown.score, shown.level, shown.community) == (46, "blue", "420106001001")
    assert [(m.id, m.role, m.age) for m in shown.members] == [("p1", "head", 44), ("p2", "child", 9)]
    by_id = {i.indicator: i for d in shown.dimensions for i in d.indicators}
    assert by_id["jobless"].person == "p1"
    assert by_id["jobless"].measured == "11 days"
    assert by_id["poor"].measured == "250 yuan", "money is in yuan, divided by the members"
    assert by_id["poor"].facts[0].data == {"yuan": 500.0}
    assert sum(d.points for d in shown.dimensions) == shown.score


def test_the_sentences_name_it_in_english_and_chinese() -> None:
    home = family()
    english = "\n".join(sentences(explain(home, RULES, CATALOG)))
    assert english.startswith(
        "Household A (community 420106001001) scored 46 of 100 on 2024-02-14: level blue."
    )
    for word in (
        "p1: jobless (measured: 11 days)",
        "p2: ill",
        "2024-02-03 income.assessed [yuan 500]",
        "event e5",
    ):
        assert word in english
    chinese = "\n".join(sentences(explain(home, RULES, CATALOG, language="zh"), "zh"))
    assert chinese.startswith("家庭A")
    assert "户主" in chinese


def test_a_cap_is_told_where_it_cuts() -> None:
    made = Events()
    run = Backtest(CATALOG, RULES.policy, RULES)
    for number in range(1, 4):
        run.take(made.joined(f"p{number}", "A", 0))
        run.take(made.fact("health.ill", f"p{number}", 1, severity=3))
    text = "\n".join(sentences(explain(run.households["A"], RULES, CATALOG)))
    assert "health: 60 of at most 60 points; the indicators give 75." in text


@pytest.mark.parametrize(
    ("id", "language", "measures"),
    [
        ("jobless", "en", ["1 day", "2 days"]),
        ("old", "en", ["1 member", "2 members"]),
        ("bills", "en", ["1 %", "2 %"]),
        ("old", "zh", ["1人", "2人"]),
    ],
)
def test_a_measure_of_one_is_told_as_one(id: str, language: Language, measures: list[str]) -> None:
    (indicator,) = [one for one in RULES.policy.indicators if one.id == id]
    assert [measured_text(indicator, one, language) for one in (1, 2)] == measures


@pytest.mark.parametrize(
    ("value", "english", "chinese"),
    [
        (True, "yes", "是"),
        (False, "no", "否"),
        (28400.0, "28,400", "28,400"),
        (0.5, "0.5", "0.5"),
        ("a", "a", "a"),
    ],
)
def test_values_are_told_as_people_write_them(value: object, english: str, chinese: str) -> None:
    assert (value_text(value, "en"), value_text(value, "zh")) == (english, chinese)
