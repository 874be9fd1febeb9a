"""Reading a catalogue file: every fault at once, each with its place and a hint."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Final, cast

from streams.catalog import BUILT_IN, Catalog, Department, EventType, Field, Kind, SubjectKind
from streams.yamlfile import Node, Source, read_yaml, suggest

DEPARTMENT_ID: Final = re.compile(r"[a-z][a-z0-9-]*")
TYPE: Final = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
FIELD: Final = re.compile(r"[a-z][a-z0-9_]*")
RESERVED: Final = frozenset({"and", "or", "not", "in", "true", "false"})
KEEP_DAYS: Final = 1100

_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "integer": ("min", "max"),
    "money": ("min", "max"),
    "boolean": (),
    "date": (),
    "text": ("max_length", "pattern"),
    "choice": ("of",),
}
_ALL_OPTIONS: Final = tuple(dict.fromkeys(option for options in _OPTIONS.values() for option in options))


def read_catalog(path: str | Path, raw: bytes | None = None) -> Catalog:
    """Read and check a catalogue.

    Args:
        path: where the file is; with ``raw`` only its name in messages.
        raw: the bytes of the file, where they are at hand.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is faulty; has every fault.
    """
    source, root = read_yaml(path, raw)
    catalog = _catalog(source, root)
    source.check()
    assert catalog is not None
    return catalog


def _catalog(source: Source, root: Node) -> Catalog | None:
    required = ("catalog", "version", "source_root", "departments", "events")
    if not root.mapping("the catalogue", required, ("registry", "keep")):
        return None
    name = _text(root.get("catalog"), "the catalogue's name")
    version_node = root.get("version")
    version = version_node.integer("version") if version_node is not None else None
    source_root = _text(root.get("source_root"), "source_root", may_be_empty=True)
    departments, known = _departments(root.get("departments"))
    registry_node, keep_node = root.get("registry"), root.get("keep")
    registry = _members(registry_node, "registry", "department", known) if registry_node is not None else ()
    keep = keep_node.days("keep") if keep_node is not None else KEEP_DAYS
    events = _events(root.get("events"), known)
    if source.faults:
        return None
    assert name is not None
    assert version is not None
    assert source_root is not None
    assert keep is not None
    return Catalog(name, version, source_root, departments, registry, keep, events, source.digest)


def _text(node: Node | None, what: str, *, may_be_empty: bool = False) -> str | None:
    """A text; an empty one only in quotes, where it may be empty at all."""
    text = node.string(what) if node is not None else None
    if node is not None and text == "" and not (may_be_empty and node.quoted):
        node.source.fault(node, f"{what} must not be empty")
        return None
    return text


def _titles(node: Node | None) -> dict[str, str]:
    """Language to text."""
    if node is None or not node.mapping("a title", (), None):
        return {}
    return {key.text: value.string("a title") or "" for key, value in node.items()}


def _departments(node: Node | None) -> tuple[dict[str, Department], frozenset[str] | None]:
    """The departments, and every id that other places may name (None: the list is no list)."""
    departments: dict[str, Department] = {}
    known: set[str] = set()
    items = node.sequence("departments") if node is not None else None
    if items is None:
        return departments, None
    for item in items:
        if not item.mapping("a department", ("id",), ("title", "silent_after")):
            continue
        id_node, silent_node = item.get("id"), item.get("silent_after")
        silent = silent_node.days("silent_after") if silent_node is not None else None
        titles = _titles(item.get("title"))
        if id_node is None or id_node.kind != "scalar":
            if id_node is not None:
                id_node.string("a department's id")
            continue
        if id_node.text in known:
            id_node.source.fault(id_node, f"the department `{id_node.text}` stands twice")
            continue
        known.add(id_node.text)  # also when malformed: one mistake, one fault
        if id_node.pattern("a department's id", DEPARTMENT_ID, "`civil-affairs`") is not None:
            departments[id_node.text] = Department(id_node.text, titles, silent)
    return departments, frozenset(known)


def _members(node: Node | None, what: str, thing: str, known: frozenset[str] | None) -> tuple[str, ...]:
    """The texts of a list, each once, and each known where it is known what there is."""
    items = node.sequence(what) if node is not None else None
    found: list[str] = []
    for item in items or ():
        text = item.string(f"a {thing}")
        if text is None:
            continue
        if text in found:
            item.source.fault(item, f"the {thing} `{text}` stands twice in {what}")
        elif known is not None and text not in known:
            item.source.fault(item, f"unknown {thing} `{text}`", suggest(text, known))
        else:
            found.append(text)
    return tuple(found)


def _events(node: Node | None, known: frozenset[str] | None) -> dict[str, EventType]:
    events: dict[str, EventType] = {}
    seen: set[str] = set()
    items = node.sequence("events") if node is not None else None
    for item in items or ():
        if not item.mapping("an event type", ("type", "departments", "subject"), ("title", "data")):
            continue
        type_node, subject_node, data_node = item.get("type"), item.get("subject"), item.get("data")
        type_ = None
        if type_node is not None:
            such_as = "`insurance.bill.settled`"
            type_ = type_node.pattern("an event type", TYPE, such_as)
            if type_ in BUILT_IN:
                type_node.source.fault(type_node, f"the type `{type_}` is built in: it needs no entry here")
            elif type_ is not None and type_ in seen:
                type_node.source.fault(type_node, f"the type `{type_}` stands twice")
            seen.add(type_node.text)
        departments = _members(item.get("departments"), "departments", "department", known)
        subject = None
        if subject_node is not None:
            subject = subject_node.choice("subject", ("person", "household"))
        titles = _titles(item.get("title"))
        data = _fields(data_node) if data_node is not None else {}
        if type_ is not None and subject is not None:
            events[type_] = EventType(type_, departments, cast(SubjectKind, subject), titles, data)
    return events


def _fields(node: Node) -> dict[str, Field]:
    fields: dict[str, Field] = {}
    if not node.mapping("data", (), None):
        return fields
    for key, value in node.items():
        name = key.pattern("a field", FIELD, "`self_paid_yuan`")
        if name in RESERVED:
            key.source.fault(key, f"a field cannot be called `{name}`: expressions use that word")
        field = _field(key.text, value)
        if field is not None:
            fields[key.text] = field
    return fields


def _field(name: str, node: Node) -> Field | None:
    if not node.mapping(f"the field `{name}`", ("kind",), None):
        return None
    kind_node = node.get("kind")
    kind = kind_node.choice("kind", _OPTIONS) if kind_node is not None else None
    allowed = _OPTIONS[kind] if kind is not None else _ALL_OPTIONS
    known = ("kind", "required", *allowed)
    options = node.keys()
    for option in options:
        if option not in known and option in _ALL_OPTIONS:
            has = f"it has {', '.join(allowed)}" if allowed else "it has none but required"
            node.source.fault(node.key(option), f"the kind `{kind}` has no option `{option}`", has)
        elif option not in known:
            message = f"unknown key `{option}` in the field `{name}`"
            node.source.fault(node.key(option), message, suggest(option, known))
    required_node = node.get("required")
    required = required_node.choice("required", ("true", "false")) if required_node is not None else "false"
    given = {option: value for option in allowed if (value := node.get(option)) is not None}
    if kind is None:
        return None
    field = _with_options(name, cast(Kind, kind), required == "true", given)
    if kind == "choice" and "of" not in given:
        node.source.fault(node, f"the field `{name}` lacks the key `of`: a choice needs its values")
    return field


def _with_options(name: str, kind: Kind, required: bool, options: dict[str, Node]) -> Field:
    """A field with the options of its kind, each checked."""
    unit = 100 if kind == "money" else 1  # bounds are in yuan, stored money in fen
    least_node, greatest_node = options.get("min"), options.get("max")
    least = least_node.number("min") if least_node is not None else None
    greatest = greatest_node.number("max") if greatest_node is not None else None
    if least is not None and greatest is not None and least > greatest:
        assert least_node is not None
        assert greatest_node is not None
        message = f"min {least_node.text} is above max {greatest_node.text} in the field `{name}`"
        least_node.source.fault(least_node, message)
    length_node, pattern_node, of_node = options.get("max_length"), options.get("pattern"), options.get("of")
    max_length = length_node.integer("max_length", least=0) if length_node is not None else None
    of: tuple[str, ...] = ()
    if of_node is not None:
        of = _members(of_node, "of", "choice", None)
        if of_node.kind == "list" and not of_node.elements():
            of_node.source.fault(of_node, f"the field `{name}` has no choices: `of` must name at least one")
    return Field(
        name,
        kind,
        required,
        None if least is None else least * unit,
        None if greatest is None else greatest * unit,
        200 if max_length is None else max_length,
        _pattern(pattern_node) if pattern_node is not None else None,
        of,
    )


def _pattern(node: Node) -> str | None:
    text = node.string("pattern")
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of what may change in regular expressions
            re.compile(text, re.ASCII)
    except (re.error, ValueError, OverflowError, RecursionError) as error:
        what = error.msg if isinstance(error, re.error) else str(error)
        node.source.fault(node, f"the pattern is no regular expression of Python: {what}")
        return None
    return text
