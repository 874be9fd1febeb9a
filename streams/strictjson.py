"""JSON as the contract means it: UTF-8, no byte order mark, no ``NaN``, no lone surrogate, exact numbers.

Of a key that stands twice the last one holds. Numbers stay text (:class:`Number`) and are read by value
with :func:`scaled`, so that neither floats nor huge exponents come in.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

#: Containers within containers, the outermost counted; deeper text counts as no JSON. The contract wants
#: 64 at least; with 256 a text of an event's usual size need not be searched, it cannot be that deep.
MAX_DEPTH: Final = 256

_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|.)", re.DOTALL)
# One that is not ended runs to the end of the text: so no text is scanned twice.
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.DOTALL)
_NUMBER: Final = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?)([0-9]+))?")
_MAX_DIGITS: Final = 40  # more than any bound that a value is held against


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


class NotJsonError(ValueError):
    """The text is no JSON; the message says where and why, without what stands there."""


def _constant(name: str) -> NoReturn:
    raise NotJsonError(f"`{name}` is no JSON number")


_decoder: Final = json.JSONDecoder(parse_float=Number, parse_int=Number, parse_constant=_constant)


def parse(raw: bytes) -> object:
    """Read one JSON text into dict, list, str, :class:`Number`, bool and None.

    Raises:
        NotJsonError: it is none.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJsonError(f"byte {error.start + 1} is not UTF-8") from None
    if text.startswith("\ufeff"):
        raise NotJsonError("it starts with a byte order mark")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(text) > MAX_DEPTH:
        raise NotJsonError(f"it is nested over {MAX_DEPTH} levels")
    try:
        value: object = _decoder.decode(text)
    except RecursionError:  # only where the program itself is deep in calls
        raise NotJsonError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise NotJsonError(f"at character {error.pos + 1}: {what}") from None
    if "\\" in text and _has_lone_surrogate(text):
        raise NotJsonError("it has a lone surrogate")
    return value


def _depth(text: str) -> int:
    """The deepest nesting of a text, also where it is broken."""
    depth = deepest = 0
    for char in _STRING.sub("", text):
        if char in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif char in "]}":
            depth -= 1
    return deepest


def _has_lone_surrogate(text: str) -> bool:
    """Whether the escapes of a valid JSON text hold half a surrogate pair."""
    half = -1  # where the low half of a pair has to start
    for match in _ESCAPE.finditer(text):
        code = int(match[1], 16) if match[1] else 0
        if half >= 0:
            if match.start() != half or not 0xDC00 <= code <= 0xDFFF:
                return True
            half = -1
        elif 0xD800 <= code <= 0xDBFF:
            half = match.end()
        elif 0xDC00 <= code <= 0xDFFF:
            return True
    return half >= 0


def scaled(number: str, decimals: int) -> int | None:
    """The value of a number times 10 to the power of ``decimals``, if that is whole and not huge.

    Exact, and cheap also for ``1e999999999``. Numbers of 40 digits or more give None: every bound is
    far smaller.
    """
    match = _NUMBER.fullmatch(number)
    if match is None:
        return None
    sign, whole, fraction, exponent_sign, exponent_digits = match.groups()
    fraction = fraction or ""
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return 0
    exponent = (exponent_digits or "").lstrip("0")
    if len(exponent) > 9:  # the value is at most 64 KiB long: no number of zeros makes up for that
        return None
    power = int(exponent or "0") * (-1 if exponent_sign == "-" else 1)
    power += len(digits) - len(significant) - len(fraction) + decimals
    if power < 0 or len(significant) + power >= _MAX_DIGITS:
        return None
    value: int = int(significant) * 10**power
    return -value if sign else value
