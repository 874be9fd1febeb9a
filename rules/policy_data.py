"""A policy as plain values, for JSON."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from rules.calendar import day_text
from rules.policy import Indicator, Measure, Points, Policy
from rules.words import expression_text


def policy_data(policy: Policy, *, day: int) -> dict[str, Any]:
    """The whole policy; ``now`` of a parameter or bound is its value on ``day`` (days since 1970-01-01).

    Numbers are exact where they have a finite decimal form of a double, otherwise the nearest double.
    """
    parameters = policy.parameters_at(day)
    return {
        "policy": policy.id,
        "version": policy.version,
        "digest": policy.digest,
        "timezone": policy.timezone,
        "day": day_text(day),
        "parameters": {
            one.name: {
                "unit": one.unit,
                "basis": one.basis,
                "values": {day_text(first): _number(value) for first, value in one.values},
                "now": _number(parameters[one.name]),
            }
            for one in policy.parameters.values()
        },
        "dimensions": [
            {"id": one.id, "title": one.title, "cap": one.cap, "members": one.members}
            for one in policy.dimensions
        ],
        "levels": [
            {"id": one.id, "title": one.title, "at": one.at, "clear": one.clear} for one in policy.levels
        ],
        "indicators": [_indicator(one, policy, parameters) for one in policy.indicators],
    }


def _indicator(one: Indicator, policy: Policy, parameters: dict[str, Fraction]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": one.id,
        "title": one.title,
        "because": one.because,
        "dimension": policy.dimensions[one.dimension].id,
        "tier": one.tier,
    }
    if one.measure is not None:
        data |= _measure(one.measure)
    if one.members is not None:
        data |= {"members": expression_text(one.members), "measure": "share" if one.share else "count"}
    if one.percent_of is not None:
        data["percent_of"] = {**_measure(one.percent_of), "times": one.times}
    data["points"] = _points(one.points, parameters)
    if one.fades is not None:
        data["fades"] = {"after_days": one.fades[0], "over_days": one.fades[1]}
    data["floor"] = policy.levels[one.floor].id if one.floor is not None else None
    data["basis"] = one.basis
    return data


def _measure(measure: Measure) -> dict[str, Any]:
    function = measure.function if measure.field is None else f"{measure.function}({measure.field})"
    return {
        "from": list(measure.types),
        "where": expression_text(measure.where) if measure.where is not None else None,
        "until": list(measure.until),
        "measure": function,
        "unit": "yuan" if measure.is_money else None,
        "within_days": measure.within_days,
        "across": measure.across,
    }


def _points(points: Points, parameters: dict[str, Fraction]) -> Any:
    if points.flat is not None:
        return points.flat
    bounds = [
        {"bound": bound.text, "now": _number(bound.value(parameters)), "points": given}
        for bound, given in points.bounds
    ]
    return {"at_least" if points.at_least else "at_most": bounds}


def _number(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else float(value)
