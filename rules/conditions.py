"""Conditions as Python source: what ``where`` says of a fact and ``members`` of a member.

The source is an expression over ``data`` (a fact's fields) or over ``role``, ``sex``, ``age`` and
``points`` (a member's). A test with something absent is false, so each test checks for None first. All
numbers are exact: a literal with decimals is compared by cross-multiplying.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from rules.expression import (
    Active,
    Both,
    Compare,
    Either,
    Expression,
    Flag,
    Literals,
    Name,
    Not,
    OneOf,
    PointsOf,
)

#: Gives the Python source of a name and what its stored numbers are multiples of (100 for fen in yuan);
#: None where the name can never be known here.
Lookup = Callable[[Name | PointsOf], tuple[str, int] | None]


def where_source(condition: Expression, fields: frozenset[str], money: frozenset[str]) -> str:
    """The source of a ``where`` for facts of a type with these fields, these of them money (in fen)."""

    def look(operand: Name | PointsOf) -> tuple[str, int] | None:
        assert isinstance(operand, Name)
        if operand.name not in fields:
            return None
        return f"data.get({operand.name!r})", 100 if operand.name in money else 1

    return _source(condition, look, {})


def members_source(condition: Expression, index_of: dict[str, int]) -> str:
    """The source of a ``members`` condition; ``index_of`` gives the place of a person indicator by its id."""

    def look(operand: Name | PointsOf) -> tuple[str, int] | None:
        if isinstance(operand, PointsOf):
            return f"points.get({index_of[operand.indicator]}, 0)", 1
        return operand.name, 1

    return _source(condition, look, index_of)


def names_in(condition: Expression) -> frozenset[str]:
    """The fields or member names that a condition speaks of."""
    if isinstance(condition, Compare):
        return frozenset((condition.operand.name,)) if isinstance(condition.operand, Name) else frozenset()
    if isinstance(condition, OneOf | Flag):
        return frozenset((condition.name.name,))
    if isinstance(condition, Not):
        return names_in(condition.of)
    if isinstance(condition, Both | Either):
        return names_in(condition.left) | names_in(condition.right)
    return frozenset()


def indicators_in(condition: Expression) -> frozenset[str]:
    """The person indicators that a ``members`` condition speaks of."""
    if isinstance(condition, Active):
        return frozenset((condition.indicator,))
    if isinstance(condition, Compare) and isinstance(condition.operand, PointsOf):
        return frozenset((condition.operand.indicator,))
    if isinstance(condition, Not):
        return indicators_in(condition.of)
    if isinstance(condition, Both | Either):
        return indicators_in(condition.left) | indicators_in(condition.right)
    return frozenset()


def _source(condition: Expression, look: Lookup, index_of: dict[str, int]) -> str:
    if isinstance(condition, Compare):
        found = look(condition.operand)
        if found is None:
            return "False"
        source, scale = found
        test = _compare("x", condition.operator, condition.literal, scale)
        return f"((x := {source}) is not None and {test})"
    if isinstance(condition, OneOf):
        found = look(condition.name)
        if found is None:
            return "False"
        source, scale = found
        tests = " or ".join(_compare("x", "==", value, scale) for value in condition.values)
        negation = "not " if condition.negated else ""
        return f"((x := {source}) is not None and {negation}({tests}))"
    if isinstance(condition, Flag):
        found = look(condition.name)
        return "False" if found is None else f"({found[0]} is True)"
    if isinstance(condition, Active):
        return f"({index_of[condition.indicator]} in points)"
    if isinstance(condition, Not):
        return f"(not {_source(condition.of, look, index_of)})"
    word = "and" if isinstance(condition, Both) else "or"
    left = _source(condition.left, look, index_of)
    return f"({left} {word} {_source(condition.right, look, index_of)})"


def _compare(operand: str, operator: str, literal: Literals, scale: int) -> str:
    if isinstance(literal, bool):
        return f"{operand} {'is' if operator == '==' else 'is not'} {literal}"
    if isinstance(literal, Fraction):
        exact = literal * scale
        left = operand if exact.denominator == 1 else f"{operand} * {exact.denominator}"
        return f"{left} {operator} {exact.numerator}"
    return f"{operand} {operator} {literal!r}"
