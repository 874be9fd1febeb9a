"""Reading a catalogue of assistance: what is right is kept, what is wrong is named with its place at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from casework.assistance.measures import Assistance
from casework.assistance.measures_file import read_assistance
from rules.policy_file import read_policy
from streams.catalog_file import read_catalog
from streams.errors import FileFaults

ROOT = Path(__file__).parents[3]
WUCHANG = ROOT / "casework" / "assistance" / "measures" / "wuchang.yaml"
CATALOG = read_catalog(ROOT / "streams" / "catalogs" / "wuchang.yaml")
POLICY = read_policy(ROOT / "rules" / "policies" / "wuchang.yaml", CATALOG)

GOOD = """\
measures: small
version: 3
causes:
  - {id: illness, title: {en: Illness, zh: 疾病}, signs: [major-illness]}
assistance:
  - id: aid
    title: {en: Aid, zh: 救助}
    gives: {en: Money, zh: 资金}
    provider: civil-affairs
    causes: [illness]
    levels: [orange, red]
    members: age < 16 or role == "head"
    needs: [major-illness]
    signs: [hospital-bills]
    unless: [dibao-in-force]
    documents: [{en: Card, zh: 证件}]
    commitment: {papers_within: 30d}
    basis: Own choice.
"""


def read(text: str) -> Assistance:
    return read_assistance("measures.yaml", POLICY, CATALOG, text.encode())


def faults(text: str) -> list[tuple[int, int, str]]:
    with pytest.raises(FileFaults) as caught:
        read(text)
    return [(fault.line, fault.column, fault.message) for fault in caught.value.faults]


def test_a_good_file_is_read_whole() -> None:
    read_it = read(GOOD)
    assert (read_it.id, read_it.version, list(read_it.causes), list(read_it.measures)) == (
        "small", 3, ["illness"], ["aid"],
    )  # fmt: skip
    aid = read_it.measures["aid"]
    assert (aid.provider, aid.causes, aid.levels) == ("civil-affairs", ("illness",), ("orange", "red"))
    assert (aid.needs, aid.signs, aid.unless) == (
        ("major-illness",),
        ("hospital-bills",),
        ("dibao-in-force",),
    )
    assert (aid.documents, aid.papers_within_days, aid.basis) == (
        ({"en": "Card", "zh": "证件"},), 30, "Own choice.",
    )  # fmt: skip
    assert aid.fits is not None
    assert [aid.fits("child", None, 15), aid.fits("child", None, 16), aid.fits("head", None, None)] == [
        True, False, True,
    ]  # fmt: skip


def test_every_fault_is_named_at_once_with_its_place() -> None:
    bad = (
        GOOD.replace("provider: civil-affairs", "provider: civil-affair")
        .replace("causes: [illness]", "causes: [ilness]")
        .replace("levels: [orange, red]", "levels: [orange, purple]")
        .replace("age < 16", "aeg < 16")
        .replace("signs: [hospital-bills]", "signs: [hospital-bill, dibao-in-force, dibao-in-force]")
        .replace("papers_within: 30d", "papers_within: soon")
        .replace("documents: [{en: Card, zh: 证件}]", "documents: [{en: Card}]")
    )
    assert faults(bad) == [
        (9, 15, "unknown department `civil-affair`"),
        (10, 14, "unknown cause `ilness`"),
        (11, 22, "unknown level `purple`"),
        (12, 14, "unknown name `aeg`: expected a property of a member"),
        (14, 13, "unknown indicator `hospital-bill`"),
        (14, 44, "the indicator `dibao-in-force` stands twice in signs"),
        (16, 17, "a document lacks the language `zh`"),
        (17, 33, "papers_within must be a number of days such as 90d, not `soon`"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("version: 3", "version: 0"), "version must be at least 1, not 0"),
        (("measures: small", "measures: Small"), "the catalogue's name `Small` is malformed"),
        (("  - id: aid\n", "  - id: aid\n    price: 3\n"), "unknown key `price` in a measure"),
        (("    basis: Own choice.\n", ""), "a measure lacks the key `basis`"),
        (("causes: [illness]", "causes: []"), "a measure must answer at least one cause"),
        (("members: age", 'members: points("distress") > 0 or age'), "`points()` has no meaning here"),
    ],
)
def test_one_fault(change: tuple[str, str], message: str) -> None:
    found = faults(GOOD.replace(*change))
    assert any(message in text for _, _, text in found), found


def test_a_measure_or_a_cause_that_stands_twice() -> None:
    twice = GOOD + GOOD[GOOD.index("  - id: aid") :]
    assert [text for _, _, text in faults(twice)] == ["the measure `aid` stands twice"]


def test_the_wuchang_catalogue_is_good_and_whole() -> None:
    """What the district has: dibao, edge support, medical assistance, temporary aid, tutoring and so on."""
    assistance = read_assistance(WUCHANG, POLICY, CATALOG)
    assert {
        "dibao", "low-income-edge", "medical-aid", "supplementary-insurance", "temporary-aid",
        "disability-subsidies", "tutoring", "comfort", "care-visits", "job-placement", "legal-aid", "charity",
    } <= set(assistance.measures)  # fmt: skip
    answered = {cause for measure in assistance.measures.values() for cause in measure.causes}
    assert answered == set(assistance.causes), "each cause has a measure that answers it"
    for measure in assistance.measures.values():
        assert measure.basis, measure.id


def test_every_sign_of_difficulty_speaks_for_a_cause() -> None:
    """An indicator that raises a warning and leads to no cause would leave staff alone with it."""
    assistance = read_assistance(WUCHANG, POLICY, CATALOG)
    spoken = {sign for cause in assistance.causes.values() for sign in cause.signs}
    silent = {
        "children", "elderly", "dependants", "no-adult-of-working-age",  # who lives there: no cause by itself
        "visit-finding", "own-report", "hotline-calls", "on-the-list",  # told by people: they say the cause
        "worker-in-hardship", "veteran-in-hardship",  # recognised by their own department
    }  # fmt: skip
    worsening = {
        one.id
        for one in POLICY.indicators
        if (one.points.flat or 0) > 0 or any(points > 0 for _, points in one.points.bounds)
    }
    assert worsening - spoken - silent == set()
