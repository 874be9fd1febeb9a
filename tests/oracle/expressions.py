"""The small languages of a policy: tests of `where` and `members`, and bounds.

Both are parsed straight from the grammar of the page into closures.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Protocol

Value = Fraction | bool | str  # dates are compared as YYYY-MM-DD text


class Subject(Protocol):
    """What a test is about: a fact, or a member."""

    def get(self, name: str) -> Value | None: ...

    def points(self, indicator: str) -> int: ...


Test = Callable[[Subject], bool]
Bound = Callable[[Mapping[str, Fraction]], Fraction]

_TOKEN = re.compile(
    r"""\s*(?:([0-9]+(?:\.[0-9]+)?)|('[^']*'|"[^"]*")|([A-Za-z_][A-Za-z0-9_]*)|(==|!=|<=|>=|[-<>()\[\],+*/]))"""
)
_COMPARE: dict[str, Callable[[Value, Value], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Operand = Callable[[Subject], "Value | None"]


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"no token at {at} of {text!r}")
        kind = ("number", "string", "name", "sign")[(match.lastindex or 1) - 1]
        found.append((kind, match[match.lastindex or 1]))
        at = match.end()
    return found


class _Tokens:
    def __init__(self, text: str) -> None:
        self.tokens = _tokens(text)
        self.at = 0
        self.text = text

    def see(self, *texts: str, ahead: int = 0) -> bool:
        at = self.at + ahead
        return at < len(self.tokens) and self.tokens[at][0] != "string" and self.tokens[at][1] in texts

    def next(self) -> tuple[str, str]:
        if self.at == len(self.tokens):
            raise ValueError(f"too short: {self.text!r}")
        self.at += 1
        return self.tokens[self.at - 1]

    def take(self, text: str) -> None:
        if not self.see(text):
            raise ValueError(f"expected {text} in {self.text!r}")
        self.at += 1

    def end(self) -> None:
        if self.at != len(self.tokens):
            raise ValueError(f"more after the end in {self.text!r}")


def parse_test(text: str) -> Test:
    """Parse an expression of `where` or `members`."""
    tokens = _Tokens(text)
    test = _either(tokens)
    tokens.end()
    return test


def _either(tokens: _Tokens) -> Test:
    parts = [_both(tokens)]
    while tokens.see("or"):
        tokens.take("or")
        parts.append(_both(tokens))
    return parts[0] if len(parts) == 1 else lambda subject: any(part(subject) for part in parts)


def _both(tokens: _Tokens) -> Test:
    parts = [_negated(tokens)]
    while tokens.see("and"):
        tokens.take("and")
        parts.append(_negated(tokens))
    return parts[0] if len(parts) == 1 else lambda subject: all(part(subject) for part in parts)


def _negated(tokens: _Tokens) -> Test:
    if tokens.see("not"):
        tokens.take("not")
        inner = _negated(tokens)
        return lambda subject: not inner(subject)
    if tokens.see("("):
        tokens.take("(")
        inside = _either(tokens)
        tokens.take(")")
        return inside
    return _test(tokens)


def _test(tokens: _Tokens) -> Test:
    if tokens.see("active") and tokens.see("(", ahead=1):
        tokens.take("active")
        name = _argument(tokens)
        return lambda subject: subject.points(name) != 0
    first_is_name = tokens.tokens[tokens.at][0] == "name" and not tokens.see("true", "false")
    first = _operand(tokens)
    if first_is_name and (tokens.see("in") or tokens.see("not")):
        negate = tokens.see("not")
        if negate:
            tokens.take("not")
        tokens.take("in")
        return _among(first, _literals(tokens), negate)
    operands, signs = [first], []
    while tokens.see(*_COMPARE):
        signs.append(tokens.next()[1])
        operands.append(_operand(tokens))
    if not signs:
        return lambda subject: first(subject) is True
    return _chain(operands, signs)


def _among(operand: Operand, literals: list[Value], negate: bool) -> Test:
    def test(subject: Subject) -> bool:
        value = operand(subject)
        if value is None:
            return False
        return (value in literals) != negate

    return test


def _chain(operands: list[Operand], signs: list[str]) -> Test:
    def test(subject: Subject) -> bool:
        values = [operand(subject) for operand in operands]
        for left, sign, right in zip(values, signs, values[1:], strict=False):
            if left is None or right is None or not _COMPARE[sign](left, right):
                return False
        return True

    return test


def _argument(tokens: _Tokens) -> str:
    tokens.take("(")
    kind, text = tokens.next()
    if kind != "string":
        raise ValueError(f"expected a string in {tokens.text!r}")
    tokens.take(")")
    return text[1:-1]


def _literals(tokens: _Tokens) -> list[Value]:
    found: list[Value] = []
    tokens.take("[")
    while True:
        found.append(_literal(tokens))
        if tokens.see("]"):
            tokens.take("]")
            return found
        tokens.take(",")


def _literal(tokens: _Tokens) -> Value:
    kind, text = tokens.next()
    if (kind, text) == ("sign", "-"):
        kind, text = tokens.next()
        if kind != "number":
            raise ValueError(f"a sign without number in {tokens.text!r}")
        return -Fraction(text)
    if kind == "number":
        return Fraction(text)
    if kind == "string":
        return text[1:-1]
    if text in ("true", "false"):
        return text == "true"
    raise ValueError(f"expected a literal in {tokens.text!r}")


def _operand(tokens: _Tokens) -> Operand:
    kind, text = tokens.tokens[tokens.at] if tokens.at < len(tokens.tokens) else ("", "")
    if kind == "name" and text not in ("true", "false"):
        tokens.next()
        if text == "points" and tokens.see("("):
            name = _argument(tokens)
            return lambda subject: Fraction(subject.points(name))
        return lambda subject: subject.get(text)
    literal = _literal(tokens)
    return lambda subject: literal


def parse_bound(text: str) -> Bound:
    """Parse a bound: numbers, parameters, ``+ - * /`` and parentheses."""
    tokens = _Tokens(text)
    bound = _sum(tokens)
    tokens.end()
    return bound


def _sum(tokens: _Tokens) -> Bound:
    left = _product(tokens)
    while tokens.see("+", "-"):
        left = _combine(left, tokens.next()[1], _product(tokens))
    return left


def _product(tokens: _Tokens) -> Bound:
    left = _atom(tokens)
    while tokens.see("*", "/"):
        left = _combine(left, tokens.next()[1], _atom(tokens))
    return left


def _combine(left: Bound, sign: str, right: Bound) -> Bound:
    if sign == "+":
        return lambda values: left(values) + right(values)
    if sign == "-":
        return lambda values: left(values) - right(values)
    if sign == "*":
        return lambda values: left(values) * right(values)
    return lambda values: left(values) / right(values)


def _atom(tokens: _Tokens) -> Bound:
    kind, text = tokens.next()
    if text == "(" and kind == "sign":
        inside = _sum(tokens)
        tokens.take(")")
        return inside
    if text == "-" and kind == "sign":
        kind, text = tokens.next()
        if kind != "number":
            raise ValueError(f"a sign without number in {tokens.text!r}")
        negative = -Fraction(text)
        return lambda values: negative
    if kind == "number":
        number = Fraction(text)
        return lambda values: number
    if kind == "name":
        return lambda values: values[text]
    raise ValueError(f"expected a number in {tokens.text!r}")
