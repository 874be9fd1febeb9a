"""Faults of indicators (policy page, section 3): forms, types, measures, points.

Each case is an edit of the good policy; ``⟦`` stands where the fault has to be reported.
"""

from __future__ import annotations

import pytest

from tests.rules.policy_texts import FLAT, MEMBERS, PERCENT, READMITTED_FROM, WHERE, Cases, Edit, check_faults

CASES: Cases = {
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
        [("within: 90d", "across: ⟦sum")],
        ["`across` has a meaning at household tier only"],
    ),
    "across over household types": ([(FLAT, f"{FLAT}\n    across: ⟦sum")], ["`across` has no meaning here"]),
    "across of percent_of over household types": (
        [(FLAT, f"{FLAT}\n    percent_of: {{from: benefit.ended, across: ⟦sum}}")],
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
}


@pytest.mark.parametrize(("edits", "messages"), CASES.values(), ids=CASES.keys())
def test_fault_is_found_at_its_place(edits: list[Edit], messages: list[str]) -> None:
    check_faults(edits, messages)
