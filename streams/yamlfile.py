"""YAML files that say where they are wrong.

Scalars are read by their text (``no`` is the text "no", ``010`` the number 10), so values keep what a
person typed; a key that stands twice is a fault. Positions count from 1, in characters.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import yaml

from streams.errors import Fault, FileFaults, InputError

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
#: Longer numbers mean nothing in any unit, and Python refuses to read 4,300 digits.
_MOST_DIGITS = 400
#: Files of this house are nested about 8 deep.
_MOST_DEEP = 60


class Source:
    """One file being read: its path, its text and the faults found so far."""

    def __init__(self, path: str, raw: bytes) -> None:
        self.path = path
        self.raw = raw
        self.digest = hashlib.sha256(raw).hexdigest()
        self.faults: list[Fault] = []
        self._nodes: dict[int, Node] = {}
        self._open: set[int] = set()

    def fault(self, at: Node | tuple[int, int], message: str, hint: str = "") -> None:
        """Record a fault at a node, or at a (line, column) that counts from 1."""
        line, column = at if isinstance(at, tuple) else (at.line, at.column)
        self.faults.append(Fault(self.path, line, column, message, hint))

    def node(self, node: yaml.Node) -> Node:
        """The node of a YAML node; all aliases of one share it, so that they cannot multiply.

        Raises:
            FileFaults: an alias stands inside what it names, or the file is nested too deep.
        """
        found = self._nodes.get(id(node))
        if found is None:
            if id(node) in self._open or len(self._open) >= _MOST_DEEP:
                place = (node.start_mark.line + 1, node.start_mark.column + 1)
                inside = id(node) in self._open
                self.fault(
                    place,
                    "an alias stands inside what it names" if inside else f"nested over {_MOST_DEEP} deep",
                )
                raise FileFaults(self.faults)
            self._open.add(id(node))
            found = self._nodes[id(node)] = Node(self, node)
            self._open.remove(id(node))
        return found

    def check(self) -> None:
        """Raise :class:`FileFaults` if any fault was recorded."""
        if self.faults:
            raise FileFaults(self.faults)


class Node:
    """A scalar, list or mapping of a YAML file, with its place.

    Attributes:
        line, column: place of the value, from 1, in characters.
        kind: ``scalar``, ``list`` or ``mapping``.
        quoted: a scalar that stands in quotes or as a block (its text starts one column on).
    """

    __slots__ = ("_items", "_keys", "_values", "column", "kind", "line", "quoted", "source", "text")

    def __init__(self, source: Source, node: yaml.Node) -> None:
        self.source = source
        self.line: int = node.start_mark.line + 1
        self.column: int = node.start_mark.column + 1
        self.text = ""
        self.quoted = False
        self._items: list[Node] = []
        self._keys: dict[str, Node] = {}
        self._values: dict[str, Node] = {}
        if isinstance(node, yaml.ScalarNode):
            self.kind = "scalar"
            self.text = node.value
            self.quoted = bool(node.style)
        elif isinstance(node, yaml.SequenceNode):
            self.kind = "list"
            self._items = [source.node(child) for child in node.value]
        else:
            self.kind = "mapping"
            for key_node, value_node in node.value:
                key = source.node(key_node)
                if key.kind != "scalar":
                    source.fault(key, "a key must be a plain text")
                    continue
                if key.text in self._keys:
                    source.fault(key, f"the key `{key.text}` stands twice")
                    continue
                self._keys[key.text] = key
                self._values[key.text] = source.node(value_node)

    # -- mappings --------------------------------------------------------------------------------
    def keys(self) -> list[str]:
        """The keys of a mapping, in the order of the file."""
        return list(self._keys)

    def key(self, name: str) -> Node:
        """The node of a key itself (for faults about the key)."""
        return self._keys[name]

    def get(self, name: str) -> Node | None:
        """The value under a key, or None where the key is missing."""
        return self._values.get(name)

    def items(self) -> Iterator[tuple[Node, Node]]:
        """Pairs of (key, value) of a mapping, in the order of the file."""
        for name, key in self._keys.items():
            yield key, self._values[name]

    def elements(self) -> list[Node]:
        """The elements of a list."""
        return self._items

    # -- checks that record a fault and return None -------------------------------------------------
    def mapping(self, what: str, required: Iterable[str] = (), optional: Iterable[str] | None = ()) -> bool:
        """Check that this is a mapping with these keys; ``optional=None`` allows any other key."""
        if self.kind != "mapping":
            self.source.fault(self, f"{what} must be a mapping, not {self.described()}")
            return False
        required = list(required)
        if optional is not None:
            known = [*required, *optional]
            for name, key in self._keys.items():
                if name not in known:
                    self.source.fault(key, f"unknown key `{name}` in {what}", suggest(name, known))
        for name in required:
            if name not in self._keys:
                self.source.fault(self, f"{what} lacks the key `{name}`")
        return True

    def string(self, what: str) -> str | None:
        """The text of a scalar."""
        if self.kind != "scalar":
            self.source.fault(self, f"{what} must be a text, not {self.described()}")
            return None
        return self.text

    def number(self, what: str) -> Fraction | None:
        """A number ``-?[0-9]+(\\.[0-9]+)?``, exactly."""
        if self.kind != "scalar" or not _NUMBER.fullmatch(self.text):
            self.source.fault(self, f"{what} must be a number, not {self.described()}")
            return None
        if len(self.text) > _MOST_DIGITS:
            self.source.fault(self, f"{what} must be a number of at most {_MOST_DIGITS} digits")
            return None
        return Fraction(self.text)

    def integer(self, what: str, least: int | None = None, greatest: int | None = None) -> int | None:
        """A whole number, within bounds."""
        number = self.number(what)
        if number is None:
            return None
        if number.denominator != 1:
            self.source.fault(self, f"{what} must be a whole number, not {self.described()}")
            return None
        if (least is not None and number < least) or (greatest is not None and number > greatest):
            between = f"at least {least}" if greatest is None else f"from {least} to {greatest}"
            self.source.fault(self, f"{what} must be {between}, not {self.text}")
            return None
        return int(number)

    def days(self, what: str, least: int = 1) -> int | None:
        """A duration ``<n>d``, in days."""
        if self.kind != "scalar" or not re.fullmatch(r"[0-9]{1,400}d", self.text):
            self.source.fault(self, f"{what} must be a number of days such as 90d, not {self.described()}")
            return None
        days = int(self.text[:-1])
        if days < least:
            self.source.fault(self, f"{what} must be at least {least}d, not {self.text}")
            return None
        return days

    def choice(self, what: str, of: Iterable[str]) -> str | None:
        """One of several texts."""
        of = list(of)
        text = self.string(what)
        if text is None:
            return None
        if text not in of:
            self.source.fault(self, f"unknown {what} `{text}`", suggest(text, of))
            return None
        return text

    def pattern(self, what: str, grammar: re.Pattern[str], such_as: str) -> str | None:
        """A text that matches a grammar."""
        text = self.string(what)
        if text is None:
            return None
        if not grammar.fullmatch(text):
            self.source.fault(self, f"{what} `{text}` is malformed: expected a text such as {such_as}")
            return None
        return text

    def sequence(self, what: str) -> list[Node] | None:
        """The elements of a list."""
        if self.kind != "list":
            self.source.fault(self, f"{what} must be a list, not {self.described()}")
            return None
        return self._items

    def one_or_many(self, what: str) -> list[Node] | None:
        """A scalar as a list of one, or the elements of a list that is not empty."""
        if self.kind == "scalar":
            return [self]
        items = self.sequence(what)
        if items is not None and not items:
            self.source.fault(self, f"{what} must name at least one")
            return None
        return items

    def described(self) -> str:
        """A few words on what stands here, for messages."""
        if self.kind == "scalar":
            return f"`{self.text}`" if self.text else "nothing"
        return f"a {self.kind}"


def suggest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, and all of them where they are few."""
    known = sorted(set(known))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean `{near[0]}`?" if near else ""
    if known and len(known) <= 12:
        hint = f"{hint} one of: {', '.join(known)}".strip()
    return hint


def read_yaml(path: str | Path, raw: bytes | None = None) -> tuple[Source, Node]:
    """Read one YAML document.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is no UTF-8, no YAML, or empty.
    """
    name = str(path)
    if raw is None:
        try:
            raw = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"{name}: cannot be read: {error.strerror or error}") from None
    source = Source(name, raw)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        source.fault((line, len(before) - before.rfind("\n")), "the file is not UTF-8 text: save it as UTF-8")
        raise FileFaults(source.faults) from None
    try:
        root = yaml.compose(text, Loader=yaml.CSafeLoader if _is_plain(text) else yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        about = ", ".join(part for part in (error.context, error.problem) if part)
        source.fault(place, f"broken YAML: {about}")
        raise FileFaults(source.faults) from None
    except yaml.YAMLError as error:
        source.fault((1, 1), f"broken YAML: {str(error).splitlines()[0]}")
        raise FileFaults(source.faults) from None
    if root is None:
        source.fault((1, 1), "the file is empty: expected a mapping")
        raise FileFaults(source.faults)
    return source, source.node(root)


def _is_plain(text: str) -> bool:
    """Whether libyaml counts this text's columns as we do (it does not know a byte order mark)."""
    return not text.startswith("\ufeff")
