"""The file of a story: read, checked against the catalogue, and turned into event lines.

Every line is judged by the same decoder that the live system uses, so a story that reads without a fault
is accepted whole. What is wrong is recorded at its line and column, all of it in one go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from streams.catalog import BUILT_IN, JOINED, LEFT, REGISTERED, RETRACTED, Catalog, Field
from streams.envelope import Decoder
from streams.errors import DecodeError
from streams.yamlfile import Node, Source, suggest

ROLES: Final = ("head", "spouse", "child", "parent", "grandparent", "grandchild", "sibling", "other")
CHANGES: Final = ("raised", "upgraded", "lowered", "cleared", "withdrawn", "moved")
OFFSET: Final = "+08:00"
"""Stories are told in China Standard Time."""

_KEYS: Final = ("name", "story", "policy_date", "until", "community", "members", "events", "expect")
_HELP: Final = ("expect_when_helped", "staff")
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_COMMUNITY: Final = re.compile(r"[0-9]{12}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATA_FIELD: Final = re.compile(r"\$\.data\.([a-z0-9_]+)")
_BUILT_IN_FIELDS: Final = {
    JOINED: ("household", "role", "birth", "sex"),
    LEFT: ("reason",),
    RETRACTED: ("reason",),
}


@dataclass(frozen=True, slots=True)
class Expected:
    """One warning that a story expects.

    Attributes:
        day: the day of the warning, ``YYYY-MM-DD``.
        change: raised, upgraded, lowered, cleared, withdrawn or moved.
        level: the level after it; None after cleared and withdrawn.
        because: indicators that the warning has to name, among others.
    """

    day: str
    change: str
    level: str | None
    because: tuple[str, ...] = ()

    def __str__(self) -> str:
        level = f" at {self.level}" if self.level is not None else ""
        because = f", because of {', '.join(self.because)}" if self.because else ""
        return f"{self.day}: {self.change}{level}{because}"


@dataclass(frozen=True, slots=True)
class Story:
    """A story, ready to be told.

    Attributes:
        name: the sentence that says what it shows.
        id: of the file; the household is ``story-<id>``, a member ``story-<id>.<member>``.
        path: of the file.
        begins: the policy date, ``YYYY-MM-DD``: the household is registered on this day.
        until: the last day that is watched; ticks go on to here.
        household: the household's id.
        lines: structured CloudEvents in order of arrival, without LF.
        arrivals: when each line arrives, as text that sorts by time.
        expected: every warning, in order; any other is a failure.
        community: 12 digits. members: their ids in the file.
        expected_when_helped: likewise, where staff do what the story tells of them.
        staff: what they do, unread: ``casework.stories`` knows what it means.
    """

    name: str
    id: str
    path: str
    begins: str
    until: str
    household: str
    lines: tuple[bytes, ...]
    arrivals: tuple[str, ...]
    expected: tuple[Expected, ...]
    community: str = ""
    members: tuple[str, ...] = ()
    expected_when_helped: tuple[Expected, ...] = ()
    staff: Node | None = field(default=None, compare=False, repr=False)

    def when_helped(self) -> Story:
        """The same story with its staff at work: the warnings that are expected then."""
        return self if self.staff is None else replace(self, expected=self.expected_when_helped)


class StoryFile:
    """Reads one file; what is wrong is recorded in its source.

    Args:
        levels, indicators: ids of a policy; None: any is taken.
    """

    def __init__(
        self,
        source: Source,
        catalog: Catalog,
        levels: Collection[str] | None = None,
        indicators: Collection[str] | None = None,
    ) -> None:
        self.source = source
        self.catalog = catalog
        self.levels = levels
        self.indicators = indicators
        self._decoder = Decoder(catalog)
        self._household = ""
        self._members: list[str] = []
        self._lines: list[bytes] = []
        self._arrivals: list[str] = []
        self._sent: dict[str, tuple[str, str]] = {}  # id of an event -> its department and its subject
        self._minutes: dict[str, int] = {}
        self._last = ""

    def story(self, root: Node) -> Story | None:
        """The story, or None where any fault was recorded."""
        if not root.mapping("a story", _KEYS, _HELP):
            return None
        name = _sentence(root.get("name"))
        story = _matching(root.get("story"), "the id of a story", _ID, "`job-found-again`")
        begins, until = self._day(root.get("policy_date")), self._day(root.get("until"))
        until_node = root.get("until")
        if until_node is not None and begins is not None and until is not None and until < begins:
            self.source.fault(until_node, f"the story ends on {until}, before it begins on {begins}")
        self._household = f"story-{story}"
        community = None
        if begins is not None:
            community = self._register(root, begins)
            self._events(root.get("events"))
        expected = self._expectations(root.get("expect"))
        helped_node, staff = root.get("expect_when_helped"), root.get("staff")
        if helped_node is not None and staff is None:
            self.source.fault(helped_node, "`expect_when_helped` needs `staff`, who help")
        helped = expected if helped_node is None else self._expectations(helped_node)
        if self.source.faults or name is None or story is None or begins is None or until is None:
            return None
        lines, arrivals = tuple(self._lines), tuple(self._arrivals)
        return Story(
            name, story, self.source.path, begins, until, self._household, lines, arrivals, expected,
            community or "", tuple(self._members), helped, staff,
        )  # fmt: skip

    # -- members -----------------------------------------------------------------------------------
    def _register(self, root: Node, begins: str) -> str | None:
        """The registration of the household and its members, on the first day at eight; the community."""
        by, household = self.catalog.registry[0], f"household/{self._household}"
        node = root.get("community")
        community = _matching(node, "a community", _COMMUNITY, "`420106001001`")
        if node is not None and community is not None:
            event = _Event(
                REGISTERED, by, household, f"{begins}T08:00", "registered", {"community": community}
            )
            self._emit(event, node)
        self._last = begins
        for number, item in enumerate(_elements(root.get("members"), "members"), start=1):
            if not item.mapping("a member", ("id", "role"), ("born", "sex")):
                continue
            id_node = item.get("id")
            member = _matching(id_node, "a member's id", _ID, "`daughter`")
            if id_node is None or member is None:
                continue
            if member in self._members or member == "household":
                self.source.fault(id_node, f"the id `{member}` is taken")
                continue
            self._members.append(member)
            data: dict[str, object] = {"household": self._household}
            data["role"] = _one_of(item.get("role"), "role", ROLES) or "other"
            if (born := self._day(item.get("born"))) is not None:
                data["birth"] = born
            if (sex := _one_of(item.get("sex"), "sex", ("female", "male"))) is not None:
                data["sex"] = sex
            subject = f"person/{self._household}.{member}"
            time = f"{begins}T08:{number % 60:02}"
            self._emit(_Event(JOINED, by, subject, time, f"joined-{member}", data), item)
        return community

    # -- events ------------------------------------------------------------------------------------
    def _events(self, node: Node | None) -> None:
        optional = ("at", "recorded", "by", "with", "id", "corrects", "retracts")
        for number, item in enumerate(_elements(node, "events"), start=1):
            if item.mapping("an event", ("on", "who", "what"), optional):
                self._event(item, number)

    def _event(self, item: Node, number: int) -> None:
        before = len(self.source.faults)
        kind, subject = self._kind_and_subject(item)
        on, recorded = self._day(item.get("on")), self._day(item.get("recorded"))
        if kind is None or subject is None or on is None:
            return
        arrives = recorded or on
        if arrives < self._last:
            above = "events stand in order of arrival"
            self.source.fault(item, f"{arrives} lies before the day above it ({self._last}): {above}")
        self._last = max(self._last, arrives)
        minute = self._minutes[arrives] = self._minutes.get(arrives, 0) + 1
        at = _matching(item.get("at"), "a time of day", _TIME, "`14:30`")
        clock = at or f"{9 + minute // 60:02}:{minute % 60:02}"
        senders = self._senders(kind)
        supersedes, former = self._superseded(item, kind, subject)
        by = _one_of(item.get("by"), "department", senders) or former or senders[0]
        id_node = item.get("id")
        own = (id_node.string("an id") if id_node is not None else None) or f"event-{number}"
        data = self._data(kind, item.get("with"))
        if kind == RETRACTED:
            data.setdefault("reason", "booked by mistake")
        if kind == JOINED:
            data.setdefault("household", self._household)
        if own in self._sent and id_node is not None:
            self.source.fault(id_node, f"the id `{own}` is taken")
        self._sent[own] = (by, subject)
        later = f"{recorded}T{clock}" if recorded is not None else None
        if len(self.source.faults) == before:  # otherwise it is rejected for what is known already
            self._emit(_Event(kind, by, subject, f"{on}T{clock}", own, data, later, supersedes), item)

    def _senders(self, kind: str) -> tuple[str, ...]:
        """Who may send a type; the first one does unless the story says otherwise."""
        if kind in self.catalog.events:
            return self.catalog.events[kind].departments
        return tuple(self.catalog.departments) if kind == RETRACTED else self.catalog.registry

    def _kind_and_subject(self, item: Node) -> tuple[str | None, str | None]:
        """The type of an event, and its subject as the envelope has it."""
        who = item.get("who")
        types = [*self.catalog.events, *(kind for kind in BUILT_IN if kind != REGISTERED)]
        kind = _one_of(item.get("what"), "event type", types)
        whom = _one_of(who, "member", [*self._members, "household"])
        if who is None or kind is None or whom is None:
            return None, None
        about_household = whom == "household"
        if kind in self.catalog.events:
            fits = (self.catalog.events[kind].subject == "household") == about_household
        else:
            fits = kind == RETRACTED or not about_household
        if not fits:
            needs = "a member" if about_household else "`household`"
            self.source.fault(who, f"`{kind}` is about {needs}, not `{whom}`")
            return None, None
        return kind, f"household/{self._household}" if about_household else f"person/{self._household}.{whom}"

    def _superseded(self, item: Node, kind: str, subject: str) -> tuple[str | None, str | None]:
        """Id of the event that this one corrects or retracts, and that one's department."""
        key, other_key = ("retracts", "corrects") if kind == RETRACTED else ("corrects", "retracts")
        other, node = item.get(other_key), item.get(key)
        if other is not None:
            self.source.fault(other, f"`{kind}` takes the key `{key}`, not `{other_key}`")
        if node is None:
            if kind == RETRACTED and other is None:
                wants = "the id of the event that never held"
                self.source.fault(item, f"a retraction lacks the key `retracts`: {wants}")
            return None, None
        earlier = node.string("an id")
        if earlier is None:
            return None, None
        if earlier not in self._sent:
            self.source.fault(node, f"no event above has the id `{earlier}`", suggest(earlier, self._sent))
            return None, None
        department, former = self._sent[earlier]
        if former != subject:
            self.source.fault(node, f"the event `{earlier}` is about someone else")
        return f"{self._household}.{earlier}", department

    def _data(self, kind: str, node: Node | None) -> dict[str, object]:
        """The event's data, values by their kind."""
        if node is None or not node.mapping("`with`", optional=None):
            return {}
        fields = self.catalog.events[kind].data if kind in self.catalog.events else {}
        names = list(fields) or list(_BUILT_IN_FIELDS.get(kind, ()))
        found: dict[str, object] = {}
        for key, value in node.items():
            if key.text in names:
                found[key.text] = self._value(fields.get(key.text), value)
            else:
                self.source.fault(key, f"`{kind}` has no field `{key.text}`", suggest(key.text, names))
        return found

    def _value(self, field: Field | None, node: Node) -> object:
        """A scalar as JSON has it; the decoder judges it afterwards."""
        if field is None or field.kind not in ("boolean", "integer", "money"):
            return node.string("a value") or ""
        if field.kind == "boolean":
            return _one_of(node, "value", ("true", "false")) == "true"
        number = node.number(f"`{field.name}`")
        if number is None:
            return 0
        return int(number) if number.denominator == 1 else node.text

    def _emit(self, event: _Event, item: Node) -> None:
        """Write one event, once the contract accepts it."""
        line = event.line(self._household, self.catalog)
        try:
            self._decoder.line(line)
        except DecodeError as error:
            self.source.fault(_place_of(error, item), f"{error.reason}: {error.message}")
        self._lines.append(line)
        self._arrivals.append((event.recorded or event.time) + OFFSET)

    # -- expectations ------------------------------------------------------------------------------
    def _expectations(self, node: Node | None) -> tuple[Expected, ...]:
        found = []
        for item in _elements(node, "expect"):
            if not item.mapping("an expected warning", ("on", "warning"), ("level", "because")):
                continue
            on, change = self._day(item.get("on")), _one_of(item.get("warning"), "warning", CHANGES)
            level = _one_of(item.get("level"), "level", self.levels)
            if change is not None and (item.get("level") is None) != (change in ("cleared", "withdrawn")):
                self.source.fault(
                    item, f"a warning that is {change} has {'a' if level is None else 'no'} level"
                )
            because_node = item.get("because")
            named = (because_node.one_or_many("because") or []) if because_node is not None else []
            because = [_one_of(indicator, "indicator", self.indicators) or "" for indicator in named]
            if on is not None and change is not None:
                found.append(Expected(on, change, level, tuple(because)))
        return tuple(found)

    def _day(self, node: Node | None) -> str | None:
        text = node.string("a day") if node is not None else None
        if node is None or text is None:
            return None
        try:
            if not _DAY.fullmatch(text):
                raise ValueError(text)
            date.fromisoformat(text)
        except ValueError:
            self.source.fault(node, f"`{text}` is no day: expected one such as 2024-03-01")
            return None
        return text


