"""Households at work in one part of the log: opened, taken over by a policy, redone where a step fails."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from agents.lanes import Lane, Part
from agents.person import fail
from agents.poison import traceback_digest
from agents.takeovers import Course
from rules import household
from rules.household import Effect, Household
from rules.rulebook import Rulebook
from rules.takeover import take_over
from streams.errors import LedgerError
from streams.origins import fields
from streams.records import HOUSEHOLD_FACTS, Message, Release, Transfer, Update

logger = logging.getLogger(__name__)

Applied = tuple[Message | None, int | None, int, bool, int]
"""A message (None: only ticks; without a day: only a take-over), the day, the offset, whether it was
evaluated, and the activation that held."""


Dated = tuple[Any, Message, int, int]
"""A raw record and its message, the day on which it is applied, and the activation that holds there."""
Led = tuple[int, tuple[Effect, ...], Message | None]
"""What a record led to: its offset, the effects, and their cause; None where a policy took over."""


class Home(msgspec.Struct, eq=False, gc=False):
    """One household in a part: its bytes before, its state now, and what was applied in between.

    Attributes:
        began: the activation under which it begins, if nobody knew it before.
    """

    id: str
    before: bytes | None
    state: Household
    began: int
    applied: list[Applied] = []  # each home gets its own: msgspec copies it

    def note(self, stepped: Iterable[Dated]) -> None:
        """Write down records that were applied and evaluated."""
        self.applied.extend((message, day, raw.offset, True, number) for raw, message, day, number in stepped)


class Homes:
    """Opens households, and repeats what was applied to one.

    Args:
        stage: its name, in tallies.
    """

    def __init__(self, book: Rulebook, stage: str) -> None:
        self.book = book
        self.stage = stage

    def open(self, id: str, before: bytes | None, number: int) -> Home:
        """A household; one that nobody knows yet begins under the activation ``number``."""
        state = household.new(id, number) if before is None else household.decode(before)
        return Home(id, before, state, number)

    def level(self, state: Household) -> str | None:
        """The level by name."""
        return self.named(state.level, state.activation)

    def named(self, rank: int, activation: int) -> str | None:
        """A level's name: policies may have different ones."""
        if not rank:
            return None
        return self.book.rules(activation).policy.levels[rank - 1].id

    def step_through(
        self, lane: Lane, part: Part, id: str, group: Sequence[Dated], course: Course, led: list[Led]
    ) -> Household:
        """Step one household from its bytes, where a policy takes over in between, or where a step fails."""
        channel = channel_of(lane)
        home = self.open(id, lane.states[id], group[0][3])
        noted = 0
        for at, (raw, message, day, number) in enumerate(group):
            offset = raw.offset
            if home.state.activation != number:
                home.note(group[noted:at])
                noted = at
                led.append((offset, self.take_over(part, home, course, number, channel), None))
            try:
                home.state, effects = household.step(
                    home.state, message, self.book.rules(number), day, channel, offset
                )
            except LedgerError:
                raise
            except Exception as error:  # noqa: BLE001 - set aside, whatever it is
                home.note(group[noted:at])
                noted = at + 1
                effects = self._without(lane, part, home, group[at], course, error)
            if effects:
                led.append((offset, effects, message))
        return home.state

    def _without(
        self, lane: Lane, part: Part, home: Home, failed: Dated, course: Course, error: Exception
    ) -> tuple[Effect, ...]:
        """The program failed on a record: go on without it, from the state that the others had led to.

        The day's ticks come first, as they would have. A fact is then set aside as a whole. A move is not,
        or the person would be lost: it is applied, and only its evaluation is left out.
        """
        raw, message, day, _ = failed
        channel = channel_of(lane)
        effects = self.ticked(part, home, day, channel, course)
        if not isinstance(message, Update | Release | Transfer):
            fail(part, lane, raw, message.origin, error)
            return effects
        logger.error(
            "%s-%d offset %d: a move was applied without an evaluation: %s, traceback %s",
            lane.tp.topic, lane.tp.partition, raw.offset, type(error).__name__, traceback_digest(error),
            extra=fields(lane.tp.topic, lane.tp.partition, raw.offset, message.origin),
        )  # fmt: skip
        part.tallies["unevaluated", self.stage] += 1
        more: list[Effect] = []
        self.apply(home, (message, day, raw.offset, False, home.state.activation), channel, more, course)
        return effects + tuple(more)

    def take_over(
        self, part: Part, home: Home, course: Course, number: int, channel: str
    ) -> tuple[Effect, ...]:
        """Bring a household under an activation; without an evaluation where the program fails on it."""
        try:
            home.state, effects = take_over(
                home.state, rules_of=self.book.rules, takeovers=course.takeovers, number=number
            )
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - only the evaluation is lost
            logger.error(
                "a household was taken over without an evaluation: %s, traceback %s",
                type(error).__name__, traceback_digest(error),
            )  # fmt: skip
            part.tallies["unevaluated", self.stage] += 1
            return self._unevaluated(home, (None, None, 0, False, number), channel, course)
        home.applied.append((None, None, 0, True, number))
        return effects

    def ticked(self, part: Part, home: Home, day: int, channel: str, course: Course) -> tuple[Effect, ...]:
        """A fresh state that has caught up with a day, evaluated if that can be done."""
        home.state = self.replayed(home, channel, course)
        number = home.state.activation
        try:
            home.state, effects = household.catch_up(home.state, rules=self.book.rules(number), day=day)
        except Exception as error:  # noqa: BLE001 - only the evaluation is lost
            logger.error(
                "a midnight was passed without an evaluation: %s, traceback %s",
                type(error).__name__, traceback_digest(error),
            )  # fmt: skip
            part.tallies["unevaluated", self.stage] += 1
            return self._unevaluated(home, (None, day, 0, False, number), channel, course)
        home.applied.append((None, day, 0, True, number))
        return effects

    def _unevaluated(self, home: Home, applied: Applied, channel: str, course: Course) -> tuple[Effect, ...]:
        home.state = self.replayed(home, channel, course)
        effects: list[Effect] = []
        self.apply(home, applied, channel, effects, course)
        return tuple(effects)

    def replayed(self, home: Home, channel: str, course: Course) -> Household:
        """The state from before the part, with what was applied since; its effects are known already."""
        again = self.open(home.id, home.before, home.began)
        for applied in home.applied:
            self.apply(again, applied, channel, [], course)
        return again.state

    def apply(
        self, home: Home, applied: Applied, channel: str, effects: list[Effect], course: Course
    ) -> None:
        """Apply, and write it down as applied."""
        message, day, offset, scoring, number = applied
        rules = self.book.rules(number)
        if day is None:
            home.state, more = take_over(
                home.state,
                rules_of=self.book.rules,
                takeovers=course.takeovers,
                number=number,
                scoring=scoring,
            )
        elif message is None:
            home.state, more = household.catch_up(home.state, rules=rules, day=day, scoring=scoring)
        else:
            home.state, more = household.step(
                home.state,
                message,
                rules=rules,
                day=day,
                channel=channel,
                offset=offset,
                scoring=scoring,
            )
        home.applied.append(applied)
        effects.extend(more)


def channel_of(lane: Lane) -> str:
    """What transfers that a partition sends are numbered on."""
    return f"{HOUSEHOLD_FACTS}-{lane.partition}"
