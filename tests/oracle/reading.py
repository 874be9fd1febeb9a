"""A catalogue and a policy, read from YAML by the text of their scalars.

Only valid files are read here: faults are the program's business, not the oracle's.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.oracle.clock import parse_date
from tests.oracle.expressions import Bound, Test, parse_bound, parse_test

PERSON, HOUSEHOLD = "person", "household"
JOINED, LEFT = "registry.member.joined", "registry.member.left"
REGISTERED, RETRACTED = "registry.household.registered", "fact.retracted"
ROLES = ("head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other")


@dataclass(frozen=True)
class Field:
    """One field of a type's data; `low` and `high` in yuan for money."""

    kind: str
    required: bool = False
    low: Fraction | None = None
    high: Fraction | None = None
    max_length: int = 200
    pattern: str | None = None
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventType:
    """Who may send a type, about what (None: person or household), with which data."""

    name: str
    departments: frozenset[str]
    subject: str | None
    fields: dict[str, Field]


@dataclass(frozen=True)
class Catalog:
    sources: dict[str, str]  # source -> department
    types: dict[str, EventType]  # with the built-in ones
    facts: frozenset[str]  # the names of the catalogue's own types
    keep: int  # days


@dataclass(frozen=True)
class Selection:
    """What is measured: `from`, `where`, `until`, `within`, `measure`, `across`."""

    types: tuple[str, ...]
    where: Test | None
    until: tuple[str, ...]
    within: int | None
    measure: str
    field: str | None
    across: str | None
    about: str  # person | household


@dataclass(frozen=True)
class Indicator:
    name: str
    dimension: str
    tier: str
    selection: Selection | None
    members: Test | None
    share: bool
    percent_of: Selection | None
    times: int
    fixed: int | None
    direction: str  # "", at_least, at_most
    bounds: tuple[tuple[Bound, int], ...]
    fades: tuple[int, int] | None
    floor: str | None


@dataclass(frozen=True)
class Policy:
    name: str
    version: int
    digest: str
    zone: ZoneInfo
    parameters: dict[str, tuple[tuple[int, Fraction], ...]]  # (day, value), ascending
    dimensions: tuple[tuple[str, int, str], ...]  # id, cap, members
    levels: tuple[tuple[str, int, int], ...]  # id, at, clear, ascending
    indicators: tuple[Indicator, ...]


def _yaml(raw: bytes) -> Any:
    return yaml.load(raw.decode("utf-8"), Loader=yaml.BaseLoader)


def _days(text: str) -> int:
    found = re.fullmatch(r"([0-9]+)d", text)
    assert found is not None, text
    return int(found[1])


def _some(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _field(node: dict[str, Any]) -> Field:
    return Field(
        kind=node["kind"],
        required=node.get("required", "false") == "true",
        low=Fraction(node["min"]) if "min" in node else None,
        high=Fraction(node["max"]) if "max" in node else None,
        max_length=int(node.get("max_length", "200")),
        pattern=node.get("pattern"),
        of=tuple(node.get("of", ())),
    )


def read_catalog(raw: bytes) -> Catalog:
    """Read a valid catalogue."""
    node = _yaml(raw)
    departments = [department["id"] for department in node["departments"]]
    everyone, registry = frozenset(departments), frozenset(node.get("registry", ()))
    types = [
        EventType(
            event["type"],
            frozenset(event["departments"]),
            event["subject"],
            {name: _field(field) for name, field in (event.get("data") or {}).items()},
        )
        for event in node["events"]
    ]
    community = Field("text", required=True, pattern="[0-9]{12}")
    household = Field("text", required=True, pattern="[A-Za-z0-9._-]{1,64}")
    sexes, reasons = ("female", "male"), ("moved", "died", "other")
    built_in = [
        EventType(REGISTERED, registry, HOUSEHOLD, {"community": community, "address_ref": Field("text")}),
        EventType(
            JOINED,
            registry,
            PERSON,
            {
                "household": household,
                "role": Field("choice", required=True, of=ROLES),
                "birth": Field("date"),
                "sex": Field("choice", of=sexes),
            },
        ),
        EventType(LEFT, registry, PERSON, {"reason": Field("choice", required=True, of=reasons)}),
        EventType(RETRACTED, everyone, None, {"reason": Field("text", required=True)}),
    ]
    return Catalog(
        sources={f"{node['source_root']}/{department}": department for department in departments},
        types={event_type.name: event_type for event_type in types + built_in},
        facts=frozenset(event_type.name for event_type in types),
        keep=_days(node.get("keep", "1100d")),
    )


def _selection(node: dict[str, Any], catalog: Catalog) -> Selection:
    types = _some(node["from"])
    measure = node.get("measure", "count")
    found = re.fullmatch(r"(count|days_since|sum|max|min|latest)(?:\(\s*([a-z0-9_]+)\s*\))?", measure)
    assert found is not None, measure
    about = catalog.types[types[0]].subject
    assert about is not None
    return Selection(
        types=types,
        where=parse_test(node["where"]) if "where" in node else None,
        until=_some(node.get("until")),
        within=_days(node["within"]) if "within" in node else None,
        measure=found[1],
        field=found[2],
        across=node.get("across"),
        about=about,
    )


def _indicator(node: dict[str, Any], catalog: Catalog) -> Indicator:
    points = node["points"]
    fixed: int | None = None
    direction = ""
    bounds: tuple[tuple[Bound, int], ...] = ()
    if isinstance(points, str):
        fixed = int(points)
    else:
        ((direction, table),) = points.items()
        bounds = tuple((parse_bound(bound), int(worth)) for bound, worth in table.items())
    percent, fades = node.get("percent_of"), node.get("fades")
    return Indicator(
        name=node["id"],
        dimension=node["dimension"],
        tier=node["tier"],
        selection=_selection(node, catalog) if "from" in node else None,
        members=parse_test(node["members"]) if "members" in node else None,
        share=node.get("measure") == "share",
        percent_of=_selection(percent, catalog) if percent else None,
        times=int(percent.get("times", "1")) if percent else 1,
        fixed=fixed,
        direction=direction,
        bounds=bounds,
        fades=(_days(fades["after"]), _days(fades["over"])) if fades else None,
        floor=node.get("floor"),
    )


def _parameter(values: dict[str, str]) -> tuple[tuple[int, Fraction], ...]:
    dated = []
    for date, value in values.items():
        day = parse_date(date)
        assert day is not None, date
        dated.append((day, Fraction(value)))
    return tuple(sorted(dated))


def read_policy(raw: bytes, catalog: Catalog) -> Policy:
    """Read a valid policy."""
    node = _yaml(raw)
    parameters = node.get("parameters") or {}
    return Policy(
        name=node["policy"],
        version=int(node["version"]),
        digest=hashlib.sha256(raw).hexdigest()[:12],
        zone=ZoneInfo(node["timezone"]),
        parameters={name: _parameter(entry["values"]) for name, entry in parameters.items()},
        dimensions=tuple((entry["id"], int(entry["cap"]), entry["members"]) for entry in node["dimensions"]),
        levels=tuple((entry["id"], int(entry["at"]), int(entry["clear"])) for entry in node["levels"]),
        indicators=tuple(_indicator(entry, catalog) for entry in node["indicators"]),
    )
