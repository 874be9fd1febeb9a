"""Scores as they stand today, explained: from the ledger's states and the policies that were activated."""

from __future__ import annotations

import asyncio

from agents.ledger import Ledger
from hearthwatch.connections import kafka_connection
from hearthwatch.settings import Settings
from rules import household as core
from rules.explain import Explanation, explain
from rules.policy import Policy
from rules.rulebook import Rulebook
from rules.words import Language
from streams.catalog import Catalog
from streams.partitions import partition_of
from streams.policies_topic import read_activations
from streams.records import HOUSEHOLD_FACTS


class Scores:
    """Explains the score of one household at a time."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._ledger = ledger
        self._book: Rulebook | None = None

    async def explained(
        self, id: str, partitions: int, language: Language
    ) -> tuple[Explanation, Policy, Catalog] | None:
        """The household's score as of today, explained; with the policy and catalogue that it goes by.

        Args:
            partitions: of ``household.facts``.

        Raises:
            TransportError: a server does not answer.
            LedgerMissingError: Redis has lost the household's partition.
        """
        partition = partition_of(id.encode(), partitions)
        raw = (await self._ledger.read("household", HOUSEHOLD_FACTS, partition, [id]))[0]
        at = (HOUSEHOLD_FACTS, partition)
        if raw is None:
            await self._ledger.check_held("household", [at])
            return None
        position = (await self._ledger.positions("household", [at]))[at]
        day = None if position is None else position.day
        return await asyncio.to_thread(self._explain, raw, day, language)

    def _explain(
        self, raw: bytes, day: int | None, language: Language
    ) -> tuple[Explanation, Policy, Catalog]:
        state = core.decode(raw)
        book = self._book
        if book is None or state.activation not in book:
            # Compiling takes a moment, so it is kept until a state goes by a later one.
            book = self._book = Rulebook(read_activations(kafka_connection(self._settings), needed=True))
        # Until the household is visited it stands as the policy before left it.
        rules, catalog = book.rules(state.activation), book.catalog(state.activation)
        if day is not None and (state.day is None or state.day < day):
            state, _ = core.catch_up(state, rules=rules, day=day)
        return explain(state, rules, catalog, language=language), rules.policy, catalog
