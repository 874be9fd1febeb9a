"""JSON as the contract means it (events, sections 1 to 3)."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.strictjson import MAX_DEPTH, NotJsonError, Number, parse, scaled

NOT_JSON = [
    b"",
    b"  ",
    b"\xef\xbb\xbf{}",
    b"NaN",
    b'{"a": NaN}',
    b"[Infinity]",
    b"-Infinity",
    b'"\\ud800"',
    b'"\\uD83D\\uD83D\\uDE00"',
    b'"\\udc00"',
    b'"\\ud83d \\ude00"',
    b'"\\ud83d\\n"',
    b'{"\\udfff": 1}',
    b'{"a": "\\ud800", "a": 1}',
    b'"\xff"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"\t"',
    b'"\x00"',
    b"{} x",
    b"{}{}",
    b"[1,]",
    b'{"a":1,}',
    b"{'a':1}",
    b"{a:1}",
    b"01",
    b"1.",
    b".5",
    b"+1",
    b"1e",
    b"0x10",
    b"\x0c1",
    b"\xc2\xa01",
    b'"unfinished',
    b'"\\x41"',
    b'"\\u12"',
    b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    b'{"a":' * (MAX_DEPTH + 1) + b"1" + b"}" * (MAX_DEPTH + 1),
    b"[" * 60_000,
    b'"' + b'\\"' * 30_000 + b"[" * 2000,
]


@pytest.mark.parametrize("raw", NOT_JSON, ids=lambda raw: repr(raw[:20]))
def test_what_is_no_json(raw: bytes) -> None:
    with pytest.raises(NotJsonError):
        parse(raw)


def test_what_is_json() -> None:
    assert parse(b' \t\r\n{"a": [1.50, true, false, null, "x"]} \n') == {
        "a": ["1.50", True, False, None, "x"]
    }
    assert parse(b'"\\ud83d\\ude00 \\\\ud800 \\u0041\\/"') == "\U0001f600 \\ud800 A/"
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH) is not None
    assert parse(b'"' + b"[" * 300 + b'"') == "[" * 300  # in a text these are no levels


def test_sixty_four_levels_are_read() -> None:
    """The contract lets nesting over 64 levels be no JSON, not less."""
    assert parse(b"[" * 64 + b"]" * 64) is not None


def test_the_last_of_a_key_that_stands_twice_holds() -> None:
    assert parse(b'{"a": 1, "b": 2, "\\u0061": 3}') == {"a": "3", "b": "2"}


def test_numbers_are_kept_as_written_and_are_no_texts() -> None:
    number = parse(b"-0.1000000000000000000001e5")
    assert type(number) is Number
    assert number == "-0.1000000000000000000001e5"
    assert type(parse(b'"5"')) is str
    assert type(parse(b"1" * 10_000)) is Number  # more digits than Python's int reads


@pytest.mark.parametrize(
    ("number", "decimals", "value"),
    [
        ("5", 0, 5),
        ("5.0", 0, 5),
        ("5e0", 0, 5),
        ("50e-1", 0, 5),
        ("0.5e1", 0, 5),
        ("5.5", 0, None),
        ("-0", 0, 0),
        ("-0.0", 2, 0),
        ("0e999999999999999999999", 0, 0),
        ("1e999999999", 0, None),
        ("1e-999999999", 0, None),
        ("1e999999999999999999999", 2, None),
        ("9007199254740993.0", 0, 9007199254740993),
        ("12.500", 2, 1250),
        ("12.501", 2, None),
        ("0.1000000000000000000001", 2, None),
        ("92233720368547758.07", 2, 9223372036854775807),
        ("-1.5", 2, -150),
        ("1" * 5000, 0, None),
        ("1" + "0" * 5000 + "e-5000", 0, 1),
        ("0." + "0" * 5000 + "1e5001", 0, 1),
        ("abc", 0, None),
    ],
)
def test_values_are_exact(number: str, decimals: int, value: int | None) -> None:
    assert scaled(number, decimals) == value


@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(0, 2))
@settings(max_examples=200)
def test_scaled_agrees_with_decimal(number: Decimal, decimals: int) -> None:
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    text = f"{'-' if sign else ''}{''.join(map(str, digits))}e{exponent}"
    power = exponent + decimals
    exact = int("".join(map(str, digits))) * (-1 if sign else 1)
    whole: int | None
    if exact == 0:
        whole = 0
    elif power >= 0:
        whole = exact * 10**power if power < 50 else None
    else:
        whole = exact // 10**-power if -power < 50 and exact % 10**-power == 0 else None
    if whole is not None and len(str(abs(whole))) >= 40:
        whole = None
    assert scaled(text, decimals) == whole


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def _plain(value: object) -> object:
    if isinstance(value, Number):
        return int(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return value


@given(JSON, st.booleans())
@settings(max_examples=150)
def test_encode_then_parse_is_identity(value: object, ascii_only: bool) -> None:
    assert _plain(parse(json.dumps(value, ensure_ascii=ascii_only).encode())) == value
