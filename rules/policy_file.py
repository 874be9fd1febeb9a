"""Reading a policy file: every fault of it in one go, each with its line and column.

The format is docs/reference/policy.md.
"""

from __future__ import annotations

import datetime as dt
import re
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, cast

from rules.indicator_file import Context, read_indicators
from rules.policy import Dimension, Level, Parameter, Policy
from rules.titles import read_text, read_titles
from streams.catalog import Catalog
from streams.places import Places
from streams.yamlfile import Node, Source, read_yaml

ID: Final = re.compile(r"[a-z][a-z0-9-]*")
PARAMETER: Final = re.compile(r"[a-z_][a-z0-9_]*")
_EPOCH: Final = dt.date(1970, 1, 1).toordinal()


def read_policy(path: str | Path, catalog: Catalog, raw: bytes | None = None) -> Policy:
    """Read a policy and check it against a catalogue.

    Args:
        path: the file; only its name where ``raw`` is given.
        raw: the bytes of the file, if they were already read.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is faulty; with all faults, in the order of the file.
    """
    source, root = read_yaml(path, raw)
    policy = _read(source, root, catalog)
    source.check()
    assert policy is not None
    return policy


def _read(source: Source, root: Node, catalog: Catalog) -> Policy | None:
    required = ("policy", "version", "timezone", "dimensions", "levels", "indicators")
    if not root.mapping("the policy", required, ("parameters",)):
        return None
    name = _name(root.get("policy"))
    version_node = root.get("version")
    version = version_node.integer("version") if version_node is not None else None
    zone_node = root.get("timezone")
    timezone = zone_node.timezone() if zone_node is not None else None
    parameters = _parameters(root.get("parameters"))
    dimensions_node, levels_node = root.get("dimensions"), root.get("levels")
    dimensions, levels = _dimensions(dimensions_node), _levels(levels_node)
    context = Context(
        source=source,
        places=Places(source.raw),
        catalog=catalog,
        parameters={id_: () if one is None else one.values for id_, one in parameters.items()},
        dimensions=dimensions if dimensions_node is not None and dimensions_node.kind == "list" else None,
        levels=levels if levels_node is not None and levels_node.kind == "list" else None,
    )
    indicators = read_indicators(root.get("indicators"), context)
    if source.faults or name is None or version is None or timezone is None:
        return None
    return Policy(
        id=name,
        version=version,
        timezone=timezone,
        parameters={id_: one for id_, one in parameters.items() if one is not None},
        dimensions=tuple(one for one in dimensions.values() if one is not None),
        levels=tuple(one for one in levels.values() if one is not None),
        indicators=tuple(indicators),
        keep_days=catalog.keep_days,
        digest=source.digest,
        money_fields=frozenset(
            (event.type, field.name)
            for event in catalog.events.values()
            for field in event.data.values()
            if field.kind == "money"
        ),
    )


def _name(node: Node | None) -> str | None:
    name = node.string("policy") if node is not None else None
    if node is not None and name == "":
        node.source.fault(node, "the policy needs a name")
        return None
    return name


def _parameters(node: Node | None) -> dict[str, Parameter | None]:
    """Parameters by name, in the order of the file; None for a faulty one."""
    found: dict[str, Parameter | None] = {}
    if node is None or not node.mapping("parameters", optional=None):
        return found
    for key, value in node.items():
        key.pattern("a parameter's name", PARAMETER, "`dibao_line_yuan`")
        found[key.text] = _parameter(key.text, value)
    return found


def _parameter(name: str, node: Node) -> Parameter | None:
    what = f"the parameter `{name}`"
    if not node.mapping(what, ("values",), ("unit", "basis")):
        return None
    unit, basis = read_text(node.get("unit"), "unit"), read_text(node.get("basis"), "basis")
    values_node = node.get("values")
    if values_node is None or not values_node.mapping("values", optional=None):
        return None
    values: dict[int, Fraction] = {}
    good = True
    for key, value_node in values_node.items():
        day, value = _day(key), value_node.number("a value")
        if day is None or value is None:
            good = False
        else:
            values[day] = value
    if not values and good:
        values_node.source.fault(values_node, f"{what} needs at least one date with a value")
        return None
    return Parameter(name, tuple(sorted(values.items())), unit, basis) if good else None


def _day(key: Node) -> int | None:
    """A date ``YYYY-MM-DD`` as days since 1970-01-01."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", key.text):
        try:
            return dt.date.fromisoformat(key.text).toordinal() - _EPOCH
        except ValueError:
            pass
    key.source.fault(key, f"`{key.text}` is no date: expected one such as 2024-04-01")
    return None


def _identified(
    node: Node | None, what: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> list[Node]:
    """The mappings of a list of dimensions or levels."""
    if node is None:
        return []
    items = node.sequence(f"{what}s") or []
    return [item for item in items if item.mapping(f"a {what}", required, optional)]


def _new_id(
    node: Node | None, what: str, found: dict[str, Dimension | None] | dict[str, Level | None]
) -> str | None:
    return None if node is None else node.new_id(f"a {what}'s id", ID, "`health`", what, found)


def _dimensions(node: Node | None) -> dict[str, Dimension | None]:
    """Dimensions by id, in the order of the file; None for a faulty one."""
    found: dict[str, Dimension | None] = {}
    total: int | None = 0
    for item in _identified(node, "dimension", ("id", "cap", "members"), ("title",)):
        id_ = _new_id(item.get("id"), "dimension", found)
        cap_node, members_node = item.get("cap"), item.get("members")
        cap = cap_node.integer("cap", least=0) if cap_node is not None else None
        members = members_node.choice("members", ("sum", "max")) if members_node is not None else None
        title = read_titles(item.get("title"), "title")
        total = total + cap if total is not None and cap is not None else None
        if id_ is not None and cap is not None and members is not None:
            found[id_] = Dimension(id_, cap, cast(Literal["sum", "max"], members), title)
        elif id_ is not None:
            found[id_] = None
    if node is not None and node.kind == "list" and total is not None and total != 100:
        node.source.fault(node, f"the caps of the dimensions must sum to 100, not {total}")
    return found


def _levels(node: Node | None) -> dict[str, Level | None]:
    """Levels by id, in the order of the file; None for a faulty one."""
    found: dict[str, Level | None] = {}
    last: int | None = None
    for item in _identified(node, "level", ("id", "at", "clear"), ("title",)):
        id_ = _new_id(item.get("id"), "level", found)
        at_node, clear_node = item.get("at"), item.get("clear")
        at = at_node.integer("at", least=1, greatest=100) if at_node is not None else None
        clear = clear_node.integer("clear", least=1) if clear_node is not None else None
        title = read_titles(item.get("title"), "title")
        if at_node is not None and at is not None:
            if last is not None and at <= last:
                at_node.source.fault(at_node, f"levels must ascend: expected more than {last}, not {at}")
            last = at
        if clear_node is not None and at is not None and clear is not None and clear >= at:
            clear_node.source.fault(
                clear_node, f"clear must be under at: expected less than {at}, not {clear}"
            )
        if id_ is not None and at is not None and clear is not None:
            found[id_] = Level(id_, at, clear, title)
        elif id_ is not None:
            found[id_] = None
    return found
