"""JSON of RFC 8259, read strictly and exactly.

Numbers keep their decimal digits (no floats), of a key that stands twice the last
value holds, and a byte order mark, ``NaN`` or a lone surrogate anywhere is no JSON.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

# Beyond this many digits a number is outside every range that the catalogue knows;
# it is not worked out, so that `1e999999999` costs nothing.
MAX_EXPONENT = 10**9
MAX_DIGITS = 40


class NotJsonError(Exception):
    """The bytes are no JSON; the text says where and why."""


@dataclass(frozen=True)
class Number:
    """A JSON number: sign * digits * 10 ** exponent, without trailing zeros in digits."""

    negative: bool
    digits: str  # "" is zero
    exponent: int

    def is_whole(self) -> bool:
        return self.digits == "" or self.exponent >= 0

    def has_at_most_two_decimals(self) -> bool:
        return self.digits == "" or self.exponent >= -2

    def value(self) -> Fraction | None:
        """The exact value; None if it is too large or too fine for any field."""
        if self.digits == "":
            return Fraction(0)
        if len(self.digits) + abs(self.exponent) > MAX_DIGITS:
            return None
        size = Fraction(int(self.digits)) * Fraction(10) ** self.exponent
        return -size if self.negative else size


Json: TypeAlias = "bool | str | Number | list[Json] | dict[str, Json] | None"


def number_of(sign: str, whole: str, decimals: str, exponent: str) -> Number:
    """Build a number from the parts of its text (exponent with its sign, or empty)."""
    digits = whole + decimals
    stripped = digits.rstrip("0")
    dropped = len(digits) - len(stripped)
    stripped = stripped.lstrip("0")
    if stripped == "":
        return Number(False, "", 0)
    power = exponent.lstrip("+-").lstrip("0")
    shift = 0 if power == "" else (MAX_EXPONENT if len(power) > 9 else int(power))
    if exponent.startswith("-"):
        shift = -shift
    return Number(sign == "-", stripped, shift - len(decimals) + dropped)


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self, what: str) -> NotJsonError:
        return NotJsonError(f"at character {self.at + 1}: {what}")

    def peek(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def space(self) -> None:
        while self.peek() != "" and self.peek() in " \t\r\n":
            self.at += 1

    def expect(self, char: str) -> None:
        if self.peek() != char:
            raise self.fail(f"expected {char!r}")
        self.at += 1

    def value(self) -> Json:
        char = self.peek()
        if char == "{":
            return self.object()
        if char == "[":
            return self.array()
        if char == '"':
            return self.string()
        if char != "" and char in "-0123456789":
            return self.number()
        for word, meaning in (("true", True), ("false", False), ("null", None)):
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return meaning
        raise self.fail("expected a value")

    def object(self) -> Json:
        found: dict[str, Json] = {}
        self.expect("{")
        self.space()
        if self.peek() == "}":
            self.at += 1
            return found
        while True:
            self.space()
            key = self.string()
            self.space()
            self.expect(":")
            self.space()
            found[key] = self.value()
            self.space()
            if self.peek() == ",":
                self.at += 1
                continue
            self.expect("}")
            return found

    def array(self) -> Json:
        found: list[Json] = []
        self.expect("[")
        self.space()
        if self.peek() == "]":
            self.at += 1
            return found
        while True:
            self.space()
            found.append(self.value())
            self.space()
            if self.peek() == ",":
                self.at += 1
                continue
            self.expect("]")
            return found

    def string(self) -> str:
        self.expect('"')
        out: list[str] = []
        while True:
            char = self.peek()
            if char == "" or char < " ":
                raise self.fail("unended string or raw control character")
            self.at += 1
            if char == '"':
                break
            if char != "\\":
                out.append(char)
                continue
            escape = self.peek()
            self.at += 1
            plain = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
            if escape in plain:
                out.append(plain[escape])
            elif escape == "u":
                out.append(self.escaped())
            else:
                raise self.fail("unknown escape")
        return "".join(out)

    def unit(self) -> int:
        digits = self.text[self.at : self.at + 4]
        if len(digits) != 4 or any(digit not in "0123456789abcdefABCDEF" for digit in digits):
            raise self.fail("expected four hexadecimal digits")
        self.at += 4
        return int(digits, 16)

    def escaped(self) -> str:
        unit = self.unit()
        if 0xDC00 <= unit <= 0xDFFF:
            raise self.fail("lone surrogate")
        if not 0xD800 <= unit <= 0xDBFF:
            return chr(unit)
        if not self.text.startswith("\\u", self.at):
            raise self.fail("lone surrogate")
        self.at += 2
        low = self.unit()
        if not 0xDC00 <= low <= 0xDFFF:
            raise self.fail("lone surrogate")
        return chr(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00))

    def run_of_digits(self) -> str:
        start = self.at
        while self.peek() != "" and self.peek() in "0123456789":
            self.at += 1
        if self.at == start:
            raise self.fail("expected a digit")
        return self.text[start : self.at]

    def number(self) -> Number:
        sign = ""
        if self.peek() == "-":
            sign = "-"
            self.at += 1
        whole = self.run_of_digits()
        if len(whole) > 1 and whole[0] == "0":
            raise self.fail("a leading zero")
        decimals = exponent = ""
        if self.peek() == ".":
            self.at += 1
            decimals = self.run_of_digits()
        if self.peek() in ("e", "E"):
            self.at += 1
            if self.peek() in ("+", "-"):
                exponent = self.peek()
                self.at += 1
            exponent += self.run_of_digits()
        return number_of(sign, whole, decimals, exponent)


def read(raw: bytes) -> Json:
    """Read one JSON value, surrounded by white space at most.

    Raises:
        NotJsonError: it is no JSON in UTF-8.
    """
    try:
        text = raw.decode("utf-8")  # refuses encoded surrogates and overlong forms
    except UnicodeDecodeError as error:
        raise NotJsonError(f"no UTF-8: {error.reason}") from error
    if text.startswith("\ufeff"):
        raise NotJsonError("a byte order mark")
    reader = _Reader(text)
    reader.space()
    value = reader.value()
    reader.space()
    if reader.at != len(text):
        raise reader.fail("more after the value")
    return value
