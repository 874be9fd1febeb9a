"""Faults of a policy (policy page, sections 1 and 3): keys, parameters, dimensions, levels; all in one go.

Each case is an edit of the good policy; ``⟦`` stands where the fault has to be reported.
"""

from __future__ import annotations

import pytest

from streams.errors import FileFaults
from tests.rules.policy_texts import (
    HEALTH,
    MEMBERS,
    POLICY,
    READMITTED_FROM,
    RED,
    WHERE,
    Cases,
    Edit,
    check_faults,
    edited,
    faults_of,
    read,
    unmarked,
)

CASES: Cases = {
    # -- keys and kinds
    "unknown key of the policy": ([("version: 3", "version: 3\n⟦versoin: 3")], ["unknown key `versoin`"]),
    "key that stands twice": ([("version: 3", "version: 3\n⟦version: 4")], ["`version` stands twice"]),
    "missing key of the policy": (
        [("policy: test\nversion: 3", "⟦policy: test")],
        ["lacks the key `version`"],
    ),
    "missing indicators": (
        [(POLICY[POLICY.index("indicators:") :], ""), ("policy: test", "⟦policy: test")],
        ["lacks the key `indicators`"],
    ),
    "unknown key of an indicator": ([("basis: our own", "⟦bases: our own")], ["unknown key `bases`"]),
    "missing key of an indicator": (
        [("- id: benefit\n    dimension: economy", "- ⟦id: benefit")],
        ["an indicator lacks the key `dimension`"],
    ),
    "several keys missing": (
        [(f"- {RED}", "- ⟦⟦{id: red}")],
        ["a level lacks the key `at`", "a level lacks the key `clear`"],
    ),
    "key twice in a flow mapping": ([("{after: 0d,", "{after: 0d, ⟦after: 1d,")], ["`after` stands twice"]),
    "bound twice by text": ([("{2: 12, 3: 18}", "{2: 12, ⟦2: 18}")], ["`2` stands twice"]),
    "policy without a name": ([("policy: test", 'policy: ⟦""')], ["the policy needs a name"]),
    "version not whole": ([("version: 3", "version: ⟦3.5")], ["version must be a whole number"]),
    "version no number": ([("version: 3", "version: ⟦three")], ["version must be a number"]),
    "version a list": ([("version: 3", "version: ⟦[3]")], ["version must be a number, not a list"]),
    "unknown timezone": (
        [("Asia/Shanghai", "⟦Asia/Shangai")],
        ["unknown timezone `Asia/Shangai`.*did you mean `Asia/Shanghai`"],
    ),
    "folder as timezone": ([("Asia/Shanghai", "⟦Asia")], ["unknown timezone"]),
    "path as timezone": ([("Asia/Shanghai", "⟦../etc/passwd")], ["unknown timezone"]),
    "indicators no list": (
        [(POLICY[POLICY.index("indicators:") :], "indicators: ⟦{}\n")],
        ["indicators must be a list, not a mapping"],
    ),
    "indicator no mapping": ([("indicators:\n", "indicators:\n  - ⟦readmitted\n")], ["must be a mapping"]),
    "title no mapping": (
        [("title: {en: In hospital again, zh: 再次住院}", "title: ⟦Again")],
        ["title must be a"],
    ),
    "title in an unknown language": (
        [("because: {en: was", "because: {⟦fr: x, en: was")],
        ["unknown key `fr` in because"],
    ),
    "title a list": ([("title: {en: Health,", "title: {en: ⟦[x],")], ["title in `en` must be a text"]),
    "basis a list": ([("basis: our own choice", "basis: ⟦[x]")], ["basis must be a text, not a list"]),
    # -- parameters
    "parameter's name": ([("  gap_yuan:", "  ⟦Gap:")], ["a parameter's name `Gap` is malformed"]),
    "parameter without values": (
        [("values: {2022-04-01: 100, 2024-01-01: 0}", "⟦unit: x")],
        ["lacks the key `values`"],
    ),
    "parameter with no date": ([("{2022-04-01: 100, 2024-01-01: 0}", "⟦{}")], ["needs at least one date"]),
    "parameter no mapping": (
        [("\n    values: {2022-04-01: 100, 2024-01-01: 0}", " ⟦100")],
        ["must be a mapping"],
    ),
    "parameter's date is none": (
        [("2023-04-01: 962.50", "⟦2023-02-29: 962.50")],
        ["`2023-02-29` is no date"],
    ),
    "parameter's date in week form": (
        [("2023-04-01: 962.50", "⟦20230401: 962.50")],
        ["`20230401` is no date"],
    ),
    "parameter's date twice": (
        [("2023-04-01: 962.50", "⟦2022-04-01: 962.50")],
        ["`2022-04-01` stands twice"],
    ),
    "parameter's value": ([("962.50", "⟦1e3")], ["a value must be a number"]),
    # -- dimensions and levels
    "caps that do not sum to 100": (
        [("dimensions:\n  -", "dimensions:\n  ⟦-"), ("cap: 40", "cap: 41")],
        ["sum to 100, not 101"],
    ),
    "no dimensions": (
        [
            ("  - {id: economy, title: {en: Economy, zh: 经济}, cap: 60, members: max}\n", ""),
            (f"dimensions:\n  - {HEALTH}\n", "dimensions: ⟦[]\n"),
            (POLICY[POLICY.index("indicators:") :], "indicators: []\n"),
        ],
        ["sum to 100, not 0"],
    ),
    "cap below 0": ([("cap: 40", "cap: ⟦-40")], ["cap must be at least 0"]),
    "cap not whole": ([("cap: 40", "cap: ⟦40.5")], ["cap must be a whole number"]),
    "members of a dimension": ([("members: sum}", "members: ⟦avg}")], ["unknown members `avg`"]),
    "dimension twice": (
        [
            (HEALTH, HEALTH.replace("40", "20")),
            ("  - {id: economy,", "  - {id: ⟦health, cap: 20, members: sum}\n  - {id: economy,"),
        ],
        ["`health` stands twice"],
    ),
    "dimension's id": (
        [("{id: health,", "{id: ⟦Health,"), ("dimension: health", "dimension: economy")],
        ["a dimension's id `Health` is malformed"],
    ),
    "level twice": ([("{id: red,", "{id: ⟦blue,")], ["the level `blue` stands twice"]),
    "level's id": ([("{id: red,", "{id: ⟦1red,")], ["a level's id `1red` is malformed"]),
    "levels do not ascend": ([("at: 70, clear: 60", "at: ⟦40, clear: 30")], ["expected more than 40"]),
    "at over 100": ([("at: 70", "at: ⟦101")], ["at must be from 1 to 100"]),
    "clear not under at": ([("clear: 60", "clear: ⟦70")], ["clear must be under at: expected less than 70"]),
    "clear under 1": ([("clear: 32", "clear: ⟦0")], ["clear must be at least 1"]),
}


