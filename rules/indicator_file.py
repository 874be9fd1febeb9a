"""Reading the indicators of a policy file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, cast

from rules.bound_text import read_bound
from rules.expression import Amount, Expression
from rules.expression_text import MEMBER_NAMES, Scope, read_condition
from rules.measure_file import MEASURE_KEYS, Context, Measured, first_type, read_measure
from rules.policy import Indicator, Measure, Points
from rules.titles import read_text, read_titles
from streams.yamlfile import Node, suggest

__all__ = ["Context", "read_indicators"]

_ID: Final = re.compile(r"[a-z][a-z0-9-]*")
_TIERS: Final = ("person", "household")
_REQUIRED: Final = ("id", "dimension", "tier", "points")
_DESCRIBING: Final = ("title", "because", "basis", "floor")
#: Keys that go with ``from`` and not with ``members``.
_FROM_ONLY: Final = ("where", "until", "within", "across", "percent_of", "fades")
_ALL: Final = (*_DESCRIBING, "from", "members", "measure", *_FROM_ONLY)


def read_indicators(node: Node | None, context: Context) -> list[Indicator]:
    """The indicators; those that are faulty are left out, and their faults recorded."""
    items = (node.sequence("indicators") if node is not None else None) or []
    tiers: dict[str, str | None] = {}
    for item in items:
        id_node, tier_node = item.get("id"), item.get("tier")
        if id_node is not None and id_node.kind == "scalar" and id_node.text not in tiers:
            tier = tier_node.text if tier_node is not None else None
            tiers[id_node.text] = tier if tier in _TIERS else None
    seen: set[str] = set()
    read = [_indicator(index, item, tiers, seen, context) for index, item in enumerate(items)]
    return [one for one in read if one is not None]


def _indicator(
    index: int, node: Node, tiers: dict[str, str | None], seen: set[str], context: Context
) -> Indicator | None:
    source = context.source
    before = len(source.faults)
    if not node.mapping("an indicator", _REQUIRED, _ALL):
        return None
    id_ = _id(node.get("id"), seen)
    dimension = _index(node.get("dimension"), "dimension", context.dimensions)
    floor = _index(node.get("floor"), "level", context.levels)
    tier_node = node.get("tier")
    tier = tier_node.choice("tier", _TIERS) if tier_node is not None else None
    title, because = read_titles(node.get("title"), "title"), read_titles(node.get("because"), "because")
    basis = read_text(node.get("basis"), "basis")
    measure: Measure | None = None
    percent_of: Measure | None = None
    times = 1
    fades: tuple[int, int] | None = None
    members: Expression | None = None
    share = False
    if node.get("members") is not None and node.get("from") is None:
        members, share = _members(node, tier, tiers, context)
    else:
        if node.get("members") is not None:
            source.fault(node.key("members"), "`members` and `from` exclude each other: an indicator has one")
        elif node.get("from") is None:
            source.fault(node, "an indicator lacks the key `from` (or `members`)")
        measured = read_measure(node, "the indicator", context, tier=tier)
        measure, types = measured.measure, measured.types
        from_node = node.get("from")
        if tier == "person" and types.about_person is False and from_node is not None:
            source.fault(
                first_type(from_node),
                f"`{types.known[0].type}` is about a household, but the indicator is of person tier",
            )
        percent_of, times = _percent_of(node, tier, measured, context)
        fades = _fades(node.get("fades"))
    points = _points(node.get("points"), context)
    if len(source.faults) > before or id_ is None or dimension is None or points is None or tier is None:
        return None
    return Indicator(
        index=index,
        id=id_,
        dimension=dimension,
        tier=cast(Literal["person", "household"], tier),
        points=points,
        measure=measure,
        members=members,
        share=share,
        percent_of=percent_of,
        times=times,
        fades=fades,
        floor=floor,
        title=title,
        because=because,
        basis=basis,
    )


def _id(node: Node | None, seen: set[str]) -> str | None:
    id_ = node.pattern("an indicator's id", _ID, "`severe-illness`") if node is not None else None
    if node is not None and id_ is not None:
        if id_ in seen:
            node.source.fault(node, f"the indicator `{id_}` stands twice")
        seen.add(id_)
    return id_


def _index(node: Node | None, what: str, known: Mapping[str, object] | None) -> int | None:
    """The place of a dimension or level in the file; what is faulty itself is not checked."""
    if node is None or known is None:
        return None
    text = node.choice(what, known)
    return list(known).index(text) if text is not None else None


def _members(
    node: Node, tier: str | None, tiers: dict[str, str | None], context: Context
) -> tuple[Expression | None, bool]:
    """The condition on a member, and whether its share is measured."""
    source = context.source
    if tier == "person":
        source.fault(node.key("members"), "`members` goes with household tier only")
    for key in _FROM_ONLY:
        if node.get(key) is not None:
            source.fault(node.key(key), f"`{key}` goes with `from`, not with `members`")
    measure_node = node.get("measure")
    measure = measure_node.string("measure") if measure_node is not None else "count"
    if measure_node is not None and measure is not None and measure not in ("count", "share"):
        source.fault(
            measure_node,
            f"unknown measure `{measure}` of `members`: expected count or share",
            suggest(measure, ("count", "share")),
        )
    members_node = node.get("members")
    text = members_node.string("members") if members_node is not None else None
    if members_node is None or text is None:
        return None, False
    scope = Scope(MEMBER_NAMES, "property of a member", tiers)
    return read_condition(text, scope, context.fault_in(members_node)), measure == "share"


def _percent_of(
    node: Node, tier: str | None, measured: Measured, context: Context
) -> tuple[Measure | None, int]:
    source = context.source
    percent_node = node.get("percent_of")
    if percent_node is None:
        return None, 1
    if tier == "person":
        source.fault(node.key("percent_of"), "`percent_of` goes with household tier only")
    if not percent_node.mapping("percent_of", ("from",), (*MEASURE_KEYS[1:], "times")):
        return None, 1
    # At person tier the key itself is the fault; whether members need an `across` is no question then.
    percent_tier = None if tier == "person" else tier
    percent_of = read_measure(percent_node, "percent_of", context, tier=percent_tier, like=measured.types)
    times_node = percent_node.get("times")
    times = times_node.integer("times", least=1) if times_node is not None else 1
    ours, theirs = measured.is_money, percent_of.is_money
    if ours is not None and theirs is not None and ours != theirs:
        one, other = ("the indicator", "percent_of") if ours else ("percent_of", "the indicator")
        source.fault(
            percent_node.get("measure") or percent_node,
            f"{one} measures money and {other} does not: either both are money or neither is",
        )
    return percent_of.measure, times or 1


def _fades(node: Node | None) -> tuple[int, int] | None:
    if node is None or not node.mapping("fades", ("after", "over")):
        return None
    after_node, over_node = node.get("after"), node.get("over")
    after = after_node.days("after", least=0) if after_node is not None else None
    over = over_node.days("over") if over_node is not None else None
    return (after, over) if after is not None and over is not None else None


def _points(node: Node | None, context: Context) -> Points | None:
    if node is None:
        return None
    if node.kind == "scalar":
        flat = node.integer("points")
        return None if flat is None else Points(flat=flat)
    if not node.mapping("points", optional=("at_least", "at_most")):
        return None
    lower, upper = node.get("at_least"), node.get("at_most")
    if lower is not None and upper is not None:
        later = max((node.key("at_least"), node.key("at_most")), key=lambda key: (key.line, key.column))
        context.source.fault(later, "`at_least` and `at_most` exclude each other: points have one")
    bounds_node = lower if lower is not None else upper
    if bounds_node is None:
        context.source.fault(node, "points lacks the key `at_least` (or `at_most`)")
        return None
    bounds: list[tuple[Amount, int]] = []
    for one in (lower, upper):
        if one is not None:
            bounds += _bounds(one, "at_least" if one is lower else "at_most", context)
    return Points(at_least=lower is not None, bounds=tuple(bounds))


def _bounds(node: Node, what: str, context: Context) -> list[tuple[Amount, int]]:
    if not node.mapping(what, optional=None):
        return []
    bounds: list[tuple[Amount, int]] = []
    for key, value in node.items():
        amount = read_bound(key.text, context.parameters, context.fault_in(key))
        points = value.integer("points")
        if amount is not None and points is not None:
            bounds.append((amount, points))
    if not node.keys():
        context.source.fault(node, f"{what} needs at least one bound")
    return bounds
