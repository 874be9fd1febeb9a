"""Scores as they stand today, explained: from the ledger's states and the policies that were activated."""

from __future__ import annotations

import asyncio

from agents.ledger import Ledger
from hearthwatch.connections import kafka_connection
from hearthwatch.household_state import as_of, read_household
from hearthwatch.settings import Settings
from rules import household as core
from rules.explain import Explanation, explain
from rules.policy import Policy
from rules.rulebook import Rulebook
from rules.words import Language
from streams.catalog import Catalog
from streams.policies_topic import read_activations


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
        raw, day = await read_household(self._ledger, partitions, id)
        if raw is None:
            return None
        return await asyncio.to_thread(self._explain, raw, day, language)

    def _explain(
        self, raw: bytes, day: int | None, language: Language
    ) -> tuple[Explanation, Policy, Catalog]:
        state = core.decode(raw)
        book = self._book
        if book is None or state.activation not in book:
            # Compiling takes a moment, so it is kept until a state goes by a later one.
            book = self._book = Rulebook(read_activations(kafka_connection(self._settings), needed=True))
        state, rules, catalog = as_of(state, day, book)
        return explain(state, rules, catalog, language=language), rules.policy, catalog
