"""Rates and backoff, without a clock and without chance.

A rate is kept as one instant, when its allowance is whole again (the generic cell rate algorithm): a message
puts that off by ``per / messages``, and may go if it is then no more than ``per`` away.
"""

from __future__ import annotations

import hashlib
from typing import Final

from casework.alerts.routes import Rate, Retry

_FULL: Final = 2**64


def take(whole_at: int, rate: Rate, messages: int, now: int) -> int | None:
    """Take an allowance.

    Args:
        whole_at: when the allowance is whole again; 0 at first.
        messages: how many are sent at once; more than the rate's count as the rate's.

    Returns:
        when it is whole again after that; None where it does not suffice.
    """
    after = max(whole_at, now) + _cost(rate, messages)
    return after if after - now <= rate.per else None


def free_at(whole_at: int, rate: Rate, messages: int) -> int:
    """From when on :func:`take` succeeds."""
    return whole_at + _cost(rate, messages) - rate.per


def backoff(retry: Retry, key: str, tries: int) -> int:
    """How long to wait after ``tries`` (at least 1) failed attempts: doubling, of which half or more.

    The part is drawn from a hash of the key, so that a replay waits as long, and two messages do not come
    back at the same instant.
    """
    longest = min(retry.most, retry.first << min(tries - 1, 40))
    drawn = hashlib.blake2b(f"{key}/{tries}".encode(), digest_size=8).digest()
    return longest // 2 + (longest - longest // 2) * int.from_bytes(drawn) // _FULL


def _cost(rate: Rate, messages: int) -> int:
    return min(messages, rate.messages) * rate.per // rate.messages
