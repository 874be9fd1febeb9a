"""What staff do and are told, in a line each, and what became of a family, in English or Chinese."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from casework.alerts.content import kind_text
from casework.cases.book import Book
from casework.cases.code_words import code_text
from casework.stories.acts import Act
from casework.stories.judged import day_of, household_of
from hearthwatch.demo.helping import Did, Helped, Message
from hearthwatch.demo.names import family_name
from hearthwatch.demo.words import WORDS
from hearthwatch.warning_text import level_text
from rules.policy import Policy, Titles
from rules.words import Language

_DONE: Final[dict[Language, dict[str, str]]] = {
    "en": {
        "acknowledge": "answers the alert",
        "assign": "gives the case to",
        "visit": "visits",
        "assess": "assesses",
        "propose": "proposes",
        "approve": "approves",
        "deliver": "brings",
        "refer": "refers",
        "comment": "notes",
        "close": "closes the case",
        "reopen": "reopens the case",
        "commit offer": "offers a commitment",
        "commit sign": "takes the signed commitment",
        "commit fulfil": "has all papers",
        "commit break": "finds the commitment broken",
        "commit waive": "waives the commitment",
        "met": "met",
        "absent": "nobody at home",
        "refused": "refused",
        "moved-away": "moved away",
    },
    "zh": {
        "acknowledge": "已响应预警",
        "assign": "分派",
        "visit": "入户走访",
        "assess": "评估",
        "propose": "提出",
        "approve": "审批",
        "deliver": "落实",
        "refer": "转介",
        "comment": "备注",
        "close": "结案",
        "reopen": "重启",
        "commit offer": "告知承诺制",
        "commit sign": "收到签署的承诺书",
        "commit fulfil": "材料已补齐",
        "commit break": "认定违诺",
        "commit waive": "免除承诺",
        "met": "见到本人",
        "absent": "家中无人",
        "refused": "拒绝",
        "moved-away": "已迁出",
    },
}


class HelpText:
    """Puts help into words, with the titles of the catalogue of assistance.

    Args:
        teams: titles of those that are told, by their ids.
    """

    def __init__(
        self, policy: Policy, book: Book, language: Language, teams: Mapping[str, Titles] | None = None
    ) -> None:
        self._teams = teams or {}
        self._policy = policy
        self._book = book
        self._language = language
        self._words = WORDS[language]
        self._done = _DONE[language]

    def news(self, one: Did | Message) -> str:
        """A line without its day and household."""
        if isinstance(one, Message):
            return self._message(one)
        act = one.act
        data = one.event["data"]["details"]
        if one.is_refused:
            return self._words["colon"].join((act.by.id, act.does, self._words["refused"], data["reason"]))
        return f"{act.by.id} {self._verb(act)}{self._object(act)}"

    def _verb(self, act: Act) -> str:
        step = f" {act.data['step']}" if act.does == "commit" else ""
        return self._done[act.does + step]

    def _object(self, act: Act) -> str:
        colon = self._words["colon"]
        if act.does in ("propose", "approve", "deliver"):
            return f" {self.measure(act)}"
        if act.does == "visit":
            return f"{colon}{self._done[act.data['outcome']]}"
        if act.does == "assess":
            causes = self._words["comma"].join(map(self._cause, act.data.get("causes", ())))
            return f"{colon}{self._difficulty(act.data['level'])}{colon if causes else ''}{causes}"
        if act.does == "close":
            return f"{colon}{self.code(act.data['code'])}"
        return ""

    def _message(self, message: Message) -> str:
        language = self._language
        said = Counter(
            f"{kind_text(str(one['kind']), language)} ({level_text(one['level'], self._policy, language)})"
            for one in message.alerts
        )
        told = self._words["comma"].join(
            text if count == 1 else f"{count} × {text}" for text, count in said.items()
        )
        channel = self._words.get(f"by-{message.channel}", message.channel)
        titles = self._teams.get(message.team, {})
        team = titles.get(language) or titles.get("en") or message.team
        return self._words["told"].format(team=team, channel=channel, told=told)

    def measure(self, act: Act) -> str:
        """What an act brings: its own title, or that of the measure."""
        if act.title:
            return act.title.get(self._language) or act.title.get("en", "")
        return self._measure(act.data["measure"])

    def _measure(self, id: str) -> str:
        known = None if self._book.assistance is None else self._book.assistance.measures.get(id)
        return id if known is None else known.title.get(self._language, id)

    def _cause(self, id: str) -> str:
        known = None if self._book.assistance is None else self._book.assistance.causes.get(id)
        return id if known is None else known.title.get(self._language, id)

    def _difficulty(self, id: str) -> str:
        known = self._book.difficulties.get(id)
        return id if known is None else known.title.get(self._language, id)

    def code(self, code: str | None) -> str:
        """A close code in a word."""
        if code is None:
            return self._words["open"]
        return code_text(code, self._language)

    def family(self, helped: Helped) -> str:
        """What became of a family: warned, visited, helped with what, closed."""
        events = helped.outcome.events
        parts = []
        if (opened := _first(events, "case.opened")) is not None:
            parts.append(self._words["warned-on"].format(day=day_of(opened["time"])))
        if (visited := _first(events, "case.visited")) is not None:
            parts.append(self._words["visited-on"].format(day=day_of(visited["time"])))
        if (signed := _first(events, "case.commitment.signed")) is not None:
            parts.append(self._words["signed-on"].format(day=day_of(signed["time"])))
        given = " + ".join(self.given(helped))
        if given:
            parts.append(given)
        if (papers := _first(events, "case.commitment.fulfilled")) is not None:
            parts.append(self._words["papers-on"].format(day=day_of(papers["time"])))
        case = household_of(helped.staff.household, events).last
        parts.append(self._words["closed"].format(code=self.code(None if case is None else case.code)))
        name = family_name(helped.story.id, self._language)
        return f"{name}{self._words['colon']}{self._words['comma'].join(parts)}"

    def given(self, helped: Helped) -> list[str]:
        """What was delivered, in order."""
        answered = {
            event["data"]["command"] for event in helped.outcome.events if event["type"] == "case.delivered"
        }
        acts = [act for act in helped.staff.acts if act.id(helped.staff.household) in answered]
        return [self.measure(act) for act in acts]


def _first(events: Any, type: str) -> Mapping[str, Any] | None:
    return next((event for event in events if event["type"] == type), None)
