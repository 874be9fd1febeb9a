"""By which day and which catalogue the API says what a household is judged without."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

import hearthwatch.api.judged
from hearthwatch.api.judged import Judged
from hearthwatch.set_aside import WaitingEvents
from rules import household
from streams.records import HOUSEHOLD_FACTS
from streams.timestamps import DAY
from tests.hearthwatch.test_set_aside import AT, letter

KEPT_DAYS = {1: 30, 2: 300}
"""By the number of the activation."""


class Kept:
    """A ledger, and the flow beside it, of one household that was visited last when its event came."""

    def __init__(self, activation: int, days_later: int) -> None:
        self.home = household.new("H1", activation)
        self.home.day = AT // DAY
        self.today = AT // DAY + days_later

    async def read(self, *where: Any) -> list[bytes]:
        return [household.encode(self.home)]

    async def check_held(self, stage: str, at: Any) -> Any:
        return {one: SimpleNamespace(day=self.today) for one in at}

    async def partitions(self, topics: Any) -> Any:
        return [(HOUSEHOLD_FACTS, 0)]


async def test_what_would_not_be_kept_is_told_by_today_and_by_the_catalogue_that_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads: list[int] = []

    def book(settings: Any) -> Any:
        """The second activation comes after the first look."""
        reads.append(len(reads) + 1)
        known = {number: KEPT_DAYS[number] for number in reads}

        class Book(dict[int, int]):
            def catalog(self, number: int) -> Any:
                return SimpleNamespace(keep_days=self[number])

        return Book(known)

    monkeypatch.setattr(hearthwatch.api.judged, "rulebook", book)
    waiting = WaitingEvents()
    waiting.take(letter("e1", "household/H1"))
    judged = Judged(SimpleNamespace(waiting=waiting), Kept(1, 29), Kept(1, 29), None)  # type: ignore[arg-type]

    async def told(activation: int, days_later: int) -> list[str]:
        judged._ledger = Kept(activation, days_later)  # type: ignore[assignment]
        return [one.id for one in await judged.without("H1")]

    assert await told(1, 29) == ["e1"]
    assert await told(1, 30) == []
    assert reads == [1]
    assert await told(2, 299) == ["e1"]
    assert await told(2, 300) == []
    assert reads == [1, 2]
