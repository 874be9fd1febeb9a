"""The part ``staff`` of a story's file: read, and every fault reported in one go.

Its form is docs/reference/stories.md. The data of a command are judged by the reader that the cases stage
itself uses.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import date
from typing import Any, Final, cast

from casework.alerts.alert import KINDS, TIERS, Kind, Tier
from casework.cases.book import Book
from casework.cases.case import STATES, CaseState, CloseCode, CommitmentState
from casework.cases.commands import DATA, Actor, Role, read_data
from casework.stories.acts import Act, End, ExpectedAlert, Staff
from rules.policy import Titles
from rules.titles import read_titles
from streams.errors import Fault, FileFaults
from streams.stories import Story
from streams.timestamps import parse_timestamp
from streams.yamlfile import Node

OFFICES: Final[dict[Role, int]] = {"community": 12, "street": 9, "district": 6}
"""Who acts in a story, and how many digits of its community's code they answer for."""
CODES: Final = (
    "helped", "helped-already", "no-need", "refused", "moved-away", "deceased", "data-wrong", "duplicate",
)  # fmt: skip
COMMITMENTS: Final = ("offered", "signed", "papers-due", "fulfilled", "broken", "waived")

_ID: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_WHOLE: Final = re.compile(r"[0-9]{1,12}")
_OFFSET: Final = ":00+08:00"


def read_staff(story: Story, book: Book) -> Staff | None:
    """What staff do in a story; None where it tells nothing of them.

    Args:
        book: with the words of the catalogue of assistance, which ``with`` and ``suggests`` are held to.

    Raises:
        FileFaults: every fault at once, with its place.
    """
    if story.staff is None:
        return None
    return _StaffFile(story, book).staff(story.staff)


def read_all_staff(stories: Iterable[Story], book: Book) -> dict[str, Staff]:
    """What staff do in some stories, by the story's id; those that tell nothing of them are left out.

    Raises:
        FileFaults: the faults of all files at once.
    """
    found: dict[str, Staff] = {}
    faults: list[Fault] = []
    for story in stories:
        try:
            staff = read_staff(story, book)
        except FileFaults as error:
            faults.extend(error.faults)
            continue
        if staff is not None:
            found[story.id] = staff
    if faults:
        raise FileFaults(faults)
    return found


