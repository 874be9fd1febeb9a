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
_MEASURE: Final = re.compile(r"([a-z_]+)(?:\(([^()\s]+)\))?")


@dataclass(frozen=True, slots=True)
class Context:
    """What an indicator may name: the catalogue and the rest of the policy.

    None stands for what is faulty itself: what names it has no fault of its own.
    """

    source: Source
    places: Places
    catalog: Catalog
    parameters: Mapping[str, Sequence[tuple[int, Fraction]]]
    dimensions: Mapping[str, Dimension | None] | None
    levels: Mapping[str, Level | None] | None

    def fault_in(self, node: Node) -> FaultAt:
        """What reports a fault at a character of a scalar."""

        def fault(index: int, message: str, hint: str) -> None:
            self.source.fault(self.places.inside(node.line, node.column, node.text, index), message, hint)

        return fault


@dataclass(frozen=True, slots=True)
class Types:
    """The types of a ``from`` or ``until``.

    Attributes:
        known: those of the catalogue.
        complete: whether all are known; if not, a field that none of ``known`` has may be one of the others'.
        about_person: whether they are about persons; None where there are none, or they differ.
    """

    known: tuple[EventType, ...] = ()
    complete: bool = False

    @property
    def about_person(self) -> bool | None:
        subjects = {one.subject for one in self.known}
        return subjects == {"person"} if len(subjects) == 1 else None

    @property
    def names(self) -> str:
        """The types' names, for messages."""
        return _listed(one.type for one in self.known)


def read_types(node: Node | None, key: str, context: Context) -> Types:
    """The types of a ``from`` or ``until``."""
    source = context.source
    known: dict[str, EventType] = {}
    complete = node is not None
    seen: set[str] = set()
    mixed = False
    for item in (node.one_or_many(key) if node is not None else None) or []:
        name = item.string(f"a type of {key}")
        if name is None:
            complete = False
        elif name in seen:
            source.fault(item, f"the type `{name}` stands twice in `{key}`")
        elif name in BUILT_IN:
            complete = False
            source.fault(item, f"`{name}` is built in: `{key}` takes types of the catalogue")
        elif name not in context.catalog.events:
            complete = False
            source.fault(item, f"unknown type `{name}` in `{key}`", suggest(name, context.catalog.events))
        else:
            first = next(iter(known.values()), None)
            one = known[name] = context.catalog.events[name]
            if first is not None and first.subject != one.subject and not mixed:
                mixed = True
                source.fault(
                    item,
                    f"`{key}` mixes types about persons and households: "
                    f"`{first.type}` is about a {first.subject}, `{name}` about a {one.subject}",
                )
        seen.add(name or "")
    return Types(tuple(known.values()), complete)


@dataclass(frozen=True, slots=True)
class Measured:
    """What was read of a measure: the whole (None after a fault), its types, and whether it is money."""

    measure: Measure | None
    types: Types
    is_money: bool | None
    """None where its function or field is faulty."""


def read_measure(
    node: Node, what: str, context: Context, *, tier: str | None, like: Types | None = None
) -> Measured:
    """What is measured over matching facts.

    Args:
        node: the indicator, or its ``percent_of``; a mapping.
        tier: the indicator's; None where it is faulty.
        like: types whose kind of subject ``from`` has to share.
    """
    source = context.source
    before = len(source.faults)
    from_node = node.get("from")
    types = read_types(from_node, "from", context)
    if like is not None and from_node is not None:
        _check_subject(from_node, types, like, source)
    until = _until(node.get("until"), types, context)
    where = _where(node.get("where"), types, context)
    within = _within(node.get("within"), context)
    function, field, is_money = _function(node.get("measure"), types, context)
    across = _across(node, what, types, tier, source)
    about_person = types.about_person
    if len(source.faults) > before or about_person is None or function is None:
        return Measured(None, types, is_money if function is not None and types.known else None)
    measure = Measure(
        types=tuple(one.type for one in types.known),
        about_person=about_person,
        function=function,
        field=field,
        is_money=is_money,
        where=where,
        until=tuple(one.type for one in until.known),
        within_days=within,
        across=across,
    )
    return Measured(measure, types, is_money)


