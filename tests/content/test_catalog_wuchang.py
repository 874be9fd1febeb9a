"""The Wuchang catalogue: who sends what, in both languages, with units and ranges."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog

ROOT = Path(__file__).parents[2]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
UNITS = ("_yuan", "_days", "_months", "_percent", "_m2", "_hours", "_year")
SCALES = {"severity", "level", "grade", "hospital_level"}
COUNTS = {"children", "minor_children", "employees"}
WITHOUT_POINTS = {
    # Known to the district, and no sign of difficulty in themselves.
    "family.birth.registered", "health.checkup.completed", "housing.home.surveyed",
    "violence.protection-order.issued",
}  # fmt: skip


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return read_catalog(ROOT / "streams/catalogs/wuchang.yaml")


def test_fifteen_departments_four_of_them_named_by_the_district(catalog: Catalog) -> None:
    assert len(catalog.departments) == 15
    assert {"disabled-persons", "medical-insurance", "civil-affairs", "health"} <= set(catalog.departments)


def test_every_department_sends_something(catalog: Catalog) -> None:
    senders = {department for event in catalog.events.values() for department in event.departments}
    assert senders == set(catalog.departments)


def test_registry_and_keeping(catalog: Catalog) -> None:
    assert set(catalog.registry) == {"civil-affairs", "public-security"}
    assert catalog.keep_days == 1100


def test_at_least_55_event_types(catalog: Catalog) -> None:
    assert len(catalog.events) >= 55


def test_titles_in_both_languages(catalog: Catalog) -> None:
    for thing in (*catalog.departments.values(), *catalog.events.values()):
        assert set(thing.title) == {"en", "zh"}, thing
        assert CHINESE.search(thing.title["zh"]), thing
        assert thing.title["en"].isascii(), thing


def test_types_are_field_thing_and_past_participle(catalog: Catalog) -> None:
    irregular = {"lost", "found", "fallen", "paid", "overdue", "given"}
    for kind in catalog.events:
        assert kind.count(".") == 2, kind
        last = kind.rsplit(".", 1)[1]
        assert last.endswith("ed") or last in irregular, kind


def test_numbers_have_a_range_and_a_unit_or_are_a_scale_or_count(catalog: Catalog) -> None:
    for event in catalog.events.values():
        for field in event.data.values():
            if field.kind in ("integer", "money"):
                assert field.least is not None and field.greatest is not None, (event.type, field.name)  # noqa: PT018
                named = field.name.endswith(UNITS) or field.name in SCALES | COUNTS
                assert named, (event.type, field.name)
            if field.kind == "money":
                assert field.name.endswith("_yuan"), (event.type, field.name)


def test_no_money_can_be_negative(catalog: Catalog) -> None:
    for event in catalog.events.values():
        for field in event.data.values():
            if field.kind == "money":
                assert field.least == 0, (event.type, field.name)


def test_no_field_takes_free_text(catalog: Catalog) -> None:
    """Nothing that could hold a name or an address."""
    kinds = {field.kind for event in catalog.events.values() for field in event.data.values()}
    assert "text" not in kinds


@pytest.mark.parametrize(
    ("what", "kind", "subject"),
    [
        ("admissions", "health.hospital.admitted", "person"),
        ("discharges", "health.hospital.discharged", "person"),
        ("diagnoses of major illness", "health.illness.diagnosed", "person"),
        ("bills with self-paid part", "insurance.bill.settled", "person"),
        ("chronic disease", "health.chronic-illness.confirmed", "person"),
        ("disability certificates", "disability.certificate.issued", "person"),
        ("job lost", "work.job.lost", "person"),
        ("job found", "work.job.found", "person"),
        ("odd-job work stopped", "work.odd-jobs.stopped", "person"),
        ("platform work stopped", "work.platform.stopped", "person"),
        ("income assessed", "income.earnings.assessed", "person"),
        ("pension granted", "pension.payment.granted", "person"),
        ("pension changed", "pension.payment.changed", "person"),
        ("pension stopped", "pension.payment.stopped", "person"),
        ("wage arrears", "work.wages.overdue", "person"),
        ("business closed", "business.operation.closed", "person"),
        ("school enrolment", "education.school.enrolled", "person"),
        ("dropping out", "education.school.dropped", "person"),
        ("marks falling", "education.marks.fallen", "person"),
        ("school fees", "education.fees.paid", "person"),
        ("deaths", "family.death.registered", "household"),
        ("births", "family.birth.registered", "household"),
        ("divorce", "family.divorce.registered", "household"),
        ("single parenthood", "family.single-parent.confirmed", "household"),
        ("orphans", "child.orphan.confirmed", "person"),
        ("left-behind children", "child.left-behind.confirmed", "person"),
        ("elderly living alone", "elderly.living-alone.confirmed", "person"),
        ("care dependency", "care.dependency.assessed", "person"),
        ("housing damaged", "housing.damage.reported", "household"),
        ("arrears of rent", "housing.rent.overdue", "household"),
        ("arrears of utilities", "housing.utilities.overdue", "household"),
        ("fire", "accident.fire.reported", "household"),
        ("traffic accident", "accident.traffic.recorded", "person"),
        ("disaster", "accident.disaster.recorded", "household"),
        ("domestic violence", "violence.domestic.reported", "person"),
        ("psychological distress", "health.distress.reported", "person"),
        ("dibao granted", "benefit.dibao.granted", "household"),
        ("dibao changed", "benefit.dibao.changed", "household"),
        ("dibao ended", "benefit.dibao.ended", "household"),
        ("medical assistance", "benefit.medical-aid.granted", "person"),
        ("temporary aid", "benefit.temporary-aid.granted", "household"),
        ("disability subsidies", "benefit.disability-subsidy.granted", "person"),
        ("charity aid", "charity.aid.given", "household"),
        ("a finding of a visit", "community.visit.recorded", "household"),
        ("a resident's own report", "community.need.reported", "household"),
        ("a call to the hotline", "community.hotline.called", "household"),
    ],
)
def test_the_catalogue_knows(what: str, kind: str, subject: str, catalog: Catalog) -> None:
    assert catalog.events[kind].subject == subject, what


def test_a_death_says_whether_the_earner_died(catalog: Catalog) -> None:
    field = catalog.events["family.death.registered"].data["earner_died"]
    assert (field.kind, field.required) == ("boolean", True)


def test_the_policy_uses_every_type_but_a_few(catalog: Catalog) -> None:
    policy = read_policy(ROOT / "rules/policies/wuchang.yaml", catalog)
    measures = [one.measure for one in policy.indicators] + [one.percent_of for one in policy.indicators]
    used = {kind for measure in measures if measure for kind in (*measure.types, *measure.until)}
    assert set(catalog.events) - used == WITHOUT_POINTS
