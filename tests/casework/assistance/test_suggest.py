"""What is suggested for a family: ranked, each with its reasons; and why something is withheld."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casework.assistance.measures_file import read_assistance
from casework.assistance.suggest import (
    CAUSE_POINTS,
    Situation,
    Suggestions,
    likely_causes,
    situation,
    suggest,
)
from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.explain import MemberShown, explain
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.stories import in_order, read_story

ROOT = Path(__file__).parents[3]
CATALOG = read_catalog(ROOT / "streams" / "catalogs" / "wuchang.yaml")
POLICY = read_policy(ROOT / "rules" / "policies" / "wuchang.yaml", CATALOG)
ASSISTANCE = read_assistance(ROOT / "casework" / "assistance" / "measures" / "wuchang.yaml", POLICY, CATALOG)

CHILD = MemberShown("P1", "child", 14, "female")
FATHER = MemberShown("P2", "head", 44, "male")


def measures(found: Suggestions) -> list[str]:
    return [one.measure.id for one in found.suggested]


def reasons(found: Suggestions, measure: str) -> list[tuple[str, str]]:
    return [(why.kind, why.of) for one in found.suggested if one.measure.id == measure for why in one.reasons]


def test_before_an_assessment_the_indicators_speak() -> None:
    found = suggest(ASSISTANCE, Situation("yellow", (CHILD, FATHER), {"marks-falling": 3}), POLICY)
    assert measures(found) == ["tutoring"]
    assert reasons(found, "tutoring") == [("sign", "marks-falling"), ("member", "P1")]
    assert found.suggested[0].rank == 3


def test_an_assessed_cause_is_what_counts_then() -> None:
    at = Situation("yellow", (CHILD, FATHER), {"marks-falling": 3, "out-of-work": 9}, ("schooling",))
    found = suggest(ASSISTANCE, at, POLICY)
    assert "job-placement" not in measures(found), "staff looked, and work is not the cause"
    assert found.suggested[0].rank == CAUSE_POINTS + 3
    assert ("cause", "schooling") in reasons(found, "tutoring")


def test_ranks_fall_and_equals_stand_as_in_the_file() -> None:
    at = Situation(
        "orange", (CHILD, FATHER), {"hospital-bills": 9}, ("illness", "medical-costs", "income-lost")
    )
    found = suggest(ASSISTANCE, at, POLICY)
    order = list(ASSISTANCE.measures)
    ranks = [(-one.rank, order.index(one.measure.id)) for one in found.suggested]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize(
    ("at", "measure", "kind", "of"),
    [
        (
            Situation("red", (CHILD,), {"dibao-in-force": -6}, ("income-lost",)),
            "dibao",
            "in-force",
            "dibao-in-force",
        ),
        (Situation("blue", (CHILD,), {"hospital-bills": 9}), "medical-aid", "level", "blue"),
        (Situation(None, (CHILD,), {"hospital-bills": 9}), "medical-aid", "level", ""),
        (Situation("red", (FATHER,), {"marks-falling": 3}), "tutoring", "no-member", ""),
    ],
)
def test_what_is_withheld_says_why(at: Situation, measure: str, kind: str, of: str) -> None:
    found = suggest(ASSISTANCE, at, POLICY)
    assert measure not in measures(found)
    assert [(why.kind, why.of) for one, why in found.withheld if one.id == measure] == [(kind, of)]


def test_a_measure_that_needs_a_sign_is_not_named_without_it() -> None:
    at = Situation("yellow", (FATHER,), {"out-of-work": 9}, ("income-lost",))
    assert "unemployment-benefit" in measures(suggest(ASSISTANCE, at, POLICY))
    found = suggest(ASSISTANCE, replace(at, points={"business-closed": 9}), POLICY)
    assert "unemployment-benefit" not in measures(found)
    assert all(one.id != "unemployment-benefit" for one, _ in found.withheld)


def test_likely_causes_come_from_the_signs_the_most_first() -> None:
    points = {"hospital-bills": 9, "major-illness": 16, "dibao-in-force": -6}
    assert likely_causes(ASSISTANCE, points) == [("illness", 16), ("medical-costs", 9)]


indicator_points = st.dictionaries(
    st.sampled_from([one.id for one in POLICY.indicators]), st.integers(-10, 20), max_size=12
)


@given(
    level=st.sampled_from([None, "blue", "yellow", "orange", "red"]),
    points=indicator_points,
    causes=st.lists(st.sampled_from(sorted(ASSISTANCE.causes)), unique=True, max_size=4),
    members=st.lists(st.sampled_from([CHILD, FATHER, MemberShown("P3", "other", None, None)]), unique=True),
)
def test_each_measure_is_named_once_with_a_reason_in_both_languages(
    level: str | None, points: dict[str, int], causes: list[str], members: list[MemberShown]
) -> None:
    found = suggest(ASSISTANCE, Situation(level, tuple(members), points, tuple(causes)), POLICY)
    named = measures(found) + [one.id for one, _ in found.withheld]
    assert len(named) == len(set(named))
    for one in found.suggested:
        assert one.reasons
        assert one.rank > 0
        if causes:
            assert any(why.kind == "cause" for why in one.reasons)
    for why in [
        *(why for one in found.suggested for why in one.reasons),
        *(why for _, why in found.withheld),
    ]:
        assert why.text["en"]
        assert why.text["zh"]


@pytest.mark.parametrize(
    ("story", "day", "causes", "expected"),
    [
        (
            "zhou",
            "2024-06-29",
            ("illness", "income-lost", "schooling"),
            {"dibao", "supplementary-insurance", "tutoring"},
        ),
        ("wang-fuhong", "2024-06-25", ("illness", "medical-costs"), {"temporary-aid", "medical-aid"}),
    ],
)
def test_the_help_of_the_districts_stories_is_suggested(
    story: str, day: str, causes: tuple[str, ...], expected: set[str]
) -> None:
    """Mr Zhou: dibao, supplementary insurance, volunteers; Wang Fuhong: aid at once, papers later."""
    run = Backtest(CATALOG, POLICY)
    levels, indicators = [one.id for one in POLICY.levels], [one.id for one in POLICY.indicators]
    path = ROOT / "examples" / "stories" / f"{story}.yaml"
    told = read_story(path, CATALOG, levels=levels, indicators=indicators)
    for line, event in enumerate(in_order([told]), start=1):
        run.feed(line, event)
    run.finish(day_from_text(day))
    home = run.households[f"story-{story}"]
    found = suggest(ASSISTANCE, situation(explain(home, run.rules, CATALOG), causes), POLICY)
    assert expected <= set(measures(found))
    if story == "wang-fuhong":
        papers = {one.measure.id: one.measure.papers_within_days for one in found.suggested}
        assert papers["temporary-aid"] is not None
        assert papers["medical-aid"] is not None
