"""YAML files that say where they are wrong.

Scalars are read by their text (``no`` is the text "no", ``010`` the number 10), so values keep what a
person typed; a key that stands twice is a fault. Positions count from 1, in characters.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import zoneinfo
from collections.abc import Container, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from streams.errors import Fault, FileFaults, InputError

Kind = Literal["scalar", "list", "mapping"]

MAX_NESTING: Final = 64
"""Lists and mappings within each other; no file of ours needs ten."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_UNPRINTABLE = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
#: Longer numbers mean nothing in any unit, and Python refuses to read 4,300 digits.
_MOST_DIGITS = 400


#: libyaml's where PyYAML was built with it (its wheels are): ten times faster, the same places.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Source:
    """One file being read: its path, its text and the faults found so far."""

    def __init__(self, path: str, raw: bytes) -> None:
        self.path = path
        self.raw = raw
        self.digest = hashlib.sha256(raw).hexdigest()
        self.faults: list[Fault] = []
        self._seen: set[Fault] = set()
        self.has_broken_structure = False  # what is read would not be what is meant: no use to go on

    def fault(
        self, at: Node | tuple[int, int], message: str, hint: str = "", *, is_secret: bool = False
    ) -> None:
        """Record a fault at a node, or at a (line, column) that counts from 1."""
        line, column = at if isinstance(at, tuple) else (at.line, at.column)
        fault = Fault(self.path, line, column, message, hint, is_secret)
        if fault not in self._seen:  # what an alias repeats is wrong once
            self._seen.add(fault)
            self.faults.append(fault)

    def check(self) -> None:
        """Raise :class:`FileFaults` if any fault was recorded."""
        if self.faults:
            raise FileFaults(self.faults)


class Node:
    """A scalar, list or mapping of a YAML file, with its place.

    Attributes:
        line, column: place of the value, from 1, in characters (an alias stands where its anchor does).
        kind: ``scalar``, ``list`` or ``mapping``.
        text: of a scalar.
        quoted: a scalar that stands in quotes or as a block (its text starts one column on).
    """

    __slots__ = ("_items", "_keys", "_values", "column", "kind", "line", "quoted", "source", "text")

    def __init__(self, source: Source, place: tuple[int, int], kind: Kind) -> None:
        self.source = source
        self.line, self.column = place
        self.kind = kind
        self.text = ""
        self.quoted = False
        self._items: list[Node] = []
        self._keys: dict[str, Node] = {}
        self._values: dict[str, Node] = {}

    # -- mappings --------------------------------------------------------------------------------
    def keys(self) -> list[str]:
        """The keys of a mapping, in the order of the file."""
        return list(self._keys)

    def put(self, key: Node, value: Node) -> None:
        """Add a pair to a mapping; a key that is no text or stands twice is a fault, and changes nothing."""
        if key.kind != "scalar":
            self.source.fault(key, f"a key must be a plain text, not {key.described()}")
        elif key.text in self._keys:
            self.source.fault(key, f"the key `{key.text}` stands twice")
        else:
            self._keys[key.text] = key
            self._values[key.text] = value

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
        """The elements of a list; to add to it is the reader's business."""
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

    def new_id(
        self, what: str, grammar: re.Pattern[str], such_as: str, thing: str, taken: Container[str]
    ) -> str | None:
        """An id that matches a grammar, and that no ``thing`` before it has."""
        id_ = self.pattern(what, grammar, such_as)
        if id_ is not None and id_ in taken:
            self.source.fault(self, f"the {thing} `{id_}` stands twice")
            return None
        return id_

    def timezone(self) -> str | None:
        """The IANA name of a time zone that this machine knows."""
        name = self.string("timezone")
        if name is None:
            return None
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            near = suggest(name, zoneinfo.available_timezones())
            self.source.fault(
                self, f"unknown timezone `{name}`: expected an IANA name such as Asia/Shanghai", near
            )
            return None
        return name

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
        FileFaults: it is no UTF-8, no YAML, empty, or more than one document; keys that stand twice and
            tags are left in ``Source.faults``, to be reported with what is wrong with the content.
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
        before = raw[: error.start].decode("utf-8").removeprefix("\ufeff")
        line = before.count("\n") + 1
        place = (line, len(before) - before.rfind("\n"))
        source.fault(place, "the file is not UTF-8 text: save it as UTF-8")
        raise FileFaults(source.faults) from None
    text = text.removeprefix("\ufeff")  # a byte order mark has no column
    _check_characters(source, text)
    root = _compose(source, text)
    if root is None:
        source.fault((1, 1), "the file is empty: expected a mapping")
        raise FileFaults(source.faults)
    return source, root


