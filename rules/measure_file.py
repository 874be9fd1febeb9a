"""Reading what an indicator measures: ``from``, ``where``, ``until``, ``within``, ``measure``, ``across``.

The same keys stand in an indicator and in its ``percent_of``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, cast

from rules.expression import Expression
from rules.expression_text import Known, Scope, read_condition
from rules.policy import Across, Dimension, Function, Level, Measure
from rules.tokens import FaultAt
from streams.catalog import BUILT_IN, Catalog, EventType
from streams.places import Places
from streams.yamlfile import Node, Source, suggest

#: Keys of a measure, in an indicator and in its ``percent_of``.
MEASURE_KEYS: Final = ("from", "where", "until", "within", "measure", "across")
_ACROSS: Final = ("sum", "max", "per_member")
_PLAIN: Final = ("count", "days_since")
_OF_FIELD: Final = ("sum", "max", "min", "latest")
_MEASURE: Final = re.compile(r"([a-z_]+)(?:\(\s*([^()\s]*)\s*\))?")


@dataclass(frozen=True, slots=True)
class Context:
    """What an indicator may name: the catalogue and the rest of the policy (None for what is faulty)."""

    source: Source
    places: Places
    catalog: Catalog
    parameters: Mapping[str, Sequence[tuple[int, Fraction]]]
    dimensions: Mapping[str, Dimension | None]
    levels: Mapping[str, Level | None]

    def fault_in(self, node: Node) -> FaultAt:
        """What reports a fault at a character of a scalar."""

        def fault(index: int, message: str, hint: str) -> None:
            self.source.fault(self.places.inside(node.line, node.column, node.text, index), message, hint)

        return fault


def is_about_person(types: Sequence[EventType]) -> bool | None:
    """Whether types are about persons; None where there are none or they differ."""
    subjects = {one.subject for one in types}
    return subjects == {"person"} if len(subjects) == 1 else None


def read_types(node: Node | None, key: str, context: Context) -> list[EventType]:
    """The types of a ``from`` or ``until``; those that are faulty are left out."""
    source = context.source
    found: list[EventType] = []
    seen: set[str] = set()
    for item in (node.one_or_many(key) if node is not None else None) or []:
        name = item.string(f"a type of {key}")
        if name is None:
            continue
        if name in seen:
            source.fault(item, f"the type `{name}` stands twice in `{key}`")
            continue
        seen.add(name)
        if name in BUILT_IN:
            source.fault(item, f"`{name}` is built in: `{key}` takes types of the catalogue")
        elif name not in context.catalog.events:
            source.fault(item, f"unknown type `{name}` in `{key}`", suggest(name, context.catalog.events))
        else:
            one = context.catalog.events[name]
            if found and one.subject != found[0].subject:
                source.fault(
                    item,
                    f"`{key}` mixes types about persons and households: "
                    f"`{found[0].type}` is about a {found[0].subject}, `{name}` about a {one.subject}",
                )
                continue
            found.append(one)
    return found


def read_measure(
    node: Node, what: str, context: Context, *, per_member: bool, subject_as: Sequence[EventType] = ()
) -> tuple[Measure | None, list[EventType]]:
    """What is measured over matching facts.

    Args:
        node: the indicator, or its ``percent_of``; a mapping.
        per_member: household tier, where types about persons need ``across``.
        subject_as: types whose kind of subject ``from`` has to share.

    Returns:
        The measure (None after a fault) and the types of ``from``.
    """
    source = context.source
    before = len(source.faults)
    from_node = node.get("from")
    types = read_types(from_node, "from", context)
    about_person = is_about_person(types)
    if subject_as and types and types[0].subject != subject_as[0].subject and from_node is not None:
        source.fault(
            _first(from_node),
            f"`{types[0].type}` is about a {types[0].subject}, "
            f"but the indicator's `from` about a {subject_as[0].subject}",
        )
    until = _until(node.get("until"), types, context)
    where = _where(node.get("where"), types, context)
    within = _within(node.get("within"), context)
    function, field, is_money = _function(node.get("measure"), types, source)
    across = _across(node, what, about_person, per_member, source)
    if len(source.faults) > before or about_person is None or function is None:
        return None, types
    measure = Measure(
        types=tuple(one.type for one in types),
        about_person=about_person,
        function=function,
        field=field,
        is_money=is_money,
        where=where,
        until=tuple(until),
        within_days=within,
        across=across,
    )
    return measure, types


def _first(node: Node) -> Node:
    return node.elements()[0] if node.kind == "list" and node.elements() else node


def _until(node: Node | None, types: Sequence[EventType], context: Context) -> list[str]:
    until = read_types(node, "until", context)
    measured = {one.type for one in types}
    for item in [] if node is None else node.elements() if node.kind == "list" else [node]:
        ending = context.catalog.events.get(item.text)
        if ending is None or ending not in until:
            continue
        if ending.type in measured:
            context.source.fault(item, f"`{ending.type}` stands in both `from` and `until`")
        elif types and ending.subject != types[0].subject:
            context.source.fault(
                item,
                f"`{ending.type}` is about a {ending.subject}, but `from` about a {types[0].subject}: "
                "it cannot end such a fact",
            )
    return [one.type for one in until]


def _within(node: Node | None, context: Context) -> int | None:
    days = node.days("within") if node is not None else None
    keep = context.catalog.keep_days
    if node is not None and days is not None and days > keep:
        context.source.fault(
            node, f"within must be at most {keep}d, as long as the catalogue keeps, not {node.text}"
        )
        return None
    return days


def _where(node: Node | None, types: Sequence[EventType], context: Context) -> Expression | None:
    text = node.string("where") if node is not None else None
    if node is None or text is None or not types:
        return None
    scope = Scope(_fields(types), f"field of {_listed(one.type for one in types)}")
    return read_condition(text, scope, context.fault_in(node))


def _fields(types: Sequence[EventType]) -> dict[str, Known]:
    """The fields of some types, as expressions know them."""
    kinds: dict[str, dict[str, list[str]]] = {}
    choices: dict[str, dict[str, None]] = {}
    for one in types:
        for field in one.data.values():
            kinds.setdefault(field.name, {}).setdefault(field.kind, []).append(one.type)
            choices.setdefault(field.name, {}).update(dict.fromkeys(field.of))
    known: dict[str, Known] = {}
    for name, of_kind in kinds.items():
        merged = {"number" if kind in ("integer", "money") else kind for kind in of_kind}
        differs = "" if len(merged) == 1 else _by_kind(of_kind)
        kind = next(iter(merged))
        known[name] = Known(cast("type[Known]", kind), tuple(choices[name]), differs)  # type: ignore[arg-type]
    return known


def _by_kind(of_kind: Mapping[str, Iterable[str]]) -> str:
    return ", ".join(f"{kind} in {_listed(types)}" for kind, types in of_kind.items())


def _listed(names: Iterable[str]) -> str:
    listed = [f"`{name}`" for name in names]
    return ", ".join(listed[:4]) + (f" and {len(listed) - 4} more" if len(listed) > 4 else "")


def _function(
    node: Node | None, types: Sequence[EventType], source: Source
) -> tuple[Function | None, str | None, bool]:
    """The function, its field and whether that is money; no function after a fault."""
    if node is None:
        return "count", None, False
    text = node.string("measure")
    if text is None:
        return None, None, False
    match = _MEASURE.fullmatch(text.strip())
    function, name = match.groups() if match is not None else (None, None)
    if function in _PLAIN and name is None:
        return cast(Function, function), None, False
    if function not in _OF_FIELD or name is None:
        source.fault(node, f"unknown measure `{text}`: expected {_EXPECTED}", _hint(text, function, name))
        return None, None, False
    if not types:
        return None, None, False
    kinds: dict[str, list[str]] = {}
    for one in types:
        if name in one.data:
            kinds.setdefault(one.data[name].kind, []).append(one.type)
    if not kinds:
        numbers = [
            field.name for one in types for field in one.data.values() if field.kind in ("integer", "money")
        ]
        source.fault(
            node,
            f"unknown field `{name}` in `{text}`: expected a number of {_listed(one.type for one in types)}",
            suggest(name, numbers),
        )
        return None, None, False
    wrong = {kind: of for kind, of in kinds.items() if kind not in ("integer", "money")}
    if wrong:
        source.fault(
            node, f"`{name}` cannot be measured: expected integer or money, but it is {_by_kind(wrong)}"
        )
        return None, None, False
    if len(kinds) > 1:
        source.fault(node, f"the kind of `{name}` differs between the types: {_by_kind(kinds)}")
        return None, None, False
    return cast(Function, function), name, "money" in kinds


_EXPECTED: Final = "count, days_since, sum(field), max(field), min(field) or latest(field)"


def _hint(text: str, function: str | None, name: str | None) -> str:
    if text == "share":
        return "`share` goes with `members`"
    if function in _OF_FIELD and name is None:
        return f"write `{function}(field)`"
    if function in _PLAIN:
        return f"write `{function}`"
    return suggest(function or text, (*_PLAIN, *_OF_FIELD))


def _across(
    node: Node, what: str, about_person: bool | None, per_member: bool, source: Source
) -> Across | None:
    across_node = node.get("across")
    if across_node is None:
        if per_member and about_person:
            source.fault(
                node,
                f"{what} lacks the key `across`: its types are about persons, so each member is measured",
                f"one of: {', '.join(_ACROSS)}",
            )
        return None
    if not per_member:
        source.fault(node.key("across"), "`across` has a meaning at household tier only")
        return None
    if about_person is False:
        source.fault(
            node.key("across"),
            "`across` has no meaning here: the types are about households, not their members",
        )
        return None
    return cast("Across | None", across_node.choice("across", _ACROSS))
