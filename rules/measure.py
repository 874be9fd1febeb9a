"""Measures over facts, compiled to Python.

``compile_measure`` turns one ``from``/``where``/``until``/``within``/``measure`` into a function over a
subject's live facts. Its twin ``matching`` lists the facts that it counts, for explanations; both are made
from the same lines, so they cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rules.calendar import NEVER
from rules.conditions import where_source
from rules.known import Fact
from rules.policy import Measure
from streams.catalog import Catalog, EventType
from streams.events import Value

Facts = Mapping[str, list[Fact]]
Measured = tuple[int | None, int, int]
"""(value in the stored unit or None, greatest day of the matching facts, next day on which time alone can
change value or matching facts; for ``days_since`` the daily growth itself apart)."""
More = Callable[[Measured, int, Mapping[str, Value], int], "Measured | None"]
"""What is measured after one more fact, from what was measured before on the same day, the fact's day, its
data and today; None where only a run over all facts can tell."""

NOTHING: Final[Measured] = (None, -NEVER, NEVER)
"""What is measured over no facts."""


@dataclass(frozen=True, slots=True)
class CompiledMeasure:
    """One measure, ready to run.

    Attributes:
        run: (facts, today) to :data:`Measured`.
        matching: (facts, today) to the matching facts with their types, ascending by (time, source, id)
            within each type.
        more: by type, for a fact that is added to the others; empty where there is an ``until``.
        types: every type that can change it, ``until`` included.
        first: of ``types``, those of ``from``.
        is_money: values are in fen, and in yuan outside.
        grows_daily: the value grows by one a day (``days_since``).
    """

    of: Measure
    run: Callable[[Facts, int], Measured]
    matching: Callable[[Facts, int], list[tuple[str, Fact]]]
    more: Mapping[str, More]
    types: frozenset[str]
    first: tuple[str, ...]
    is_money: bool
    grows_daily: bool


def compile_measure(measure: Measure, catalog: Catalog) -> CompiledMeasure:
    """Compile a measure for the types of this catalogue."""
    return CompiledMeasure(
        of=measure,
        run=_function("run", _run_lines(measure, catalog)),
        matching=_function("matching", _matching_lines(measure, catalog)),
        more={}
        if measure.until
        else {type: _function("more", _more_lines(measure, catalog.events[type])) for type in measure.types},
        types=frozenset((*measure.types, *measure.until)),
        first=measure.types,
        is_money=measure.is_money,
        grows_daily=measure.function == "days_since",
    )


def _function(name: str, lines: list[str]) -> Any:
    scope: dict[str, Any] = {}
    # The lines are made below from a checked policy: names and texts of it stand in them as literals only.
    exec(compile("\n".join(lines), f"<policy {name}>", "exec"), scope)  # noqa: S102
    return scope[name]


_START = {
    "count": ["count = 0"],
    "days_since": ["count = 0"],
    "sum": ["count = 0", "value = 0"],
    "max": ["count = 0", "value = None"],
    "min": ["count = 0", "value = None"],
    "latest": ["count = 0", "value = None", "best = None"],
}
_EACH = {
    "count": [],
    "days_since": [],
    "sum": ["value += v"],
    "max": ["if value is None or v > value: value = v"],
    "min": ["if value is None or v < value: value = v"],
    "latest": ["key = (f.time, f.source, f.id)", "if best is None or key > best: best = key; value = v"],
}
_RESULT = {"count": "count", "days_since": "today - newest"}


#: How one more value changes what was measured. ``latest`` can tell by the day only from two days on: where a
#: clock falls back over midnight, an earlier time may have the later date.
_MORE = {
    "count": ["value = 1 if value is None else value + 1"],
    "days_since": ["value = today - (day if day > newest else newest)"],
    "sum": ["value = v if value is None else value + v"],
    "max": ["if value is None or v > value: value = v"],
    "min": ["if value is None or v < value: value = v"],
    "latest": ["if day <= newest + 1: return None", "value = v"],
}


def _run_lines(measure: Measure, catalog: Catalog) -> list[str]:
    lines = ["def run(facts, today):", f"    newest = {-NEVER}; oldest = soon = {NEVER}"]
    lines += [f"    {line}" for line in _START[measure.function]]
    lines += _until_lines(measure, "soon")
    for type in measure.types:
        lines += _loop_lines(measure, catalog.events[type], "soon")
        lines += [f"        {line}" for line in _EACH[measure.function]]
        lines += [
            "        count += 1",
            "        if day > newest: newest = day",
            "        if day < oldest: oldest = day",
        ]
    lines += [f"    if not count: return None, {-NEVER}, soon"]
    if measure.within_days is not None:
        lines += [
            f"    oldest += {measure.within_days}",
            "    if oldest < soon: soon = oldest",
        ]
    lines += [f"    return {_RESULT.get(measure.function, 'value')}, newest, soon"]
    return lines


def _matching_lines(measure: Measure, catalog: Catalog) -> list[str]:
    lines = ["def matching(facts, today):", "    found = []"]
    lines += _until_lines(measure, None)
    for type in measure.types:
        lines += _loop_lines(measure, catalog.events[type], None)
        lines += [f"        found.append(({type!r}, f))"]
    return [*lines, "    return found"]


def _until_lines(measure: Measure, soon: str | None) -> list[str]:
    """Find the latest time at which facts are ended; facts at or before it do not match."""
    if not measure.until:
        return []
    lines = ["    ended = None"]
    for type in measure.until:
        lines += [
            f"    for u in facts.get({type!r}, ()):",
            "        if u.day <= today:",
            "            if ended is None or u.time > ended: ended = u.time",
        ]
        if soon:
            lines += [f"        elif u.day < {soon}: {soon} = u.day"]
    return lines


def _loop_lines(measure: Measure, type: EventType, soon: str | None) -> list[str]:
    """Loop over the facts of one type, passing over those that do not match."""
    wait = f"if day < {soon}: {soon} = day" if soon else "pass"
    lines = [
        f"    for f in facts.get({type.type!r}, ()):",
        "        day = f.day",
        "        if day > today:",
        f"            {wait}",
        "            continue",
    ]
    if measure.within_days is not None:
        lines += [f"        if today - day >= {measure.within_days}: continue"]
    if measure.until:
        lines += ["        if ended is not None and f.time <= ended: continue"]
    if measure.field is not None or measure.where is not None:
        lines += ["        data = f.data"]
    return [*lines, *(f"        {line}" for line in _data_lines(measure, type, "continue"))]


def _data_lines(measure: Measure, type: EventType, pass_over: str) -> list[str]:
    """Take the measured value ``v`` out of ``data``, and pass over a fact whose data do not match."""
    lines = []
    if measure.field is not None:
        lines += [f"v = data.get({measure.field!r})", f"if v is None: {pass_over}"]
    if measure.where is not None:
        money = frozenset(name for name, field in type.data.items() if field.kind == "money")
        source = where_source(measure.where, frozenset(type.data), money)
        lines += [f"if not {source}: {pass_over}"]
    return lines


def _more_lines(measure: Measure, type: EventType) -> list[str]:
    """One more fact of a type, beside those that were measured; the same as a run over all of them."""
    lines = [
        "value, newest, soon = was",
        "if soon <= today: return None",
        "if day > today: return was if day >= soon else (value, newest, day)",
    ]
    if measure.within_days is not None:
        lines += [f"if today - day >= {measure.within_days}: return was"]
    lines += _data_lines(measure, type, "return was")
    lines += [*_MORE[measure.function], "if day > newest: newest = day"]
    if measure.within_days is not None:
        lines += [f"day += {measure.within_days}", "if day < soon: soon = day"]
    lines += ["return value, newest, soon"]
    return ["def more(was, day, data, today):", *(f"    {line}" for line in lines)]
