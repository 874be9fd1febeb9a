"""A small catalogue and policy for tests of the core, and events by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from rules.compile import Rules, compile_policy
from rules.policy_file import read_policy
from streams.catalog import JOINED, LEFT, REGISTERED, RETRACTED, Catalog
from streams.catalog_file import read_catalog
from streams.events import Event

CATALOG = """
catalog: test
version: 1
source_root: /t
departments: [{id: civil}, {id: health}, {id: work}]
registry: [civil]
keep: 40d
events:
  - {type: health.ill, departments: [health], subject: person, data: {severity: {kind: integer}}}
  - {type: health.well, departments: [health], subject: person, data: {}}
  - {type: work.lost, departments: [work], subject: person, data: {}}
  - {type: bill.settled, departments: [health], subject: person, data: {paid_yuan: {kind: money}}}
  - {type: income.assessed, departments: [civil], subject: person, data: {yuan: {kind: money}}}
  - {type: home.lost, departments: [civil], subject: household, data: {}}
"""
POLICY = """
policy: test
version: 1
timezone: Asia/Shanghai
parameters:
  line: {values: {2024-01-01: 900, 2024-02-20: 1000}}
dimensions:
  - {id: health, cap: 60, members: sum}
  - {id: money, cap: 40, members: max}
levels:
  - {id: blue, at: 20, clear: 15}
  - {id: red, at: 50, clear: 40}
indicators:
  - {id: ill, dimension: health, tier: person, from: health.ill, until: health.well, measure: max(severity),
     within: 30d, points: {at_least: {1: 12, 3: 25}}, fades: {after: 3d, over: 20d}}
  - {id: jobless, dimension: money, tier: person, from: work.lost, measure: days_since,
     points: {at_least: {0: 5, 10: 18}}}
  - {id: poor, dimension: money, tier: household, from: income.assessed, measure: latest(yuan),
     across: per_member, points: {at_most: {line: 15}}}
  - {id: bills, dimension: money, tier: household, from: bill.settled, measure: sum(paid_yuan), across: sum,
     percent_of: {from: income.assessed, measure: latest(yuan), across: sum, times: 12},
     points: {at_least: {40: 20}}}
  - {id: homeless, dimension: money, tier: household, from: home.lost, points: 10, floor: red}
  - {id: old, dimension: health, tier: household, members: age >= 60 or active("jobless"), measure: count,
     points: {at_least: {2: 8}}}
"""

ZONE = timedelta(hours=8)
START = datetime(2024, 2, 1, tzinfo=UTC) - ZONE
"""Midnight of 2024-02-01 in Shanghai: day 0 of these tests."""
DAY_ZERO = 19_754
"""2024-02-01 as days since 1970-01-01."""


def catalog() -> Catalog:
    """The catalogue."""
    return read_catalog("catalog.yaml", CATALOG.encode())


def rules(policy: str = POLICY) -> Rules:
    """The policy, compiled."""
    read = catalog()
    return compile_policy(read_policy("policy.yaml", read, policy.encode()), read)


def micros(day: float) -> int:
    """A time: so many days after midnight of day 0, in microseconds since 1970."""
    return round(
        (START - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(microseconds=1) + day * 86_400_000_000
    )


class Events:
    """Makes events with ids of their own: e1, e2, ..."""

    def __init__(self) -> None:
        self.count = 0

    def fact(
        self,
        type: str,
        subject: str,
        day: float,
        *,
        supersedes: str | None = None,
        received: float | None = None,
        source: str = "/t/health",
        id: str | None = None,
        **data: Any,
    ) -> Event:
        """An event of any type; ``day`` is when it happened, ``received`` when it arrived."""
        self.count += 1
        return Event(
            type=type,
            source=source,
            id=id or f"e{self.count}",
            subject=subject,
            time=micros(day),
            received=micros(day if received is None else received),
            data=data,
            supersedes=supersedes,
            about_person=type not in (REGISTERED, "home.lost"),
        )

    def joined(self, person: str, household: str, day: float, role: str = "other", **data: Any) -> Event:
        """Someone joins a household."""
        return self.fact(JOINED, person, day, source="/t/civil", household=household, role=role, **data)

    def left(self, person: str, day: float, reason: str = "moved") -> Event:
        """Someone leaves."""
        return self.fact(LEFT, person, day, source="/t/civil", reason=reason)

    def retracted(self, person: str, day: float, target: str, **given: Any) -> Event:
        """A fact is taken back."""
        return self.fact(RETRACTED, person, day, supersedes=target, reason="wrong", **given)