@dataclass(frozen=True, slots=True)
class _Event:
    """An event on its way to a line; times are ``YYYY-MM-DDTHH:MM``."""

    kind: str
    by: str
    subject: str
    time: str
    own: str
    data: Mapping[str, object]
    recorded: str | None = None
    supersedes: str | None = None

    def line(self, household: str, catalog: Catalog) -> bytes:
        event: dict[str, object] = {
            "specversion": "1.0",
            "id": f"{household}.{self.own}",
            "source": catalog.source_of(self.by),
            "type": self.kind,
            "subject": self.subject,
            "time": f"{self.time}:00{OFFSET}",
        }
        if self.recorded is not None:
            event["recordedtime"] = f"{self.recorded}:00{OFFSET}"
        if self.supersedes is not None:
            event["supersedes"] = self.supersedes
        event["data"] = self.data
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _place_of(error: DecodeError, item: Node) -> Node:
    """The node that a rejection speaks of."""
    found = _DATA_FIELD.search(error.message)
    values = item.get("with") if item.kind == "mapping" else None
    if found is None or values is None or values.kind != "mapping":
        return item
    return values.get(found.group(1)) or item


def _sentence(node: Node | None) -> str | None:
    text = node.string("the name of a story") if node is not None else None
    if node is not None and text is not None and len(text) < 12:
        node.source.fault(node, "the name of a story is a sentence that says what it shows")
    return text


def _elements(node: Node | None, what: str) -> list[Node]:
    return (node.sequence(what) or []) if node is not None else []


def _matching(node: Node | None, what: str, grammar: re.Pattern[str], such_as: str) -> str | None:
    return node.pattern(what, grammar, such_as) if node is not None else None


def _one_of(node: Node | None, what: str, values: Collection[str] | None) -> str | None:
    """One of several texts; any text where ``values`` is None."""
    if node is None:
        return None
    return node.string(f"a {what}") if values is None else node.choice(what, values)
