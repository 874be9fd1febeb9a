"""A household's own log, given to a backtest, raises the household's warnings again, byte for byte."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from rules.backtest import Backtest
from rules.history import History, Logged
from rules.state import PROVISIONAL
from streams.events import Event
from streams.records import Message, Tick
from tests.rules.test_moves import CATALOG, HOUSEHOLDS, PERSONS, RULES, TODAY, Pipeline, histories


class Logging(Pipeline):
    """Keeps what each partition was given: repeats are dropped by whoever reads it."""

    def __init__(self, events: list[Event], chance: random.Random) -> None:
        super().__init__(events, chance)
        self.log: list[list[Logged]] = [[(None, Tick(TODAY, 0))], [(None, Tick(TODAY, 0))]]

    def apply(self, message: Message, partition: int) -> None:
        self.log[partition] += [(None, message)] * self.chance.randint(1, 2)
        super().apply(message, partition)


@given(histories(), st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_the_circle_closes(events: list[Event], seed: int) -> None:
    """Whatever the interleaving: persons who were waited for, transfers, corrections that came first."""
    pipeline = Logging(events, random.Random(seed))
    pipeline.run()
    for id in (*HOUSEHOLDS, *(PROVISIONAL + person for person in PERSONS)):
        history = History(id, CATALOG, RULES.calendar)
        backtest = Backtest(CATALOG, RULES.policy, RULES)
        for number, line in enumerate(history.lines(pipeline.log[pipeline.partition(id)]), start=1):
            assert backtest.feed(number, line) is None, line
        backtest.finish()
        found = [warning.body for warning in backtest.warnings if warning.household == id]
        assert found == pipeline.warnings.get(id, [])
