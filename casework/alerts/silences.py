"""Silences: somebody says, with a reason and an end, that alerts of a place, a level or a household wait."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from casework.alerts.alert import PREFIX, Alert
from streams.errors import InputError
from streams.timestamps import DAY

LONGEST: Final = 90 * DAY
"""A silence that lasts longer is a decision about the policy or the case, and belongs there."""


class Silence(msgspec.Struct, frozen=True, array_like=True):
    """Alerts that match all that is given wait until ``ends``; each is put on record once.

    Attributes:
        starts, ends: microseconds since 1970; ``ends`` is the first instant at which it holds no more.
        community: a prefix of 6, 9 or 12 digits; empty: any.
        levels: empty: any.
        household: empty: any.
    """

    id: str
    author: str
    reason: str
    starts: int
    ends: int
    community: str = ""
    levels: tuple[str, ...] = ()
    household: str = ""

    def matches(self, alert: Alert, at: int) -> bool:
        """Whether it holds an alert at an instant."""
        return (
            self.starts <= at < self.ends
            and (not self.community or (alert.community or "").startswith(self.community))
            and (not self.levels or alert.level in self.levels)
            and (not self.household or alert.household == self.household)
        )


class Holding:
    """The silences that hold at an instant, by what they name: so that an alert is not compared with each.

    Args:
        at: microseconds since 1970.
    """

    def __init__(self, silences: Iterable[Silence], at: int) -> None:
        self._at = at
        self._by_household: dict[str, list[tuple[int, Silence]]] = {}
        self._by_community: dict[str, list[tuple[int, Silence]]] = {}
        for position, one in enumerate(silences):
            if one.starts <= at < one.ends:
                index, key = (
                    (self._by_household, one.household)
                    if one.household
                    else (self._by_community, one.community)
                )
                index.setdefault(key, []).append((-position, one))
        self._digits = {len(prefix) for prefix in self._by_community}

    def of(self, alert: Alert) -> Silence | None:
        """The silence that holds an alert for longest, the first of several; None: none does."""
        community = alert.community or ""
        found = self._by_household.get(alert.household, [])
        for digits in self._digits:
            found = found + self._by_community.get(community[:digits], [])
        holding = [(one.ends, position, one) for position, one in found if one.matches(alert, self._at)]
        return max(holding)[2] if holding else None


def check_silence(silence: Silence) -> Silence:
    """The silence itself, if somebody answers for it and it ends.

    Raises:
        InputError: it has no author, reason or end, matches everything, or lasts too long.
    """
    if not silence.author.strip() or not silence.reason.strip():
        raise InputError("a silence needs an author and a reason")
    if silence.ends <= silence.starts:
        raise InputError("a silence must end after it starts")
    if silence.ends - silence.starts > LONGEST:
        raise InputError(f"a silence lasts at most {LONGEST // DAY} days")
    if not (silence.community or silence.levels or silence.household):
        raise InputError("a silence must name a community, a level or a household: it would hold everything")
    if silence.community and not PREFIX.fullmatch(silence.community):
        raise InputError("a silence's community must have 6, 9 or 12 digits")
    return silence
