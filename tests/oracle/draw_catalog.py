"""A random catalogue with every kind, option and corner of the language."""

from __future__ import annotations

from random import Random

from tests.oracle.writing import Node

FIELDS = (
    ("amount_yuan", "money"),
    ("owed_yuan", "money"),
    ("m", "money"),
    ("monthly_yuan", "money"),
    ("severity", "integer"),
    ("nights", "integer"),
    ("months", "integer"),
    ("i_", "integer"),
    ("points", "integer"),
    ("planned", "boolean"),
    ("chronic", "boolean"),
    ("active", "boolean"),
    ("no", "boolean"),
    ("ends", "date"),
    ("on", "date"),
    ("note", "text"),
    ("code", "text"),
    ("null", "text"),
    ("ward", "choice"),
    ("scheme", "choice"),
    ("age", "choice"),
)
CHOICES = (
    "no",
    "yes",
    "010",
    "1.50",
    "null",
    "a",
    "A",
    "武汉",
    "general",
    "other",
    "head",
    "~",
    "x y",
    "it's",
)
PATTERNS = (
    "[A-Z][0-9]{1,3}",
    r"\d+",
    r"\w*",
    "[^x]*",
    "a|bc",
    "(?i)ab+",
    ".*",
    "a$",
    r"\S+\s?",
    r"[A-Z][0-9]{2}(\.[0-9])?",
)
TYPES = (
    "health.hospital.admitted",
    "health.diagnosed",
    "health.recovered",
    "insurance.bill.settled",
    "income.assessed",
    "work.lost",
    "work.found",
    "school.absent",
    "benefit.granted",
    "benefit.ended",
    "housing.inspected",
    "housing.repaired",
    "utility.arrears",
    "1.50",
    "a.b-c.0",
    "no.yes",
    "2024-01.01",
    "registry.member.joined-again",
)
DEPARTMENTS = (
    "health",
    "medical-insurance",
    "civil-affairs",
    "public-security",
    "human-resources",
    "education",
    "housing",
    "no",
    "y1-",
    "null",
)


def draw_catalog(draw: Random) -> Node:
    """The nodes of a valid catalogue."""
    departments = draw.sample(DEPARTMENTS, draw.randint(2, 8))
    entries: list[Node] = []
    for name in departments:
        entry: dict[str, Node] = {"id": name, "title": {"en": name.title(), "zh": "部门"}}
        if draw.random() < 0.3:
            entry["silent_after"] = f"{draw.randint(1, 9)}d"
        entries.append(entry)
    # Types of both subjects are always there, two of each at least.
    names = draw.sample(TYPES, draw.randint(4, 12))
    kinds = ["person", "person", "household", "household"] + [
        draw.choice(["person", "person", "household"]) for _ in names[4:]
    ]
    pool = draw.sample(FIELDS, draw.randint(5, 14))
    catalog: dict[str, Node] = {
        "catalog": "drawn",
        "version": str(draw.randint(1, 99)),
        "source_root": draw.choice(["/wuchang", "/wuchang", "/武昌", "urn:x/y"]),
        "departments": entries,
        "events": [
            _event_type(name, kind, departments, pool, draw) for name, kind in zip(names, kinds, strict=True)
        ],
    }
    if draw.random() < 0.95:
        catalog["registry"] = list(draw.sample(departments, draw.randint(1, min(3, len(departments)))))
    keep = draw.choice([None, "1d", "2d", "8d", "30d", "30d", "30d", "45d", "60d", "90d", "400d"])
    if keep is not None:
        catalog["keep"] = keep
    items = list(catalog.items())
    if draw.random() < 0.3:
        draw.shuffle(items)
    return dict(items)


def _event_type(
    name: str, kind: str, departments: list[str], pool: list[tuple[str, str]], draw: Random
) -> Node:
    data: dict[str, Node] = {}
    for field, usual in draw.sample(pool, min(len(pool), draw.randint(0, 6))):
        field_kind = usual
        if usual in ("money", "integer") and draw.random() < 0.1:
            field_kind = "money" if usual == "integer" else "integer"
        elif draw.random() < 0.05:
            field_kind = draw.choice(["integer", "money", "boolean", "date", "text", "choice"])
        data[field] = _field(field_kind, draw)
    return {
        "type": name,
        "departments": list(draw.sample(departments, draw.randint(1, min(3, len(departments))))),
        "subject": kind,
        "title": {"en": name, "zh": "事件"},
        "data": data,
    }


def _field(kind: str, draw: Random) -> Node:
    field: dict[str, Node] = {"kind": kind}
    if draw.random() < 0.35:
        field["required"] = draw.choice(["true", "true", "false"])
    if kind in ("integer", "money"):
        if draw.random() < 0.4:
            low = draw.choice(["0", "-50", "1", "-2000", "0.5", "000", "-0.01"])
            field["min"] = low
        if draw.random() < 0.4:
            field["max"] = draw.choice(["10", "365", "10000000", "99.99", "050", "9223372036854775807"])
    if kind == "text":
        if draw.random() < 0.3:
            field["max_length"] = draw.choice(["1", "5", "12", "200", "300"])
        if draw.random() < 0.4:
            field["pattern"] = draw.choice(PATTERNS)
    if kind == "choice":
        field["of"] = list(draw.sample(CHOICES, draw.randint(1, 5)))
    return field
