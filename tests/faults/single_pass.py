"""One pass of the pure step over one partition of ``household.facts``: what it must have led to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rules import household
from rules.household import Household
from streams.records import HOUSEHOLD_FACTS, Activate, Tick, Transfer, decode_household_record

if TYPE_CHECKING:  # it imports this module
    from tests.faults.audit import Audit


class SinglePass:
    """A single pass over one partition of ``household.facts``."""

    def __init__(self, audit: Audit, number: int) -> None:
        self.audit = audit
        self.number = number
        self.day: int | None = None
        self.marks: dict[str, tuple[int, int]] = {}
        self.states: dict[str, Household] = {}
        self.warnings: list[Any] = []
        self.transfers: list[Transfer] = []

    def fold(self) -> None:
        """Apply every record once, and then the last day."""
        rules, step = self.audit.rules, household.step
        for record in self.audit.log[HOUSEHOLD_FACTS][self.number]:
            message = decode_household_record(record.value)
            if isinstance(message, Activate):
                raise NotImplementedError("no policy is activated in these tests")
            if isinstance(message, Tick):
                if self.audit.site.clock == "log" or message.received <= record.timestamp * 1000:
                    self.day = message.day if self.day is None else max(self.day, message.day)
                continue
            if message.number <= self.marks.get(message.channel, (-1, -1)):
                continue
            self.marks[message.channel] = message.number
            today = rules.calendar.day_of(message.received)
            self.day = today if self.day is None else max(self.day, today)
            state = self._state(message.household)
            at = message.origin
            if (at.topic, at.partition, at.offset) in self.audit.set_aside["household"]:
                state, effects = household.catch_up(state, rules=rules, day=self.day)
            else:
                state, effects = step(
                    state,
                    message,
                    rules=rules,
                    day=self.day,
                    channel=f"{HOUSEHOLD_FACTS}-{self.number}",
                    offset=record.offset,
                )
            self._keep(state, effects)
        for id in list(self.states):
            state = self._state(id)
            if self.day is not None:
                is_due = state.next_day <= self.day
                state, effects = household.catch_up(state, rules=rules, day=self.day)
                assert is_due or not effects
                self._keep(state, effects)

    def _state(self, id: str) -> Household:
        found = self.states.get(id)
        return household.new(id) if found is None else found

    def _keep(self, state: Household, effects: Iterable[Any]) -> None:
        self.states[state.id] = state
        for effect in effects:
            (self.transfers if isinstance(effect, Transfer) else self.warnings).append(effect)

    def final(self) -> dict[str, bytes]:
        """The states, as the ledger writes them."""
        return {
            id: household.encode(state) for id, state in sorted(self.states.items()) if not state.is_empty
        }

    def levels(self) -> dict[str, int]:
        """How many households there are at each level."""
        names = [level.id for level in self.audit.rules.policy.levels]
        return dict(Counter(names[state.level - 1] for state in self.states.values() if state.level))
