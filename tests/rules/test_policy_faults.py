"""Every fault of a policy that spec pages "Policy", sections 1 and 3, name: found, and at its exact place.

Each case is an edit of the good policy; ``⟦`` stands where the fault has to be reported.
"""

from __future__ import annotations

import re

import pytest

from streams.errors import FileFaults
from tests.rules.policy_texts import POLICY, edited, faults_of, read, unmarked

HEALTH = "{id: health, title: {en: Health, zh: 健康}, cap: 40, members: sum}"
RED = "{id: red, at: 70, clear: 60}"
READMITTED_FROM = "from: [health.hospital.admitted]"
WHERE = "where: not planned"
PERCENT = (
    "percent_of: {from: income.assessed, measure: latest(monthly_yuan), within: 365d, across: sum, times: 12}"
)
MEMBERS = 'members: age >= 18 and age < 60 and not active("readmitted")'
FLAT = "points: -20"

Edit = tuple[str, str]

CASES: dict[str, tuple[list[Edit], list[str]]] = {
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
    # -- indicators
    "indicator's id": ([("id: benefit\n", "id: ⟦Benefit\n")], ["an indicator's id `Benefit` is malformed"]),
    "indicator twice": ([("id: benefit\n", "id: ⟦spending\n")], ["the indicator `spending` stands twice"]),
    "unknown dimension": (
        [("dimension: health", "dimension: ⟦helth")],
        ["unknown dimension `helth`.*did you mean `health`"],
    ),
    "unknown level": ([("floor: blue", "floor: ⟦bleu")], ["unknown level `bleu`.*one of: blue, red"]),
    "unknown tier": ([("tier: person", "tier: ⟦persons")], ["unknown tier `persons`"]),
    "neither from nor members": (
        [
            ("- id: benefit", "- ⟦id: benefit"),
            ("    from: benefit.granted\n    until: [benefit.ended]\n", ""),
        ],
        ["lacks the key `from`"],
    ),
    "from and members": ([(FLAT, f"{FLAT}\n    ⟦members: age > 1")], ["exclude each other"]),
    "members at person tier": (
        [(f"household\n    {MEMBERS}", "person\n    ⟦members: age > 1")],
        ["`members` goes with household tier only"],
    ),
    "where with members": ([(MEMBERS, f"{MEMBERS}\n    ⟦where: planned")], ["`where` goes with `from`"]),
    "until with members": (
        [(MEMBERS, f"{MEMBERS}\n    ⟦until: health.recovered")],
        ["`until` goes with `from`"],
    ),
    "within with members": ([(MEMBERS, f"{MEMBERS}\n    ⟦within: 3d")], ["`within` goes with `from`"]),
    "across with members": ([(MEMBERS, f"{MEMBERS}\n    ⟦across: sum")], ["`across` goes with `from`"]),
    "fades with members": (
        [(MEMBERS, f"{MEMBERS}\n    ⟦fades: {{after: 0d, over: 1d}}")],
        ["`fades` goes with `from`"],
    ),
    "percent_of with members": (
        [(MEMBERS, f"{MEMBERS}\n    ⟦percent_of: {{from: income.assessed}}")],
        ["`percent_of` goes with `from`"],
    ),
    "percent_of at person tier": (
        [("measure: count\n    within: 90d", "measure: count\n    ⟦percent_of: {from: health.recovered}")],
        ["`percent_of` goes with household tier only"],
    ),
    "times outside percent_of": ([(FLAT, f"{FLAT}\n    ⟦times: 2")], ["unknown key `times` in an indicator"]),
    # -- types
    "unknown type": (
        [(READMITTED_FROM, "from: [⟦health.hospital.admited]")],
        ["unknown type.*did you mean `health.hospital.admitted`"],
    ),
    "unknown type alone": (
        [("from: benefit.granted", "from: ⟦benefit.given")],
        ["unknown type `benefit.given` in `from`"],
    ),
    "unknown type in until": (
        [("until: health.recovered", "until: ⟦health.recover")],
        ["unknown type `health.recover` in `until`"],
    ),
    "no type": ([("from: benefit.granted", "from: ⟦[]")], ["from must name at least one"]),
    "no type in until": ([("until: [benefit.ended]", "until: ⟦[]")], ["until must name at least one"]),
    "type a mapping": ([("from: benefit.granted", "from: ⟦{a: b}")], ["from must be a list, not a mapping"]),
    "type twice": (
        [(READMITTED_FROM, "from: [health.hospital.admitted, ⟦health.hospital.admitted]")],
        ["stands twice in `from`"],
    ),
    "type twice in until": (
        [("until: [benefit.ended]", "until: [benefit.ended, ⟦benefit.ended]")],
        ["stands twice in `until`"],
    ),
    "types of both subjects in from": (
        [(READMITTED_FROM, "from: [health.hospital.admitted, ⟦benefit.granted]")],
        ["`from` mixes types"],
    ),
    "types of both subjects in until": (
        [("until: health.recovered", "until: [health.recovered, ⟦⟦benefit.ended]")],
        ["`benefit.ended` is about a household", "`until` mixes types"],
    ),
    "person tier over household types": (
        [(READMITTED_FROM + "\n    " + WHERE + "\n    until: health.recovered", "from: ⟦benefit.granted")],
        ["the indicator is of person tier"],
    ),
    "built-in type": (
        [(READMITTED_FROM, "from: [health.hospital.admitted, ⟦registry.member.left]")],
        ["`registry.member.left` is built in"],
    ),
    "built-in type in until": (
        [("until: health.recovered", "until: ⟦fact.retracted")],
        ["`fact.retracted` is built in"],
    ),
    "type in both": (
        [("until: health.recovered", "until: ⟦health.hospital.admitted")],
        ["stands in both `from` and `until`"],
    ),
    "until about another subject": (
        [("until: health.recovered", "until: ⟦benefit.ended")],
        ["`benefit.ended` is about a household, but `from` about a person"],
    ),
    "percent_of about another subject": (
        [(PERCENT, "percent_of: {from: ⟦benefit.granted, measure: latest(amount_yuan)}")],
        ["`benefit.granted` is about a household, but the indicator's `from` about a person"],
    ),
    "until of percent_of about another subject": (
        [(PERCENT, PERCENT.replace("within: 365d", "until: ⟦benefit.ended"))],
        ["`benefit.ended` is about a household"],
    ),
    # -- measures
    "unknown measure": (
        [("measure: count\n    within: 90d", "measure: ⟦conut\n    within: 90d")],
        ["unknown measure `conut`.*did you mean `count`"],
    ),
    "measure without a field": (
        [("sum(cost_yuan)", "⟦sum")],
        ["unknown measure `sum`.*write `sum\\(field\\)`"],
    ),
    "measure with an empty field": ([("sum(cost_yuan)", "⟦sum()")], ["unknown measure"]),
    "count of a field": (
        [("measure: count\n    within: 90d", "measure: ⟦count(nights)\n    within: 90d")],
        ["unknown measure.*write `count`"],
    ),
    "share of facts": (
        [("measure: count\n    within: 90d", "measure: ⟦share\n    within: 90d")],
        ["`share` goes with `members`"],
    ),
    "days_since of members": (
        [("measure: count\n    points", "measure: ⟦days_since\n    points")],
        ["unknown measure `days_since` of `members`"],
    ),
    "sum of members": (
        [("measure: count\n    points", "measure: ⟦sum(age)\n    points")],
        ["expected count or share"],
    ),
    "unknown field of a measure": (
        [("sum(cost_yuan)", "⟦sum(cost)")],
        ["unknown field `cost`.*did you mean `cost_yuan`"],
    ),
    "measure of a boolean": (
        [("measure: sum(cost_yuan)", "measure: ⟦sum(planned)"), (PERCENT, "fades: {after: 1d, over: 1d}")],
        ["`planned` cannot be measured"],
    ),
    "measure of a text in one type": (
        [
            (READMITTED_FROM, "from: [health.hospital.admitted, health.clinic.visited]"),
            (WHERE, "where: planned"),
            ("measure: count\n    within", "measure: ⟦max(nights)\n    within"),
        ],
        ["`nights` cannot be measured.*text in `health.clinic.visited`"],
    ),
    "measure money here and integer there": (
        [
            (READMITTED_FROM, "from: [health.hospital.admitted, health.clinic.visited]"),
            ("measure: count\n    within", "measure: ⟦max(mark)\n    within"),
        ],
        ["the kind of `mark` differs between the types: integer in.*money in"],
    ),
    "within under 1d": ([("within: 90d", "within: ⟦0d")], ["within must be at least 1d"]),
    "within without unit": ([("within: 90d", "within: ⟦90")], ["a number of days such as 90d"]),
    "within over keep": ([("within: 90d", "within: ⟦1101d")], ["at most 1100d"]),
    "within of percent_of over keep": ([("within: 365d", "within: ⟦1101d")], ["at most 1100d"]),
    "across missing": (
        [("- id: income", "- ⟦id: income"), ("    across: per_member\n", "")],
        ["lacks the key `across`"],
    ),
    "across of percent_of missing": (
        [(PERCENT, "percent_of: ⟦{from: income.assessed, measure: latest(monthly_yuan)}")],
        ["percent_of lacks the key `across`"],
    ),
    "across at person tier": (
        [("within: 90d", "⟦across: sum")],
        ["`across` has a meaning at household tier only"],
    ),
    "across over household types": ([(FLAT, f"{FLAT}\n    ⟦across: sum")], ["`across` has no meaning here"]),
    "across of percent_of over household types": (
        [(FLAT, f"{FLAT}\n    percent_of: {{from: benefit.ended, ⟦across: sum}}")],
        ["`across` has no meaning here"],
    ),
    "unknown across": ([("across: per_member", "across: ⟦mean")], ["unknown across `mean`"]),
    "money over a number": (
        [(PERCENT, PERCENT.replace("latest(monthly_yuan)", "⟦latest(points)"))],
        ["the indicator measures money and percent_of does not"],
    ),
    "a number over money": (
        [("sum(cost_yuan)", "sum(nights)"), (PERCENT, PERCENT.replace("latest", "⟦latest"))],
        ["percent_of measures money and the indicator does not"],
    ),
    "money over a count": (
        [(PERCENT, "percent_of: ⟦{from: income.assessed, across: sum}")],
        ["the indicator measures money and percent_of does not"],
    ),
    "money over a number, beside other faults": (
        [
            ("sum(cost_yuan)", "sum(cost_yuan)\n    within: ⟦0d"),
            (PERCENT, PERCENT.replace("latest(monthly_yuan)", "⟦count")),
        ],
        ["at least 1d", "the indicator measures money and percent_of does not"],
    ),
    "times under 1": ([("times: 12", "times: ⟦0")], ["times must be at least 1"]),
    "times not whole": ([("times: 12", "times: ⟦1.5")], ["times must be a whole number"]),
    "percent_of without from": ([(PERCENT, "percent_of: ⟦{times: 2}")], ["percent_of lacks the key `from`"]),
    "unknown key of percent_of": ([("times: 12", "⟦time: 12")], ["unknown key `time` in percent_of"]),
    "after below 0": ([("after: 0d", "after: ⟦-1d")], ["after must be a number of days"]),
    "over under 1d": ([("over: 120d", "over: ⟦0d")], ["over must be at least 1d"]),
    "fades without over": (
        [("fades: {after: 0d, over: 120d}", "fades: ⟦{after: 0d}")],
        ["fades lacks the key `over`"],
    ),
    # -- points
    "points not whole": ([(FLAT, "points: ⟦2.5")], ["points must be a whole number"]),
    "points of a bound not whole": ([("3: 18", "3: ⟦1.8")], ["points must be a whole number"]),
    "points a list": ([(FLAT, "points: ⟦[1]")], ["points must be a mapping"]),
    "points without bounds": ([(FLAT, "points: ⟦{}")], ["points lacks the key `at_least`"]),
    "points with no bound": ([("{2: 12, 3: 18}", "⟦{}")], ["at_least needs at least one bound"]),
    "points with both": (
        [("{at_least: {40: 8}}", "{at_least: {40: 8}, ⟦at_most: {3: 1}}")],
        ["exclude each other"],
    ),
    "unknown key of points": (
        [("{at_least: {40: 8}}", "{at_least: {40: 8}, ⟦at_lest: {3: 1}}")],
        ["unknown key `at_lest` in points"],
    ),
    "unknown parameter": (
        [('"1.5 * line_yuan"', '"1.5 * ⟦lin_yuan"')],
        ["unknown parameter `lin_yuan`.*did you mean `line_yuan`"],
    ),
    "bound of a text": ([("{40: 8}", "{⟦forty: 8}")], ["unknown parameter `forty`"]),
    "division by zero": ([("{40: 8}", '{"1 ⟦/ (2 - 2)": 8}')], ["divides by zero: `\\(2 - 2\\)` is 0"]),
    "division by zero from a date on": (
        [("{40: 8}", "{line_yuan ⟦/ gap_yuan: 8}")],
        ["divides by zero on 2024-01-01: `gap_yuan` is 0"],
    ),
    "division by zero where two parameters meet": (
        [("{40: 8}", '{"1 ⟦/ (gap_yuan * 9.1 - line_yuan)": 8}')],
        ["divides by zero on 2022-04-01"],
    ),
    # -- expressions
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
        [
            "the kind of `nights` differs between the types: integer in `health.hospital.admitted`, text in `health.clinic.visited`"
        ],
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
    text, places = unmarked(edited(*edits))
    found = faults_of(text)
    shown = "\n".join(map(str, found))
    assert [(fault.line, fault.column) for fault in found] == places, shown
    for fault, message in zip(found, messages, strict=True):
        assert re.search(message, f"{fault.message} {fault.hint}"), shown


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
        "rules/policies/test.yaml:25:16: unknown name `plannd`: expected a field of `health.hospital.admitted` "
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
