"""The household step: one record in, the next state and what follows from it out.

Pure: the log's own day is the only clock, so a replay raises the same warnings with the same ids. The live
agent, the backtest, a rebuild and the tests all call :func:`step`.
"""

from __future__ import annotations

from rules.calendar import day_text
from rules.compile import Rules
from rules.kept import append
from rules.occasions import occasion
from rules.score import add_fact, refresh
from rules.state import DEAD, Household, Resident, decode, encode, new
from rules.steps import Effect, Step
from rules.warnings import Before, Occasion, Warning
from streams.events import Event
from streams.records import Fact as FactMessage
from streams.records import Message

__all__ = [
    "Effect", "Household", "Resident", "Warning", "adopt", "catch_up", "decode", "encode", "new", "step",
]  # fmt: skip


def step(
    state: Household,
    message: Message,
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
            fall_day = event_day + rules.keep_days
            if day < fall_day:
                state.day = day
                has_changed = _take_in(state, resident, event, event_day, rules, day)
                if has_changed is None:
                    return state, ()
                if fall_day < state.fall_day:
                    state.fall_day = fall_day
                    if fall_day < state.next_day:
                        state.next_day = fall_day
                if not has_changed:
                    return state, ()
                work = Step(state, rules, day, channel, offset, True)
                work.origin = message.origin
                work.evaluate(occasion(event, "person"), day)
                return state, tuple(work.effects)
    return Step(state, rules, day, channel, offset, scoring).take(message)


def _take_in(
    home: Household, resident: Resident, event: Event, event_day: int, rules: Rules, day: int
) -> bool | None:
    """Take in a fact that is not too old, about a living resident; caches are valid.

    Returns:
        Whether any points changed; None for a repeat.
    """
    added = None
    if event.supersedes is None:  # or it takes another fact away as well
        adding = rules.adding.get(event.type)
        kept = resident.kept
        if (
            adding is not None
            and type(kept) is bytes
            and (more := append(kept, event, event_day)) is not None
        ):
            resident.kept = more
            return add_fact(home, rules, adding, resident, event_day, event.data, day)
        added = (event_day, event.data)
    may_repeat = resident.may_know(event.source, event.id)
    touched = resident.changing().add(event, event_day, may_repeat=may_repeat)
    if touched is None:
        return None
    return refresh(home, rules, day, resident, touched, added)


def catch_up(
    state: Household, *, rules: Rules, day: int, scoring: bool = True
) -> tuple[Household, tuple[Effect, ...]]:
    """Let every local midnight up to ``day`` tick, in order; those that change nothing are passed over.

    ``scoring=False`` moves the day without an evaluation, after one has failed; the next day tries again.
    """
    work = Step(state, rules, day, "", 0, scoring)
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
    work = Step(state, rules, day, "", 0, True)
    before = Before(min(state.level, len(rules.policy.levels)), state.score, state.community)
    state.level = before.level
    work.renew()
    state.fall_day = day  # another catalogue may keep events for another time
    work.let_pass(day)
    policy = rules.policy
    cause = {"policy": policy.id, "version": policy.version}
    work.evaluate(Occasion("policy", cause, received), day, before)
    return state, tuple(work.effects)
