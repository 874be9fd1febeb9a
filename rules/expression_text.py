"""Reading expressions of ``where`` and ``members``, and bounds of ``points``, from their text.

The grammar is in docs/reference/policy.md. Names are resolved and kinds checked while reading, because
only then the place of each word is at hand. A fault of grammar ends the reading of that expression; all
other faults of it are found in one go.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal, cast

from rules.expression import (
    Active,
    Amount,
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
from streams.yamlfile import suggest

FaultAt = Callable[[int, str, str], None]
"""Takes the index of the faulty character in the text, what is wrong, and a hint."""

#: Depth of brackets and of the finished tree: what reads the tree may then recurse, and Python's own
#: compiler allows no more than 200 open brackets.
MOST_BRACKETS: Final = 40
MOST_DEEP: Final = 100
#: Longer numbers are no amounts of money; Python refuses to read 4,300 digits.
MOST_DIGITS: Final = 400

ROLES: Final = ("head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other")
SEXES: Final = ("female", "male")

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<string>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>==|!=|<=|>=|[-+*/()<>\[\],])"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WORDS = frozenset(("and", "or", "not", "in", "true", "false"))
_OPERATORS = frozenset(("==", "!=", "<", "<=", ">", ">="))
_MIRRORED: dict[str, Operator] = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_ASCII_FOR = {
    "（": "(",
    "）": ")",
    "［": "[",
    "］": "]",
    "【": "[",
    "】": "]",
    "，": ",",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "＝": "==",
    "＜": "<",
    "＞": ">",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "＋": "+",
    "－": "-",
    "−": "-",
    "×": "*",
    "＊": "*",
    "÷": "/",
    "／": "/",
    "\u3000": " ",
    "\u00a0": " ",
}


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
    """

    names: Mapping[str, Known]
    noun: str
    indicators: Mapping[str, str | None] | None = None


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
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True


def read_condition(text: str, scope: Scope, fault: FaultAt) -> Expression | None:
    """Read the expression of a ``where`` or ``members``; None when a fault was reported."""
    return _ConditionReader(text, scope, fault).read()


def read_bound(
    text: str, parameters: Mapping[str, Sequence[tuple[int, Fraction]]], fault: FaultAt
) -> Amount | None:
    """Read a bound of ``points``; None when a fault was reported.

    Args:
        parameters: name to dated values, ascending (empty where the parameter itself is faulty).
    """
    return _BoundReader(text, parameters, fault).read()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: Literal["number", "name", "word", "string", "sign", "end"]
    text: str
    at: int

    def described(self) -> str:
        return "the end" if self.kind == "end" else f"`{self.text}`"


class _GrammarError(Exception):
    """Ends the reading of one expression; the fault is already reported."""


@dataclass
class _Reader:
    text: str
    tokens: list[_Token] = field(default_factory=list)
    position: int = 0
    brackets: int = 0
    faulty: bool = False

    report: FaultAt | None = None
    words: frozenset[str] = frozenset()

    def fault(self, token: _Token | int, message: str, hint: str = "") -> None:
        self.faulty = True
        assert self.report is not None
        self.report(token if isinstance(token, int) else token.at, message, hint)

    def stop(self, token: _Token | int, message: str, hint: str = "") -> _GrammarError:
        self.fault(token, message, hint)
        return _GrammarError()

    def split(self) -> None:
        """Cut the text into tokens."""
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                character = self.text[at]
                if character in "\"'":
                    raise self.stop(at, f"the text that begins here lacks its closing {character}")
                if character == "=":
                    raise self.stop(at, "`=` is no operator", "write `==` to compare")
                instead = _ASCII_FOR.get(character)
                hint = f"write {instead!r}" if instead == " " else f"write `{instead}`" if instead else ""
                raise self.stop(at, f"unexpected character `{character}`", hint)
            kind, text = cast(str, match.lastgroup), match.group()
            if kind == "number" and len(text) > MOST_DIGITS:
                raise self.stop(at, f"a number has at most {MOST_DIGITS} digits")
            if kind == "name" and text in self.words:
                kind = "word"
            if kind != "space":
                self.tokens.append(_Token(cast(Literal["number"], kind), text, at))
            at = match.end()
        self.tokens.append(_Token("end", "", len(self.text)))

    @property
    def next(self) -> _Token:
        return self.tokens[self.position]

    @property
    def after_next(self) -> _Token:
        return self.tokens[min(self.position + 1, len(self.tokens) - 1)]

    def take(self) -> _Token:
        token = self.tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def is_next(self, *texts: str) -> bool:
        return self.next.kind in ("sign", "word") and self.next.text in texts

    def expect(self, sign: str, where: str) -> None:
        if not self.is_next(sign):
            raise self.stop(self.next, f"expected `{sign}` {where}, found {self.next.described()}")
        self.take()

    def open(self) -> None:
        token = self.take()
        self.brackets += 1
        if self.brackets > MOST_BRACKETS:
            raise self.stop(token, f"brackets are nested more than {MOST_BRACKETS} deep")

    def close(self) -> None:
        self.expect(")", "to close the bracket")
        self.brackets -= 1


