"""Synthea's patients as events: households, money, ids, and what the policy makes of them."""

from __future__ import annotations

import csv
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rules.backtest import Backtest
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.envelope import Decoder
from streams.errors import InputError
from streams.synthea import Imported, import_synthea
from streams.synthea_files import Rows, person_of
from streams.synthea_homes import START, SyntheaHome, form_households

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/synthea"
CATALOG = read_catalog(ROOT / "streams/catalogs/wuchang.yaml")


@pytest.fixture(scope="module")
def imported() -> Imported:
    return import_synthea(FOLDER, CATALOG)


@pytest.fixture(scope="module")
def events(imported: Imported) -> list[dict[str, Any]]:
    return [json.loads(line) for line in imported.lines]


@pytest.fixture(scope="module")
def homes() -> list[SyntheaHome]:
    return form_households(person_of(row) for row in Rows(FOLDER, None).read("patients.csv"))


# ---- the data ----
def rows_of(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_files_hold_what_their_readme_says() -> None:
    rows = {name: len(rows_of(name)) for name in ("patients.csv", "encounters.csv", "conditions.csv")}
    assert rows == {"patients.csv": 111, "encounters.csv": 4_956, "conditions.csv": 2_358}
    readme = (FOLDER / "README.md").read_text()
    for said in (
        "111 persons",
        "4,956 visits",
        "2,358 conditions",
        "MIT",
        "Apache-2.0",
        "ab7f172c35bd1afcf4dd948f4f007e916a942f2b",
    ):
        assert said in readme


def test_the_examples_readme_gives_the_true_numbers(imported: Imported) -> None:
    readme = (ROOT / "examples/README.md").read_text()
    said = (
        f"{len(imported.lines):,} events about {imported.persons} persons in {imported.households} households"
    )
    assert said in readme
    assert f"{imported.left_out} of the 111 persons died" in readme


# ---- the events ----
def test_every_line_is_accepted_by_the_catalogue(imported: Imported) -> None:
    decoder = Decoder(CATALOG)
    assert all(decoder.line(line) for line in imported.lines)


def test_the_same_files_give_the_same_bytes(imported: Imported) -> None:
    assert import_synthea(FOLDER, CATALOG).lines == imported.lines


def test_no_event_is_there_twice(events: list[dict[str, Any]]) -> None:
    names = Counter((event["source"], event["id"], event["subject"]) for event in events)
    assert max(names.values()) == 1
    same = Counter(json.dumps({**event, "id": ""}, sort_keys=True) for event in events)
    assert max(same.values()) == 1


def test_events_stand_in_order_of_time(imported: Imported) -> None:
    decoder = Decoder(CATALOG)
    times = [decoder.line(line).time for line in imported.lines]
    assert all(before <= after for before, after in pairwise(times))


def test_ids_are_pseudonyms(imported: Imported) -> None:
    keys = [row["Id"] for row in rows_of("patients.csv")]
    text = b"".join(imported.lines).decode()
    assert not any(key in text or key[:8] in text for key in keys)


def test_the_summary_counts_the_lines(imported: Imported) -> None:
    assert sum(imported.types.values()) == len(imported.lines)
    assert imported.persons + imported.left_out == 111


def test_every_visit_of_a_living_person_has_its_bill(imported: Imported) -> None:
    rows = rows_of("encounters.csv")
    certificates = sum(row["DESCRIPTION"] == "Death Certification" for row in rows)
    assert imported.types["insurance.bill.settled"] == len(rows) - certificates


def test_nobody_is_heard_of_before_joining_or_after_death(events: list[dict[str, Any]]) -> None:
    present: set[str] = set()
    for event in events:
        if not event["subject"].startswith("person/"):
            continue
        if event["type"] == "registry.member.joined":
            present.add(event["subject"])
        assert event["subject"] in present, event
        if event["type"] == "registry.member.left":
            present.remove(event["subject"])


# ---- households ----
def test_everybody_alive_in_2013_is_in_one_household(homes: list[SyntheaHome]) -> None:
    keys = [person.key for home in homes for person in home.members]
    alive = [
        row["Id"]
        for row in rows_of("patients.csv")
        if not row["DEATHDATE"] or row["DEATHDATE"] >= "2013-01-01"
    ]
    assert sorted(keys) == sorted(alive)


def test_households_do_not_depend_on_the_order_of_the_rows(homes: list[SyntheaHome]) -> None:
    persons = [person_of(row) for row in Rows(FOLDER, None).read("patients.csv")]
    again = form_households(reversed(persons))
    assert [(home.id, [one.id for one in home.members]) for home in again] == [
        (home.id, [one.id for one in home.members]) for home in homes
    ]


def test_spouses_children_and_parents_could_be_that(homes: list[SyntheaHome]) -> None:
    roles = Counter(person.role for home in homes for person in home.members)
    assert roles["spouse"] >= 5
    assert roles["child"] >= 30
    for home in homes:
        head, *others = home.members
        assert head.role == "head"
        assert head.age(START) >= 18
        for person in others:
            gap = (person.born - head.born).days / 365.25
            if person.role == "spouse":
                assert abs(gap) <= 10
                assert {head.sex, person.sex} == {"male", "female"}
                assert head.married
                assert person.married
            elif person.role == "parent":
                assert -40.2 <= gap <= -20
            else:
                women = [
                    one for one in home.members if one.sex == "female" and one.role in ("head", "spouse")
                ]
                assert any(20 <= (person.born - one.born).days / 365.25 <= 40 for one in women)


# ---- money ----
def test_incomes_are_a_twelfth_of_the_yearly_dollars_in_yuan(
    homes: list[SyntheaHome], events: list[dict[str, Any]]
) -> None:
    yearly = {f"person/{one.id}": one.yearly_usd for home in homes for one in home.members}
    seen = set()
    for event in events:
        if event["type"] == "income.earnings.assessed":
            monthly, full = event["data"]["monthly_yuan"], yearly[event["subject"]] // 12
            assert monthly in {0, full // 2, full}
            seen.add(monthly == full)
    assert True in seen


def test_bills_are_scaled_and_their_own_part_is_held(events: list[dict[str, Any]]) -> None:
    bills = [event["data"] for event in events if event["type"] == "insurance.bill.settled"]
    for bill in bills:
        most = 0.45 if bill["inpatient"] else 0.5
        assert 0 <= bill["self_paid_yuan"] <= bill["total_yuan"] * most + 0.01
    assert max(bill["total_yuan"] for bill in bills) == 85_285.06, "an intensive care stay, a dollar a yuan"
    visits = sorted(bill["total_yuan"] for bill in bills if not bill["inpatient"])
    assert 100 < visits[len(visits) // 2] < 200, "an ordinary visit costs what one does in a Chinese city"


# ---- what becomes of single rows ----
PATIENTS = "Id,BIRTHDATE,DEATHDATE,MARITAL,GENDER,CITY,INCOME,HEALTHCARE_EXPENSES,HEALTHCARE_COVERAGE\n"
ENCOUNTERS = (
    "Id,START,STOP,PATIENT,ENCOUNTERCLASS,DESCRIPTION,TOTAL_CLAIM_COST,PAYER_COVERAGE,REASONDESCRIPTION\n"
)
CONDITIONS = "START,STOP,PATIENT,CODE,DESCRIPTION\n"


def folder_of(tmp_path: Path, *, patients: str = "", encounters: str = "", conditions: str = "") -> Path:
    patients = patients or "a,1980-01-01,,S,F,Omaha,60000,0,0\n"
    (tmp_path / "patients.csv").write_text(PATIENTS + patients)
    (tmp_path / "encounters.csv").write_text(ENCOUNTERS + encounters)
    (tmp_path / "conditions.csv").write_text(CONDITIONS + conditions)
    return tmp_path


def told(folder: Path, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """(day, data) of the events of a type."""
    events = [json.loads(line) for line in import_synthea(folder, CATALOG).lines]
    return [(event["time"][:10], event["data"]) for event in events if event["type"] == kind]


def test_stays_that_follow_within_a_day_are_one(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        encounters="e1,2020-03-01T02:00:00Z,2020-03-03T02:00:00Z,a,inpatient,x,1000,200,Sepsis\n"
        "e2,2020-03-03T12:00:00Z,2020-03-06T02:00:00Z,a,inpatient,ward,500,500,Sepsis\n"
        "e3,2020-04-20T02:00:00Z,2020-04-21T02:00:00Z,a,inpatient,again,100,0,Sterilization requested\n",
    )
    stays = told(folder, "health.hospital.admitted")
    assert stays == [
        ("2020-03-01", {"planned": False, "emergency": True}),
        ("2020-04-20", {"planned": True, "emergency": False}),
    ]
    assert [data["stay_days"] for _, data in told(folder, "health.hospital.discharged")] == [5, 1]
    assert [data["self_paid_yuan"] for _, data in told(folder, "insurance.bill.settled")] == [450, 0, 45]


def test_a_short_emergency_is_a_bill_and_no_stay(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path, encounters="e1,2020-03-01T02:00:00Z,2020-03-01T03:00:00Z,a,emergency,x,1000,0,\n"
    )
    assert told(folder, "health.hospital.admitted") == []
    assert told(folder, "insurance.bill.settled") == [
        ("2020-03-01", {"self_paid_yuan": 75, "total_yuan": 150, "inpatient": False})
    ]


def test_work_counts_where_it_changes(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        encounters="e1,2017-06-01T02:00:00Z,2017-06-01T03:00:00Z,a,wellness,x,1,1,\n",
        conditions="2014-05-01,2015-05-01,a,160903007,full\n2015-05-01,2016-05-01,a,160903007,full\n"
        "2016-05-01,2017-05-01,a,73438004,unemployed\n2017-05-01,,a,160904001,part\n",
    )
    assert told(folder, "work.job.lost") == [("2016-05-01", {"reason": "other", "monthly_yuan": 0})]
    assert told(folder, "work.job.found") == [("2017-05-01", {"work": "part-time", "monthly_yuan": 2_500})]
    incomes = [(day[:4], data["monthly_yuan"]) for day, data in told(folder, "income.earnings.assessed")]
    assert incomes == [("2013", 5_000), ("2014", 5_000), ("2015", 5_000), ("2016", 5_000), ("2017", 0)]


@pytest.mark.parametrize(
    ("code", "kind", "data"),
    [
        ("46177005", "health.illness.diagnosed", {"illness": "kidney-failure", "severity": 5}),
        ("44054006", "health.chronic-illness.confirmed", {"illness": "diabetes", "severity": 2}),
        ("73595000", "health.distress.reported", {"severity": 1}),
        ("422650009", "care.isolation.reported", {"degree": "isolated"}),
        ("423315002", "care.isolation.reported", {"degree": "limited-contact"}),
        ("706893006", "violence.domestic.reported", {"severity": 2}),
        ("424393004", "community.visit.recorded", {"severity": 1, "need": "safety"}),
    ],
)
def test_a_finding_becomes(code: str, kind: str, data: dict[str, Any], tmp_path: Path) -> None:
    folder = folder_of(tmp_path, conditions=f"2019-07-08,,a,{code},x\n")
    assert told(folder, kind) == [("2019-07-08", data)]


def test_a_cold_becomes_nothing(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, conditions="2019-07-08,,a,444814009,Viral sinusitis\n")
    kinds = {json.loads(line)["type"] for line in import_synthea(folder, CATALOG).lines}
    assert kinds == {"registry.household.registered", "registry.member.joined", "income.earnings.assessed"}


def test_recovered_when_every_major_illness_has_ended(tmp_path: Path) -> None:
    ended = "2019-01-01,2019-03-03,a,91302008,x\n"
    assert told(folder_of(tmp_path, conditions=ended), "health.illness.recovered") == [("2019-03-03", {})]
    lasting = ended + "2019-02-01,,a,46177005,x\n"
    assert told(folder_of(tmp_path, conditions=lasting), "health.illness.recovered") == []


def test_a_death_is_registered_with_the_household(tmp_path: Path) -> None:
    folder = folder_of(
        tmp_path,
        patients="a,1980-01-01,2019-05-05,M,F,Omaha,60000,0,0\nb,1979-01-01,,M,M,Omaha,60000,0,0\n",
        conditions="2013-02-01,,b,741062008,not in labor force\n",
    )
    assert told(folder, "family.death.registered") == [
        ("2019-05-05", {"earner_died": True, "only_earner": True})
    ]
    assert told(folder, "registry.member.left") == [("2019-05-05", {"reason": "died"})]


# ---- bad input ----
def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"has no file patients\.csv; expected a folder of Synthea's CSV output"
    ):
        import_synthea(tmp_path, CATALOG)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            {"patients": "a,1980-13-01,,S,F,Omaha,1,0,0\n"},
            "patients.csv:2: BIRTHDATE is `1980-13-01`: expected a date",
        ),
        ({"patients": "a,1980-01-01,,S,X,Omaha,1,0,0\n"}, "patients.csv:2: GENDER is `X`: expected F or M"),
        (
            {"patients": "a,1980-01-01,,S,F,Omaha,lots,0,0\n"},
            "INCOME is `lots`: expected an amount of dollars",
        ),
        (
            {"encounters": "e,2020-01-01T00:00:00Z,soon,a,x,x,1,0,\n"},
            "encounters.csv:2: STOP is `soon`: expected a time",
        ),
        (
            {"encounters": "e,2020-01-01T00:00:00,2020-01-01T00:00:00,a,x,x,1,0,\n"},
            "expected a time with an offset",
        ),
        (
            {"encounters": "e,2020-01-01T00:00:00Z,2020-01-01T00:00:00Z,a,x,x,-1,0,\n"},
            "expected an amount from 0 on",
        ),
        ({"conditions": "2020-01-01,x,a,1,x\n"}, "conditions.csv:2: STOP is `x`: expected a date"),
    ],
)
def test_a_malformed_value_is_named_by_file_and_line(
    rows: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        import_synthea(folder_of(tmp_path, **rows), CATALOG)
    assert message in str(caught.value)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    (folder / "conditions.csv").write_text("START,PATIENT\n")
    with pytest.raises(InputError, match=r"conditions\.csv:1: lacks the columns STOP, CODE"):
        import_synthea(folder, CATALOG)


def test_a_short_row_is_a_fault_and_no_traceback(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"conditions\.csv:4: START is ``: expected a date"):
        import_synthea(folder_of(tmp_path, conditions="2020-01-01\n\n,,\n"), CATALOG)


def test_progress_counts_rows(tmp_path: Path) -> None:
    counts: list[int] = []
    import_synthea(folder_of(tmp_path, conditions="2019-07-08,,a,1,x\n"), CATALOG, on_row=counts.append)
    assert counts == [1, 2]


# ---- what the policy makes of them ----
def test_the_policy_warns_of_some_families_and_of_none_at_the_top(imported: Imported) -> None:
    """Scaled money is believable: neither silence nor all families red."""
    backtest = Backtest(CATALOG, read_policy(ROOT / "rules/policies/wuchang.yaml", CATALOG))
    for number, line in enumerate(imported.lines, start=1):
        assert backtest.feed(number, line) is None
    backtest.finish()
    raised = [warning for warning in backtest.warnings if warning.type == "warning.raised"]
    levels = Counter(warning.level for warning in raised)
    assert set(levels) == {"blue", "yellow"}
    readme = (ROOT / "examples/README.md").read_text()
    households = len({warning.household for warning in raised})
    said = (
        f"raises {len(raised)} warnings in {households} of\nthe {imported.households} households",
        f"{levels['blue']} at blue and {levels['yellow']} at yellow",
    )
    assert all(text in readme for text in said), said
    now = Counter(score["level"] for score in backtest.scores())
    assert now[None] > imported.households * 0.8