class _StaffFile:
    def __init__(self, story: Story, book: Book) -> None:
        self._story = story
        self._book = book
        self._people: dict[str, Actor] = {}
        self._last = 0

    def staff(self, root: Node) -> Staff:
        """The whole part.

        Raises:
            FileFaults: it is faulty.
        """
        root.mapping("`staff`", ("people", "acts", "alerts", "back", "end"))
        self._read_people(root.get("people"))
        acts = [act for act in self._acts(root.get("acts")) if act is not None]
        alerts = tuple(self._alerts(root.get("alerts")))
        back = [self._back(one) for one in _elements(root.get("back"), "back")]
        end = self._end(root.get("end"))
        root.source.check()
        assert end is not None
        return Staff(self._story.household, tuple(acts), alerts, tuple(filter(None, back)), end)

    # -- who and what ------------------------------------------------------------------------------
    def _read_people(self, node: Node | None) -> None:
        for item in _elements(node, "people"):
            if not item.mapping("somebody of the staff", ("id", "role")):
                continue
            id_node = item.get("id")
            id = id_node and id_node.new_id("an id", _ID, "`lin`", "person", self._people)
            role = cast(Role, _choice(item.get("role"), "role", OFFICES) or "community")
            if id:  # also with a faulty role: what they do is not wrong for that
                self._people[id] = Actor(id, role, (self._story.community[: OFFICES[role]],))

    def _acts(self, node: Node | None) -> Iterator[Act | None]:
        for number, item in enumerate(_elements(node, "acts"), start=1):
            if item.mapping("an act", ("on", "at", "who", "does"), ("with", "case", "suggests", "title")):
                yield self._act(item, number)

    def _act(self, item: Node, number: int) -> Act | None:
        day, clock = _day(item.get("on")), _pattern(item.get("at"), "a time of day", _CLOCK, "`14:30`")
        who = _choice(item.get("who"), "person", self._people)
        does_node = item.get("does")
        does = _choice(does_node, "command", DATA)
        data = self._data(item.get("with"))
        case = _choice(item.get("case"), "state", STATES)
        suggests_node = item.get("suggests")
        known = self._book.assistance.measures if self._book.assistance is not None else {}
        named = suggests_node.one_or_many("suggests") if suggests_node is not None else None
        suggests = [_choice(one, "measure", known) or "" for one in named or ()]
        title: Titles = read_titles(item.get("title"), "title")
        if day is None or clock is None or who is None or does is None or does_node is None:
            return None
        at = parse_timestamp(f"{day}T{clock}{_OFFSET}")
        assert at is not None
        if at <= self._last:
            item.source.fault(
                item, f"{day} {clock} is not after the act above it: acts stand in order of time"
            )
        self._last = max(at, self._last)
        act = Act(
            number,
            day,
            at,
            self._people[who],
            does,
            data,
            cast("CaseState | None", case),
            tuple(suggests),
            title,
        )
        wrong = read_data(act.command(self._story.household, None, 0))
        if isinstance(wrong, str):
            at_node = item.get("with") or does_node
            item.source.fault(at_node, f"`{does}` does not take this: {wrong}")
        return act

    def _data(self, node: Node | None) -> dict[str, Any]:
        """The data of a command; a member is named as in the story."""
        if node is None:
            return {}
        if not node.mapping("`with`", optional=None):
            return {}
        found: dict[str, Any] = _plain(node)
        if "person" in found:
            found["person"] = self._subject(node.get("person"))
        for finding, told in zip(
            _elements(node.get("findings"), "findings"), found.get("findings", ()), strict=False
        ):
            if isinstance(told, dict) and "subject" in told:
                name = self._subject(finding.get("subject"))
                told["subject"] = f"household/{name}" if name == self._story.household else f"person/{name}"
        return found

    def _subject(self, node: Node | None) -> str:
        name = _choice(node, "member", [*self._story.members, "household"])
        household = self._story.household
        return household if name in (None, "household") else f"{household}.{name}"

    # -- what should come of it --------------------------------------------------------------------
    def _alerts(self, node: Node | None) -> Iterator[ExpectedAlert]:
        for item in _elements(node, "alerts"):
            if not item.mapping("an expected alert", ("on", "alert", "level"), ("tier", "to", "by")):
                continue
            day, kind = _day(item.get("on")), _choice(item.get("alert"), "alert", KINDS)
            level = _choice(item.get("level"), "level", self._book.levels)
            tier = _choice(item.get("tier"), "tier", TIERS) or "community"
            to = _pattern(item.get("to"), "a team", _ID, "`community-007003`")
            by = _pattern(item.get("by"), "a channel", _ID, "`mail`")
            if day is not None and kind is not None and level is not None:
                yield ExpectedAlert(day, cast(Kind, kind), level, cast(Tier, tier), to, by)

    def _back(self, node: Node) -> str | None:
        events = self._book.catalog.events if self._book.catalog is not None else {}
        return _choice(node, "event type", events)

    def _end(self, node: Node | None) -> End | None:
        if node is None or not node.mapping("`end`", ("code", "measures"), ("commitment",)):
            return None
        code = _choice(node.get("code"), "close code", CODES)
        known = self._book.assistance.measures if self._book.assistance is not None else {}
        measures = [
            _choice(one, "measure", known) or "" for one in _elements(node.get("measures"), "measures")
        ]
        commitment = _choice(node.get("commitment"), "state of a commitment", COMMITMENTS)
        if code is None:
            return None
        return End(cast(CloseCode, code), tuple(measures), cast("CommitmentState | None", commitment))


def _plain(node: Node) -> Any:
    """A node as JSON has it: true, false and whole numbers that stand without quotes are such."""
    if node.kind == "mapping":
        return {key.text: _plain(value) for key, value in node.items()}
    if node.kind == "list":
        return [_plain(one) for one in node.elements()]
    if node.quoted:
        return node.text
    if node.text in ("true", "false"):
        return node.text == "true"
    return int(node.text) if _WHOLE.fullmatch(node.text) else node.text


def _elements(node: Node | None, what: str) -> list[Node]:
    return (node.sequence(what) or []) if node is not None else []


def _choice(node: Node | None, what: str, of: Collection[str]) -> str | None:
    return node.choice(what, of) if node is not None else None


def _pattern(node: Node | None, what: str, grammar: re.Pattern[str], such_as: str) -> str | None:
    return node.pattern(what, grammar, such_as) if node is not None else None


def _day(node: Node | None) -> str | None:
    text = _pattern(node, "a day", _DAY, "2024-03-01")
    if node is None or text is None:
        return None
    try:
        date.fromisoformat(text)
    except ValueError:
        node.source.fault(node, f"`{text}` is no day: expected one such as 2024-03-01")
        return None
    return text