@dataclass(frozen=True, slots=True)
class _Operand:
    """One side of a comparison: a literal, or a name or ``points()`` (None where it is faulty)."""

    token: _Token
    literal: Literals | None = None
    of: Name | PointsOf | None = None
    known: Known | None = None

    @property
    def is_literal(self) -> bool:
        return self.literal is not None


class _ConditionReader(_Reader):
    def __init__(self, text: str, scope: Scope, fault: FaultAt) -> None:
        super().__init__(text, report=fault, words=_WORDS)
        self.scope = scope

    def read(self) -> Expression | None:
        try:
            self.split()
            if self.next.kind == "end":
                raise self.stop(self.next, "the expression is empty")
            tree = self.either()
            if self.next.kind != "end":
                raise self.stop(self.next, *self.left_over())
        except _GrammarError:
            return None
        if tree is not None and not self.faulty and _depth(tree) > MOST_DEEP:
            self.fault(0, f"the expression is nested more than {MOST_DEEP} deep")
        return None if self.faulty else tree

    def left_over(self) -> tuple[str, str]:
        token = self.next
        if token.kind == "name" and token.text in ("AND", "OR", "And", "Or", "NOT", "Not"):
            return f"unexpected `{token.text}`", f"write `{token.text.lower()}`"
        return f"expected `and`, `or` or the end of the expression, found {token.described()}", ""

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
        if self.next.kind == "sign" and self.next.text in _OPERATORS:
            raise self.stop(self.next, "a bracket cannot be compared", "only names and literals can")
        return tree

    def test(self) -> Expression | None:
        first = self.next
        if first.kind == "name" and first.text == "active" and self.after_next.text == "(":
            self.take()
            indicator = self.indicator("active")
            if self.next.kind == "sign" and self.next.text in _OPERATORS:
                raise self.stop(self.next, '`active("..")` cannot be compared', "it stands alone")
            return None if indicator is None else Active(indicator)
        left = self.operand()
        if isinstance(left.of, Name) and (
            self.is_next("in") or (self.is_next("not") and self.after_next.text == "in")
        ):
            return self.one_of(left)
        if self.next.kind != "sign" or self.next.text not in _OPERATORS:
            return self.alone(left)
        parts: list[Expression | None] = []
        while self.next.kind == "sign" and self.next.text in _OPERATORS:
            operator = self.take()
            right = self.operand()
            parts.append(self.compared(left, operator, right))
            left = right
        return _joined(Both, parts)

    def operand(self) -> _Operand:
        token = self.next
        if token.kind == "name":
            self.take()
            if token.text == "points" and self.is_next("("):
                indicator = self.indicator("points")
                return _Operand(token, of=PointsOf(indicator or ""), known=indicator and Known("number") or None)
            if token.text == "active" and self.is_next("("):
                raise self.stop(token, '`active("..")` cannot be compared', "it stands alone")
            return _Operand(token, of=Name(token.text), known=self.known(token))
        literal = self.literal()
        if literal is None:
            raise self.stop(token, f"expected a name or a literal, found {token.described()}")
        return _Operand(token, literal=literal)

    def literal(self) -> Literals | None:
        """A literal, or None (and nothing taken) where none stands."""
        token = self.next
        if token.kind == "number":
            return Fraction(self.take().text)
        if token.kind == "string":
            return self.take().text[1:-1]
        if self.is_next("true", "false"):
            return self.take().text == "true"
        if self.is_next("-") and self.after_next.kind == "number":
            self.take()
            return -Fraction(self.take().text)
        if self.is_next("-"):
            raise self.stop(token, "a minus can only stand before a number")
        return None

    def known(self, token: _Token) -> Known | None:
        known = self.scope.names.get(token.text)
        if known is None:
            self.fault(
                token, f"unknown name `{token.text}`: expected a {self.scope.noun}", suggest(token.text, self.scope.names)
            )
            return None
        if known.differs:
            self.fault(token, f"the kind of `{token.text}` differs between the types: {known.differs}")
            return None
        return known

    def indicator(self, function: str) -> str | None:
        """The rest of ``points("id")`` or ``active("id")``; None after a fault."""
        word = self.tokens[self.position - 1]
        self.take()
        token = self.next
        if token.kind != "string":
            raise self.stop(token, f"expected an indicator's id in quotes, found {token.described()}")
        self.take()
        self.expect(")", f"after `{function}({token.text}`")
        if self.scope.indicators is None:
            self.fault(word, f"`{function}()` has a meaning in `members` only")
            return None
        id_ = token.text[1:-1]
        if id_ not in self.scope.indicators:
            people = [id_ for id_, tier in self.scope.indicators.items() if tier == "person"]
            self.fault(token, f"unknown indicator `{id_}`", suggest(id_, people))
            return None
        if self.scope.indicators[id_] == "household":
            self.fault(token, f"`{id_}` is of household tier: `{function}()` speaks of a person-tier indicator")
            return None
        return id_

    def alone(self, operand: _Operand) -> Expression | None:
        token = operand.token
        if operand.is_literal:
            raise self.stop(self.next, f"expected a comparison after `{token.text}`, found {self.next.described()}")
        if isinstance(operand.of, PointsOf):
            raise self.stop(self.next, f'expected a comparison after `points("..")`, found {self.next.described()}')
        if operand.known is None:
            return None
        if operand.known.kind != "boolean":
            self.fault(
                token,
                f"`{token.text}` cannot stand alone: it is {_a(operand.known.kind)}, and only a boolean field can",
                f"compare it, such as `{token.text} {_example(operand.known)}`",
            )
            return None
        assert isinstance(operand.of, Name)
        return Flag(operand.of)

    def one_of(self, left: _Operand) -> Expression | None:
        negated = self.take().text == "not"
        if negated:
            self.take()
        self.expect("[", "after `in`")
        values: list[Literals] = []
        good = left.known is not None
        while True:
            token = self.next
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

    def compared(self, left: _Operand, operator: _Token, right: _Operand) -> Expression | None:
        if left.is_literal == right.is_literal:
            which = "two literals are" if left.is_literal else "two names are"
            self.fault(right.token, f"{which} compared: of two operands exactly one is a literal")
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

    def fits(self, named: _Operand, known: Known, literal: Literals, token: _Token) -> bool:
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
            text = f"-{self.after(token).text}" if token.text == "-" else token.text
            self.fault(token, f"`{word}` is {_a(known.kind)}: expected {expected}, found `{text}`", hint)
        return not expected

    def after(self, token: _Token) -> _Token:
        return self.tokens[self.tokens.index(token) + 1]


