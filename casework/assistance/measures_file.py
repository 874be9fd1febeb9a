"""Reading a catalogue of assistance: every fault at once, each with its place and a hint."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Final

from casework.assistance.measures import Assistance, Cause, Measure, MemberTest
from rules.conditions import members_source
from rules.expression import Expression
from rules.expression_text import MEMBER_NAMES, Scope, read_condition
from rules.policy import Policy, Titles
from rules.titles import read_text, read_titles
from streams.catalog import Catalog
from streams.places import Places
from streams.yamlfile import Node, Source, read_yaml, suggest

ID: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
DEFAULT: Final = Path(__file__).parent / "measures" / "wuchang.yaml"
"""The help that there is in Wuchang."""

_MEMBER: Final = Scope(
    MEMBER_NAMES,
    "property of a member",
    without="has no meaning here: name the indicator in `signs` or `needs`",
)


def read_assistance(
    path: str | Path, policy: Policy, catalog: Catalog, raw: bytes | None = None
) -> Assistance:
    """Read and check a catalogue of assistance against the policy and the catalogue that are in force.

    Args:
        path: where the file is; with ``raw`` only its name in messages.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is faulty; has every fault.
    """
    source, root = read_yaml(path, raw)
    read = _Reader(source, policy, catalog).read(root)
    source.check()
    assert read is not None
    return read


class _Reader:
    def __init__(self, source: Source, policy: Policy, catalog: Catalog) -> None:
        self.source = source
        self.places = Places(source.raw)
        self.indicators = [indicator.id for indicator in policy.indicators]
        self.levels = [level.id for level in policy.levels]
        self.departments = list(catalog.departments)

    def read(self, root: Node) -> Assistance | None:
        if not root.mapping("the catalogue of assistance", ("measures", "version", "causes", "assistance")):
            return None
        name = root.get("measures")
        id_ = name.pattern("the catalogue's name", ID, "`wuchang`") if name is not None else None
        version_node = root.get("version")
        version = version_node.integer("version", 1) if version_node is not None else None
        causes = self.causes(root.get("causes"))
        measures = self.measures(root.get("assistance"), causes)
        if self.source.faults:
            return None
        assert id_ is not None
        assert version is not None
        return Assistance(id_, version, causes, measures, self.source.digest)

    def causes(self, node: Node | None) -> dict[str, Cause]:
        found: dict[str, Cause] = {}
        for item in (node.sequence("causes") if node is not None else None) or ():
            if not item.mapping("a cause", ("id", "title"), ("signs",)):
                continue
            id_ = self.id(item.get("id"), "cause", found)
            title = self.titles(item.get("title"), "the title of a cause")
            signs = self.names(item.get("signs"), "signs", "indicator", self.indicators)
            if id_ is not None:
                found[id_] = Cause(id_, title, signs)
        return found

    def measures(self, node: Node | None, causes: Iterable[str]) -> dict[str, Measure]:
        found: dict[str, Measure] = {}
        required = ("id", "title", "gives", "provider", "causes", "basis")
        optional = ("levels", "members", "needs", "signs", "unless", "documents", "commitment")
        for item in (node.sequence("assistance") if node is not None else None) or ():
            if not item.mapping("a measure", required, optional):
                continue
            id_ = self.id(item.get("id"), "measure", found)
            provider = item.get("provider")
            department = provider.choice("department", self.departments) if provider is not None else None
            answered = self.names(item.get("causes"), "causes", "cause", causes)
            if (listed := item.get("causes")) is not None and listed.kind == "list" and not listed.elements():
                self.source.fault(listed, "a measure must answer at least one cause")
            members, fits = self.members(item.get("members"))
            measure = Measure(
                id_ or "",
                department or "",
                answered,
                title=self.titles(item.get("title"), "the title of a measure"),
                gives=self.titles(item.get("gives"), "what a measure gives"),
                levels=self.names(item.get("levels"), "levels", "level", self.levels),
                members=members,
                fits=fits,
                needs=self.names(item.get("needs"), "needs", "indicator", self.indicators),
                signs=self.names(item.get("signs"), "signs", "indicator", self.indicators),
                unless=self.names(item.get("unless"), "unless", "indicator", self.indicators),
                documents=self.documents(item.get("documents")),
                papers_within_days=self.commitment(item.get("commitment")),
                basis=read_text(item.get("basis"), "the basis"),
            )
            if id_ is not None:
                found[id_] = measure
        return found

    def id(self, node: Node | None, what: str, known: Container[str]) -> str | None:
        return None if node is None else node.new_id(f"the id of a {what}", ID, "`medical-aid`", what, known)

    def titles(self, node: Node | None, what: str) -> Titles:
        """A text in both languages: staff of either have to be able to read it."""
        titles = read_titles(node, what)
        if node is not None and node.kind == "mapping":
            for language in ("en", "zh"):
                if not titles.get(language) and node.get(language) is None:
                    self.source.fault(node, f"{what} lacks the language `{language}`")
        return titles

    def names(self, node: Node | None, what: str, thing: str, known: Iterable[str]) -> tuple[str, ...]:
        """The names of a list, each once and each known."""
        known = list(known)
        found: list[str] = []
        for item in (node.sequence(what) if node is not None else None) or ():
            name = item.string(f"a name in {what}")
            if name is None:
                continue
            if name not in known:
                self.source.fault(item, f"unknown {thing} `{name}`", suggest(name, known))
            elif name in found:
                self.source.fault(item, f"the {thing} `{name}` stands twice in {what}")
            else:
                found.append(name)
        return tuple(found)

    def members(self, node: Node | None) -> tuple[Expression | None, MemberTest | None]:
        text = node.string("members") if node is not None else None
        if node is None or text is None:
            return None, None

        def fault(at: int, message: str, hint: str) -> None:
            self.source.fault(self.places.inside(node.line, node.column, node.text, at), message, hint)

        condition = read_condition(text, _MEMBER, fault)
        return condition, None if condition is None else _test(condition)

    def documents(self, node: Node | None) -> tuple[Titles, ...]:
        items = (node.sequence("documents") if node is not None else None) or ()
        return tuple(self.titles(item, "a document") for item in items)

    def commitment(self, node: Node | None) -> int | None:
        if node is None or not node.mapping("commitment", ("papers_within",)):
            return None
        within = node.get("papers_within")
        return within.days("papers_within") if within is not None else None


def _test(condition: Expression) -> MemberTest:
    source = f"lambda role, sex, age: {members_source(condition, {})}"
    # Made from a checked expression: its texts stand in the source as literals only.
    function: MemberTest = eval(compile(source, "<members of a measure>", "eval"), {})  # noqa: S307
    return function