def _check_characters(source: Source, text: str) -> None:
    """Report every character that YAML does not allow."""
    for match in _UNPRINTABLE.finditer(text):
        before = text[: match.start()]
        line_start = max((end.end() for end in _LINE_END.finditer(before)), default=0)
        line = sum(1 for _ in _LINE_END.finditer(before)) + 1
        name = f"U+{ord(match[0]):04X}"
        source.fault(
            (line, match.start() - line_start + 1), f"broken YAML: the character {name} is not allowed"
        )
        if len(source.faults) >= 20:  # this is no text file
            break
    source.check()


def _compose(source: Source, text: str) -> Node | None:
    """The one document of a text; None where there is none.

    Built from events, not by PyYAML's composer: that one recurses, follows tags, and forgets places.
    """
    root: Node | None = None
    open_: list[tuple[Node, list[Node]]] = []  # containers, with the key that waits for its value
    anchors: dict[str, Node] = {}
    documents = 0
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    source.fault(_place(event.start_mark), "a second YAML document begins here: one is read")
                    break
            elif isinstance(event, yaml.CollectionEndEvent):
                open_.pop()
            elif isinstance(event, yaml.NodeEvent):
                node = _node(source, event, anchors, open_)
                if not open_:
                    root = node
                else:
                    _add(open_[-1], node)
                if isinstance(event, yaml.CollectionStartEvent):
                    open_.append((node, []))
                    if len(open_) > MAX_NESTING:
                        source.fault(node, f"nested over {MAX_NESTING} levels deep")
                        break
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        about = ", ".join(part for part in (error.context, error.problem) if part)
        source.fault(_place(mark) if mark is not None else (1, 1), f"broken YAML: {about}")
    except yaml.YAMLError as error:
        source.fault((1, 1), f"broken YAML: {str(error).splitlines()[0]}")
    else:
        if not source.has_broken_structure:
            return root
    raise FileFaults(source.faults)


def _node(
    source: Source, event: yaml.NodeEvent, anchors: dict[str, Node], open_: list[tuple[Node, list[Node]]]
) -> Node:
    place = _place(event.start_mark)
    name = event.anchor
    if isinstance(event, yaml.AliasEvent):
        named = anchors.get(name or "")
        if named is not None and all(container is not named for container, _ in open_):
            return named
        if named is None:
            source.fault(place, f"unknown anchor `{name}`", suggest(name or "", anchors))
        else:
            source.fault(place, f"the alias `*{name}` stands inside what it names")
        source.has_broken_structure = True
        return Node(source, place, "scalar")
    if isinstance(event, yaml.ScalarEvent):
        node = Node(source, place, "scalar")
        node.text = event.value
        node.quoted = bool(event.style)
    else:
        node = Node(source, place, "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping")
    tag = getattr(event, "tag", None)
    if tag is not None:
        tag = tag.replace("tag:yaml.org,2002:", "!!")
        source.fault(node, f"the tag `{tag}` has no meaning here: values are read by their text, drop it")
    if name is not None:
        anchors[name] = node
    return node


def _add(container: tuple[Node, list[Node]], node: Node) -> None:
    """Put a node into the container that is open: as an element, a key, or the value of the last key."""
    parent, waiting = container
    if parent.kind == "list":
        parent.elements().append(node)
    elif waiting:
        parent.put(waiting.pop(), node)
    else:
        waiting.append(node)


def _place(mark: Any) -> tuple[int, int]:
    """(line, column) of a mark, libyaml's or PyYAML's."""
    return mark.line + 1, mark.column + 1
