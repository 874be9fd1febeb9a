"""Whose a household is: one rule for what may be seen and what may be done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_DISTRICT_DIGITS: Final = 6


def is_in(community: str | None, scope: Sequence[str]) -> bool:
    """Whether a scope has a community.

    One that is unknown is the district's, so that somebody can work on it; no street or community sees it,
    for it may be anybody's neighbour.

    Args:
        community: 12 digits; None: unknown.
        scope: codes; a shorter one (street, district) has all that begin with it.
    """
    if community is None:
        return has_district(scope)
    return any(community.startswith(code) for code in scope)


def has_district(scope: Sequence[str]) -> bool:
    """Whether a scope has a whole district, and so what is nobody else's."""
    return any(len(code) == _DISTRICT_DIGITS for code in scope)
