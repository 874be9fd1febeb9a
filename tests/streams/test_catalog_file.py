"""Catalogue files (events, section 2): what they may say, and every fault of theirs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from streams.catalog import BUILT_IN, REGISTERED, RETRACTED, Catalog, Department, Field
from streams.catalog_file import read_catalog
from streams.errors import FileFaults
from tests.streams.wire import CATALOG_TEXT, catalog

WUCHANG = Path(__file__).parents[2] / "streams" / "catalogs" / "wuchang.yaml"

HEAD = """\
catalog: wuchang
version: 1
source_root: /wuchang
departments: [{id: health}, {id: housing}]
"""


def read(text: str) -> Catalog:
    return read_catalog("c.yaml", text.encode())


def faults(text: str) -> list[str]:
    with pytest.raises(FileFaults) as caught:
        read(text)
    return str(caught.value).splitlines()


def faults_of_field(spec: str) -> list[str]:
    """Faults of one field, which stands at line 9, column 10 on."""
    head = HEAD + "events:\n  - type: a.b\n    departments: [health]\n    subject: person\n    data:\n"
    return faults(head.replace("    data:\n", "    data: {\n") + f"      amount: {spec}\n    }}\n")


def test_a_whole_catalogue() -> None:
    read_in = catalog()
    assert (read_in.id, read_in.version, read_in.source_root, read_in.keep_days) == (
        "wuchang",
        1,
        "/wuchang",
        400,
    )
    assert read_in.departments["health"].title == {"en": "Health Commission", "zh": "卫生健康局"}
    assert read_in.departments["civil-affairs"] == Department("civil-affairs", {}, 2)
    assert read_in.registry == ("civil-affairs", "public-security")
    visit = read_in.events["health.visit.made"]
    assert (visit.departments, visit.subject) == (("health", "civil-affairs"), "person")
    assert visit.data["severity"] == Field(
        "severity", "integer", True, Fraction(1), Fraction(9007199254740995)
    )
    assert visit.data["cost_yuan"] == Field("cost_yuan", "money", False, Fraction(-500), Fraction(1000000050))
    assert visit.data["code"] == Field("code", "text", pattern="[A-Z]\\d{2}|x")
    assert visit.data["ward"] == Field("ward", "choice", of=("general", "surgery", "重症"))
    assert visit.data["note"].max_length == 5
    assert visit.data["code"].max_length == 200
    assert read_in.events["home.damaged"].data == {}
    assert len(read_in.digest) == 64


def test_defaults_of_keep_and_registry() -> None:
    """``keep`` is 1100d unless said; without ``registry`` nobody sends the registry types."""
    plain = read(HEAD + "events: []\n")
    assert plain.keep_days == 1100
    assert plain.registry == ()
    assert plain.senders(REGISTERED) == ()
    assert plain.senders(RETRACTED) == ("health", "housing")
    assert plain.departments["health"].silent_after_days is None


def test_scalars_are_read_by_their_text() -> None:
    """``no`` is the text "no", ``010`` the number 10."""
    read_in = read(
        HEAD.replace("version: 1", "version: 010")
        + "events:\n  - {type: 1.2, departments: [health], subject: person,\n"
        "     data: {no: {kind: choice, of: [no, 010, null]}, x: {kind: integer, max: 010}}}\n"
    )
    assert read_in.version == 10
    assert read_in.events["1.2"].data["no"].of == ("no", "010", "null")
    assert read_in.events["1.2"].data["x"].greatest == 10


def test_the_catalogue_of_wuchang_is_good() -> None:
    wuchang = read_catalog(WUCHANG)
    assert len(wuchang.departments) == 15
    assert len(wuchang.events) >= 45


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["1:1: the catalogue must be a mapping, not a list"]),
        (
            "catalog: x\n",
            [
                "1:1: the catalogue lacks the key `departments`",
                "1:1: the catalogue lacks the key `events`",
                "1:1: the catalogue lacks the key `source_root`",
                "1:1: the catalogue lacks the key `version`",
            ],
        ),
        (
            HEAD + "events: []\nregister: [health]\n",
            [
                (
                    "6:1: unknown key `register` in the catalogue (did you mean `registry`? one of: "
                    "catalog, departments, "
                    "events, keep, registry, source_root, version)"
                )
            ],
        ),
        (HEAD + "version: 2\nevents: []\n", ["5:1: the key `version` stands twice"]),
        (HEAD.replace("1", "1.5") + "events: []\n", ["2:10: version must be a whole number, not `1.5`"]),
        (HEAD.replace("/wuchang", "") + "events: []\n", ["3:13: source_root must not be empty"]),
        (HEAD + "keep: 0d\nevents: []\n", ["5:7: keep must be at least 1d, not 0d"]),
        (HEAD + "keep: 3w\nevents: []\n", ["5:7: keep must be a number of days such as 90d, not `3w`"]),
        (
            HEAD + "registry: [helth]\nevents: []\n",
            ["5:12: unknown department `helth` (did you mean `health`? one of: health, housing)"],
        ),
        (HEAD + "registry: health\nevents: []\n", ["5:11: registry must be a list, not `health`"]),
        (
            HEAD + "registry: [health, health]\nevents: []\n",
            ["5:20: the department `health` stands twice in registry"],
        ),
        (
            HEAD.replace("{id: housing}", "{id: health}") + "events: []\n",
            ["4:34: the department `health` stands twice"],
        ),
        (
            HEAD.replace("{id: housing}", "{id: Housing}") + "events: []\n",
            ["4:34: a department's id `Housing` is malformed: expected a text such as `civil-affairs`"],
        ),
        (
            HEAD.replace("{id: housing}", "{id: housing, silent_after: 0d}") + "events: []\n",
            ["4:57: silent_after must be at least 1d, not 0d"],
        ),
        (
            HEAD.replace("{id: housing}", "{name: housing}") + "events: []\n",
            [
                "4:29: a department lacks the key `id`",
                "4:30: unknown key `name` in a department (one of: id, silent_after, title)",
            ],
        ),
        (HEAD + "events: {a.b: x}\n", ["5:9: events must be a list, not a mapping"]),
        (
            HEAD + "events:\n  - {type: a.b, departments: [health], subjekt: person}\n",
            [
                "6:5: an event type lacks the key `subject`",
                (
                    "6:40: unknown key `subjekt` in an event type (did you mean `subject`? one of: data, "
                    "departments, subject, "
                    "title, type)"
                ),
            ],
        ),
        (
            HEAD + "events:\n  - {type: Ab, departments: [health], subject: person}\n",
            ["6:12: an event type `Ab` is malformed: expected a text such as `insurance.bill.settled`"],
        ),
        (
            HEAD + "events:\n  - {type: a.b, departments: [health], subject: family}\n",
            ["6:49: unknown subject `family` (one of: household, person)"],
        ),
        (
            HEAD + "events:\n  - {type: a.b, departments: [fire], subject: person}\n",
            ["6:31: unknown department `fire` (one of: health, housing)"],
        ),
        (
            HEAD + "events:\n  - &e {type: a.b, departments: [health], subject: person}\n  - *e\n",
            ["6:15: the type `a.b` stands twice"],
        ),
        (
            HEAD + "events:\n  - {type: fact.retracted, departments: [health], subject: person}\n",
            ["6:12: the type `fact.retracted` is built in: it needs no entry here"],
        ),
    ],
)
def test_faults_of_the_file(text: str, expected: list[str]) -> None:
    assert faults(text) == [f"c.yaml:{line}" for line in expected]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("{required: true}", ["10:15: the field `amount` lacks the key `kind`"]),
        (
            "{kind: mony}",
            [
                (
                    "10:22: unknown kind `mony` (did you mean `money`? one of: boolean, choice, date, "
                    "integer, money, text)"
                )
            ],
        ),
        (
            "{kind: boolean, min: 0}",
            ["10:31: the kind `boolean` has no option `min` (it has none but required)"],
        ),
        ("{kind: money, pattern: x}", ["10:29: the kind `money` has no option `pattern` (it has min, max)"]),
        (
            "{kind: text, maxlength: 5}",
            [
                (
                    "10:28: unknown key `maxlength` in the field `amount` (did you mean `max_length`? one "
                    "of: kind, max_length, "
                    "pattern, required)"
                )
            ],
        ),
        ("{kind: integer, min: 5, max: 4.5}", ["10:36: min 5 is above max 4.5 in the field `amount`"]),
        ("{kind: integer, min: many}", ["10:36: min must be a number, not `many`"]),
        ("{kind: integer, required: yes}", ["10:41: unknown required `yes` (one of: false, true)"]),
        ("{kind: text, max_length: -1}", ["10:40: max_length must be at least 0, not -1"]),
        (
            "{kind: text, pattern: '['}",
            ["10:37: the pattern is no regular expression of Python: unterminated character set"],
        ),
        (
            "{kind: text, pattern: 'a{99999999999999999999}'}",
            ["10:37: the pattern is no regular expression of Python: the repetition number is too large"],
        ),
        (
            "{kind: text, pattern: '(?u)a'}",
            [
                (
                    "10:37: the pattern is no regular expression of Python: ASCII and UNICODE flags are "
                    "incompatible"
                )
            ],
        ),
        ("{kind: choice}", ["10:15: the field `amount` lacks the key `of`: a choice needs its values"]),
        ("{kind: choice, of: []}", ["10:34: the field `amount` has no choices: `of` must name at least one"]),
        ("{kind: choice, of: a}", ["10:34: of must be a list, not `a`"]),
        ("{kind: choice, of: [a, a]}", ["10:38: the choice `a` stands twice in of"]),
        ("money", ["10:15: the field `amount` must be a mapping, not `money`"]),
        ("{kind: [money]}", ["10:22: kind must be a text, not a list"]),
    ],
)
def test_faults_of_a_field(spec: str, expected: list[str]) -> None:
    assert faults_of_field(spec) == [f"c.yaml:{line}" for line in expected]


@pytest.mark.parametrize("name", ["and", "or", "not", "in", "true", "false", "Amount", "1a", "a-b", "ä", ""])
def test_names_that_no_field_may_have(name: str) -> None:
    text = HEAD + "events:\n  - type: a.b\n    departments: [health]\n    subject: person\n    data:\n"
    (fault,) = faults(text + f'      "{name}": {{kind: boolean}}\n')
    assert fault.startswith("c.yaml:10:7: ")


def test_every_fault_is_reported_in_one_go() -> None:
    found = faults(
        """\
catalog: w
version: x
source_root: /w
keep: 0d
departments:
  - id: Health
  - id: fire
events:
  - type: a.b
    departments: [Health, water]
    subject: persons
    data:
      in: {kind: texte}
      n: {kind: integer, min: 2, max: 1, of: [a]}
"""
    )
    assert [fault.split(":")[1:3] for fault in found] == [
        ["2", "10"],
        ["4", "7"],
        ["6", "9"],
        ["10", "27"],
        ["11", "14"],
        ["13", "7"],
        ["13", "18"],
        ["14", "31"],
        ["14", "42"],
    ]


def test_faults_of_yaml_and_of_content_come_together() -> None:
    found = faults(HEAD + "events: []\nevents: []\nkeep: !!str 0d\n")
    assert [fault.split(":")[1] for fault in found] == ["6", "7", "7"]


def test_built_in_types_need_no_entry() -> None:
    assert set(BUILT_IN).isdisjoint(catalog().events)


def test_text_of_the_test_catalogue_survives_a_byte_order_mark() -> None:
    assert read("\ufeff" + CATALOG_TEXT).events == catalog().events
