"""Rates and backoff: pure, bounded, and apart."""

from __future__ import annotations

from casework.alerts.rate import backoff, free_at, take
from casework.alerts.routes import Rate, Retry
from streams.timestamps import MINUTE, SECOND

RETRY = Retry(10 * SECOND, 2 * MINUTE, 6)


def test_a_backoff_doubles_up_to_the_most_and_is_half_of_that_or_more() -> None:
    for tries, longest in ((1, 10), (2, 20), (3, 40), (4, 80), (5, 120), (60, 120)):
        waits = [backoff(RETRY, f"m{number}", tries) for number in range(200)]
        assert all(longest * SECOND // 2 <= wait <= longest * SECOND for wait in waits)
        assert len(set(waits)) > 190  # messages that failed together do not come back together
        assert max(waits) - min(waits) > longest * SECOND // 3


def test_a_backoff_is_the_same_on_every_replay_and_another_for_each_attempt() -> None:
    assert backoff(RETRY, "m", 5) == backoff(RETRY, "m", 5)
    assert backoff(RETRY, "m", 5) != backoff(RETRY, "m", 6)


def test_an_allowance_is_used_up_at_once_and_refills_evenly() -> None:
    rate, whole_at, now = Rate(3, MINUTE), 0, 10 * MINUTE
    for _ in range(3):
        taken = take(whole_at, rate, 1, now)
        assert taken is not None
        whole_at = taken
    assert take(whole_at, rate, 1, now) is None
    assert free_at(whole_at, rate, 1) == now + 20 * SECOND
    assert take(whole_at, rate, 1, now + 20 * SECOND - 1) is None
    assert take(whole_at, rate, 1, now + 20 * SECOND) is not None


def test_more_at_once_than_the_rate_waits_for_all_of_it() -> None:
    rate, now = Rate(3, MINUTE), 10 * MINUTE
    whole_at = take(0, rate, 9, now)
    assert whole_at == now + MINUTE
    assert take(whole_at, rate, 9, now + MINUTE) is not None
