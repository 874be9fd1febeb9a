"""Expressions of ``where`` and ``members``: their tree.

The tree is already resolved against catalogue and policy: names are known, kinds agree, and each
comparison is a chain of pairs as Python reads it: ``a < b <= c`` is a :class:`Both` of two.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Operator = Literal["==", "!=", "<", "<=", ">", ">="]
Literals = Fraction | str | bool
#: A literal is an exact number, a text (also a date, as ``YYYY-MM-DD``) or a boolean. Money is in yuan.


@dataclass(frozen=True, slots=True)
class Name:
    """A field of the fact (``where``), or ``age``, ``role``, ``sex`` (``members``)."""

    name: str


@dataclass(frozen=True, slots=True)
class PointsOf:
    """``points("id")``: the member's points in a person indicator."""

    indicator: str


@dataclass(frozen=True, slots=True)
class Compare:
    """``operand operator literal``; the literal is always on the right (``0 < age`` is ``age > 0``)."""

    operand: Name | PointsOf
    operator: Operator
    literal: Literals


@dataclass(frozen=True, slots=True)
class OneOf:
    """``name in [..]`` or, negated, ``name not in [..]``."""

    name: Name
    values: tuple[Literals, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Flag:
    """A boolean field that stands alone."""

    name: Name


@dataclass(frozen=True, slots=True)
class Active:
    """``active("id")``: the member's points in a person indicator are not 0."""

    indicator: str


@dataclass(frozen=True, slots=True)
class Not:
    """``not x``."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Both:
    """``x and y``."""

    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Either:
    """``x or y``."""

    left: Expression
    right: Expression


Expression = Compare | OneOf | Flag | Active | Not | Both | Either


@dataclass(frozen=True, slots=True)
class Amount:
    """A bound of ``points``: a number, a parameter, or two amounts and an operator ``+ - * /``.

    Exactly one of ``number``, ``parameter`` and ``operator`` is given; ``text`` is what the file says.
    """

    number: Fraction | None = None
    parameter: str | None = None
    operator: Literal["+", "-", "*", "/"] | None = None
    left: Amount | None = None
    right: Amount | None = None
    text: str = ""

    def parameters(self) -> frozenset[str]:
        """Names of the parameters that it uses."""
        if self.parameter is not None:
            return frozenset((self.parameter,))
        if self.left is not None and self.right is not None:
            return self.left.parameters() | self.right.parameters()
        return frozenset()

    def value(self, parameters: dict[str, Fraction]) -> Fraction:
        """Its exact value for these parameters."""
        if self.number is not None:
            return self.number
        if self.parameter is not None:
            return parameters[self.parameter]
        assert self.left is not None
        assert self.right is not None
        left, right = self.left.value(parameters), self.right.value(parameters)
        if self.operator == "+":
            return left + right
        if self.operator == "-":
            return left - right
        if self.operator == "*":
            return left * right
        return left / right
