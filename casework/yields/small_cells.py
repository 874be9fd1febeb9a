"""Hiding counts that are so small that they could speak of one family.

Statistical disclosure control of a table of counts: cells of 1 and 2 are hidden (primary suppression), and
where a hidden cell could be worked out from a sum that is shown, others with it (complementary suppression;
A. Hundepool et al., "Statistical Disclosure Control", Wiley 2012). Here one column at a time;
:mod:`casework.yields.hiding` has the whole table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

LEAST: Final = 3
"""The smallest count above 0 that is shown."""

STREET_DIGITS: Final = 9


def is_small(count: int) -> bool:
    """Whether a count is hidden for its size: 1 or 2. That nobody is concerned may be known."""
    return 0 < count < LEAST


def hidden(communities: Mapping[str, int], streets: Mapping[str, int]) -> tuple[set[str], set[str]]:
    """Whose counts are hidden, of one column of two tables, of which one sums up the other.

    Where nothing less would do, all are, those of 0 too; :func:`is_told` says whether even that does not.

    Args:
        communities: code -> count.
        streets: the first nine digits -> the sum of its communities; their own sum is shown.
    """
    low = {code for code, count in communities.items() if is_small(count)}
    high = {code for code, count in streets.items() if is_small(count)}
    under: dict[str, list[str]] = {street: [] for street in streets}
    for code in communities:
        under[code[:STREET_DIGITS]].append(code)
    while True:
        before = len(low) + len(high)
        is_stuck = False
        for street, codes in under.items():
            gone = [code for code in codes if code in low]
            # The street's sum tells them; where nobody else is left in the street it is hidden itself.
            if street not in high and is_told(communities, gone) and not _one_more(communities, codes, low):
                high.add(street)
        for street in high:  # or its communities would tell it
            if not low.intersection(under[street]):
                _one_more(communities, under[street], low)
        # The sum of what is hidden with its street is known too: all, but the streets that are shown.
        pooled = [code for code in low if code[:STREET_DIGITS] in high]
        if is_told(communities, pooled):
            is_stuck = not (
                _one_more(communities, [code for street in high for code in under[street]], low)
                or _one_more(streets, list(streets), high)
            )
        if is_told(streets, high) and not _one_more(streets, list(streets), high):
            is_stuck = True
        if is_stuck:
            return set(communities), set(streets)
        if len(low) + len(high) == before:
            return low, high


def hidden_rows(counts: Mapping[str, int]) -> set[str]:
    """Whose counts are hidden, of one column of a table whose sum is shown.

    Where nothing less would do, all are, those of 0 too; :func:`is_told` says whether even that does not.
    """
    gone = {id for id, count in counts.items() if is_small(count)}
    while is_told(counts, gone):
        if not _one_more(counts, list(counts), gone):
            return set(counts)
    return gone


def is_told(counts: Mapping[str, int], hidden: Collection[str]) -> bool:
    """Whether the sum of some hidden counts tells each: it is a single one, or all are 1, or all are 2.

    A count of 0 is shown as long as others are, so that a hidden one is known to be 1 at least; and who
    takes all for small ones takes a sum of twice as many for 2 each.
    """
    values = {counts[id] for id in hidden}
    return len(hidden) == 1 or values in ({1}, {2})


def _one_more(counts: Mapping[str, int], among: list[str], hidden: set[str]) -> bool:
    """Hide the smallest count that is shown and not 0; whether there was one."""
    shown = [code for code in among if counts[code] > 0 and code not in hidden]
    if not shown:
        return False
    hidden.add(min(shown, key=lambda code: (counts[code], code)))
    return True