def first_type(node: Node) -> Node:
    """The first type of a ``from``."""
    return node.elements()[0] if node.kind == "list" and node.elements() else node


def _check_subject(node: Node, types: Types, like: Types, source: Source) -> None:
    if types.about_person is not None and like.about_person is not None:
        one, other = types.known[0], like.known[0]
        if one.subject != other.subject:
            source.fault(
                first_type(node),
                f"`{one.type}` is about a {one.subject}, but the indicator's `from` about a {other.subject}",
            )


def _until(node: Node | None, types: Types, context: Context) -> Types:
    until = read_types(node, "until", context)
    subjects = {one.subject for one in types.known}
    for item in [] if node is None else node.elements() if node.kind == "list" else [node]:
        ending = context.catalog.events.get(item.text)
        if ending is None:
            continue
        if ending in types.known:
            context.source.fault(item, f"`{ending.type}` stands in both `from` and `until`")
        elif subjects and ending.subject not in subjects:
            context.source.fault(
                item,
                f"`{ending.type}` is about a {ending.subject}, but `from` about a {types.known[0].subject}: "
                "it cannot end such a fact",
            )
    return until


def _within(node: Node | None, context: Context) -> int | None:
    days = node.days("within") if node is not None else None
    keep = context.catalog.keep_days
    if node is not None and days is not None and days > keep:
        context.source.fault(
            node, f"within must be at most {keep}d, as long as the catalogue keeps, not {node.text}"
        )
        return None
    return days


def _where(node: Node | None, types: Types, context: Context) -> Expression | None:
    text = node.string("where") if node is not None else None
    if node is None or text is None:
        return None
    scope = Scope(_fields(types.known), f"field of {types.names}", perhaps=_perhaps(types, context))
    return read_condition(text, scope, context.fault_in(node))


def _perhaps(types: Types, context: Context) -> frozenset[str]:
    """Fields that may belong to a type that is misspelt."""
    if types.complete:
        return frozenset()
    return frozenset(name for event in context.catalog.events.values() for name in event.data)


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


def _function(node: Node | None, types: Types, context: Context) -> tuple[Function | None, str | None, bool]:
    """The function, its field and whether that is money; no function after a fault."""
    if node is None:
        return "count", None, False
    source = context.source
    text = node.string("measure")
    if text is None:
        return None, None, False
    match = _MEASURE.fullmatch(text)
    function, name = match.groups() if match is not None else (None, None)
    if function in _PLAIN and name is None:
        return cast(Function, function), None, False
    if function not in _OF_FIELD or name is None:
        source.fault(node, f"unknown measure `{text}`: expected {_EXPECTED}", _hint(text, function, name))
        return None, None, False
    kinds: dict[str, list[str]] = {}
    for one in types.known:
        if name in one.data:
            kinds.setdefault(one.data[name].kind, []).append(one.type)
    if not kinds and name in _perhaps(types, context):
        return None, None, False
    if not kinds:
        fields = [field for one in types.known for field in one.data.values()]
        numbers = [field.name for field in fields if field.kind in ("integer", "money")]
        of = f" of {types.names}" if types.known else ""
        source.fault(
            node, f"unknown field `{name}` in `{text}`: expected a number{of}", suggest(name, numbers)
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


def _across(node: Node, what: str, types: Types, tier: str | None, source: Source) -> Across | None:
    across_node = node.get("across")
    if across_node is None:
        if tier == "household" and types.about_person:
            source.fault(
                node,
                f"{what} lacks the key `across`: its types are about persons, so each member is measured",
                f"one of: {', '.join(_ACROSS)}",
            )
        return None
    if tier == "person":
        source.fault(across_node, "`across` has a meaning at household tier only")
        return None
    if types.about_person is False:
        source.fault(across_node, "`across` has no meaning here: the types are about households, not members")
        return None
    return cast("Across | None", across_node.choice("across", _ACROSS))
