"""What the staff of the stories do while the days go by, through the desk; and what came of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from casework.stories.acts import Act, Staff
from casework.stories.judged import Outcome, Receipt, differences_in_help
from hearthwatch.connections import kafka_connection
from hearthwatch.desk import Desk
from hearthwatch.settings import Settings
from streams.partition_log import PartitionLog
from streams.records import ALERTS
from streams.stories import Story
from streams.topics import life_topic

#: An answer comes within a second; on a machine that does much else within some.
_ANSWER_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Did:
    """An act and the event that answered it (docs/reference/cases.md)."""

    staff: Staff
    act: Act
    event: dict[str, Any]

    @property
    def is_refused(self) -> bool:
        """Whether it was not carried out."""
        return bool(self.event["type"] == "case.refused")


@dataclass(slots=True)
class Helpers:
    """The staff of all stories, at work by a desk.

    Attributes:
        suggested: household to (number of an act to measures).
    """

    desk: Desk
    suggested: dict[str, dict[int, list[str]]] = field(default_factory=dict)
    _cases: dict[str, str] = field(default_factory=dict)

    async def act(self, staff: Staff, act: Act) -> Did:
        """Do one thing, on the case as it stands.

        Raises:
            TransportError: no answer came.
        """
        household = staff.household
        if household not in self._cases:
            found = await self.desk.household(household)
            case = None if found is None else found.open or found.last
            if case is not None:
                self._cases[household] = case.id
        id = self._cases.get(household)
        shown = None if id is None else await self.desk.case(id)
        command = act.command(household, id, 0 if shown is None else shown.version)
        answer = await self.desk.send(command, timeout=_ANSWER_SECONDS)
        return Did(staff, act, answer.event)

    async def ask(self, staff: Staff, act: Act) -> None:
        """Ask what is worth asking about after an act; what the score makes of it has to be known by then."""
        id = self._cases.get(staff.household)
        if id is not None:
            measures = [one.measure for one in await self.desk.suggest(id)]
            self.suggested.setdefault(staff.household, {})[act.number] = measures


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a channel of the kind ``file`` wrote it down."""

    key: str
    channel: str
    team: str
    kind: str
    alerts: tuple[dict[str, Any], ...]
    title: str

    @property
    def receipts(self) -> list[Receipt]:
        """Who was told of what by it."""
        return [Receipt(str(one["id"]), self.team, self.channel) for one in self.alerts]


class Messages:
    """Reads what the file channels of a folder wrote, as it comes; each message once, by its key.

    Args:
        names: of the channels; each writes ``<name>.jsonl``.
    """

    def __init__(self, folder: Path, names: Sequence[str]) -> None:
        self._places = {folder / f"{name}.jsonl": 0 for name in names}
        self._seen: set[str] = set()
        self.all: list[Message] = []

    def fresh(self) -> list[Message]:
        """Messages that came since."""
        found = []
        for path, place in self._places.items():
            if not path.exists():
                continue
            with path.open("rb") as file:
                file.seek(place)
                whole, _, _ = file.read().rpartition(b"\n")
            self._places[path] = place + len(whole) + bool(whole)
            for line in whole.splitlines():
                message = _message(json.loads(line))
                if message.key not in self._seen:
                    self._seen.add(message.key)
                    found.append(message)
        self.all += found
        return found

    def receipts(self) -> list[Receipt] | None:
        """Who was told of what so far; None where there are no channels."""
        return [one for message in self.all for one in message.receipts] if self._places else None


def _message(line: dict[str, Any]) -> Message:
    return Message(
        line["key"], line["channel"], line["team"], line["kind"], tuple(line["alerts"]), line["text"]["title"]
    )


@dataclass(frozen=True, slots=True)
class Helped:
    """How the help of one story came out.

    Attributes:
        problems: in what it differs from what is told.
    """

    story: Story
    staff: Staff
    outcome: Outcome
    problems: tuple[str, ...]

    @property
    def is_as_told(self) -> bool:
        """Whether everything was done and ended as told."""
        return not self.problems


async def outcome_of(
    settings: Settings, helpers: Helpers, story: Story, staff: Staff, receipts: Sequence[Receipt] | None
) -> Helped:
    """What came of a story's staff, read from the topics.

    Raises:
        TransportError: no broker answers.
    """
    household = staff.household
    events = await helpers.desk.history(household)
    alerts, back = await asyncio.to_thread(_sent, settings, household, story.community)
    seen = Outcome(events, alerts, back, helpers.suggested.get(household, {}), receipts)
    return Helped(story, staff, seen, tuple(differences_in_help(staff, seen)))


def _sent(
    settings: Settings, household: str, community: str
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A household's alerts, and the events about it that came of its cases; each once."""
    district = community[:6].encode()
    alerts = [one for one in _values(settings, ALERTS, district) if one.get("household") == household]
    # Only cases name an event after a case: a story's own events have a dot behind the household.
    topic, key = life_topic("civil-affairs"), f"household/{household}".encode()
    back = [one for one in _values(settings, topic, key) if str(one.get("id")).startswith(f"{household}-")]
    return _once(alerts), _once(back)


def _values(settings: Settings, topic: str, key: bytes) -> list[dict[str, Any]]:
    log = PartitionLog(kafka_connection(settings), topic, key)
    try:
        return [json.loads(record.value) for record in log.records() if record.key == key and record.value]
    finally:
        log.close()


def _once(values: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for one in values:
        found.setdefault(str(one["id"]), one)
    return list(found.values())
