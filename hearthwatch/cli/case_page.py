"""One case on the screen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from casework.cases.case import TIERS
from casework.cases.code_words import code_text
from hearthwatch.cli.case_words import WORDS, field, left_text, word
from hearthwatch.cli.moments import local_text
from hearthwatch.desk import CaseView
from hearthwatch.desk.views import Deadline
from hearthwatch.screen import printable, wide_console
from hearthwatch.warning_style import level_style
from hearthwatch.warning_text import level_text
from rules.policy import Policy
from rules.words import Language, title_of
from streams.timestamps import parse_timestamp

#: Indicators that a line of the history names; the block above it names all of the last warning.
_MOST: Final = 3
_WARNED: Final = ("case.opened", "case.upgraded")
#: What the line has already, or what says nothing to a reader.
_LEFT_OUT: Final = {"warning", "warned", "due", "assumed", "assumed_calendar", "officer", "indicators"}
#: Fields whose values are words of the cases and not somebody's own.
_CODED: Final = {"outcome", "clock", "tier"}


def print_case(
    found: CaseView,
    events: list[dict[str, Any]],
    alerts: list[dict[str, Any]],
    policy: Policy,
    zone: dt.tzinfo,
    now: int,
    lang: Language,
) -> None:
    """Print a case, its history and who was told.

    Args:
        now: in microseconds since 1970: what is late is so by it.
    """
    console = wide_console()
    page = _Page(console, policy, zone, now, lang)
    page.head(found)
    page.deadlines(found)
    page.work(found)
    page.why(found, events)
    page.history(events)
    page.alerts(alerts)
    page.beside(found)
    console.print(Text(page.words["facts"].format(household=found.household), style="dim"), soft_wrap=True)


class _Page:
    def __init__(self, console: Console, policy: Policy, zone: dt.tzinfo, now: int, lang: Language) -> None:
        self.console = console
        self.policy = policy
        self.zone = zone
        self.now = now
        self.lang = lang
        self.words = WORDS[lang]

    def head(self, found: CaseView) -> None:
        line = Text(found.id, style="bold")
        line.append(
            f"  {level_text(found.level, self.policy, self.lang)}", level_style(found.level, self.policy)
        )
        line.append(f"  {word(found.state, self.lang)}")
        line.append(f"  {self.words['version'].format(version=found.version)}", "dim")
        self.console.print(line)
        parts = [
            f"{self.words['household']} {found.household}",
            f"{self.words['community']} {found.community or self.words['nobody']}",
            self.words["officer"].format(officer=found.officer)
            if found.officer
            else self.words["no-officer"],
            self.words["opened"].format(time=self.time(found.opened)),
        ]
        if found.closed is not None and found.code is not None:
            parts.append(
                self.words["closed"].format(
                    time=self.time(found.closed), code=code_text(found.code, self.lang)
                )
            )
        if found.source is not None:
            parts.append(self.words["from"].format(source=found.source))
        if found.duplicate_of is not None:
            parts.append(self.words["like"].format(case=found.duplicate_of))
        if found.is_baseline:
            parts.append(self.words["worklist"])
        self.console.print(Text(printable(self.listed(parts))))
        self.console.print(Text(self.words["times"].format(zone=self.policy.timezone), style="dim"))

    def deadlines(self, found: CaseView) -> None:
        rows = [
            (Text(word(one.clock, self.lang)), Text(self.time(one.due)), self._standing(one))
            for one in found.deadlines
        ]
        self.table("deadlines", rows)

    def _standing(self, one: Deadline) -> Text:
        """Whether a deadline was met, how long there is, and who knows that it is late."""
        if one.done is not None:
            told = self.words["met"].format(time=self.time(one.done))
            return Text(told, "dim" if one.overdue is None else "red")
        due = parse_timestamp(one.due) or 0
        left = Text(left_text(due, self.now, self.lang), style="red" if due <= self.now else "green")
        if one.told:
            tier = word(TIERS[min(one.told, len(TIERS)) - 1], self.lang)
            left.append(f" ({self.words['told'].format(tier=tier)})")
        if one.is_assumed:
            left.append(f" ({self.words['assumed']})", style="dim")
        return left

    def work(self, found: CaseView) -> None:
        """What staff did: visits, assessment, help, commitment."""
        self.table(
            "visits",
            [(Text(self.time(one.time)), Text(printable(one.by)), Text(word(one.outcome, self.lang)))
             for one in found.visits],
        )  # fmt: skip
        judged = found.assessment
        if judged is not None:
            told = f"{judged.level}: {', '.join(judged.causes)}" if judged.causes else judged.level
            self.table("assessment", [(Text(self.time(judged.time)), Text(printable(judged.by)), Text(told))])
        rows = []
        for one in found.measures:
            parts = [word(one.state, self.lang)]
            parts += [] if one.amount_yuan is None else [self.words["yuan"].format(yuan=one.amount_yuan)]
            parts += [] if one.person is None else [self.words["to"].format(person=one.person)]
            parts += [self.words["under"]] if one.under_commitment else []
            parts += [self.words["approved"].format(by=one.approved_by)] if one.approved_by else []
            rows.append((Text(one.id), Text(printable(one.by)), Text(printable(self.listed(parts)))))
        self.table("measures", rows)
        signed = found.commitment
        if signed is not None:
            told = word(signed.state, self.lang)
            if signed.papers:
                told = self.listed([told, self.words["papers"].format(papers="; ".join(signed.papers))])
            row = (Text(self.time(signed.changed)), Text(printable(signed.by)), Text(printable(told)))
            self.table("commitment", [row])

    def why(self, found: CaseView, events: list[dict[str, Any]]) -> None:
        """The indicators of the warning that opened the case, or upgraded it last.

        What came after may have lowered the score. Where the record has none, the points by dimension.
        """
        last = next((one for one in reversed(events) if one["type"] in _WARNED), None)
        details: dict[str, Any] = {} if last is None else last["data"]["details"]
        indicators = details.get("indicators") or []
        rows = [(Text(f"{one['points']:+}"), Text(self.indicator(one["indicator"]))) for one in indicators]
        if not rows:
            titles = {one.id: title_of(one.title, self.lang, one.id) for one in self.policy.dimensions}
            rows = [(Text(f"{points:+}"), Text(titles.get(id, id))) for id, points in found.because.items()]
        self.table("why", rows, score=details.get("score", found.score))

    def history(self, events: Iterable[dict[str, Any]]) -> None:
        rows = []
        for one in events:
            data = one["data"]
            by = data["actor"]
            who = self.words["clock"] if by is None else f"{by['id']} ({word(by['role'], self.lang)})"
            type, warning = one["type"].removeprefix("case."), data["details"].get("warning")
            rows.append(
                (
                    Text(self.time(one["time"])),
                    Text(printable(str(warning or who))),
                    # A refused command is another thing than a visit that was refused.
                    Text(word("refusal" if type == "refused" and self.lang == "zh" else type, self.lang)),
                    Text(printable(self.details(type, data["details"]))),
                )
            )
        self.table("history", rows)

    def alerts(self, alerts: Iterable[dict[str, Any]]) -> None:
        """Which team was told by which channel, or what became of the alert instead."""
        rows = []
        for one in alerts:
            data = one["data"]
            ways = [str(data.get(name) or "") for name in ("team", "channel", "by")]
            cells = [
                self.time(str(one.get("time"))),
                word(str(one.get("type")).removeprefix("alert."), self.lang),
            ]
            rows.append(tuple(Text(printable(cell)) for cell in (*cells, *ways)))
        self.table("alerts", rows)

    def beside(self, found: CaseView) -> None:
        """The household's cases before and after this one."""
        parts = [
            self.words[name].format(case=id)
            for name, id in (("before", found.before), ("after", found.after))
            if id is not None
        ]
        if parts:
            self.console.print()
            self.console.print(Text(printable(self.listed(parts)), style="dim"), soft_wrap=True)

    # -- parts ---------------------------------------------------------------------------------------
    def table(self, heading: str, rows: Sequence[tuple[Text, ...]], **values: object) -> None:
        if not rows:
            return
        self.console.print()
        self.console.print(Text(self.words[heading].format(**values), style="bold"))
        table = Table(box=None, pad_edge=False, show_header=False)
        for number in range(len(rows[0])):
            table.add_column(overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def details(self, type: str, details: dict[str, Any]) -> str:
        """What an event has to say beside who and what, in one line."""
        if type == "refused":
            return f"{details['reason']}: {details['message']}"
        parts = []
        indicators = details.get("indicators") or []
        if indicators:
            named = [self.indicator(one["indicator"]) for one in indicators[:_MOST]]
            more = len(indicators) - len(named)
            named += [self.words["more"].format(count=more)] if more else []
            parts.append(self.listed(named))
        for name, value in details.items():
            if name in _LEFT_OUT or value in (None, False, "", [], {}):
                continue
            parts.append(f"{field(name, self.lang)}{self._value(name, value)}")
        return ("；" if self.lang == "zh" else "; ").join(parts)

    def _value(self, name: str, value: Any) -> str:
        if value is True:
            return ""
        if isinstance(value, list):
            return " " + ", ".join(
                one.get("type", "") if isinstance(one, dict) else str(one) for one in value
            )
        if name == "code":
            return f" {code_text(value, self.lang)}"
        return f" {word(value, self.lang) if name in _CODED else value}"

    def indicator(self, id: str | None) -> str:
        """An indicator's title; its id where the policy does not know it any more."""
        found = next((one for one in self.policy.indicators if one.id == id), None)
        return str(id) if found is None else title_of(found.title, self.lang, found.id)

    def time(self, text: str) -> str:
        return local_text(text, self.zone)

    def listed(self, parts: Iterable[str]) -> str:
        return ("，" if self.lang == "zh" else ", ").join(parts)
