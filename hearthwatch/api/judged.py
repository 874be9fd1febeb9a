"""What a household is judged without, as those see it who help: events that the program failed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agents.flow import Flow
from agents.ledger import Ledger
from hearthwatch.activated import rulebook
from hearthwatch.api.followed import FollowedTopic
from hearthwatch.connections import kafka_arguments
from hearthwatch.household_state import read_household
from hearthwatch.running import open_ledger
from hearthwatch.set_aside import SetAside, WaitingEvents, judged_without, persons_of, registry_subjects
from hearthwatch.settings import Settings
from rules import household as core
from rules.rulebook import Rulebook
from rules.state import Household
from streams.deadletters import read_dead_letter
from streams.records import DEADLETTERS, HOUSEHOLD_FACTS, PERSON_EVENTS


class _Letters(FollowedTopic):
    """Follows the dead letters."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(kafka_arguments(settings), DEADLETTERS)
        self.waiting = WaitingEvents()

    def read(self, record: Any) -> None:
        """See :class:`FollowedTopic`."""
        self.waiting.take(
            read_dead_letter(
                partition=record.partition, offset=record.offset, timestamp_ms=record.timestamp,
                key=record.key, value=record.value, headers=record.headers,
            )
        )  # fmt: skip


class Judged:
    """Tells what a household is judged without; opened by :meth:`open`.

    Where there are many dead letters it may serve before all of them are read.
    """

    def __init__(self, letters: _Letters, ledger: Ledger, flow: Flow, settings: Settings) -> None:
        self._letters = letters
        self._ledger = ledger
        self._flow = flow
        self._settings = settings
        self._book: Rulebook | None = None
        self._counts: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator[Judged]:
        """Follow the dead letters, for as long as the block lasts.

        Raises:
            TransportError: no broker answers, or the topic is missing.
        """
        ledger = open_ledger(settings)
        flow = Flow(kafka_arguments(settings), ledger)
        try:
            async with _Letters(settings) as letters:
                yield cls(letters, ledger, flow, settings)
        finally:
            await flow.close()
            await ledger.close()

    async def without(self, household: str) -> list[SetAside]:
        """The events that are missing in a household; nearly always none, and then nobody is asked.

        Raises:
            TransportError: a server does not answer.
        """
        waiting = dict(self._letters.waiting.found)
        if not waiting:
            return []
        raw, day = await read_household(self._ledger, await self._count(HOUSEHOLD_FACTS), household)
        home = core.new(household) if raw is None else core.decode(raw)
        if day is not None:  # it may not have been visited for months
            home.day = max(day, home.day or 0)
        subjects = registry_subjects(home, waiting)
        persons = await persons_of(self._ledger, await self._count(PERSON_EVENTS), subjects)
        keep_days = await asyncio.to_thread(self._keep_days, home)
        return judged_without(home, waiting, persons, keep_days=keep_days)

    def _keep_days(self, home: Household) -> int:
        """For how long facts are kept by the catalogue that a household goes by."""
        if self._book is None or home.activation not in self._book:
            self._book = rulebook(self._settings)
        return self._book.catalog(home.activation).keep_days

    async def _count(self, topic: str) -> int:
        if topic not in self._counts:
            self._counts[topic] = len(await self._flow.partitions([topic]))
        return self._counts[topic]
