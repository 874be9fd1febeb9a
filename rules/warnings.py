"""Warning messages: what a crossed line says, and why (docs/reference/warnings.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from rules.calendar import day_text, instant_text
from rules.compile import Rules
from rules.indicators import HouseholdIndicator, MembersIndicator, PersonIndicator, describe
from rules.known import Fact
from rules.policy import Indicator
from rules.score import Score
from rules.state import Household
from streams.records import Origin

Reason = Literal["fact", "correction", "retraction", "membership", "registration", "day", "policy"]

MOST_FACTS: Final = 20
"""The most facts that a message gives for an indicator."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Occasion:
    """What led to an evaluation.

    Attributes:
        reason: as in the message.
        cause: {source, id, subject}, {day} or {policy, version}.
        received: when the record was received, in microseconds since 1970; a tick: that midnight.
    """

    reason: Reason
    cause: dict[str, Any]
    received: int


@dataclass(frozen=True, slots=True)
class Warning:
    """One warning, to be sent to the topic ``warnings`` under the household's key.

    Attributes:
        id: ``<household>-<n>``, the same on every replay.
        type: ``warning.raised`` and so on.
        level: id of the level, or None.
        day: today, since 1970-01-01.
        origin: where the event that caused it stands; None of a midnight or a policy.
        body: the structured CloudEvent, JSON in UTF-8.
    """

    household: str
    id: str
    type: str
    level: str | None
    day: int
    origin: Origin | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Before:
    """A household before a record."""

    level: int
    score: int
    community: str | None


def warning(
    home: Household,
    score: Score,
    before: Before,
    type: str,
    occasion: Occasion,
    rules: Rules,
    today: int,
    origin: Origin | None,
) -> Warning:
    """The message of a warning that has just been counted in ``home.warned``."""
    policy = rules.policy
    level = policy.levels[home.level - 1].id if home.level else None
    previous = policy.levels[before.level - 1].id if before.level else None
    id = f"{home.id}-{home.warned}"
    body = {
        "specversion": "1.0",
        "type": type,
        "source": f"hearthwatch/{policy.id}",
        "subject": f"household/{home.id}",
        "id": id,
        "time": instant_text(occasion.received),
        "datacontenttype": "application/json",
        "data": {
            "household": home.id,
            "community": home.community,
            "previous_community": before.community,
            "members": len(home.members),
            "level": level,
            "previous_level": previous,
            "score": score.total,
            "previous_score": before.score,
            "dimensions": dimensions(score, rules),
            "reason": occasion.reason,
            "cause": occasion.cause,
            "day": day_text(today),
            "because": because(home, rules, today),
            "policy": {"id": policy.id, "version": policy.version, "digest": rules.digest},
        },
    }
    return Warning(home.id, id, type, level, today, origin, _encode(body))


def warning_type(before: Before, home: Household, reason: Reason, has_members: bool) -> str | None:
    """Which warning a change of level or community calls for, if any."""
    if home.level > before.level:
        return "warning.raised" if before.level == 0 else "warning.upgraded"
    if home.level < before.level:
        if home.level:
            return "warning.lowered"
        is_undone = has_members and reason in ("correction", "retraction")
        return "warning.withdrawn" if is_undone else "warning.cleared"
    if home.level and home.community != before.community:
        return "warning.moved"
    return None


def dimensions(score: Score, rules: Rules) -> dict[str, int]:
    """Points by dimension id, after the cap."""
    return {d.id: points for d, points in zip(rules.policy.dimensions, score.dimensions, strict=True)}


def because(home: Household, rules: Rules, today: int) -> list[dict[str, Any]]:
    """The indicators with points not 0: points descending, then id, then person."""
    entries = []
    for resident in home.members:
        for index, points in resident.points.items():
            person = rules.person[index]
            entries.append(_person_entry(person, resident.id, resident.known.facts, points, today))
    for index, points in home.points.items():
        if index in rules.members:
            entries.append(_members_entry(rules.members[index], home, points, today))
        else:
            entries.append(_household_entry(rules.household[index], home, points, today))
    entries.sort(key=lambda entry: (-entry["points"], entry["indicator"], entry["person"] or ""))
    for entry in entries:
        entry["dimension"] = rules.policy.dimensions[entry["dimension"]].id
    return entries


def _entry(indicator: Indicator, person: str | None, points: int) -> dict[str, Any]:
    return {
        "indicator": indicator.id,
        "dimension": indicator.dimension,
        "tier": indicator.tier,
        "person": person,
        "points": points,
    }


def _person_entry(
    indicator: PersonIndicator, person: str, facts: dict[str, list[Fact]], points: int, today: int
) -> dict[str, Any]:
    value, _, _ = indicator.measure.run(facts, today)
    assert value is not None
    entry = _entry(indicator.of, person, points)
    entry["measure"] = number(value, 100 if indicator.measure.is_money else 1)
    found = [(f"person/{person}", type, fact) for type, fact in indicator.measure.matching(facts, today)]
    entry["facts"] = _facts(found)
    return entry


def _household_entry(
    indicator: HouseholdIndicator, home: Household, points: int, today: int
) -> dict[str, Any]:
    members = home.members
    found, _ = indicator.measured(home.own.facts, members, today)
    assert found is not None
    entry = _entry(indicator.of, None, points)
    is_yuan = indicator.measure.is_money and indicator.percent_of is None
    entry["measure"] = number(found[0], found[1] * (100 if is_yuan else 1))
    matching = indicator.measure.matching
    if indicator.measure.of.across is None:
        facts = [(f"household/{home.id}", type, fact) for type, fact in matching(home.own.facts, today)]
    else:
        facts = [
            (f"person/{member.id}", type, fact)
            for member in members
            for type, fact in matching(member.known.facts, today)
        ]
    entry["facts"] = _facts(facts)
    return entry


def _members_entry(indicator: MembersIndicator, home: Household, points: int, today: int) -> dict[str, Any]:
    entry = _entry(indicator.of, None, points)
    entry["measure"] = indicator.measured(describe(home.members, today))
    entry["facts"] = []
    return entry


def number(exact: int, divisor: int = 1) -> int | float | None:
    """``exact / divisor`` as a message gives it: rounded to 4 decimals, halves towards plus infinity.

    Args:
        divisor: not below 0; over 0 the measure is infinite, and None.
    """
    if divisor == 0:
        return None
    scaled = (20_000 * exact + divisor) // (2 * divisor)
    whole, rest = divmod(scaled, 10_000)
    if rest:
        return scaled / 10_000
    return whole if -(2**63) <= whole < 2**63 else float(whole)


def _facts(found: list[tuple[str, str, Fact]]) -> list[dict[str, Any]]:
    found.sort(key=lambda item: (item[2].time, item[2].source, item[2].id, item[0]), reverse=True)
    return [
        {"source": fact.source, "id": fact.id, "subject": subject, "type": type, "day": day_text(fact.day)}
        for subject, type, fact in found[:MOST_FACTS]
    ]
