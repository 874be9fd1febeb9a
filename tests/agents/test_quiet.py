"""Logs that repeat themselves are held back, and it is said how many were."""

from __future__ import annotations

import logging

from agents.quiet import BURST, WINDOW_SECONDS, RateLimit


def record(name: str, message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.WARNING, "x.py", 1, message, args, None)


def test_a_message_is_let_through_five_times_a_minute() -> None:
    now = [0.0]
    limit = RateLimit(now=lambda: now[0])
    passed = [limit.filter(record("aiokafka.conn", "lost %s", n)) for n in range(100)]
    assert passed == [True] * BURST + [False] * (100 - BURST)
    now[0] = WINDOW_SECONDS
    late = record("aiokafka.conn", "lost %s", 100)
    assert limit.filter(late)
    assert late.getMessage() == "lost 100 (95 more like it in the minutes before)"


def test_other_messages_and_other_programs_are_not_held_back() -> None:
    limit = RateLimit(now=lambda: 0.0)
    assert all(limit.filter(record("aiokafka.conn", f"message {n}")) for n in range(50))
    assert all(limit.filter(record("somebody.else", "the same")) for _ in range(50))
