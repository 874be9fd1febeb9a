"""The household step: one record in, the next state and what follows from it out.

Pure: the log's own day is the only clock, so a replay raises the same warnings with the same ids. The live
agent, the backtest, a rebuild and the tests all call :func:`step`.
"""

from __future__ import annotations

from typing import Final

from rules.calendar import day_text
from rules.compile import Rules
from rules.kept import append
from rules.known import Known
from rules.levels import next_level
from rules.occasions import membership, occasion, occasion_of
from rules.score import add_fact, add_up, let_pass, recompute, refresh, regroup
from rules.state import DEAD, Household, Resident, Waiting, decode, decode_known, encode, encode_known, new
from rules.warnings import Before, Occasion, Warning, warning, warning_type
from streams.catalog import REGISTERED
from streams.errors import LedgerError
from streams.events import Event
from streams.records import About, Member, Message, Origin, Release, Transfer, Update
from streams.records import Fact as FactMessage

__all__ = [
    "Effect", "Household", "Resident", "Warning", "adopt", "catch_up", "decode", "encode", "new", "step",
]  # fmt: skip

Effect = Warning | Transfer
"""What a step leads to: a warning for the topic, or a transfer to another household."""

PROVISIONAL: Final = "~"
"""Begins the id of the household of a person whom no registry has placed: ``~<person>``."""

PART_ENTRIES: Final = 300
"""Facts in one part of a transfer: some 40 KB, well below a broker's limit."""


def step(
    state: Household,
    message: Message,
    *,
    rules: Rules,
    day: int,
    channel: str = "",
    offset: int = 0,
    scoring: bool = True,
) -> tuple[Household, tuple[Effect, ...]]:
    """Fold one record of ``household.facts`` into one household.

    The household first catches up with the ticks up to ``day``, in order.

    Args:
        state: is used up; where an error is raised, decode the old bytes again.
        day: today in the policy's time zone, as days since 1970-01-01; never before an earlier one.
        channel, offset: the log position of this record: transfers are numbered (offset, index) on it.
        scoring: False applies the record without an evaluation, after one has failed; the next record
            evaluates the household anew.

    Raises:
        LedgerError: the record cannot stand here: state and log do not fit together.
    """
    assert message.household == state.id, "a record is keyed by its household"
    if (
        type(message) is FactMessage
        and scoring
        and state.digest == rules.digest
        and ((before := state.day) == day or (before is not None and before < day < state.next_day))
    ):
        # Nearly every record: no midnight in between changes anything, and the person is here.
        event = message.event
        resident = state.residents.get(event.subject)
        if resident is not None and resident.n == message.n and resident.role != DEAD:
            event_day = rules.calendar.day_of(event.time)
            if day - event_day < rules.keep_days:
                state.day = day
                adding = rules.adding.get(event.type)
                if adding is not None and event.supersedes is None and type(kept := resident.kept) is bytes:
                    more = append(kept, event, event_day)
                    if more is not None:
                        resident.kept = more
                        has_changed = add_fact(state, rules, adding, resident, event_day, event.data, day)
                        return _after_fact(state, message, event_day, rules, day, has_changed)
                return _plain_fact(state, resident, message, event_day, rules, day)
    return _Step(state, rules, day, channel, offset, scoring).take(message)


def _plain_fact(
    home: Household, resident: Resident, message: FactMessage, event_day: int, rules: Rules, day: int
) -> tuple[Household, tuple[Effect, ...]]:
    """What :class:`_Step` does with a fact that is not too old, about a living resident; caches are valid."""
    event = message.event
    may_repeat = resident.may_know(event.source, event.id)
    touched = resident.changing().add(event, event_day, may_repeat=may_repeat)
    if touched is None:
        return home, ()
    # What kills another fact takes that away as well.
    added = (event_day, event.data) if event.supersedes is None else None
    has_changed = refresh(home, rules, day, resident, touched, added)
    return _after_fact(home, message, event_day, rules, day, has_changed)


def _after_fact(
    home: Household, message: FactMessage, event_day: int, rules: Rules, day: int, has_changed: bool
) -> tuple[Household, tuple[Effect, ...]]:
    """Evaluate after a fact that was taken in, if points have changed."""
    fall_day = event_day + rules.keep_days
    if fall_day < home.fall_day:
        home.fall_day = fall_day
        if fall_day < home.next_day:
            home.next_day = fall_day
    if not has_changed:
        return home, ()
    work = _Step(home, rules, day, "", 0, True)
    work.origin = message.origin
    work.evaluate(occasion(message.event, "person"), day)
    return home, tuple(work.effects)


def catch_up(
    state: Household, *, rules: Rules, day: int, scoring: bool = True
) -> tuple[Household, tuple[Effect, ...]]:
    """Let every local midnight up to ``day`` tick, in order; those that change nothing are passed over.

    ``scoring=False`` moves the day without an evaluation, after one has failed; the next day tries again.
    """
    work = _Step(state, rules, day, "", 0, scoring)
    work.tick()
    if work.is_due and scoring:
        # Caches were renewed, and no midnight in between has evaluated them.
        midnight = rules.calendar.midnight_of(day)
        if midnight is not None:
            work.evaluate(Occasion("day", {"day": day_text(day)}, midnight), day)
    return state, tuple(work.effects)


def adopt(state: Household, *, rules: Rules, day: int, received: int) -> tuple[Household, tuple[Effect, ...]]:
    """Let another policy take over: the household is evaluated anew, with the reason ``policy``.

    The level keeps its rank, or becomes the highest that there is. A household of which nothing is known, or
    that the policy has evaluated already, stays as it is.

    Args:
        state: has caught up with ``day`` under the policy before; is used up.
        rules: the new policy.
        received: when its activation was received, in microseconds since 1970.
    """
    if state.day is None or state.digest == rules.digest:
        return state, ()
    work = _Step(state, rules, day, "", 0, True)
    before = Before(min(state.level, len(rules.policy.levels)), state.score, state.community)
    state.level = before.level
    work.renew()
    state.fall_day = day  # another catalogue may keep events for another time
    work.let_pass(day)
    policy = rules.policy
    cause = {"policy": policy.id, "version": policy.version}
    work.evaluate(Occasion("policy", cause, received), day, before)
    return state, tuple(work.effects)


class _Step:
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
