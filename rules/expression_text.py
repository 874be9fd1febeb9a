"""Reading expressions of ``where`` and ``members`` from their text.

The grammar is in docs/reference/policy.md. Names are resolved and kinds checked while reading, because
only then the place of each word is at hand. A fault of grammar ends the reading of that expression; all
other faults of it are found in one go.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal, cast

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
    Operator,
    PointsOf,
)
from rules.tokens import MOST_DEEP, FaultAt, GrammarError, Reader, Token
from streams.yamlfile import suggest

ROLES: Final = ("head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other")
SEXES: Final = ("female", "male")

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS = frozenset(("and", "or", "not", "in", "true", "false"))
_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">="))
_MIRRORED: dict[str, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Known:
    """A name that an expression may use.

    Attributes:
        kind: ``number`` (integer and money), or a kind of the catalogue.
        of: the values of a choice, over all types.
        differs: how the kind differs between the types, in words; empty where it does not.
    """

    kind: Literal["number", "boolean", "date", "text", "choice"]
    of: tuple[str, ...] = ()
    differs: str = ""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression may speak of.

    Attributes:
        names: the names with their kinds.
        noun: what a name is, for messages: ``field of `work.lost` ``.
        indicators: id to tier (None where the tier itself is faulty) for ``points()`` and ``active()``;
            None where these have no meaning (``where``).
        perhaps: names that may be known or not, because what would tell is faulty.
        without: where ``indicators`` is None, what is said of ``points()`` and ``active()``.
    """

    names: Mapping[str, Known]
    noun: str
    indicators: Mapping[str, str | None] | None = None
    perhaps: frozenset[str] = frozenset()
    without: str = "has a meaning in `members` only"


MEMBER_NAMES: Final[Mapping[str, Known]] = {
    "age": Known("number"),
    "role": Known("choice", ROLES),
    "sex": Known("choice", SEXES),
}


def is_date(text: str) -> bool:
    """Whether a text is a real date ``YYYY-MM-DD`` of the years 0001 to 9999."""
    if not _DATE.fullmatch(text):
        return False
    try:
        dt.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_condition(text: str, scope: Scope, fault: FaultAt) -> Expression | None:
    """Read the expression of a ``where`` or ``members``; None when a fault was reported."""
    return _ConditionReader(text, scope, fault).read()


@dataclass(frozen=True, slots=True)
class _Operand:
    """One side of a comparison: a literal, or a name or ``points()`` (nothing where that is faulty)."""

    token: Token
    literal: Literals | None = None
    of: Name | PointsOf | None = None
    known: Known | None = None

    @property
    def is_literal(self) -> bool:
        return self.literal is not None


