"""Reading bounds of points (policy page, section 3): exact arithmetic, signs, parameters."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.bound_text import read_bound
from rules.expression import Amount

PARAMETERS = {
    "line": [(19000, Fraction(910)), (19400, Fraction(962))],
    "gap": [(19100, Fraction(52)), (19400, Fraction(0))],
    "_x1": [(0, Fraction(1, 2))],
    "and": [(0, Fraction(7))],
    "faulty": [],
}
VALUES = {"line": Fraction(910), "gap": Fraction(52), "_x1": Fraction(1, 2), "and": Fraction(7)}

Faults = list[tuple[int, str, str]]


def parse(text: str) -> tuple[Amount | None, Faults]:
    faults: Faults = []
    amount = read_bound(text, PARAMETERS, lambda at, message, hint: faults.append((at, message, hint)))
    assert (amount is None) == bool(faults)
    return amount, faults


def value(text: str) -> Fraction:
    amount, faults = parse(text)
    assert amount is not None, faults
    return amount.value(VALUES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("40", 40),
        ("-2", -2),
        ("- 2", -2),
        ("100.50", Fraction(201, 2)),
        ("010", 10),
        ("line", 910),
        ("1.5 * line", 1365),
        ("line*1.5+_x1", Fraction(2731, 2)),
        ("1000 - 100 - 100 * 2 / 4 / 5", 890),
        ("100 / 3", Fraction(100, 3)),
        ("0.1 + 0.2", Fraction(3, 10)),
        ("(line - 10) * (2 + 1)", 2700),
        ("10 - (3 - 2)", 9),
        ("-1 * line + 2500", 1590),
        ("5--3", 8),
        ("5 - -3 * -2", -1),
        ("2 * -3", -6),
        ("and + 1", 8),
        ("((7))", 7),
    ],
)
def test_value(text: str, expected: int | Fraction) -> None:
    assert value(text) == expected


def test_the_text_is_what_the_file_says() -> None:
    amount, _ = parse(" 1.5 * ( line - 10 ) + 2 ")
    assert amount is not None
    assert amount.text == "1.5 * ( line - 10 ) + 2"
    assert amount.left is not None
    assert amount.left.text == "1.5 * ( line - 10 )"
    assert amount.left.right is not None
    assert amount.left.right.text == "( line - 10 )"
    assert amount.parameters() == {"line"}


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("", 0, "the bound is empty: expected a number or an expression"),
        ("lin", 0, "unknown parameter `lin`"),
        ("-line", 0, "a minus can only stand before a number"),
        ("-(3)", 0, "a minus can only stand before a number"),
        ("2 - -line", 4, "a minus can only stand before a number"),
        ("--3", 0, "a minus can only stand before a number"),
        ("+3", 0, "expected a number or a parameter, found `+`"),
        ("2 +", 3, "expected a number or a parameter, found the end"),
        ("2 3", 2, "expected `+ - * /` or the end of the bound, found `3`"),
        ("2 -3 4", 5, "expected `+ - * /` or the end of the bound, found `4`"),
        ("(2", 2, "expected `)` to close the bracket, found the end"),
        ("2)", 1, "expected `+ - * /` or the end of the bound, found `)`"),
        ("2 ** 3", 3, "expected a number or a parameter, found `*`"),
        ("2 // 3", 3, "expected a number or a parameter, found `/`"),
        ("2 % 3", 2, "unexpected character `%`"),
        ("line > 3", 5, "expected `+ - * /` or the end of the bound, found `>`"),
        ("'3'", 0, "expected a number or a parameter, found `'3'`"),
        ("1 / 0", 2, "the bound divides by zero: `0` is 0"),
        ("1 / gap", 2, "the bound divides by zero on 2023-02-12: `gap` is 0"),
        ("1 / (line - 910)", 2, "the bound divides by zero on 2022-01-08: `(line - 910)` is 0"),
        ("1 / (gap - 962 + line)", 2, "the bound divides by zero on 2022-01-08: `(gap - 962 + line)` is 0"),
        ("2 / (1 / 0)", 7, "the bound divides by zero: `0` is 0"),
        ("nothing + 1 / 0", 12, "the bound divides by zero: `0` is 0"),
        ("1 × 2", 2, "unexpected character `×`"),
    ],
)
def test_fault(text: str, at: int, message: str) -> None:
    _, faults = parse(text)
    assert (at, message) in [(place, said) for place, said, _ in faults], faults


def test_zero_at_no_date_in_force_is_good() -> None:
    """`gap` is 0 only while `line` is 962, and 52 only while it is 910."""
    amount, _ = parse("1 / (line + gap - 961)")
    assert amount is not None


def test_each_division_by_zero_is_reported_once() -> None:
    _, faults = parse("1 / gap + 2 / gap + 3 / line")
    assert [at for at, _, _ in faults] == [2, 12]


def test_a_faulty_parameter_makes_no_further_fault() -> None:
    amount, faults = parse("1 / faulty")
    assert amount is not None
    assert not faults


def test_deep_and_long_bounds_are_a_fault_not_a_crash() -> None:
    _, faults = parse("(" * 100_000 + "1" + ")" * 100_000)
    assert [message for _, message, _ in faults] == ["brackets are nested more than 40 deep"]
    _, faults = parse("+".join(["1"] * 100_000))
    assert [message for _, message, _ in faults] == ["the bound is nested or chained more than 100 deep"]
    assert value("+".join(["1"] * 99)) == 99


NUMBERS = (
    st.integers(0, 99).map(str) | st.decimals(0, 99, places=2).map(str) | st.sampled_from(["line", "_x1"])
)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        NUMBERS,
        lambda of: st.tuples(of, st.sampled_from(["+", "-", "*"]), of).map(" ".join) | of.map("({})".format),
        max_leaves=12,
    )
)
def test_arithmetic_is_pythons_on_fractions(text: str) -> None:

    names = {name: VALUES[name] for name in ("line", "_x1")}
    python = re.sub(r"(?<![a-z_0-9.])([0-9]+(?:\.[0-9]+)?)", r"F('\1')", text)
    assert value(text) == eval(python, {"F": Fraction}, names)
