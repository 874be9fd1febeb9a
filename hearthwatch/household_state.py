"""A household's state, for those who only look: from the ledger, and as of today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rules import household as core
from rules.compile import Rules
from rules.household import Household
from rules.rulebook import Rulebook
from streams.catalog import Catalog
from streams.partitions import partition_of
from streams.records import HOUSEHOLD_FACTS

if TYPE_CHECKING:
    from agents.ledger import Ledger


async def read_household(ledger: Ledger, partitions: int, id: str) -> tuple[bytes | None, int | None]:
    """A household's bytes, None of one that is not known; and the day that its partition has reached.

    Args:
        partitions: of ``household.facts``.

    Raises:
        TransportError: Redis does not answer.
        LedgerMissingError: Redis has lost the partition.
    """
    partition = partition_of(id.encode(), partitions)
    raw = (await ledger.read("household", HOUSEHOLD_FACTS, partition, [id]))[0]
    at = (HOUSEHOLD_FACTS, partition)
    position = (await ledger.check_held("household", [at]))[at]
    return raw, None if position is None else position.day


def as_of(state: Household, day: int | None, book: Rulebook) -> tuple[Household, Rules, Catalog]:
    """A household as it stands on a day, with the rules and the catalogue that it goes by.

    Households catch up with midnights lazily; until it is visited one stands as the policy before left it.

    Args:
        state: is used up.
        day: that its partition has reached; None: none.
    """
    rules, catalog = book.rules(state.activation), book.catalog(state.activation)
    if day is not None and (state.day is None or state.day < day):
        state, _ = core.catch_up(state, rules=rules, day=day)
    return state, rules, catalog
