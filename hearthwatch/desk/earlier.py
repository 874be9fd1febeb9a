"""Cases of a household before the one closed last: their numbers in its state, they themselves in the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from casework.cases.case import MOST_PAST, Case, Household
from casework.cases.case_events import apply


def ids_of(home: Household) -> list[str]:
    """The cases that a household remembers, in their order; the open one is the last."""
    ids = [one.id for one in home.past]
    return ids if home.case is None else [*ids, home.case.id]


def may_have_had(home: Household, id: str) -> bool:
    """Whether a household may have had a case: it has forgotten those before the latest ones."""
    return id in ids_of(home) or len(home.past) >= MOST_PAST


def as_it_was(events: Iterable[dict[str, Any]], household: str, id: str) -> Case | None:
    """A case as its household's events left it; None where they tell of none.

    Args:
        events: CloudEvents of ``case.events``, all of the household, in order, each once.
    """
    home, found = Household(household), None
    for event in events:
        try:
            apply(home, event["data"]["changes"])
        except (KeyError, TypeError, AttributeError, msgspec.ValidationError):
            continue  # not an event of the stage, or of one that is not there any more
        # A case that is closed or opened again is another object from there on, so this one stays as it was.
        found = next((one for one in (home.case, home.last) if one is not None and one.id == id), found)
    return found
