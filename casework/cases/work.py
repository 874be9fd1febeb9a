"""One step at work: the state is changed in place, what it leads to is collected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from casework.alerts.alert import Alert, Kind, Resolve, district_of
from casework.cases.book import Book
from casework.cases.case import CLOCKS, Case, Clock, ClockKind, Household, Tier
from casework.cases.case_events import AlertRecord, CaseEvent, Feedback, Ledger, Reason, remember
from casework.cases.commands import Command
from rules.calendar import instant_text

_LAST: Final = 253_402_300_799_000_000
"""The last second of the year 9999: no deadline is told beyond it."""


_OF_TIME: Final = ("overdue", "escalated", "worklist-ended", "worklist-extended")
"""Events that take nothing from what somebody decided who had not seen them."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What a step leads to, each in the order in which it has to be sent."""

    events: tuple[CaseEvent, ...] = ()
    alerts: tuple[AlertRecord, ...] = ()
    feedback: tuple[Feedback, ...] = ()


class Work:
    """A household, the instant, the book, and what was said so far.

    Attributes:
        at: the record's instant, and never before the household's last event.
    """

    __slots__ = ("_alerts", "_events", "_feedback", "_ledger", "at", "book", "home")

    def __init__(self, home: Household, at: int, book: Book) -> None:
        self.home = home
        self.at = max(at, home.at)
        self.book = book
        self._ledger = Ledger(home)
        self._events: list[CaseEvent] = []
        self._alerts: list[AlertRecord] = []
        self._feedback: list[Feedback] = []

    @property
    def effects(self) -> Effects:
        return Effects(tuple(self._events), tuple(self._alerts), tuple(self._feedback))

    # -- events ------------------------------------------------------------------------------------
    def event(
        self,
        case: Case,
        type: str,
        before: str | None,
        data: dict[str, Any] | None = None,
        command: Command | None = None,
        at: int | None = None,
    ) -> CaseEvent:
        """Say what became of a case; the state has been changed already.

        Args:
            before: the case's state before.
            command: that is answered by it.
            at: when it was; None: now.
        """
        at = self.at if at is None else at
        case.version += 1
        if type not in _OF_TIME:
            case.basis = case.version
        case.changed = at
        self.home.at = max(self.home.at, at)
        id = f"{case.id}-{case.version}"
        if command is not None:
            remember(self.home, command.id, (id, command.digest))
        clocks: dict[str, str] = {
            clock.kind: time_text(clock.due) for clock in case.clocks if clock.is_running
        }
        assumed = [clock.kind for clock in case.clocks if clock.is_running and clock.is_assumed]
        return self._say(
            CaseEvent(
                id=id,
                type=type,
                household=self.home.id,
                case=case.id,
                version=case.version,
                at=at,
                actor=None if command is None else command.actor,
                command=None if command is None else command.id,
                before=before,
                after=case.state,
                community=self._community(case),
                level=case.level,
                data=(data or {}) | ({"assumed": assumed} if assumed else {}),
                deadlines=clocks,
                changes={},
                book=self.book.id,
            )
        )

    def aside(
        self, id: str, type: str, data: dict[str, Any], command: Command | None, case: Case | None
    ) -> None:
        """Say what changed no case: a refusal, a repeated command, a warning where there is no case."""
        self._say(
            CaseEvent(
                id=id,
                type=type,
                household=self.home.id,
                case=None if case is None else case.id,
                version=0 if case is None else case.version,
                at=self.at,
                actor=None if command is None else command.actor,
                command=None if command is None else command.id,
                before=None if case is None else case.state,
                after=None if case is None else case.state,
                community=self._community(case),
                level=None if case is None else case.level,
                data=data,
                deadlines={},
                changes={},
                book=self.book.id,
            )
        )

    def refuse(self, command: Command, reason: Reason, message: str, case: Case | None) -> None:
        """Refuse a command; the refusal is remembered as its answer."""
        id = f"{command.id}-refused"
        remember(self.home, command.id, (id, command.digest))
        self.home.at = max(self.home.at, self.at)
        self.aside(id, "refused", {"reason": reason, "message": message}, command, case)

    def _community(self, case: Case | None) -> str | None:
        """Whose an event is: of an open case who answers for it, otherwise where the household lives now."""
        return self.home.community if case is None or case.closed is not None else case.community

    def _say(self, event: CaseEvent) -> CaseEvent:
        # What it changed is everything since the event before.
        said = msgspec.structs.replace(event, changes=self._ledger.changes(self.home))
        self._events.append(said)
        return said

    # -- what others are told ----------------------------------------------------------------------
    def alert(
        self,
        kind: Kind,
        event: CaseEvent,
        case: Case,
        *,
        tier: Tier = "community",
        to: str | None,
        before: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Tell people of an event.

        Args:
            to: the community that is told, or whose street or district; None: the district desk.
            before: where the household was before.
            clock: what is to be done; None: what is due first.
        """
        if clock is None:
            running = [one for one in case.clocks if one.is_running and one.overdue is None]
            clock = min(running, key=lambda one: one.due, default=None)
        dimensions = sorted((-points, name) for name, points in case.because.items() if points > 0)
        alert = Alert(
            id=f"{event.id}-{kind}",
            case=case.id,
            household=self.home.id,
            kind=kind,
            level=case.level,
            community=to,
            previous_community=before,
            tier=tier,
            dimensions=tuple(name for _, name in dimensions),
            task="supervise" if kind == "supervisor" else "visit" if clock is None else clock.kind,
            do_by=None if clock is None else clock.due,
        )
        self._alerts.append(AlertRecord(alert.district, alert))

    def resolve(self, case: Case, community: str | None, answered: Iterable[ClockKind] | None = None) -> None:
        """What a case asked for was done, in the district of this community.

        Args:
            answered: the clocks that were met; None: nothing that it asked for is to be done any more.
        """
        answers = None if answered is None else tuple(kind for kind in CLOCKS if kind in set(answered))
        self._alerts.append(AlertRecord(district_of(community), Resolve(case.id, answers)))

    def feed_back(self, sent: list[Feedback]) -> None:
        """Send events to the score."""
        self._feedback += sent


def time_text(instant: int) -> str:
    """An instant as others read it."""
    return instant_text(min(instant, _LAST))
