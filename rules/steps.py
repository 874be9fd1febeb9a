"""A step at work: what a household catches up with, what a record does to it, and what follows.

:func:`rules.household.step` is the way in; a plain fact does not come here unless points have changed.
"""

from __future__ import annotations

from typing import Final

from rules.calendar import day_text
from rules.compile import Rules
from rules.known import Known
from rules.levels import next_level
from rules.midnight import let_pass
from rules.occasions import membership, occasion, occasion_of
from rules.score import add_up, recompute, refresh, regroup
from rules.state import DEAD, PROVISIONAL, Household, Resident, Waiting, decode_known, encode_known
from rules.warnings import Before, Occasion, Warning, warning, warning_type
from streams.catalog import REGISTERED
from streams.errors import LedgerError
from streams.events import Event
from streams.records import About, Member, Message, Origin, Release, Transfer, Update
from streams.records import Fact as FactMessage

Effect = Warning | Transfer
"""What a step leads to: a warning for the topic, or a transfer to another household."""

PART_ENTRIES: Final = 300
"""Facts in one part of a transfer: some 40 KB, well below a broker's limit."""


class Step:
    """One step at work: the state is changed in place, effects are collected."""

    __slots__ = (
        "channel", "day", "effects", "home", "is_due", "offset", "origin", "rules", "scoring", "transfers",
    )  # fmt: skip

    def __init__(
        self, home: Household, rules: Rules, day: int, channel: str, offset: int, scoring: bool
    ) -> None:
        self.home = home
        self.rules = rules
        self.day = day
        self.channel = channel
        self.offset = offset
        self.scoring = scoring
        self.effects: list[Effect] = []
        self.transfers = 0
        self.is_due = False
        self.origin: Origin | None = None
        """Of the record that is being applied: one that waited has its own."""

    # -- time --------------------------------------------------------------------------------------
    def tick(self) -> None:
        """Catch up with the day."""
        home, rules = self.home, self.rules
        if home.day is None:  # its first record: there is nothing to compute yet
            home.day = self.day
            home.digest = rules.digest
        if home.digest != rules.digest:
            self.renew()
        while home.next_day <= self.day:
            day = max(home.next_day, home.day)
            midnight = rules.calendar.midnight_of(day)
            while midnight is None and day < self.day:  # the zone leaves this date out
                day += 1
                midnight = rules.calendar.midnight_of(day)
            if midnight is None:
                break
            home.day = day
            if not self.scoring:
                self._spoil()
                break
            if self.let_pass(day) or self.is_due:
                self.evaluate(Occasion("day", {"day": day_text(day)}, midnight), day)
        home.day = max(home.day, self.day)

    def let_pass(self, day: int) -> bool:
        """Let one midnight pass; return whether it may have changed the score."""
        home = self.home
        if home.fall_day > day:
            return let_pass(home, self.rules, day)
        first = day - self.rules.keep_days + 1
        home.own.forget(first)
        is_changed = False
        for person in list(home.residents):
            resident = home.residents[person]
            resident.changing().forget(first)
            if not resident.registered and not resident.known:
                # Of this person nothing is kept any more.
                del home.residents[person]
                is_changed = True
        return recompute(home, self.rules, day) or is_changed

    def renew(self) -> None:
        """Caches are for another policy, or for none: put days and points right."""
        home = self.home
        self.is_due = True
        day_of = self.rules.calendar.day_of
        for known in (home.own, *(resident.changing() for resident in home.residents.values())):
            for entry in known.events():
                entry.day = day_of(entry.time)
        assert home.day is not None
        if self.scoring:
            recompute(home, self.rules, home.day)

    def _spoil(self) -> None:
        """No cache is valid: the next record, or tomorrow, evaluates anew."""
        self.home.digest = ""
        self.home.next_day = self.day + 1

    # -- records -----------------------------------------------------------------------------------
    def take(self, message: Message) -> tuple[Household, tuple[Effect, ...]]:
        """Apply one record."""
        if self.home.day != self.day or self.home.digest != self.rules.digest:
            self.tick()
        self.origin = message.origin
        if isinstance(message, FactMessage):
            # Nearly every record: the person is here, and nothing waits.
            person = message.event.subject
            resident = self.home.residents.get(person)
            if resident is not None and resident.n == message.n:
                self._fact(resident, message.event)
            else:
                self._wait(person).queue.append(message)
                self._advance(person)
        elif isinstance(message, About):
            self._about(message.event)
        elif isinstance(message, Transfer):
            self._wait(message.person).parts.append(message)
            self._advance(message.person)
        else:
            self._wait(message.person).queue.append(message)
            self._advance(message.person)
        if self.is_due:
            # Caches were renewed for this record, which by itself changes nothing.
            self.origin = message.origin
            self.evaluate(occasion_of(message), self.day)
        return self.home, tuple(self.effects)

    def _wait(self, person: str) -> Waiting:
        waiting = self.home.waiting.get(person)
        if waiting is None:
            waiting = self.home.waiting[person] = Waiting()
        return waiting

    def _advance(self, person: str) -> None:
        """Apply what waits about a person until nothing can be."""
        home = self.home
        waiting = home.waiting[person]
        while True:
            resident = home.residents.get(person)
            if resident is None:
                if waiting.parts and len(waiting.parts) == waiting.parts[0].parts:
                    self._join(waiting)
                    continue
                head = waiting.queue[0] if waiting.queue else None
                if head is None or home.id != PROVISIONAL + person or _stamp(head) != 0:
                    break
                resident = home.residents[person] = Resident(person)
                if isinstance(head, FactMessage):
                    # A person nobody has seen: it exists from this record on.
                    self._membership_changed(resident)
                continue
            if not waiting.queue:
                break
            message = waiting.queue.pop(0)
            self.origin = message.origin
            if isinstance(message, FactMessage) and message.n == resident.n:
                self._fact(resident, message.event)
            elif isinstance(message, Update) and message.n == resident.n:
                self._update(resident, message)
            elif isinstance(message, Release) and message.n == resident.n + 1:
                self._release(resident, message)
            else:
                raise LedgerError(
                    f"household {home.id}: a record of move {message.n} about a person of move {resident.n}: "
                    "state and log do not fit together; run `hearthwatch rebuild`"
                )
        if waiting.parts and person in home.residents:
            raise LedgerError(f"household {home.id}: a person arrived who is here: run `hearthwatch rebuild`")
        if not waiting.queue and not waiting.parts:
            del home.waiting[person]

    def _about(self, event: Event) -> None:
        home = self.home
        if event.type == REGISTERED:
            if home.registered is None or event.key > home.registered:
                before = Before(home.level, home.score, home.community)
                home.registered = event.key
                community = event.data["community"]
                assert isinstance(community, str)
                home.community = community
                self.evaluate(occasion(event, "household"), self.day, before)
            return
        day = self.rules.calendar.day_of(event.time)
        touched = self._add(home.own, event, day)
        if touched is not None:
            self._refresh(None, touched, event, day)

    def _fact(self, resident: Resident, event: Event) -> None:
        day = self.rules.calendar.day_of(event.time)
        may_repeat = resident.may_know(event.source, event.id)
        touched = self._add(resident.changing(), event, day, may_repeat=may_repeat)
        if touched is None:
            if not resident.registered and not resident.known:
                # Too old to have any effect: it does not make a person exist either.
                del self.home.residents[resident.id]
                self._membership_changed()
            return
        if resident.role != DEAD:
            self._refresh(resident, touched, event, day)

    def _refresh(self, resident: Resident | None, types: tuple[str, ...], event: Event, day: int) -> None:
        """Evaluate after facts of these types changed; unless points change nothing can cross a line."""
        # What kills another fact takes that away as well.
        added = (day, event.data) if event.supersedes is None else None
        if (
            self.scoring
            and not refresh(self.home, self.rules, self.day, resident, types, added)
            and not self.is_due
        ):
            return
        kind = "household" if resident is None else "person"
        self.evaluate(occasion(event, kind), self.day)

    def _add(
        self, known: Known, event: Event, day: int, *, may_repeat: bool = True
    ) -> tuple[str, ...] | None:
        """Take in an event unless it is too old or a duplicate."""
        if self.day - day >= self.rules.keep_days:
            return None
        touched = known.add(event, day, may_repeat=may_repeat)
        if touched is not None and day + self.rules.keep_days < self.home.fall_day:
            self.home.fall_day = day + self.rules.keep_days
            self.home.next_day = min(self.home.next_day, self.home.fall_day)
        return touched

    def _update(self, resident: Resident, message: Update) -> None:
        _set(resident, message.member)
        self._membership_changed(resident)
        self.evaluate(membership(message.cause), self.day)

    def _release(self, resident: Resident, message: Release) -> None:
        home = self.home
        del home.residents[resident.id]
        parts = resident.known.parts(PART_ENTRIES)
        for at, part in enumerate(parts):
            number = (self.offset, self.transfers)
            self.transfers += 1
            self.effects.append(
                Transfer(
                    household=message.to,
                    channel=self.channel,
                    number=number,
                    origin=message.origin,
                    person=resident.id,
                    n=message.n,
                    cause=message.cause,
                    member=message.member,
                    part=at,
                    parts=len(parts),
                    known=encode_known(part),
                )
            )
        self._membership_changed()
        self.evaluate(membership(message.cause), self.day)

    def _join(self, waiting: Waiting) -> None:
        first = waiting.parts[0]
        self.origin = first.origin
        known = Known()
        for part in sorted(waiting.parts, key=lambda transfer: transfer.part):
            known.absorb(decode_known(part.known))
        waiting.parts = []
        known.forget(self.day - self.rules.keep_days + 1)
        resident = Resident(first.person, n=first.n)
        resident.known = known
        _set(resident, first.member)
        self.home.residents[first.person] = resident
        self._membership_changed(resident)
        self.evaluate(membership(first.cause), self.day)

    def _membership_changed(self, *arrived: Resident) -> None:
        self.is_due = True
        if self.scoring:
            regroup(self.home, self.rules, self.day, arrived)
        else:
            self._spoil()

    # -- levels ------------------------------------------------------------------------------------
    def evaluate(self, occasion: Occasion, day: int, before: Before | None = None) -> None:
        """Compare the score with the lines; at most one warning."""
        if not self.scoring:
            self._spoil()
            return
        self.is_due = False
        home, rules = self.home, self.rules
        if before is None:
            before = Before(home.level, home.score, home.community)
        score = add_up(home, rules)
        home.score = score.total
        home.level = next_level(before.level, score.total, score.floor, rules.policy.levels)
        if home.level == before.level and home.community == before.community:
            return
        # Without members the score is 0, and `clear` is at least 1: the level has come to none.
        type = warning_type(before, home, occasion.reason, bool(home.members))
        if type is None:
            return
        home.warned += 1
        origin = None if occasion.reason in ("day", "policy") else self.origin
        self.effects.append(warning(home, score, before, type, occasion, rules, day, origin))


def _stamp(message: FactMessage | Update | Release) -> int:
    """The move number under which the person must be here for this record."""
    return message.n - 1 if isinstance(message, Release) else message.n


def _set(resident: Resident, member: Member) -> None:
    resident.role, resident.birth, resident.sex = member.role, member.birth, member.sex
    resident.registered = True
