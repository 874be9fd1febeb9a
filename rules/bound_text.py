"""Reading bounds of ``points``: exact arithmetic of numbers and parameters."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import count
from typing import Final, Literal, cast

from rules.expression import Amount
from rules.tokens import MOST_DEEP, FaultAt, GrammarError, Reader, Token
from streams.yamlfile import suggest

#: Stands for the day where no parameter has a date.
_ANY_DAY: Final = -(10**9)
_TOO_DEEP: Final = f"the bound is nested or chained more than {MOST_DEEP} deep"


def read_bound(
    text: str, parameters: Mapping[str, Sequence[tuple[int, Fraction]]], fault: FaultAt
) -> Amount | None:
    """Read a bound of ``points``; None when a fault was reported.

    Args:
        parameters: name to dated values, ascending (empty where the parameter itself is faulty).
    """
    return _BoundReader(text, parameters, fault).read()


class _BoundReader(Reader):
    def __init__(
        self, text: str, parameters: Mapping[str, Sequence[tuple[int, Fraction]]], fault: FaultAt
    ) -> None:
        super().__init__(text, fault)
        self.parameters = parameters
        self.divisions: list[tuple[Amount, Token]] = []

    def read(self) -> Amount | None:
        try:
            self.split()
            if self.peek().kind == "end":
                raise self.stop(self.peek(), "the bound is empty: expected a number or an expression")
            amount = self.sum()
            self.finish("`+ - * /` or the end of the bound")
        except GrammarError:
            return None
        if _depth_of_amount(amount) > MOST_DEEP:
            self.fault(0, _TOO_DEEP)
            return None
        self.check_divisions()
        return None if self.faulty else amount

    def chained(self, *signs: str) -> Iterator[int]:
        """Counts while one of these signs comes next; each makes the tree one deeper on its left."""
        for length in count(2):
            if not self.is_next(*signs):
                return
            if length > MOST_DEEP:
                raise self.stop(self.peek(), _TOO_DEEP)
            yield length

    def sum(self) -> Amount:
        start = self.peek().at
        amount = self.product()
        for _ in self.chained("+", "-"):
            sign = self.take()
            amount = self.joined(start, amount, sign, self.product())
        return amount

    def product(self) -> Amount:
        start = self.peek().at
        amount = self.atom()
        for _ in self.chained("*", "/"):
            sign = self.take()
            right = self.atom()
            if sign.text == "/":
                self.divisions.append((right, sign))
            amount = self.joined(start, amount, sign, right)
        return amount

    def joined(self, start: int, left: Amount, sign: Token, right: Amount) -> Amount:
        operator = cast(Literal["+", "-", "*", "/"], sign.text)
        text = self.text[start : self.peek().at].rstrip()
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
            if self.peek().kind != "number":
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
            text = self.text[token.at : self.last().at + 1]
            return Amount(inner.number, inner.parameter, inner.operator, inner.left, inner.right, text)
        raise self.stop(token, f"expected a number or a parameter, found {token.described()}")

    def check_divisions(self) -> None:
        """Report each division that is by zero on some day.

        A divisor changes on dates of its own parameters only, and before the earliest date the value of
        that date holds; so these dates are all the days there are.
        """
        for divisor, sign in self.divisions:
            names = divisor.parameters()
            if any(not self.parameters.get(name) for name in names):
                continue
            dates = {day for name in names for day, _ in self.parameters[name]}
            for day in sorted(dates) or [_ANY_DAY]:
                values = {name: _value_at(self.parameters[name], day) for name in names}
                try:
                    is_zero = divisor.value(values) == 0
                except ZeroDivisionError:  # of a division inside, which has a fault of its own
                    continue
                if is_zero:
                    on = "" if day == _ANY_DAY else f" on {dt.date(1970, 1, 1) + dt.timedelta(day)}"
                    self.fault(sign, f"the bound divides by zero{on}: `{divisor.text}` is 0")
                    break


def _value_at(values: Sequence[tuple[int, Fraction]], day: int) -> Fraction:
    found = values[0][1]
    for first, value in values:
        if first <= day:
            found = value
    return found


def _depth_of_amount(amount: Amount) -> int:
    deepest, waiting = 0, [(amount, 1)]
    while waiting:
        here, depth = waiting.pop()
        deepest = max(deepest, depth)
        if here.left is not None and here.right is not None:
            waiting += [(here.left, depth + 1), (here.right, depth + 1)]
    return deepest
