"""Another policy takes a household over, at one point of its partition's log.

Each activation stands in the log of a partition, and so has a place among its records and a day there. A
household is taken over when it is next looked at: before its own next record, or by the sweep that visits
those that no record reaches. Either way it first catches up with the day of the activation under the policy
before, so what comes of it does not depend on when that is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rules.compile import Rules
from rules.household import Effect, adopt, catch_up
from rules.state import Household

RulesOf = Callable[[int], Rules]
"""The rules of an activation, by its number."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """An activation in the log of one partition.

    Attributes:
        number: of the activation.
        day: the partition's day where it stands, since 1970-01-01.
        received: when the activation was received, in microseconds since 1970.
    """

    number: int
    day: int
    received: int


def take_over(
    state: Household, *, rules_of: RulesOf, takeovers: Sequence[Takeover], number: int, scoring: bool = True
) -> tuple[Household, tuple[Effect, ...]]:
    """Bring a household under the activation ``number``, through each one between its own and that.

    Args:
        state: is used up; where an error is raised, decode the old bytes again.
        takeovers: those of the partition, ascending by number; earlier ones than the household's are passed
            over.
        scoring: False changes hands without an evaluation, after one has failed; the next record, or the
            next day, evaluates the household anew.
    """
    effects: list[Effect] = []
    for one in takeovers:
        if not state.activation < one.number <= number:
            continue
        if state.day is not None:
            _, before = catch_up(state, rules=rules_of(state.activation), day=one.day, scoring=scoring)
            effects += before
            rules = rules_of(one.number)
            # The catalogue alone may have changed: what a digest of the policy does not show.
            state.digest = ""
            if scoring:
                _, after = adopt(state, rules=rules, day=one.day, received=one.received)
                effects += after
            else:
                state.level = min(state.level, len(rules.policy.levels))
                state.next_day = one.day + 1
        state.activation = one.number
    return state, tuple(effects)
