"""Where the characters of a YAML file stand: for faults inside a scalar, and for showing a fault's line.

Lines and columns count from 1, in characters, and lines end where YAML 1.1 ends them.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable

from streams.errors import Fault

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_SPACE = re.compile("[ \t\n\r\x85\u2028\u2029]+")
_ESCAPED = {"x": 2, "u": 4, "U": 8}
#: Columns of a source line that are shown around a fault.
_WIDEST = 110


class Places:
    """The lines of one file."""

    def __init__(self, raw: bytes) -> None:
        # A byte order mark has no column.
        self.text = raw.decode("utf-8", errors="replace").removeprefix("\ufeff")
        self._starts = [0, *(match.end() for match in _BREAK.finditer(self.text))]
        self._ends = [*(match.start() for match in _BREAK.finditer(self.text)), len(self.text)]

    def line(self, number: int) -> str:
        """The text of a line, without its end; empty past the end of the file."""
        if not 1 <= number <= len(self._starts):
            return ""
        return self.text[self._starts[number - 1] : self._ends[number - 1]]

    def place(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character of the file."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def inside(self, line: int, column: int, value: str, index: int) -> tuple[int, int]:
        """The place of one character of a scalar.

        Args:
            line, column: where the scalar begins (its quote, or its anchor or tag, included).
            value: what YAML reads there.
            index: of the character in ``value``; ``len(value)`` for the place behind the last one.

        Returns:
            Its place in the file; that of the scalar where the file spells the value in a way that is
            not followed here (rare escapes, odd line ends).
        """
        if not 1 <= line <= len(self._starts):
            return line, column
        start = self._starts[line - 1] + column - 1
        while self.text[start : start + 1] in ("&", "!"):  # an anchor or a tag
            behind = re.compile(r"[^\s]+\s*").match(self.text, start)
            start = behind.end() if behind else start + 1
        style = self.text[start : start + 1]
        if style in ("'", '"'):
            offsets = self._follow_flow(start + 1, value, style)
        elif style in ("|", ">"):
            offsets = self._follow_block(start, value)
        else:
            offsets = self._follow_flow(start, value, "")
        if offsets is None:
            return self.place(start)
        if index < len(offsets):
            return self.place(offsets[index])
        return self.place(offsets[-1] + 1 if offsets else start)

    def _follow_flow(self, at: int, value: str, quote: str) -> list[int] | None:
        """Offsets of the characters of a plain or quoted scalar whose text begins at ``at``."""
        text, offsets, read = self.text, [], ""
        while len(read) < len(value):
            if at >= len(text):
                return None
            spaces = _SPACE.match(text, at)
            if spaces is not None and _BREAK.search(spaces.group()):
                breaks = len(_BREAK.findall(spaces.group()))
                folded = " " if breaks == 1 else "\n" * (breaks - 1)
                offsets += [at] * len(folded)
                read += folded
                at = spaces.end()
                continue
            step, character = 1, text[at]
            if quote == "'" and text.startswith("''", at):
                step = 2
            elif quote == '"' and character == "\\":
                broken = _BREAK.match(text, at + 1)
                if broken is not None:  # an escaped end of line joins without a space
                    indent = _SPACE.match(text, broken.end())
                    at = indent.end() if indent is not None else broken.end()
                    continue
                step = 2 + _ESCAPED.get(text[at + 1 : at + 2], 0)
                character = value[len(read)]
            read += character
            offsets.append(at)
            at += step
        return offsets if read == value else None

    def _follow_block(self, start: int, value: str) -> list[int] | None:
        """Offsets of the characters of a block scalar (``|`` or ``>``) whose header begins at ``start``."""
        text, offsets = self.text, []
        header = _BREAK.search(text, start)
        at = header.end() if header is not None else len(text)
        indented = re.compile("(?:[ ]*(?:\r\n|[\n\r]))*([ ]*)").match(text, at)
        indent = len(indented.group(1)) if indented is not None else 0
        at_line_start = True
        for character in value:
            while at_line_start:
                skip = 0
                while skip < indent and text[at : at + 1] == " ":
                    at, skip = at + 1, skip + 1
                broken = _BREAK.match(text, at)
                at_line_start = False
                if broken is not None and character not in "\n ":
                    at, at_line_start = broken.end(), True
            broken = _BREAK.match(text, at)
            if broken is not None:
                if character not in "\n ":  # the end of a line that folds into the one before
                    return None
                offsets.append(at)
                at, at_line_start = broken.end(), True
            elif at < len(text) and text[at] == character:
                offsets.append(at)
                at += 1
            elif at >= len(text) and character == "\n":
                offsets.append(at)
            else:
                return None
        return offsets


def render_faults(faults: Iterable[Fault], raw: bytes) -> str:
    """Faults with their source lines, for a terminal.

    Args:
        raw: the bytes of the file that the faults are about.

    Returns:
        For each fault ``file:line:column: message``, the source line, and a caret with the hint under it.
    """
    places = Places(raw)
    return "\n".join("\n".join(_rendered(fault, places)) for fault in faults)


def _rendered(fault: Fault, places: Places) -> list[str]:
    before = places.line(fault.line)[: fault.column - 1]
    after = places.line(fault.line)[fault.column - 1 :]
    if len(before) > _WIDEST * 3 // 4:
        before = "…" + before[-_WIDEST // 2 :]
    if len(before) + len(after) > _WIDEST:
        after = after[: max(0, _WIDEST - len(before))] + "…"
    number = str(fault.line)
    margin = " " * len(number)
    return [
        f"{fault.path}:{fault.line}:{fault.column}: {fault.message}",
        f" {number} | {_shown(before + after)}".rstrip(),
        f" {margin} | {''.join(map(_blank, before))}^ {fault.hint}".rstrip(),
    ]


def _shown(text: str) -> str:
    """A source line without what would steer the terminal."""
    return "".join(
        character if character == "\t" or character.isprintable() else "\ufffd" for character in text
    )


def _blank(character: str) -> str:
    """White space as wide as a character is on a terminal."""
    if character == "\t":
        return "\t"
    if unicodedata.combining(character):
        return ""
    return "  " if unicodedata.east_asian_width(character) in "WF" else " "