class _BoundReader(_Reader):
    def __init__(
        self, text: str, parameters: Mapping[str, Sequence[tuple[int, Fraction]]], fault: FaultAt
    ) -> None:
        super().__init__(text, report=fault)
        self.parameters = parameters
        self.divisions: list[tuple[Amount, _Token]] = []

    def read(self) -> Amount | None:
        try:
            self.split()
            if self.next.kind == "end":
                raise self.stop(self.next, "the bound is empty: expected a number or an expression")
            amount = self.sum()
            if self.next.kind != "end":
                raise self.stop(
                    self.next, f"expected `+ - * /` or the end of the bound, found {self.next.described()}"
                )
        except _GrammarError:
            return None
        if self.faulty:
            return None
        if _depth_of_amount(amount) > MOST_DEEP:
            self.fault(0, f"the bound is nested or chained more than {MOST_DEEP} deep")
            return None
        self.check_divisions()
        return None if self.faulty else amount

    def sum(self) -> Amount:
        start = self.next.at
        amount = self.product()
        while self.is_next("+", "-"):
            sign = self.take()
            amount = self.joined(start, amount, sign, self.product())
        return amount

    def product(self) -> Amount:
        start = self.next.at
        amount = self.atom()
        while self.is_next("*", "/"):
            sign = self.take()
            right = self.atom()
            if sign.text == "/":
                self.divisions.append((right, sign))
            amount = self.joined(start, amount, sign, right)
        return amount

    def joined(self, start: int, left: Amount, sign: _Token, right: Amount) -> Amount:
        operator = cast(Literal["+", "-", "*", "/"], sign.text)
        text = self.text[start : self.next.at].rstrip()
        return Amount(operator=operator, left=left, right=right, text=text)

    def atom(self) -> Amount:
        token = self.take()
        if token.kind == "number":
            return Amount(number=Fraction(token.text), text=token.text)
        if token.kind == "name":
            if token.text not in self.parameters:
                self.fault(token, f"unknown parameter `{token.text}`", suggest(token.text, self.parameters))
            return Amount(parameter=token.text, text=token.text)
        if token.text == "-" and token.kind == "sign":
            if self.next.kind != "number":
                raise self.stop(
                    token, "a minus can only stand before a number", "write `0 - ...` or `-1 * ...` instead"
                )
            number = self.take()
            return Amount(number=-Fraction(number.text), text=f"-{number.text}")
        if token.text == "(" and token.kind == "sign":
            self.position -= 1
            self.open()
            inner = self.sum()
            self.close()
            text = self.text[token.at : self.tokens[self.position - 1].at + 1]
            return Amount(inner.number, inner.parameter, inner.operator, inner.left, inner.right, text)
        raise self.stop(token, f"expected a number or a parameter, found {token.described()}")

    def check_divisions(self) -> None:
        """Report each division that is by zero on some day.

        A divisor changes on dates of its own parameters only, and before the earliest date the value of
        that date holds; so these dates are all the days there are.
        """
        for divisor, sign in self.divisions:
            names = divisor.parameters()
            if any(not self.parameters[name] for name in names):
                continue
            days: list[int | None] = sorted({day for name in names for day, _ in self.parameters[name]}) or [None]
            for day in days:
                values = {name: _value_at(self.parameters[name], day) for name in names}
                try:
                    is_zero = divisor.value(values) == 0
                except ZeroDivisionError:  # of a division inside, which has a fault of its own
                    continue
                if is_zero:
                    on = "" if day is None else f" on {datetime.date(1970, 1, 1) + datetime.timedelta(day)}"
                    self.fault(sign, f"the bound divides by zero{on}: `{divisor.text}` is 0")
                    break


def _value_at(values: Sequence[tuple[int, Fraction]], day: int | None) -> Fraction:
    found = values[0][1]
    for first, value in values:
        if day is not None and first <= day:
            found = value
    return found


def _joined(
    node: type[Both] | type[Either], parts: Sequence[Expression | None]
) -> Expression | None:
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


def _depth_of_amount(amount: Amount) -> int:
    deepest, waiting = 0, [(amount, 1)]
    while waiting:
        here, depth = waiting.pop()
        deepest = max(deepest, depth)
        if here.left is not None and here.right is not None:
            waiting += [(here.left, depth + 1), (here.right, depth + 1)]
    return deepest


def _a(kind: str) -> str:
    return f"a {kind}"


def _example(known: Known) -> str:
    return {
        "number": ">= 1",
        "date": '>= "2024-01-31"',
        "choice": f'== "{known.of[0]}"' if known.of else '== ".."',
    }.get(known.kind, '== ".."')
