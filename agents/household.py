"""The household stage: the only writer of a household's state; facts, moves and ticks in, warnings out."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, ClassVar, Final, Literal

from agents.deciding import Stage
from agents.lanes import Lane, Part
from agents.person import fail
from agents.poison import traceback_digest
from agents.stage import Engine
from rules import household
from rules.calendar import NEVER
from rules.compile import Rules
from rules.household import Effect, Household
from streams.errors import LedgerError
from streams.origins import fields, origin_fields, origin_header
from streams.records import (
    DEADLETTERS,
    HOUSEHOLD_FACTS,
    WARNINGS,
    Message,
    Origin,
    Release,
    Tick,
    Transfer,
    Update,
    decode_household_record,
    encode,
)

logger = logging.getLogger(__name__)

Clock = Literal["wall", "log"]

#: Households that catch up with the day between two parts of the log: 250 x some 50 us is 12 ms.
SWEEP_CHUNK: Final = 250
#: A structured CloudEvent.
WARNING_HEADERS: Final = [("content-type", b"application/cloudevents+json")]

_Applied = tuple[Message | None, int, int, bool]
"""A message (None: only ticks), the day, the offset, and whether it was evaluated."""


_offset = itemgetter(0)


@dataclass(slots=True)
class _Home:
    """One household in a part: its bytes before, its state now, and what was applied in between."""

    id: str
    before: bytes | None
    state: Household
    level: int
    applied: list[_Applied] = field(default_factory=list)


class HouseholdStage(Stage):
    """Folds ``household.facts`` by :func:`rules.household.step`.

    Args:
        clock: in ``wall`` a tick that is ahead of the broker's own clock is ignored.
    """

    name: ClassVar[str] = "household"

    def __init__(self, rules: Rules, *, clock: Clock) -> None:
        self.topics = (HOUSEHOLD_FACTS,)
        self.sends_to = (WARNINGS, HOUSEHOLD_FACTS, DEADLETTERS)
        self.rules = rules
        self.clock = clock
        self.levels = [level.id for level in rules.policy.levels]

    # -- records -------------------------------------------------------------------------------------
    def read(self, lane: Lane, part: Part, records: Sequence[Any]) -> tuple[Any, Iterable[str]]:
        """Decoded records that are not repeats, beside the raw ones; the households that they concern."""
        out: list[tuple[Any, Message | Tick]] = []
        keys = set()
        # Marks move in decide(): what is read may yet be read again.
        marks = dict(lane.marks)
        repeats = 0
        for record in records:
            try:
                message = decode_household_record(record.value)
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                fail(part, lane, record, None, error)
                continue
            if not isinstance(message, Tick):
                mark = marks.get(message.channel)
                if mark is not None and message.number <= mark:
                    repeats += 1
                    continue
                marks[message.channel] = message.number
                keys.add(message.household)
            out.append((record, message))
        if repeats:
            part.tallies["repeats", self.name] += repeats
        return out, keys

    def decide(self, lane: Lane, part: Part, read: Any) -> None:
        """Step each household through its records, each on the day that the log says."""
        partition = lane.tp.partition
        channel = f"{HOUSEHOLD_FACTS}-{partition}"
        rules = self.rules
        day_of = rules.calendar.day_of
        step = household.step
        day = lane.day
        marks = part.marks
        # One household after the other: opened, stepped and written down while the processor has it at hand.
        # A thousand open ones are several megabytes, and each was fetched from memory twice.
        groups: dict[str, list[tuple[Any, Message, int]]] = {}
        for raw, message in read:
            if isinstance(message, Tick):
                day = self._tick(lane, part, raw, message, day)
                continue
            marks[message.channel] = message.number
            today = day_of(message.received)
            if day is None or today > day:
                day = today
            group = groups.get(message.household)
            if group is None:
                groups[message.household] = [(raw, message, day)]
            else:
                group.append((raw, message, day))
        moved: Counter[int] = Counter()
        led: list[tuple[int, tuple[Effect, ...], Message]] = []
        for id, group in groups.items():
            home = self._open(id, lane.states)
            for raw, message, day_then in group:
                offset = raw.offset
                try:
                    home.state, effects = step(
                        home.state, message, rules=rules, day=day_then, channel=channel, offset=offset
                    )
                except LedgerError:
                    raise
                except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                    effects = self._without(lane, part, home, raw, message, day_then, channel, error)
                else:
                    home.applied.append((message, day_then, offset, True))
                if effects:
                    led.append((offset, effects, message))
            self._close(part, home, moved)
        led.sort(key=_offset)  # what is sent to one partition is numbered by offset, and must not go back
        for _, effects, message in led:
            self._send(part, effects, message.received, message.origin)
        self._count_levels(lane, part, moved)
        lane.marks.update(marks)
        lane.day = part.day = day
        part.tallies["records", self.name] += part.count

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

    def _open(self, id: str, states: dict[str, bytes | None]) -> _Home:
        before = states[id]
        state = household.new(id) if before is None else household.decode(before)
        return _Home(id, before, state, state.level)

    @staticmethod
    def _close(part: Part, home: _Home, moved: Counter[int]) -> None:
        """Write a household down, and count a change of its level."""
        state = home.state
        if state.is_empty:
            part.states[home.id] = None
            part.next_days[home.id] = None
        else:
            part.states[home.id] = household.encode(state)
            part.next_days[home.id] = state.next_day if state.next_day < NEVER else None
        if state.level != home.level:
            moved[home.level] -= 1
            moved[state.level] += 1

    def _count_levels(self, lane: Lane, part: Part, moved: Counter[int]) -> None:
        for level, change in moved.items():
            if change and level:
                name = self.levels[level - 1]
                lane.counts[name] = part.counts[name] = lane.counts.get(name, 0) + change

    def _send(
        self, part: Part, effects: Iterable[Effect], received: int | None, origin: Origin | None = None
    ) -> None:
        for effect in effects:
            key = effect.household.encode()
            if isinstance(effect, Transfer):
                part.sends.append((HOUSEHOLD_FACTS, key, encode(effect), ()))
            else:
                headers = WARNING_HEADERS
                # A midnight has no event behind it; on a replay another record may bring it along.
                if origin is not None and effect.reason != "day":
                    headers = [*WARNING_HEADERS, origin_header(origin)]
                part.sends.append((WARNINGS, key, effect.body, headers))
                if logger.isEnabledFor(logging.DEBUG):
                    more = {} if headers is WARNING_HEADERS or origin is None else origin_fields(origin)
                    logger.debug(
                        "warning %s: %s", effect.id, effect.type, extra={"warning": effect.id, **more}
                    )
                part.tallies["warnings", effect.type, effect.level or "none"] += 1
                if received is not None:
                    part.received.append(received)

    # -- when a step fails ---------------------------------------------------------------------------
    def _without(
        self,
        lane: Lane,
        part: Part,
        home: _Home,
        raw: Any,
        message: Message,
        day: int,
        channel: str,
        error: Exception,
    ) -> tuple[Effect, ...]:
        """The program failed on a record: go on without it, from the state that the others had led to.

        The day's ticks come first, as they would have. A fact is then set aside as a whole. A move is not,
        or the person would be lost: it is applied, and only its evaluation is left out.
        """
        effects = self._ticked(part, home, day, channel)
        if not isinstance(message, Update | Release | Transfer):
            fail(part, lane, raw, message.origin, error)
            return effects
        logger.error(
            "%s-%d offset %d: a move was applied without an evaluation: %s, traceback %s",
            lane.tp.topic, lane.tp.partition, raw.offset, type(error).__name__, traceback_digest(error),
            extra=fields(lane.tp.topic, lane.tp.partition, raw.offset, message.origin),
        )  # fmt: skip
        part.tallies["unevaluated", self.name] += 1
        more: list[Effect] = []
        self._apply(home, (message, day, raw.offset, False), channel, more)
        return effects + tuple(more)

    def _ticked(self, part: Part, home: _Home, day: int, channel: str) -> tuple[Effect, ...]:
        """A fresh state that has caught up with a day, evaluated if that can be done."""
        home.state = self._replayed(home, channel)
        try:
            home.state, effects = household.catch_up(home.state, rules=self.rules, day=day)
        except Exception as error:  # noqa: BLE001 - only the evaluation is lost
            logger.error(
                "a midnight was passed without an evaluation: %s, traceback %s",
                type(error).__name__, traceback_digest(error),
            )  # fmt: skip
            part.tallies["unevaluated", self.name] += 1
            home.state = self._replayed(home, channel)
            more: list[Effect] = []
            self._apply(home, (None, day, 0, False), channel, more)
            return tuple(more)
        home.applied.append((None, day, 0, True))
        return effects

    def _replayed(self, home: _Home, channel: str) -> Household:
        """The state from before the part, with what was applied since; its effects are known already."""
        again = _Home(home.id, home.before, self._open(home.id, {home.id: home.before}).state, home.level)
        for applied in home.applied:
            self._apply(again, applied, channel, [])
        return again.state

    def _apply(self, home: _Home, applied: _Applied, channel: str, effects: list[Effect]) -> None:
        message, day, offset, scoring = applied
        if message is None:
            home.state, more = household.catch_up(home.state, rules=self.rules, day=day, scoring=scoring)
        else:
            home.state, more = household.step(
                home.state,
                message,
                rules=self.rules,
                day=day,
                channel=channel,
                offset=offset,
                scoring=scoring,
            )
        home.applied.append(applied)
        effects.extend(more)

    # -- the households that no record reaches -----------------------------------------------------
    def begin(self, engine: Engine, lane: Lane) -> None:
        """Let households catch up with the lane's day, in chunks between the parts of the log."""
        if lane.day is not None and (lane.sweeping is None or lane.sweeping.done()):
            lane.sweeping = engine.spawn(self._sweep(engine, lane))

    async def _sweep(self, engine: Engine, lane: Lane) -> None:
        async def due() -> Sequence[str]:
            assert lane.day is not None
            return await engine.ledger.due(lane.claim, lane.day, SWEEP_CHUNK)

        decide: Callable[[Part], None] = lambda part: self._catch_up(lane, part)  # noqa: E731
        while await engine.between(lane, due, decide):
            pass
        engine.signals.emit("swept", tp=lane.tp, day=lane.day)

    def _catch_up(self, lane: Lane, part: Part) -> None:
        day = lane.day
        assert day is not None
        channel = f"{HOUSEHOLD_FACTS}-{lane.tp.partition}"
        moved: Counter[int] = Counter()
        count = 0
        for id, before in list(part.states.items()):
            if before is None:  # on the index without a state: take it off
                part.next_days[id] = None
                continue
            home = self._open(id, part.states)
            try:
                home.state, effects = household.catch_up(home.state, rules=self.rules, day=day)
            except Exception:  # noqa: BLE001 - tried again without an evaluation, and told there
                effects = self._ticked(part, home, day, channel)
            self._send(part, effects, self.rules.calendar.midnight_of(day))
            self._close(part, home, moved)
            count += 1
        self._count_levels(lane, part, moved)
        part.day = day
        part.tallies["caught-up", self.name] += count