@pytest.mark.parametrize(("edits", "messages"), CASES.values(), ids=CASES.keys())
def test_fault_is_found_at_its_place(edits: list[Edit], messages: list[str]) -> None:
    check_faults(edits, messages)


def test_all_faults_in_one_go_in_the_order_of_the_file() -> None:
    text, places = unmarked(
        edited(
            ("version: 3", "version: ⟦x"),
            ("cap: 40", "cap: ⟦x"),
            ("at: 70", "at: ⟦0"),
            ("dimension: health", "dimension: ⟦helth"),
            (WHERE, "where: ⟦a == 1 and planned and ⟦b in [2] or ward == ⟦'c' or nights ⟦= 3"),
            ("{2: 12, 3: 18}", "{⟦x: 12, 3 ⟦x: ⟦y}"),
            (MEMBERS, "members: age >= 18 ⟦AND age < 60"),
        )
    )
    assert [(fault.line, fault.column) for fault in faults_of(text)] == places


def test_the_text_of_faults() -> None:
    """A snapshot: file:line:column: what is wrong, what was expected (hint)."""
    text = edited(
        ("dimension: health", "dimension: helth"),
        (WHERE, "where: not plannd"),
        ('"1.5 * line_yuan"', '"1.5 * line_yaun"'),
    )
    with pytest.raises(FileFaults) as caught:
        read(text, "rules/policies/test.yaml")
    assert str(caught.value) == (
        "rules/policies/test.yaml:22:16: unknown dimension `helth` "
        "(did you mean `health`? one of: economy, health)\n"
        "rules/policies/test.yaml:25:16: unknown name `plannd`: expected a field of "
        "`health.hospital.admitted` "
        "(did you mean `planned`? one of: cost_yuan, mark, nights, note, planned, since, urgent, ward)\n"
        "rules/policies/test.yaml:38:48: unknown parameter `line_yaun` "
        "(did you mean `line_yuan`? one of: gap_yuan, line_yuan)"
    )


def test_a_faulty_type_hides_no_fault_and_makes_none() -> None:
    """A field that may be the misspelt type's is not reported; one that no type has is."""
    text, places = unmarked(
        edited(
            (READMITTED_FROM, "from: [health.hospital.admitted, ⟦incom.assessed]"),
            (WHERE, "where: monthly_yuan > 3 and ⟦nothing > 3"),
        )
    )
    assert [(fault.line, fault.column) for fault in faults_of(text)] == places


def test_missing_dimensions_do_not_make_every_indicator_faulty() -> None:
    begin, end = POLICY.index("dimensions:"), POLICY.index("indicators:")
    faults = faults_of(POLICY[:begin] + POLICY[end:])
    assert [fault.message for fault in faults] == [
        "the policy lacks the key `dimensions`",
        "the policy lacks the key `levels`",
    ]
