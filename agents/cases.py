"""The cases stage: warnings, commands of staff and ticks in; events, alerts and news for the score out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal

from agents.case_index import member_of
from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.person import fail
from casework.cases import state_format
from casework.cases.book import Book
from casework.cases.case import TIERS, Case, Household, new
from casework.cases.case_events import CaseEvent
from casework.cases.commands import DATA, Command, Record, WarningPassed, decode_record
from casework.cases.step import step
from casework.cases.work import Effects
from streams.catalog import SUBJECT_ID
from streams.errors import LedgerError
from streams.records import ALERTS, CASE_COMMANDS, CASE_EVENTS, DEADLETTERS
from streams.topics import life_topic

Clock = Literal["wall", "log"]

EVENT_TYPE: Final = ("content-type", b"application/cloudevents+json")
ALERT_TYPE: Final = ("content-type", b"application/json")
CAUSE: Final = "hearthwatch.cause"
"""Header of what this stage sends: ``<topic>/<partition>/<offset>/<n>``, the record behind it and a number of
its own among all that came of that record. From each partition first occurrences come in order, so what is
not after the last one seen is a repeat."""

_KEY: Final = re.compile(f"~?{SUBJECT_ID}")


@dataclass(slots=True)
class _Open:
    """A household in a part.

    Attributes:
        before: its bytes before.
        applied: what was applied since, with its instant.
    """

    before: bytes | None
    home: Household
    member: str | None
    counts: Counter[str]
    applied: list[tuple[Record, int]] = field(default_factory=list)


class CasesStage(Stage):
    """Folds ``case.commands`` by :func:`casework.cases.step.step`.

    Args:
        clock: in ``log`` what is sent is stamped with the time of the record behind it.
    """

    name: ClassVar[str] = "cases"
    max_part: ClassVar[int] = 500

    def __init__(self, book: Book, *, clock: Clock = "wall") -> None:
        self.book = book
        self.clock = clock
        self.topics = (CASE_COMMANDS,)
        self.sends_to = (CASE_EVENTS, ALERTS, CASE_COMMANDS, DEADLETTERS)
        if book.catalog is not None and book.department:
            self.sends_to += (life_topic(book.department),)

    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Raw records with their households and what was read of them; the households."""
        out: list[tuple[Any, str, Record]] = []
        for record in records:
            try:
                household = record.key.decode()
                if _KEY.fullmatch(household) is None:
                    raise ValueError("the key is no household")
                out.append((record, household, decode_record(record.value)))
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
        return out, {household for _, household, _ in out}

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each household through its records, in the order of the log."""
        opened: dict[str, _Open] = {}
        for raw, household, record in read:
            one = opened.get(household)
            if one is None:
                one = opened[household] = self._open(household, lane.states[household])
            # The broker's clock, or the sender's where that is the clock; both have milliseconds.
            at = raw.timestamp * 1000
            done = _done(one.home)
            try:
                one.home, effects = step(one.home, record, at=at, book=self.book)
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                one.home = self._replayed(household, one)
                fail(part, lane, raw, None, error)
                continue
            one.applied.append((record, at))
            self._send(lane, part, raw, household, effects)
            self._tell(part, record, effects)
            self._observe(part, one.home, done)
        moved: Counter[str] = Counter()
        for household, one in opened.items():
            self._close(part, household, one, moved)
        for name, change in moved.items():
            if change:
                lane.counts[name] = part.counts[name] = lane.counts.get(name, 0) + change
        part.tallies["records", self.name] += part.count

    @staticmethod
    def _open(household: str, before: bytes | None) -> _Open:
        home = new(household) if before is None else state_format.decode(before)
        return _Open(before, home, member_of(home), counts_of(home))

    def _replayed(self, household: str, one: _Open) -> Household:
        """The state from before a record that the program failed on: it was changed in place."""
        home = self._open(household, one.before).home
        for record, at in one.applied:
            home, _ = step(home, record, at=at, book=self.book)
        return home

    @staticmethod
    def _close(part: Part, household: str, one: _Open, moved: Counter[str]) -> None:
        """Write a household down where anything of it has changed."""
        home = one.home
        after = state_format.encode(home)
        if after == one.before or (one.before is None and home == new(household)):
            return
        part.states[household] = after
        part.next_days[household] = home.next_due
        member = member_of(home)
        if member != one.member:
            part.index[household] = one.member, member
        moved.update(counts_of(home))
        moved.subtract(one.counts)

    def _send(self, lane: Lane, part: Part, raw: Any, household: str, effects: Effects) -> None:
        add = part.sends.append
        key = household.encode()
        number = 0

        def cause() -> tuple[str, bytes]:
            nonlocal number
            number += 1
            return CAUSE, cause_text(lane, raw.offset, number - 1).encode()

        is_timed = self.clock == "log"
        for event in effects.events:
            add((CASE_EVENTS, key, event.body(), [EVENT_TYPE, cause()]))
        for alert in effects.alerts:
            headers = [ALERT_TYPE, cause()]
            if is_timed:
                add((ALERTS, alert.key.encode(), alert.body(), headers, raw.timestamp))
            else:
                add((ALERTS, alert.key.encode(), alert.body(), headers))
        for sent in effects.feedback:
            # By the departments' own contract, also its headers: intake takes (source, id) once.
            if is_timed:
                add((sent.topic, sent.key.encode(), sent.body, [EVENT_TYPE], raw.timestamp))
            else:
                add((sent.topic, sent.key.encode(), sent.body, [EVENT_TYPE]))

    # -- what stands beside the states -----------------------------------------------------------------
    def due(self, state: bytes) -> int | None:
        """The household's next deadline, in microseconds since 1970."""
        return state_format.decode(state).next_due

    def member(self, state: bytes) -> str | None:
        """The household's open case."""
        return member_of(state_format.decode(state))

    def counted(self, states: Iterable[bytes]) -> dict[str, int]:
        """Open cases by level and state, and late ones by tier."""
        found: Counter[str] = Counter()
        for state in states:
            found.update(counts_of(state_format.decode(state)))
        return dict(found)

    def anew(self, state: bytes) -> bytes:
        """A state in today's form."""
        return state_format.encode(state_format.decode(state))

    def decoded(self, state: bytes) -> Household:
        """A household's cases."""
        return state_format.decode(state)

    # -- for metrics -------------------------------------------------------------------------------------
    @staticmethod
    def _tell(part: Part, record: Record, effects: Effects) -> None:
        tallies = part.tallies
        if isinstance(record, WarningPassed) and not effects.events:
            tallies["repeats", CasesStage.name] += 1
        for event in effects.events:
            if event.type in ("overdue", "escalated"):
                tallies["late", str(event.data.get("clock", "papers")), _tier_of(event)] += 1
            elif event.type == "opened":
                tallies["opened", event.level or "none"] += 1
            elif event.after == "closed" and event.before != "closed":
                tallies["closed", str(event.data.get("code", "none"))] += 1
            if isinstance(record, Command) and event.command == record.id:
                named = record.command if record.command in DATA else "unknown"
                tallies["commands", named, _result_of(event)] += 1

    @staticmethod
    def _observe(part: Part, home: Household, before: dict[tuple[str, str], int]) -> None:
        """How long it took from a case's opening until something was done for it, the first time."""
        for (id, kind), at in _done(home).items():
            case = home.case if home.case is not None and home.case.id == id else home.last
            if (id, kind) not in before and case is not None and case.opened <= at:
                seconds = (at - case.opened) / 1e6
                part.observed.append(("hearthwatch_case_step_seconds", (kind, case.level), seconds))


