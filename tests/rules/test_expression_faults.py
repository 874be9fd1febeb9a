"""Faults of expressions (policy page, section 3): names, kinds, operands, indicators.

Each case is an edit of the good policy; ``⟦`` stands where the fault has to be reported.
"""

from __future__ import annotations

import pytest

from tests.rules.policy_texts import MEMBERS, READMITTED_FROM, WHERE, Cases, Edit, check_faults

CASES: Cases = {
    "unknown field of where": (
        [(WHERE, "where: not ⟦plannd")],
        ["unknown name `plannd`: expected a field of `health.hospital.admitted`.*did you mean `planned`"],
    ),
    "field of no type alone": (
        [(WHERE, "where: urgent or ⟦nights")],
        ["`nights` cannot stand alone: it is a number, not a boolean"],
    ),
    "field that differs between types": (
        [
            (READMITTED_FROM, "from: [health.hospital.admitted, health.clinic.visited]"),
            (WHERE, "where: ⟦nights > 1 or mark > 2"),
        ],
        ["`nights` differs between the types: integer in `health.hospital.admitted`, text in `health.clinic"],
    ),
    "text here and choice there": (
        [
            (READMITTED_FROM, "from: [health.hospital.admitted, health.clinic.visited]"),
            (WHERE, 'where: ⟦note == "x"'),
        ],
        ["the kind of `note` differs"],
    ),
    "literal of another kind": (
        [
            (
                WHERE,
                "where: nights == ⟦'3' or planned == ⟦1 or note == ⟦3 or cost_yuan > ⟦true or ward == ⟦false",
            )
        ],
        [
            "expected a number",
            "expected `true` or `false`",
            "expected a text in quotes",
            "expected a number",
            "expected a text in quotes",
        ],
    ),
    "literal of another kind on the left": (
        [(WHERE, "where: (⟦'3' == nights)")],
        ['`nights` is a number: expected a number, found `"3"`'],
    ),
    "literal of another kind in a list": (
        [(WHERE, "where: nights in [1, ⟦'2', 3, ⟦true]")],
        ["expected a number", "expected a number"],
    ),
    "literal that is no date": (
        [(WHERE, 'where: since >= ⟦"2023-02-29"')],
        ["`since` is a date: expected a real date"],
    ),
    "number for a date": ([(WHERE, "where: since >= ⟦20230228")], ["expected a date in quotes"]),
    "none of the choices": (
        [(WHERE, 'where: ward == ⟦"surgry"')],
        ["`ward` is a choice: expected one of its choices.*did you mean `surgery`"],
    ),
    "none of the choices in any of the types": (
        [
            (READMITTED_FROM, "from: [health.hospital.admitted, health.clinic.visited]"),
            (WHERE, 'where: ward not in ["day", "surgery", ⟦"noon"]'),
        ],
        ["one of: day, general, night, surgery"],
    ),
    "order of booleans": ([(WHERE, "where: planned ⟦< true")], ["`planned` is a boolean and has no order"]),
    "order of booleans in a chain": ([(WHERE, "where: true == planned ⟦>= false")], ["has no order"]),
    "two literals": ([(WHERE, "where: 1 < ⟦2")], ["both sides of `<` are literals"]),
    "two literals at the end of a chain": (
        [(WHERE, "where: 0 < nights < 5 < ⟦9")],
        ["both sides of `<` are literals"],
    ),
    "two names": ([(WHERE, "where: nights == ⟦mark")], ["neither side of `==` is a literal"]),
    "literal alone": ([(WHERE, "where: true⟦")], ["expected a comparison after `true`, found the end"]),
    "points in where": (
        [(WHERE, 'where: ⟦points("readmitted") > 1')],
        ["`points\\(\\)` has a meaning in `members` only"],
    ),
    "active in where": (
        [(WHERE, 'where: ⟦active("readmitted")')],
        ["`active\\(\\)` has a meaning in `members` only"],
    ),
    "unknown name in members": (
        [(MEMBERS, "members: ⟦aeg >= 18")],
        ["unknown name `aeg`: expected a property of a member.*did you mean `age`"],
    ),
    "age alone": ([(MEMBERS, "members: not ⟦age")], ["`age` cannot stand alone"]),
    "age with a text": ([(MEMBERS, "members: age > ⟦'18'")], ["`age` is a number"]),
    "role of none": (
        [(MEMBERS, "members: role == ⟦'mother'")],
        ["`role` is a choice.*one of: child, grandchild"],
    ),
    "sex of none": ([(MEMBERS, "members: sex in ['female', ⟦'m']")], ["`sex` is a choice"]),
    "unknown indicator": (
        [('active("readmitted")', 'active(⟦"readmited")')],
        ["unknown indicator `readmited`.*did you mean `readmitted`"],
    ),
    "indicator of household tier": (
        [(MEMBERS, 'members: points(⟦"benefit") > 2')],
        ["`benefit` is of household tier"],
    ),
    "points alone": ([(MEMBERS, 'members: points("readmitted")⟦ ')], ["expected a comparison after"]),
    "points with a text": ([(MEMBERS, 'members: points("readmitted") > ⟦"2"')], ["expected a number"]),
    "active compared": ([(MEMBERS, 'members: active("readmitted") ⟦== true')], ["it stands alone"]),
    "expression a list": ([(WHERE, "where: ⟦[planned]")], ["where must be a text, not a list"]),
    "empty expression": ([(WHERE, "where: ⟦''")], ["the expression is empty"]),
}


@pytest.mark.parametrize(("edits", "messages"), CASES.values(), ids=CASES.keys())
def test_fault_is_found_at_its_place(edits: list[Edit], messages: list[str]) -> None:
    check_faults(edits, messages)
