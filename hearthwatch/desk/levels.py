"""The levels that a case or a warning may have: those of every policy that was activated."""

from __future__ import annotations

import logging

from hearthwatch.activated import rulebook
from hearthwatch.settings import Settings
from streams.policies import NotUnderstoodError

logger = logging.getLogger(__name__)


def every_level(settings: Settings) -> tuple[str, ...]:
    """The levels of the newest policy, the lowest first, then those that only earlier ones had.

    What this program cannot read is passed over.

    Raises:
        TransportError: no broker answers.
    """
    book = rulebook(settings)
    found: dict[str, None] = {}
    for number in [one.number for one in reversed(book.activations)] or [book.newest]:
        try:
            _, policy = book.files(number)
        except NotUnderstoodError as error:
            logger.warning("the levels of an activation are not known: %s", error)
            continue
        found |= dict.fromkeys(level.id for level in policy.levels)
    return tuple(found)
