"""The household stage: the only writer of a household's state; facts, moves and ticks in, warnings out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Final, Literal

from agents.deciding import Stage
from agents.homes import Dated, Homes, Led, channel_of
from agents.lanes import Lane, Part
from agents.person import fail
from agents.stage import Engine
from agents.takeovers import MARK, Course, Sweep, course_of
from rules import household
from rules.calendar import NEVER
from rules.compile import Rules
from rules.household import Effect, Household
from rules.rulebook import Rulebook
from rules.takeover import Takeover
from streams.errors import LedgerError
from streams.origins import fields, origin_fields, origin_header
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    WARNINGS,
    Activate,
    Fact,
    Message,
    Tick,
    Transfer,
    decode_household_record,
    encode,
)

logger = logging.getLogger(__name__)

Clock = Literal["wall", "log"]

#: Households that catch up with the day between two parts of the log: 250 x some 50 us is 12 ms.
SWEEP_CHUNK: Final = 250
#: A structured CloudEvent.
WARNING_HEADERS: Final = [("content-type", b"application/cloudevents+json")]

Was = tuple[int, int, int]
"""A household's level, the activation that it is of, and its next day, as counters and index have them."""

_offset = itemgetter(0)


class HouseholdStage(Stage):
    """Folds ``household.facts`` by :func:`rules.household.step`.

    Args:
        rules: activation number 1, unless there is a book.
        clock: in ``wall`` a tick that is ahead of the broker's own clock is ignored.
        book: the rules of each activation; others add to it.
    """

    name: ClassVar[str] = "household"
    #: A backlog in larger parts: fewer commits, and a household is opened once for more of its records. 2,000
    #: take some 25 ms, in which nothing else is done.
    max_part: ClassVar[int] = 2_000

    def __init__(self, rules: Rules, *, clock: Clock, book: Rulebook | None = None) -> None:
        self.topics = (HOUSEHOLD_FACTS,)
        self.sends_to = (WARNINGS, HOUSEHOLD_FACTS, DEADLETTERS)
        self.book = book or Rulebook.fixed(rules)
        self.homes = Homes(self.book, self.name)
        self.clock = clock

    @property
    def rules(self) -> Rules:
        """Those of the newest activation; partitions may not have taken it yet."""
        return self.book.rules(self.book.newest)

    def due(self, state: bytes) -> int | None:
        """The day on which the household's score may change by itself."""
        return household.decode(state).due

    def counted(self, states: Iterable[bytes]) -> dict[str, int]:
        """How many households are at each level."""
        found: Counter[str] = Counter()
        for state in states:
            level = self.homes.level(household.decode(state))
            if level is not None:
                found[level] += 1
        return dict(found)

    def decoded(self, state: bytes) -> Household:
        """A household."""
        return household.decode(state)

    @staticmethod
    def course(lane: Lane) -> Course:
        """The activations that a lane has taken."""
        course = lane.memo
        if course is None:
            course = lane.memo = course_of(lane.marks)
        return course  # type: ignore[no-any-return]

    # -- records -------------------------------------------------------------------------------------
    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Decoded records that are not repeats, beside the raw ones; the households that they concern."""
        out: list[tuple[Any, Message | Tick | Activate]] = []
        keys = set()
        # The part's marks become the lane's in decide(): what is read may yet be read again, by another part.
        before = lane.marks
        marks = part.marks
        repeats = 0
        for record in records:
            try:
                message = decode_household_record(record.value)
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
                continue
            kind = type(message)
            if kind is not Tick and kind is not Activate:
                channel = message.channel
                number = message.number
                mark = marks.get(channel) or before.get(channel)
                if mark is not None and number <= mark:
                    repeats += 1
                    continue
                marks[channel] = number
                keys.add(message.household)
            elif kind is Activate:
                part.is_early = part.is_early or message.number not in self.book
            out.append((record, message))
        if repeats:
            part.tallies["repeats", self.name] += repeats
        return out, keys

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each household through its records, each on the day that the log says."""
        course = self.course(lane)
        channel = channel_of(lane)
        # One household after the other: opened, stepped and written down while the processor has it at hand.
        # A thousand open ones are several megabytes, and each was fetched from memory twice.
        groups, day = self._dated(lane, part, read)
        step, decode, encode, rules_of = household.step, household.decode, household.encode, self.book.rules
        before, after = lane.states, part.states
        moved: Counter[str | None] = Counter()
        led: list[Led] = []
        held = course.number
        rules = rules_of(held)
        for id, group in groups.items():
            raw, message, day_then, number = group[0]
            if number != held:
                held, rules = number, rules_of(number)
            stored = before[id]
            state = household.new(id, number) if stored is None else decode(stored)
            was = rank, activation, next_day = state.level, state.activation, state.next_day
            if activation == number == group[-1][3]:
                told = len(led)
                try:
                    for raw, message, day_then, _ in group:
                        state, effects = step(state, message, rules, day_then, channel, raw.offset)
                        if effects:
                            led.append((raw.offset, effects, message))
                except LedgerError:
                    raise
                except Exception:  # noqa: BLE001 - it comes again there, and is set aside
                    del led[told:]
                    state = self.homes.step_through(lane, part, id, group, course, led)
            else:
                state = self.homes.step_through(lane, part, id, group, course, led)
            if (
                state.residents
                and state.next_day == next_day < NEVER
                and state.level == rank
                and state.activation == activation
            ):
                after[id] = encode(state)
            else:
                self._close(part, state, was, moved)
        led.sort(key=_offset)  # what is sent to one partition is numbered by offset, and must not go back
        for _, effects, cause in led:
            self._send(part, effects, None if cause is None else cause.received)
        self._count_levels(lane, part, moved)
        lane.marks.update(part.marks)
        lane.day = part.day = day
        part.tallies["records", self.name] += part.count

    def _dated(self, lane: Lane, part: Part, read: Any) -> tuple[dict[str, list[Dated]], int | None]:
        """Records by household, each with the day and the activation that hold there; the day at the end."""
        course = self.course(lane)
        number = course.number
        calendar = self.book.rules(number).calendar
        day = lane.day
        ends = None if day is None else calendar.end_of(day)
        groups: dict[str, list[Dated]] = {}
        for raw, message in read:
            kind = type(message)
            if kind is Fact:  # nearly every one: its event is asked without a property between
                received = message.event.received
            elif kind is Tick:
                day = self._tick(lane, part, raw, message, day)
                ends = None
                continue
            elif kind is Activate:
                self._activate(lane, part, course, message, day)
                number = course.number
                calendar = self.book.rules(number).calendar
                ends = None
                continue
            else:
                received = message.received
            if ends is None or received >= ends:  # a later day may have begun
                today = calendar.day_of(received)
                if day is None or today > day:
                    day = today
                ends = calendar.end_of(day)
            assert day is not None, "there are ends"
            id = message.household
            group = groups.get(id)
            if group is None:
                groups[id] = [(raw, message, day, number)]
            else:
                group.append((raw, message, day, number))
        return groups, day

    def _tick(self, lane: Lane, part: Part, raw: Any, tick: Tick, day: int | None) -> int | None:
        if self.clock == "wall" and tick.received > raw.timestamp * 1000:
            part.tallies["ticks", "ignored"] += 1
            logger.warning(
                "a tick at offset %d is %d s ahead of the broker's clock: ignored; check the clocks",
                raw.offset, tick.received // 1_000_000 - raw.timestamp // 1000,
                extra=fields(lane.tp.topic, lane.tp.partition, raw.offset),
            )  # fmt: skip
            return day
        part.tallies["ticks", "applied"] += 1
        return tick.day if day is None or tick.day > day else day

    def _activate(self, lane: Lane, part: Part, course: Course, message: Activate, day: int | None) -> None:
        """From here on another policy holds; households follow when they are next looked at."""
        if message.number <= course.number:
            part.tallies["repeats", self.name] += 1
            return
        known = self.book.get(message.number)
        if known is None or known.digest != message.digest:
            raise LedgerError(
                f"{lane.topic}-{lane.partition} names activation {message.number} ({message.digest}), which"
                " hearthwatch.policies does not hold: the topics do not belong together"
            )
        self.book.rules(message.number)
        # Without a day there is no household yet.
        mark, value = course.take(Takeover(message.number, day or 0, message.received))
        part.marks[mark] = value
        part.wakes = True
        logger.info("%s-%d takes activation %d", lane.topic, lane.partition, message.number)

    def _close(
        self, part: Part, state: Household, was: Was, moved: Counter[str | None], *, heals: bool = False
    ) -> None:
        """Write a household down, and count a change of its level; ``heals`` writes its next day anyway."""
        rank, activation, next_day = was
        due: int | None
        if not state.residents and state.is_empty:
            part.states[state.id] = due = None
        else:
            part.states[state.id] = household.encode(state)
            due = state.due
        # Mostly it stays: the index is written in the commits that the states are, so it has that day.
        if heals or due is None or due != next_day:
            part.next_days[state.id] = due
        if state.level != rank or state.activation != activation:
            moved[self.homes.named(rank, activation)] -= 1
            moved[self.homes.named(state.level, state.activation)] += 1

    @staticmethod
    def _count_levels(lane: Lane, part: Part, moved: Counter[str | None]) -> None:
        for level, change in moved.items():
            if change and level:
                lane.counts[level] = part.counts[level] = lane.counts.get(level, 0) + change

    def _send(self, part: Part, effects: Iterable[Effect], received: int | None) -> None:
        for effect in effects:
            key = effect.household.encode()
            if isinstance(effect, Transfer):
                part.sends.append((HOUSEHOLD_FACTS, key, encode(effect), ()))
            else:
                headers = WARNING_HEADERS
                more = {}
                if effect.origin is not None:
                    headers = [*WARNING_HEADERS, origin_header(effect.origin)]
                    more = origin_fields(effect.origin)
                part.sends.append((WARNINGS, key, effect.body, headers))
                if logger.isEnabledFor(logging.DEBUG):
                    logger.debug(
                        "warning %s: %s", effect.id, effect.type, extra={"warning": effect.id, **more}
                    )
                part.tallies["warnings", effect.type, effect.level or "none"] += 1
                if received is not None:
                    part.received.append(received)

    # -- the households that no record reaches -----------------------------------------------------
    def begin(self, engine: Engine, lane: Lane) -> None:
        """Let households catch up with the lane's day and policy, in chunks between the parts of the log."""
        if lane.sweeping is None or lane.sweeping.done():
            lane.sweeping = engine.spawn(self._sweep(engine, lane))

    async def _sweep(self, engine: Engine, lane: Lane) -> None:
        course = self.course(lane)
        await self._sweep_days(engine, lane)
        while course.swept < course.number:
            states = engine.ledger.scan(self.name, lane.tp.topic, lane.tp.partition)
            sweep = Sweep(course.number, states)
            while not sweep.is_done:
                visit = partial(self._visit, lane, sweep)
                if not await engine.between(lane, sweep.keys, visit, always=True):
                    return  # the partition is not ours any more
                await self._sweep_days(engine, lane)  # midnights do not wait for a policy
        engine.signals.emit("swept", tp=lane.tp, day=lane.day, activation=course.number)

    async def _sweep_days(self, engine: Engine, lane: Lane) -> None:
        async def due() -> Sequence[str]:
            if lane.day is None:
                return ()
            return await engine.ledger.due(lane.claim, lane.day, SWEEP_CHUNK)

        while await engine.between(lane, due, partial(self.catch_up, lane)):
            pass

    def _visit(self, lane: Lane, sweep: Sweep, part: Part) -> None:
        """Bring households under the policy that holds; the last visit says that it was the last."""
        self.catch_up(lane, part)
        if sweep.is_done:
            course = self.course(lane)
            course.swept = sweep.number
            lane.marks[MARK] = part.marks[MARK] = (sweep.number, 0)

    def catch_up(self, lane: Lane, part: Part) -> None:
        day = lane.day
        course = self.course(lane)
        rules = self.book.rules(course.number)
        channel = channel_of(lane)
        moved: Counter[str | None] = Counter()
        count = 0
        for id, before in list(part.states.items()):
            if before is None or day is None:  # on the index without a state: take it off
                part.next_days[id] = None
                continue
            home = self.homes.open(id, before, course.number)
            state = home.state
            was = state.level, state.activation, state.next_day
            if state.activation != course.number:
                effects = self.homes.take_over(part, home, course, course.number, channel)
                self._send(part, effects, None)
            try:
                home.state, effects = household.catch_up(home.state, rules=rules, day=day)
            except Exception:  # noqa: BLE001 - tried again without an evaluation, and told there
                effects = self.homes.ticked(part, home, day, channel, course)
            self._send(part, effects, rules.calendar.midnight_of(day))
            # Or a wrong day on the index would be due for ever.
            self._close(part, home.state, was, moved, heals=True)
            count += 1
        self._count_levels(lane, part, moved)
        part.day = day
        part.tallies["caught-up", self.name] += count