def cause_text(lane: Lane, offset: int, number: int) -> str:
    """The value of :data:`CAUSE`: a record of a lane's log, and a number among all that came of it."""
    return f"{lane.topic}/{lane.partition}/{offset}/{number}"


def counts_of(home: Household) -> Counter[str]:
    """What a household adds to the counters of its partition."""
    case = home.case
    found: Counter[str] = Counter()
    if case is not None:
        found[f"open/{case.level}/{case.state}"] = 1
        told = _told(case)
        if told:
            found[f"late/{TIERS[told - 1]}"] = 1
    return found


def _told(case: Case) -> int:
    """How many tiers know of something late in this case that is still not done."""
    return max((clock.told for clock in case.clocks if clock.is_running), default=0)


def _done(home: Household) -> dict[tuple[str, str], int]:
    """When each clock was met, of the cases that anything can happen to."""
    return {
        (case.id, clock.kind): clock.done
        for case in (home.case, home.last)
        if case is not None
        for clock in case.clocks
        if clock.done is not None and not clock.is_waiting
    }


def _tier_of(event: CaseEvent) -> str:
    return str(event.data.get("tier", "street"))


def _result_of(event: CaseEvent) -> str:
    """What came of a command: done, repeated, or the reason of a refusal."""
    if event.type == "refused":
        return str(event.data.get("reason", "refused"))
    return "repeated" if event.type == "repeated" else "done"
