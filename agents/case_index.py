"""The index of open cases: what a list of cases shows, by community, without reading a single state.

It stands beside the states of each partition of ``case.commands`` and is written in the commits that the
states are. Members are texts in the order of their bytes, so the cases of a community, street or district are
a range, and within a community those of one level and state are together, the earliest deadline first::

    <community>|<level>|<state>|<earliest deadline>|<household>|<case>

A household without a community has ``-`` for it; the deadline is in microseconds since 1970 with 16 digits,
``-`` where none runs (on a go-live's worklist).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from agents.ledger import Ledger
from casework.cases.case import STATES, CaseState, Household
from streams.errors import LedgerError
from streams.records import CASE_COMMANDS

STAGE: Final = "cases"
NOWHERE: Final = "-"
"""For no community, and for no deadline."""
_AFTER: Final = "\x7f"
"""Behind everything that a member may hold after a prefix."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One open case.

    Attributes:
        due: the earliest deadline that runs, past or to come, in microseconds since 1970; None where none
            does.
    """

    community: str | None
    level: str
    state: CaseState
    due: int | None
    household: str
    case: str


def member_of(home: Household) -> str | None:
    """A household's member of the index; None where it has no open case."""
    case = home.case
    if case is None:
        return None
    due = min((clock.due for clock in case.clocks if clock.is_running), default=None)
    told = NOWHERE if due is None else f"{due:016d}"
    return f"{case.community or NOWHERE}|{case.level}|{case.state}|{told}|{home.id}|{case.id}"


def entry_of(member: str) -> Entry:
    """A member, read.

    Raises:
        LedgerError: it is none.
    """
    parts = member.split("|")
    if len(parts) != 6:
        raise LedgerError("the index of cases is damaged; run `hearthwatch rebuild --stage cases`")
    community, level, state, due, household, case = parts
    return Entry(
        None if community == NOWHERE else community,
        level,
        cast(CaseState, state),
        None if due == NOWHERE else int(due),
        household,
        case,
    )


def is_member(text: str) -> bool:
    """Whether a text could be a member, whether it stands in the index now or not."""
    try:
        found = entry_of(text)
    except (LedgerError, ValueError):
        return False
    where = found.community
    return (
        (where is None or (where.isascii() and where.isdecimal() and len(where) == 12))
        and found.state in STATES
        and bool(found.level and found.household and found.case)
    )


async def open_cases(
    ledger: Ledger,
    partitions: Sequence[int],
    prefix: str = "",
    *,
    topic_prefix: str = "",
    limit: int = -1,
    after: str | None = None,
) -> list[str]:
    """Members of the index in order, over all partitions.

    Args:
        partitions: numbers of the partitions of ``case.commands``.
        prefix: 6, 9 or 12 digits, more of a member, or ``-|`` for households without a community; "" for all.
        limit: at most so many; all if negative.
        after: only what comes after this member.

    Raises:
        TransportError: Redis does not answer.
    """
    first = f"[{prefix}" if prefix else "-"
    if after is not None and after >= prefix:
        first = f"({after}"
    last = f"({prefix}{_AFTER}" if prefix else "+"
    found = await asyncio.gather(
        *(
            ledger.members(STAGE, topic_prefix + CASE_COMMANDS, number, first, last, limit)
            for number in partitions
        )
    )
    members = sorted(member for some in found for member in some)
    return members if limit < 0 else members[:limit]
