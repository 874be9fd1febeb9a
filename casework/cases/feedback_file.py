"""The part of a casework file that says what goes back to the score, checked against the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from casework.cases.book import Difficulty, Granted
from streams.catalog import Catalog, EventType
from streams.yamlfile import Node, suggest


@dataclass(frozen=True, slots=True)
class Feedback:
    """What goes back, as events of which department."""

    department: str = ""
    assessed: tuple[str, str] | None = None
    granted: Mapping[str, Granted] = field(default_factory=dict)


def read_feedback(
    node: Node | None, catalog: Catalog | None, difficulties: Mapping[str, Difficulty]
) -> Feedback | None:
    """The mapping ``feedback``; None where it is faulty.

    Args:
        catalog: every type, field and value has to stand there; None: not checked.
        difficulties: what an assessment may find.
    """
    if node is None:
        return Feedback()
    if not node.mapping("feedback", ("department",), ("assessed", "granted")):
        return None
    faults = len(node.source.faults)
    department_node = node.get("department")
    assert department_node is not None
    department = department_node.string("department") or ""
    if catalog is not None and department not in catalog.departments:
        node.source.fault(
            department_node, f"unknown department `{department}`", suggest(department, catalog.departments)
        )
    reader = _Reader(department, catalog)
    assessed = reader.assessed(node.get("assessed"), [one.severity for one in difficulties.values()])
    granted: dict[str, Granted] = {}
    measures = node.get("granted")
    if measures is not None and measures.mapping("granted", optional=None):
        for key, value in measures.items():
            one = reader.granted(value, f"the measure `{key.text}`")
            if one is not None:
                granted[key.text] = one
    if len(node.source.faults) > faults:
        return None
    return Feedback(department, assessed, granted)


class _Reader:
    def __init__(self, department: str, catalog: Catalog | None) -> None:
        self.department = department
        self.catalog = catalog

    def type(self, node: Node | None) -> tuple[str, EventType | None] | None:
        """A type that the department may send."""
        name = node.string("type") if node is not None else None
        if node is None or name is None:
            return None
        if self.catalog is None:
            return name, None
        found = self.catalog.events.get(name)
        if found is None:
            node.source.fault(node, f"the catalogue has no type `{name}`", suggest(name, self.catalog.events))
            return None
        if self.department not in found.departments:
            node.source.fault(
                node, f"`{self.department}` may not send `{name}`", f"one of: {', '.join(found.departments)}"
            )
            return None
        return name, found

    def field(self, node: Node | None, type: EventType | None, what: str) -> str | None:
        """A field of a type."""
        name = node.string(what) if node is not None else None
        if node is None or name is None:
            return None
        if type is not None and name not in type.data:
            node.source.fault(node, f"`{type.type}` has no field `{name}`", suggest(name, type.data))
            return None
        return name

    def assessed(self, node: Node | None, severities: Sequence[int]) -> tuple[str, str] | None:
        """A type about the household with a whole number that takes these severities."""
        if node is None or not node.mapping("assessed", ("type", "field")):
            return None
        found = self.type(node.get("type"))
        if found is None:
            return None
        name, type = found
        field_name = self.field(node.get("field"), type, "field")
        if field_name is None:
            return None
        if type is not None:
            field = type.data[field_name]
            least, greatest = field.least, field.greatest
            fits = field.kind == "integer" and all(
                (least is None or one >= least) and (greatest is None or one <= greatest)
                for one in severities
            )
            if type.subject != "household" or not fits:
                what = f"about the household, with a whole number `{field_name}` that takes every severity"
                node.source.fault(node, f"`{name}` must be {what}")
                return None
        return name, field_name

    def granted(self, node: Node, what: str) -> Granted | None:
        if not node.mapping(what, ("type",), ("amount", "fixed")):
            return None
        found = self.type(node.get("type"))
        if found is None:
            return None
        name, type = found
        amount = self.field(node.get("amount"), type, "amount")
        fixed: dict[str, str] = {}
        fixed_node = node.get("fixed")
        if fixed_node is not None and fixed_node.mapping("fixed", optional=None):
            for key, value in fixed_node.items():
                text = value.string(f"`{key.text}`")
                if type is not None and key.text not in type.data:
                    hint = suggest(key.text, type.data)
                    node.source.fault(key, f"`{name}` has no field `{key.text}`", hint)
                elif (
                    type is not None and text is not None and text not in (type.data[key.text].of or (text,))
                ):
                    node.source.fault(
                        value, f"`{key.text}` cannot be `{text}`", suggest(text, type.data[key.text].of)
                    )
                elif text is not None:
                    fixed[key.text] = text
        if type is not None:
            given = {amount, *fixed}
            missing = [one.name for one in type.data.values() if one.required and one.name not in given]
            if missing:
                node.source.fault(node, f"{what} leaves out what `{name}` requires: {', '.join(missing)}")
        return Granted(name, amount, fixed)
