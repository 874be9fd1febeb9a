"""After care: who was found without need is left in peace, who is flagged again and again is looked at.

A case closed without need quiets its household for a time: another warning opens a case only for a higher
level, or for facts that the closed case did not know and that are worth enough points. The warning itself
stays on its topic, and is noted on the closed case.
"""

from __future__ import annotations

import hashlib
from typing import Any

from casework.cases.book import Book
from casework.cases.case import MOST_FACTS, MOST_PAST, Case, Household, Known, Past


def known_of(because: list[dict[str, Any]]) -> Known:
    """What a warning rests on, from its ``because``; entries that are none are passed over."""
    points: dict[str, int] = {}
    facts: dict[str, None] = {}
    for entry in because:
        worth = entry.get("points")
        if type(entry.get("indicator")) is not str or type(worth) is not int:
            continue
        points[_name(entry)] = worth
        facts |= dict.fromkeys(_facts(entry))
    return Known(points, list(facts)[-MOST_FACTS:])


def new_points(known: Known, because: list[dict[str, Any]]) -> int:
    """What the entries are worth that were not known: all of one with a new fact, else what it has gained."""
    facts = set(known.facts)
    total = 0
    for entry in because:
        worth = entry.get("points")
        if type(entry.get("indicator")) is not str or type(worth) is not int:
            continue
        is_new = any(fact not in facts for fact in _facts(entry))
        before = 0 if is_new else known.points.get(_name(entry), 0)
        total += max(0, worth - before)
    return total


def quiets(case: Case, level: str, because: list[dict[str, Any]], at: int, book: Book) -> bool:
    """Whether a closed case keeps its household quiet at a warning of this level."""
    care = book.after_care
    return (
        case.code in care.codes
        and case.closed is not None
        and at < book.due(case.closed, care.quiet).instant
        and book.rank(level) <= book.rank(case.level)
        and new_points(case.known, because) < care.new_points
    )


def flag(home: Household, at: int, book: Book) -> bool:
    """Count that a household was flagged; return whether it is time for the street's supervisor.

    Whoever was told is not told again before it was flagged as often once more.
    """
    care = book.after_care
    home.flags = [*(one for one in home.flags if at < book.due(one, care.flags_within).instant), at]
    if len(home.flags) < care.flags:
        return False
    home.flags = []
    return True


def unflag(home: Household, since: int | None = None) -> None:
    """A warning rested on wrong data: it was no flag.

    Args:
        since: take off the flags from this instant on; None: the last one.
    """
    home.flags = home.flags[:-1] if since is None else [one for one in home.flags if one < since]


def settle(home: Household, case: Case) -> None:
    """A case was closed: it is the last one now, and the household has no open one."""
    assert case.closed is not None
    assert case.code is not None
    home.past = [*home.past, Past(case.id, case.closed, case.level, case.code)][-MOST_PAST:]
    home.last = case
    home.case = None


def _name(entry: dict[str, Any]) -> str:
    person = entry.get("person")
    return f"{entry['indicator']}/{person}" if isinstance(person, str) else str(entry["indicator"])


def _facts(entry: dict[str, Any]) -> list[str]:
    """8 hex digits for each fact."""
    facts = entry.get("facts")
    if not isinstance(facts, list):
        return []
    named = [
        (fact.get("source"), fact.get("id"), fact.get("subject")) for fact in facts if isinstance(fact, dict)
    ]
    return [hashlib.sha256(repr(name).encode()).hexdigest()[:8] for name in named]
