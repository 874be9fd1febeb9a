"""The Wuchang policy: its shape, its words, and what alone has to warn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rules.backtest import Backtest
from rules.calendar import day_from_text
from rules.compile import Rules, compile_policy
from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT / "streams/catalogs/wuchang.yaml")


@pytest.fixture(scope="module")
def policy(catalog: Catalog) -> Policy:
    return read_policy(ROOT / "rules/policies/wuchang.yaml", catalog)


@pytest.fixture(scope="module")
def rules(policy: Policy, catalog: Catalog) -> Rules:
    return compile_policy(policy, catalog)


# ---- shape and words ----
def test_six_dimensions_whose_caps_sum_to_100(policy: Policy) -> None:
    assert [d.id for d in policy.dimensions] == [
        "age",
        "economy",
        "health",
        "employment",
        "education",
        "care",
    ]
    assert sum(d.cap for d in policy.dimensions) == 100
    assert {d.members for d in policy.dimensions} == {"sum", "max"}


def test_four_levels(policy: Policy) -> None:
    assert [level.id for level in policy.levels] == ["blue", "yellow", "orange", "red"]


def test_at_least_50_indicators_over_both_tiers(policy: Policy) -> None:
    tiers = [one.tier for one in policy.indicators]
    assert len(tiers) >= 50
    assert min(tiers.count("person"), tiers.count("household")) >= 20


def test_each_dimension_has_indicators(policy: Policy) -> None:
    counts = [sum(one.dimension == index for one in policy.indicators) for index in range(6)]
    assert min(counts) >= 5


def test_every_text_in_both_languages(policy: Policy) -> None:
    for thing in (*policy.dimensions, *policy.levels, *policy.indicators):
        assert CHINESE.search(thing.title["zh"]), thing.id
        assert thing.title["en"].isascii(), thing.id
    for one in policy.indicators:
        assert CHINESE.search(one.because["zh"]), one.id
        assert one.because["en"].isascii(), one.id
        assert not one.because["en"].endswith("."), f"{one.id}: `policy explain` ends the sentence"


def test_every_indicator_says_what_it_rests_on(policy: Policy) -> None:
    for one in policy.indicators:
        assert "own choice" in one.basis.lower() or "to be verified" in one.basis, one.id


LOOKED_UP = (
    "(State Council Order 649), articles 9 and 10",
    "Order 649, article 9",
    "Order 649, article 47",
    "Order 675, article 26",
    "Employment Promotion Law, article 52",
    "Law against Domestic Violence, article 2 ",
)


def test_only_articles_that_were_looked_up_are_named(policy: Policy) -> None:
    """No invented articles; docs/explanation/policy-wuchang.md says where each was read."""
    texts = [one.basis for one in policy.indicators] + [one.basis for one in policy.parameters.values()]
    named = set()
    for text in texts:
        rest = text
        for known in LOOKED_UP:
            if known in rest:
                named.add(known)
                rest = rest.replace(known, "")
        assert not re.search(r"articles? [0-9]", rest), text
    assert named == set(LOOKED_UP)


DOCUMENTS = {
    "Order 649": "649",
    "Order 675": "675",
    "Guobanfa 2023 no. 39": "国办发〔2023〕39号",
    "Guobanfa 2021 no. 42": "国办发〔2021〕42号",
    "24 October 2024": "刚性支出困难家庭认定办法",
    "Minfa 2019 no. 62": "民发〔2019〕62号",
    "Employment Promotion Law": "就业促进法",
    "Law against Domestic Violence": "反家庭暴力法",
}


def test_every_document_named_is_on_the_page_about_sources(policy: Policy) -> None:
    page = (ROOT / "docs/explanation/policy-wuchang.md").read_text(encoding="utf-8")
    text = " ".join(one.basis for one in policy.indicators)
    for short, official in DOCUMENTS.items():
        assert short in text, short
        assert official in page, official


def test_the_subsistence_line_has_dates_and_is_to_be_verified(policy: Policy) -> None:
    line = policy.parameters["dibao_line_yuan"]
    days = [day_from_text("2021-01-01"), day_from_text("2022-04-01"), day_from_text("2023-04-01")]
    assert [int(line.at(day)) for day in days] == [910, 910, 962]
    assert "to be verified" in line.basis


def test_benefits_in_force_give_negative_points(policy: Policy) -> None:
    flat = {one.id for one in policy.indicators if one.points.flat is not None and one.points.flat < 0}
    assert {"dibao-in-force", "unemployment-benefit-in-force", "care-service-in-force"} <= flat


def test_the_whole_language_is_used(policy: Policy) -> None:
    functions = {one.measure.function for one in policy.indicators if one.measure}
    assert functions == {"count", "sum", "max", "min", "latest", "days_since"}
    across = {one.measure.across for one in policy.indicators if one.measure}
    assert across >= {"sum", "per_member", None}
    assert any(one.percent_of for one in policy.indicators)
    assert any(one.share for one in policy.indicators)
    assert any(one.fades for one in policy.indicators)


# ---- what alone has to warn ----
Given = tuple[str, str, dict[str, Any]]
"""(member or ``household``, type, data)."""

WEALTHY: list[Given] = [("adult", "income.earnings.assessed", {"monthly_yuan": 30_000})]


def warned(
    givens: list[Given], catalog: Catalog, policy: Policy, rules: Rules, *, until: str = "2024-03-01"
) -> Backtest:
    """A well-off family of two adults, a child and an old member, and what happens on 1 March."""
    backtest = Backtest(catalog, policy, rules)
    members = [
        ("adult", "head", "1984-02-02"),
        ("partner", "spouse", "1985-05-05"),
        ("child", "child", "2014-07-07"),
        ("old", "parent", "1950-01-01"),
    ]
    events: list[tuple[str, str, str, dict[str, Any]]] = [
        ("2024-02-01", "household/h", "registry.household.registered", {"community": "420106001001"})
    ]
    for member, role, birth in members:
        data = {"household": "h", "role": role, "birth": birth}
        events.append(("2024-02-01", f"person/{member}", "registry.member.joined", data))
    for day, facts in (("2024-02-01", WEALTHY), ("2024-03-01", givens)):
        for who, kind, data in facts:
            subject = "household/h" if who == "household" else f"person/{who}"
            events.append((day, subject, kind, data))
    for number, (day, subject, kind, data) in enumerate(events):
        department = catalog.events[kind].departments[0] if kind in catalog.events else "civil-affairs"
        event = {
            "specversion": "1.0", "id": f"e{number}", "source": f"/wuchang/{department}", "type": kind,
            "subject": subject, "time": f"{day}T09:00:{number:02}+08:00", "data": data,
        }  # fmt: skip
        assert backtest.feed(number + 1, json.dumps(event).encode()) is None
    backtest.finish(day_from_text(until))
    return backtest


ALONE: list[tuple[str, str, list[Given]]] = [
    (
        "child-with-major-illness",
        "blue",
        [("child", "health.illness.diagnosed", {"illness": "leukaemia", "severity": 5})],
    ),
    (
        "only-earner-died",
        "orange",
        [("household", "family.death.registered", {"earner_died": True, "only_earner": True})],
    ),
    (
        "home-lost",
        "orange",
        [("household", "accident.fire.reported", {"loss_yuan": 200_000, "home_lost": True})],
    ),
    ("home-lost", "orange", [("household", "housing.damage.reported", {"extent": "total"})]),
    ("domestic-violence", "yellow", [("partner", "violence.domestic.reported", {"severity": 1})]),
    (
        "self-harm-risk",
        "yellow",
        [("child", "health.distress.reported", {"severity": 3, "self_harm_risk": True})],
    ),
    ("eviction", "blue", [("household", "housing.eviction.ordered", {})]),
    ("orphan", "blue", [("child", "child.orphan.confirmed", {"status": "without-care-in-fact"})]),
    ("child-with-nobody", "yellow", [("child", "child.left-behind.confirmed", {"guardian": "nobody"})]),
    ("child-neglected", "yellow", [("child", "child.neglect.reported", {"severity": 2})]),
    ("not-reached", "orange", [("old", "elderly.contact.lost", {"missed_days": 2})]),
    (
        "alone-without-pension",
        "blue",
        [
            ("old", "elderly.living-alone.confirmed", {}),
            ("old", "pension.payment.stopped", {"reason": "error", "monthly_yuan": 0}),
        ],
    ),
]


@pytest.mark.parametrize(
    ("indicator", "level", "givens"), ALONE, ids=[f"{row[0]}-{n}" for n, row in enumerate(ALONE)]
)
def test_warns_alone_in_a_family_that_lacks_nothing(
    indicator: str, level: str, givens: list[Given], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    backtest = warned(givens, catalog, policy, rules)
    body = json.loads(backtest.warnings[-1].body)["data"]
    assert (body["level"], body["day"]) == (level, "2024-03-01")
    assert indicator in [entry["indicator"] for entry in body["because"]]
    floor = next(one.floor for one in policy.indicators if one.id == indicator)
    assert floor is not None
    assert policy.levels[floor].id == level


def test_every_floor_is_tried_above(policy: Policy) -> None:
    assert {one.id for one in policy.indicators if one.floor is not None} == {row[0] for row in ALONE}


def test_floors_that_pass_with_time_let_go(catalog: Catalog, policy: Policy, rules: Rules) -> None:
    """An elderly person who was not reached warns for a week, unless the family has other troubles."""
    backtest = warned(ALONE[10][2], catalog, policy, rules, until="2024-03-31")
    days = [(json.loads(w.body)["data"]["day"], w.type) for w in backtest.warnings]
    assert days == [("2024-03-01", "warning.raised"), ("2024-03-08", "warning.cleared")]


@pytest.mark.parametrize(
    "givens",
    [
        [("adult", "health.hospital.admitted", {"planned": True})],
        [("old", "health.hospital.admitted", {"emergency": True})],
        [("adult", "insurance.bill.settled", {"self_paid_yuan": 25_000, "inpatient": True})],
        [("partner", "work.job.lost", {"reason": "dismissed", "monthly_yuan": 0})],
        [("child", "education.marks.fallen", {"drop_percent": 40})],
        [("household", "family.divorce.registered", {"minor_children": 1})],
        [("household", "housing.utilities.overdue", {"overdue_months": 3})],
        [("household", "community.hotline.called", {"need": "other"})],
        [("old", "health.chronic-illness.confirmed", {"severity": 3})],
        [("child", "child.left-behind.confirmed", {"guardian": "grandparent"})],
        [("household", "family.death.registered", {"earner_died": False})],
    ],
)
def test_one_ordinary_trouble_does_not_warn(
    givens: list[Given], catalog: Catalog, policy: Policy, rules: Rules
) -> None:
    assert warned(givens, catalog, policy, rules, until="2024-06-01").warnings == []