class _ConditionReader(Reader):
    def __init__(self, text: str, scope: Scope, fault: FaultAt) -> None:
        super().__init__(text, fault, _WORDS)
        self.scope = scope

    def read(self) -> Expression | None:
        try:
            self.split()
            if self.peek().kind == "end":
                raise self.stop(self.peek(), "the expression is empty")
            tree = self.either()
            self.finish("`and`, `or` or the end of the expression")
        except GrammarError:
            return None
        if tree is not None and not self.faulty and _depth(tree) > MOST_DEEP:
            self.fault(0, f"the expression is nested more than {MOST_DEEP} deep")
        return None if self.faulty else tree

    # Each of these returns None where a fault was reported and reading went on.
    def either(self) -> Expression | None:
        parts = [self.both()]
        while self.is_next("or"):
            self.take()
            parts.append(self.both())
        return _joined(Either, parts)

    def both(self) -> Expression | None:
        parts = [self.negated()]
        while self.is_next("and"):
            self.take()
            parts.append(self.negated())
        return _joined(Both, parts)

    def negated(self) -> Expression | None:
        negations = 0
        while self.is_next("not"):
            self.take()
            negations += 1
        tree = self.bracketed()
        # `not not x` is x: tests are true or false, nothing else.
        return Not(tree) if tree is not None and negations % 2 else tree

    def bracketed(self) -> Expression | None:
        if not self.is_next("("):
            return self.test()
        self.open()
        tree = self.either()
        self.close()
        if self.peek().kind == "sign" and self.peek().text in _OPERATORS:
            raise self.stop(self.peek(), "a bracket cannot be compared", "only names and literals can")
        return tree

    def test(self) -> Expression | None:
        first = self.peek()
        if first.kind == "name" and first.text == "active" and self.peek(1).text == "(":
            self.take()
            indicator = self.indicator("active")
            if self.peek().kind == "sign" and self.peek().text in _OPERATORS:
                raise self.stop(self.peek(), '`active("..")` cannot be compared', "it stands alone")
            return None if indicator is None else Active(indicator)
        left = self.operand()
        if isinstance(left.of, Name) and (
            self.is_next("in") or (self.is_next("not") and self.peek(1).text == "in")
        ):
            return self.one_of(left)
        if self.peek().kind != "sign" or self.peek().text not in _OPERATORS:
            return self.alone(left)
        parts: list[Expression | None] = []
        while self.peek().kind == "sign" and self.peek().text in _OPERATORS:
            operator = self.take()
            right = self.operand()
            parts.append(self.compared(left, operator, right))
            left = right
        return _joined(Both, parts)

    def operand(self) -> _Operand:
        token = self.peek()
        if token.kind == "name":
            self.take()
            if token.text == "points" and self.is_next("("):
                indicator = self.indicator("points")
                if indicator is None:
                    return _Operand(token)
                return _Operand(token, of=PointsOf(indicator), known=Known("number"))
            if token.text == "active" and self.is_next("("):
                raise self.stop(token, '`active("..")` cannot be compared', "it stands alone")
            return _Operand(token, of=Name(token.text), known=self.known(token))
        literal = self.literal()
        if literal is None:
            raise self.stop(token, f"expected a name or a literal, found {token.described()}")
        return _Operand(token, literal=literal)

    def literal(self) -> Literals | None:
        """A literal, or None (and nothing taken) where none stands."""
        token = self.peek()
        if token.kind == "number":
            return Fraction(self.take().text)
        if token.kind == "string":
            return self.take().text[1:-1]
        if self.is_next("true", "false"):
            return self.take().text == "true"
        if self.is_next("-") and self.peek(1).kind == "number":
            self.take()
            return -Fraction(self.take().text)
        if self.is_next("-"):
            raise self.stop(token, "a minus can only stand before a number")
        return None

    def known(self, token: Token) -> Known | None:
        known = self.scope.names.get(token.text)
        if known is None and token.text in self.scope.perhaps:
            return None
        if known is None:
            noun = f": expected a {self.scope.noun}" if self.scope.names else ""
            self.fault(
                token,
                f"unknown name `{token.text}`{noun}",
                suggest(token.text, self.scope.names),
            )
            return None
        if known.differs:
            self.fault(token, f"the kind of `{token.text}` differs between the types: {known.differs}")
            return None
        return known

    def indicator(self, function: str) -> str | None:
        """The rest of ``points("id")`` or ``active("id")``; None after a fault."""
        word = self.last()
        self.take()
        token = self.peek()
        if token.kind != "string":
            raise self.stop(token, f"expected an indicator's id in quotes, found {token.described()}")
        self.take()
        self.expect(")", f"after `{function}({token.text}`")
        if self.scope.indicators is None:
            self.fault(word, f"`{function}()` {self.scope.without}")
            return None
        id_ = token.text[1:-1]
        if id_ not in self.scope.indicators:
            people = [id_ for id_, tier in self.scope.indicators.items() if tier == "person"]
            self.fault(token, f"unknown indicator `{id_}`", suggest(id_, people))
            return None
        if self.scope.indicators[id_] == "household":
            self.fault(
                token, f"`{id_}` is of household tier: `{function}()` speaks of a person-tier indicator"
            )
            return None
        return id_

    def alone(self, operand: _Operand) -> Expression | None:
        token, behind = operand.token, self.peek()
        if not isinstance(operand.of, Name):
            word = token.text if operand.is_literal else f"{token.text}(..)"
            raise self.stop(behind, f"expected a comparison after `{word}`, found {behind.described()}")
        if not (self.is_next("and", "or", ")") or self.is_at_end()):
            self.finish("a comparison, `and`, `or` or the end of the expression")
        if operand.known is None:
            return None
        if operand.known.kind != "boolean":
            self.fault(
                token,
                f"`{token.text}` cannot stand alone: it is a {operand.known.kind}, not a boolean",
                f"compare it, such as `{token.text} {_example(operand.known)}`",
            )
            return None
        return Flag(operand.of)

    def one_of(self, left: _Operand) -> Expression | None:
        negated = self.take().text == "not"
        if negated:
            self.take()
        self.expect("[", "after `in`")
        values: list[Literals] = []
        good = left.known is not None
        while True:
            token = self.peek()
            value = self.literal()
            if value is None:
                raise self.stop(token, f"expected a literal in the list, found {token.described()}")
            if left.known is not None:
                good &= self.fits(left, left.known, value, token)
            values.append(value)
            if not self.is_next(","):
                break
            self.take()
        self.expect("]", "to close the list")
        assert isinstance(left.of, Name)
        return OneOf(left.of, tuple(values), negated) if good else None

    def compared(self, left: _Operand, operator: Token, right: _Operand) -> Expression | None:
        if left.is_literal == right.is_literal:
            sides = "both sides" if left.is_literal else "neither side"
            self.fault(
                right.token,
                f"{sides} of `{operator.text}` {'are literals' if left.is_literal else 'is a literal'}: "
                "of two operands compared exactly one is a literal",
            )
            return None
        named, literal = (right, left) if left.is_literal else (left, right)
        if named.known is None or named.of is None or literal.literal is None:
            return None
        if not self.fits(named, named.known, literal.literal, literal.token):
            return None
        if named.known.kind == "boolean" and operator.text not in ("==", "!="):
            self.fault(operator, f"`{named.token.text}` is a boolean and has no order", "use `==` or `!=`")
            return None
        sign = cast(Operator, operator.text)
        return Compare(named.of, _MIRRORED[sign] if left.is_literal else sign, literal.literal)

    def fits(self, named: _Operand, known: Known, literal: Literals, token: Token) -> bool:
        """Check that a literal is of the kind of a name."""
        word = 'points("..")' if isinstance(named.of, PointsOf) else named.token.text
        expected = ""
        hint = ""
        if known.kind == "number":
            if not isinstance(literal, Fraction):
                expected = "a number"
        elif known.kind == "boolean":
            if not isinstance(literal, bool):
                expected = "`true` or `false`"
        elif not isinstance(literal, str):
            expected = {"date": 'a date in quotes such as "2024-01-31"'}.get(known.kind, "a text in quotes")
        elif known.kind == "date" and not is_date(literal):
            expected = 'a real date such as "2024-01-31"'
        elif known.kind == "choice" and literal not in known.of:
            expected, hint = "one of its choices", suggest(literal, known.of)
        if expected:
            self.fault(
                token, f"`{word}` is a {known.kind}: expected {expected}, found {_spelt(literal)}", hint
            )
        return not expected


def _joined(node: type[Both | Either], parts: Sequence[Expression | None]) -> Expression | None:
    """One tree of many parts, of the least depth: all of them are true or false, so brackets are free."""
    if len(parts) == 1:
        return parts[0]
    half = (len(parts) + 1) // 2
    left, right = _joined(node, parts[:half]), _joined(node, parts[half:])
    return None if left is None or right is None else node(left, right)


def _depth(tree: Expression) -> int:
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        here, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(here, Not):
            waiting.append((here.of, depth + 1))
        elif isinstance(here, Both | Either):
            waiting += [(here.left, depth + 1), (here.right, depth + 1)]
    return deepest


def _spelt(literal: Literals) -> str:
    if isinstance(literal, str):
        return f'`"{literal}"`' if '"' not in literal else f"`'{literal}'`"
    if isinstance(literal, bool):
        return f"`{str(literal).lower()}`"
    return "a number"


def _example(known: Known) -> str:
    return {
        "number": ">= 1",
        "date": '>= "2024-01-31"',
        "choice": f'== "{known.of[0]}"' if known.of else '== ".."',
    }.get(known.kind, '== ".."')
