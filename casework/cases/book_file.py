"""Reading a casework file: every fault of it in one go, each with its line and column.

The format is docs/reference/cases.md, "The book".
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from casework.cases.book import (
    LEVEL_CLOCKS,
    SETTLES,
    AfterCare,
    Baseline,
    Book,
    CommitmentRules,
    Difficulty,
    LevelRules,
)
from casework.cases.case import ClockKind, CloseCode
from casework.cases.feedback_file import read_feedback
from casework.workdays import Span, Workdays, parse_span
from rules.calendar import day_from_text
from rules.policy import Policy
from rules.titles import read_titles
from streams.catalog import Catalog
from streams.timestamps import is_date, parse_timestamp
from streams.yamlfile import Node, Source, read_yaml, suggest

ID: Final = re.compile(r"[a-z][a-z0-9-]*")
PREFIX: Final = re.compile(r"([0-9]{6}|[0-9]{9}|[0-9]{12})?")
_HOURS: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_YEAR: Final = re.compile(r"[0-9]{4}")

DEFAULT: Final = Path(__file__).with_name("casework.yaml")
"""The book of Wuchang."""


def read_book(
    path: str | Path, *, catalog: Catalog | None, policy: Policy | None, raw: bytes | None = None
) -> Book:
    """Read a book and check it against a catalogue of events and a policy.

    Args:
        path: the file; only its name where ``raw`` is given.
        catalog: what goes back has to stand in it; None: nothing goes back, and nothing is checked.
        policy: its levels have to be those of the book; None: not checked.
        raw: the bytes of the file, if they were already read.

    Raises:
        InputError: the file cannot be read.
        FileFaults: it is faulty; with all faults, in the order of the file.
    """
    source, root = read_yaml(path, raw)
    book = _Reader(source, catalog, policy).read(root)
    source.check()
    assert book is not None
    return book


class _Reader:
    """One book being read; what is faulty is None, and a fault is recorded."""

    def __init__(self, source: Source, catalog: Catalog | None, policy: Policy | None) -> None:
        self.source = source
        self.catalog = catalog
        self.policy = policy

    def read(self, root: Node) -> Book | None:
        required = (
            "casework", "version", "timezone", "levels", "difficulties", "commitment", "after_care",
            "reopen_within",
        )  # fmt: skip
        optional = ("office_hours", "calendar", "baseline", "feedback")
        if not root.mapping("the book", required, optional):
            return None
        name, version = root.get("casework"), root.get("version")
        id_ = name.pattern("the book's name", ID, "`wuchang`") if name is not None else None
        number = version.integer("version", least=0) if version is not None else None
        workdays = self.workdays(root)
        levels = self.levels(root.get("levels"))
        difficulties = self.difficulties(root.get("difficulties"))
        commitment = self.commitment(root.get("commitment"))
        after_care = self.after_care(root.get("after_care"))
        reopen_within = self.span(root.get("reopen_within"), "reopen_within")
        baselines = self.baselines(root.get("baseline"))
        feedback = read_feedback(root.get("feedback"), self.catalog, difficulties)
        if (
            self.source.faults or id_ is None or number is None or workdays is None or commitment is None
            or after_care is None or reopen_within is None or feedback is None
        ):  # fmt: skip
            return None
        return Book(
            id=id_,
            version=number,
            workdays=workdays,
            levels=levels,
            difficulties=difficulties,
            commitment=commitment,
            after_care=after_care,
            reopen_within=reopen_within,
            baselines=tuple(baselines),
            department=feedback.department,
            assessed=feedback.assessed,
            granted=feedback.granted,
            catalog=self.catalog,
            digest=self.source.digest,
        )

    # -- parts -------------------------------------------------------------------------------------
    def span(self, node: Node | None, what: str) -> Span | None:
        """A span such as ``3wd``."""
        text = node.string(what) if node is not None else None
        if node is None or text is None:
            return None
        span = parse_span(text)
        if span is None:
            self.source.fault(
                node, f"{what} must be a span such as 1h, 15d, 4wh or 3wd, not {node.described()}",
                "h hours, d days, wh working hours, wd working days",
            )  # fmt: skip
        return span

    def spans(self, node: Node, names: Iterable[str]) -> dict[str, Span]:
        """Those of several spans that are there and right."""
        found = {name: self.span(node.get(name), name) for name in names}
        return {name: span for name, span in found.items() if span is not None}

    def workdays(self, root: Node) -> Workdays | None:
        timezone = root.get("timezone")
        name = timezone.string("timezone") if timezone is not None else None
        if timezone is not None and name is not None and name not in zoneinfo.available_timezones():
            self.source.fault(
                timezone, f"unknown timezone `{name}`: expected an IANA name such as Asia/Shanghai",
                suggest(name, zoneinfo.available_timezones()),
            )  # fmt: skip
            name = None
        opens, closes = self.office_hours(root.get("office_hours"))
        exceptions, years = self.calendar(root.get("calendar"))
        if name is None or opens >= closes:
            return None
        return Workdays(name, opens=opens, closes=closes, exceptions=exceptions, years=years)

    def office_hours(self, node: Node | None) -> tuple[int, int]:
        text = "09:00-17:00" if node is None else node.pattern("office_hours", _HOURS, '"09:00-17:00"')
        match = _HOURS.fullmatch(text or "")
        if match is None:
            return 0, 1
        opens, closes = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
        if node is not None and (opens >= closes or closes > 24 * 60):
            self.source.fault(node, "office_hours must end after they begin, at 24:00 at the latest")
            return 1, 0
        return opens, closes

    def calendar(self, node: Node | None) -> tuple[dict[int, bool], frozenset[int]]:
        """Days and years that the book itself knows."""
        days: dict[int, bool] = {}
        years: set[int] = set()
        if node is None or not node.mapping("calendar", (), ("work", "off", "years")):
            return days, frozenset()
        for name in ("work", "off"):
            listed = node.get(name)
            for one in (listed.sequence(f"calendar.{name}") or []) if listed is not None else []:
                if one.kind != "scalar" or not is_date(one.text):
                    self.source.fault(one, f"{one.described()} is no date: expected one such as 2027-10-01")
                elif day_from_text(one.text) in days:
                    self.source.fault(one, f"the day {one.text} stands twice")
                else:
                    days[day_from_text(one.text)] = name == "work"
        listed = node.get("years")
        for one in (listed.sequence("calendar.years") or []) if listed is not None else []:
            text = one.pattern("a year", _YEAR, "2027")
            if text is not None:
                years.add(int(text))
        return days, frozenset(years)

    def levels(self, node: Node | None) -> dict[str, LevelRules]:
        found: dict[str, LevelRules] = {}
        known = [level.id for level in self.policy.levels] if self.policy is not None else None
        for item in (node.sequence("levels") or []) if node is not None else []:
            if not item.mapping("a level", ("id", "street_after", "district_after"), LEVEL_CLOCKS):
                continue
            spans = self.spans(item, ("street_after", "district_after", *LEVEL_CLOCKS))
            within: dict[ClockKind, Span] = {kind: spans[kind] for kind in LEVEL_CLOCKS if kind in spans}
            name = self.new_id(item.get("id"), "level", found)
            if name is None:
                continue
            id_node = item.get("id")
            if known is not None and name not in known and id_node is not None:
                self.source.fault(id_node, f"the policy has no level `{name}`", suggest(name, known))
            if "street_after" in spans and "district_after" in spans:
                found[name] = LevelRules(within, spans["street_after"], spans["district_after"])
        if node is not None and node.kind == "list" and not self.source.faults:
            if not found:
                self.source.fault(node, "levels must name at least one")
            elif known is not None and list(found) != known:
                missing = [level for level in known if level not in found]
                what = (
                    f"lack: {', '.join(missing)}" if missing else "stand in another order than in the policy"
                )
                self.source.fault(node, f"the levels {what}", f"expected: {', '.join(known)}")
        return found

    def new_id(
        self, node: Node | None, what: str, found: dict[str, LevelRules] | dict[str, Difficulty]
    ) -> str | None:
        return None if node is None else node.new_id(f"a {what}'s id", ID, "`red`", what, found)

    def difficulties(self, node: Node | None) -> dict[str, Difficulty]:
        found: dict[str, Difficulty] = {}
        for item in (node.sequence("difficulties") or []) if node is not None else []:
            if item.mapping("a difficulty", ("id", "severity"), ("title",)):
                name = self.new_id(item.get("id"), "difficulty", found)
                titles = read_titles(item.get("title"), "title")
                severity_node = item.get("severity")
                severity = severity_node.integer("severity", least=0) if severity_node is not None else None
                if name is not None and severity is not None:
                    found[name] = Difficulty(titles, severity)
        if node is not None and node.kind == "list" and not node.elements():
            self.source.fault(node, "difficulties must name at least one")
        return found

    def commitment(self, node: Node | None) -> CommitmentRules | None:
        names = ("help", "papers", "grace", "barred")
        if node is None or not node.mapping("commitment", names):
            return None
        spans = self.spans(node, names)
        if len(spans) < len(names):
            return None
        return CommitmentRules(spans["help"], spans["papers"], spans["grace"], spans["barred"])

    def after_care(self, node: Node | None) -> AfterCare | None:
        names = ("codes", "quiet", "new_points", "flags", "flags_within")
        if node is None or not node.mapping("after_care", names):
            return None
        spans = self.spans(node, ("quiet", "flags_within"))
        codes_node, points_node, flags_node = node.get("codes"), node.get("new_points"), node.get("flags")
        codes: set[CloseCode] = set()
        for one in (codes_node.sequence("codes") or []) if codes_node is not None else []:
            code = one.choice("close code", get_args(CloseCode))
            if code is not None:
                codes.add(code)  # type: ignore[arg-type]
        points = points_node.integer("new_points", least=1) if points_node is not None else None
        flags = flags_node.integer("flags", least=2, greatest=100) if flags_node is not None else None
        if len(spans) < 2 or points is None or flags is None:
            return None
        return AfterCare(frozenset(codes), spans["quiet"], points, flags, spans["flags_within"])

    def baselines(self, node: Node | None) -> list[Baseline]:
        found: dict[str, Baseline] = {}
        for item in (node.sequence("baseline") or []) if node is not None else []:
            if not item.mapping("a baseline", ("until", "per_day"), ("prefix", "settles")):
                continue
            prefix_node, until_node, pace_node = item.get("prefix"), item.get("until"), item.get("per_day")
            settles = SETTLES if item.get("settles") is None else self.span(item.get("settles"), "settles")
            prefix = "" if prefix_node is None else prefix_node.pattern("prefix", PREFIX, '"420106"')
            pace = pace_node.integer("per_day", least=1, greatest=1000) if pace_node is not None else None
            text = until_node.string("until") if until_node is not None else None
            until = parse_timestamp(text) if text is not None else None
            if until_node is not None and text is not None and until is None:
                self.source.fault(
                    until_node, f"`{text}` is no instant: expected one such as 2026-12-01T00:00:00+08:00"
                )
            if prefix is not None and prefix in found:
                self.source.fault(item, f"the prefix `{prefix}` stands twice")
            elif prefix is not None and pace is not None and until is not None and settles is not None:
                found[prefix] = Baseline(prefix, until, pace, settles)
        return list(found.values())
