"""Words of expressions and bounds, with their places."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, cast

FaultAt = Callable[[int, str, str], None]
"""Takes the index of the faulty character in the text, what is wrong, and a hint."""

#: Depth of brackets and of the finished tree: what reads the tree may then recurse, and Python's own
#: compiler allows no more than 200 open brackets.
MOST_BRACKETS: Final = 40
MOST_DEEP: Final = 100
#: Longer numbers are no amounts of money; Python refuses to read 4,300 digits.
MOST_DIGITS: Final = 400

_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)"
    r"|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<string>\"[^\"]*\"|'[^']*')"
    r"|(?P<sign>==|!=|<=|>=|[-+*/()<>\[\],])"
)
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
    "＆": "and",
    "&": "and",
    "|": "or",
    "!": "not",
    "\u3000": " ",
    "\u00a0": " ",
}


class Token(NamedTuple):
    """One word: its text as it stands in the file, and the index of its first character."""

    kind: Literal["number", "name", "word", "string", "sign", "end"]
    text: str
    at: int

    def described(self) -> str:
        """How messages speak of it."""
        return "the end" if self.kind == "end" else f"`{self.text}`"


class GrammarError(Exception):
    """Ends the reading of one expression; the fault is already reported."""


class Reader:
    """What both kinds of expression share: the words, and where the reading stands.

    Args:
        text: the expression.
        report: takes each fault.
        words: names that are words of the language.
    """

    def __init__(self, text: str, report: FaultAt, words: frozenset[str] = frozenset()) -> None:
        self.text = text
        self.faulty = False
        self.position = 0
        self._report = report
        self._words = words
        self._brackets = 0
        self._tokens: list[Token] = []
        self._unread: tuple[int, str, str] | None = None

    def fault(self, at: Token | int, message: str, hint: str = "") -> None:
        """Report a fault and read on."""
        self.faulty = True
        self._report(at if isinstance(at, int) else at.at, message, hint)

    def stop(self, token: Token, message: str, hint: str = "") -> GrammarError:
        """Report a fault that ends the reading; to be raised."""
        if token.kind == "end" and self._unread is not None:
            self.fault(*self._unread)
        else:
            self.fault(token, message, hint)
        return GrammarError()

    def split(self) -> None:
        """Cut the text into tokens, up to the first character that begins none.

        That character is reported when the reading comes to it, after all faults before it.
        """
        at = 0
        while at < len(self.text):
            match = _TOKEN.match(self.text, at)
            if match is None:
                self._unread = (at, *_about(self.text[at]))
                break
            kind, text = cast(str, match.lastgroup), match.group()
            if kind == "number" and len(text) > MOST_DIGITS:
                self._unread = (at, f"a number has at most {MOST_DIGITS} digits", "")
                break
            if kind == "name" and text in self._words:
                kind = "word"
            if kind != "space":
                self._tokens.append(Token(cast(Literal["number"], kind), text, at))
            at = match.end()
        self._tokens.append(Token("end", "", at))

    def is_at_end(self) -> bool:
        """Whether the whole text is read."""
        return self.peek().kind == "end" and self._unread is None

    def finish(self, expected: str) -> None:
        """Check that nothing is left over."""
        token = self.peek()
        if not self.is_at_end():
            hint = ""
            if token.kind == "name" and token.text.lower() in self._words:
                hint = f"write `{token.text.lower()}`"
            raise self.stop(token, f"expected {expected}, found {token.described()}", hint)

    def peek(self, ahead: int = 0) -> Token:
        """The next token, or one further on (the end, past the end)."""
        return self._tokens[min(self.position + ahead, len(self._tokens) - 1)]

    def last(self) -> Token:
        """The token taken last."""
        return self._tokens[self.position - 1]

    def take(self) -> Token:
        """The next token; reading moves behind it."""
        token = self._tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def is_next(self, *texts: str) -> bool:
        """Whether one of these signs or words comes next."""
        return self.peek().kind in ("sign", "word") and self.peek().text in texts

    def expect(self, sign: str, where: str) -> None:
        """Take a sign that has to stand here."""
        if not self.is_next(sign):
            raise self.stop(self.peek(), f"expected `{sign}` {where}, found {self.peek().described()}")
        self.take()

    def open(self) -> None:
        """Take an opening bracket."""
        token = self.take()
        self._brackets += 1
        if self._brackets > MOST_BRACKETS:
            raise self.stop(token, f"brackets are nested more than {MOST_BRACKETS} deep")

    def close(self) -> None:
        """Take the closing bracket."""
        self.expect(")", "to close the bracket")
        self._brackets -= 1


def _about(character: str) -> tuple[str, str]:
    """What is wrong with a character that begins no token, and a hint."""
    if character in "\"'":
        return f"the text that begins here lacks its closing {character}", ""
    if character == "=":
        return "`=` is no operator", "write `==` to compare"
    instead = _ASCII_FOR.get(character, "")
    shown = f"`{character}`" if character.isprintable() and instead != " " else f"U+{ord(character):04X}"
    hint = "write a plain space" if instead == " " else f"write `{instead}`" if instead else ""
    return f"unexpected character {shown}", hint
