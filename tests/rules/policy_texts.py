"""A small catalogue and a good policy, and a way to say in the text itself where a fault has to be.

``⟦`` marks the place of an expected fault; the marks are taken out before the policy is read.
"""

from __future__ import annotations

import re
from functools import cache

from rules.policy import Policy
from rules.policy_file import read_policy
from streams.catalog import Catalog
from streams.catalog_file import read_catalog
from streams.errors import Fault, FileFaults

MARK = "⟦"

CATALOG = """\
catalog: test
version: 1
source_root: /test
departments:
  - {id: health}
  - {id: civil-affairs}
keep: 1100d
events:
  - type: health.hospital.admitted
    departments: [health]
    subject: person
    data:
      planned: {kind: boolean}
      urgent: {kind: boolean}
      ward: {kind: choice, of: [general, surgery]}
      nights: {kind: integer}
      since: {kind: date}
      note: {kind: text}
      cost_yuan: {kind: money}
      mark: {kind: integer}
  - type: health.clinic.visited
    departments: [health]
    subject: person
    data:
      ward: {kind: choice, of: [day, night]}
      note: {kind: choice, of: [x]}
      mark: {kind: money}
      nights: {kind: text}
  - type: health.recovered
    departments: [health]
    subject: person
    data: {}
  - type: income.assessed
    departments: [civil-affairs]
    subject: person
    data:
      monthly_yuan: {kind: money}
      points: {kind: integer}
      active: {kind: boolean}
  - type: benefit.granted
    departments: [civil-affairs]
    subject: household
    data:
      amount_yuan: {kind: money}
      months: {kind: integer}
  - type: benefit.ended
    departments: [civil-affairs]
    subject: household
    data: {}
"""

POLICY = """\
policy: test
version: 3
timezone: Asia/Shanghai
parameters:
  line_yuan:
    unit: yuan per person and month
    basis: a notice
    values: {2022-04-01: 910, 2023-04-01: 962.50}
  gap_yuan:
    values: {2022-04-01: 100, 2024-01-01: 0}
dimensions:
  - {id: health, title: {en: Health, zh: 健康}, cap: 40, members: sum}
  - {id: economy, title: {en: Economy, zh: 经济}, cap: 60, members: max}
levels:
  - {id: blue, at: 40, clear: 32}
  - {id: red, at: 70, clear: 60}
indicators:
  - id: readmitted
    title: {en: In hospital again, zh: 再次住院}
    because: {en: was in hospital again, zh: 再次住院}
    basis: our own choice
    dimension: health
    tier: person
    from: [health.hospital.admitted]
    where: not planned
    until: health.recovered
    measure: count
    within: 90d
    points: {at_least: {2: 12, 3: 18}}
    fades: {after: 0d, over: 120d}
    floor: blue
  - id: income-below-line
    dimension: economy
    tier: household
    from: income.assessed
    measure: latest(monthly_yuan)
    across: per_member
    points: {at_most: {"line_yuan": 20, "1.5 * line_yuan": 12}}
  - id: spending
    dimension: economy
    tier: household
    from: health.hospital.admitted
    measure: sum(cost_yuan)
    across: sum
    percent_of: {from: income.assessed, measure: latest(monthly_yuan), within: 365d, across: sum, times: 12}
    points: {at_least: {40: 8}}
  - id: benefit
    dimension: economy
    tier: household
    from: benefit.granted
    until: [benefit.ended]
    points: -20
  - id: no-earner
    dimension: economy
    tier: household
    members: age >= 18 and age < 60 and not active("readmitted")
    measure: count
    points: {at_most: {0: 15}}
"""

# Parts of the policy, to be replaced.
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
Cases = dict[str, tuple[list[Edit], list[str]]]
"""Name of a case -> edits of the good policy, and what the faults have to say (regular expressions)."""


@cache
def catalog() -> Catalog:
    return read_catalog("catalog.yaml", CATALOG.encode())


def read(text: str, path: str = "policy.yaml") -> Policy:
    return read_policy(path, catalog(), text.encode())


def faults_of(text: str) -> tuple[Fault, ...]:
    """The faults of a policy; none for a good one."""
    try:
        read(text)
    except FileFaults as error:
        return error.faults
    return ()


def edited(*edits: tuple[str, str]) -> str:
    """The good policy with texts replaced, each of which has to stand there exactly once."""
    text = POLICY
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times"
        text = text.replace(old, new)
    return text


def unmarked(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text without marks, and the (line, column) of each mark."""
    places = []
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        while MARK in line:
            places.append((number, line.index(MARK) + 1))
            line = line.replace(MARK, "", 1)
        lines.append(line)
    return "\n".join(lines), places


def check_faults(edits: list[Edit], messages: list[str]) -> None:
    """Assert that the edited policy has these faults, exactly at the marks and no others."""
    text, places = unmarked(edited(*edits))
    found = faults_of(text)
    shown = "\n".join(map(str, found))
    assert [(fault.line, fault.column) for fault in found] == places, shown
    for fault, message in zip(found, messages, strict=True):
        assert re.search(message, f"{fault.message} {fault.hint}"), shown
