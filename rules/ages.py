"""Ages: whole years on a day, and the days on which they matter."""

from __future__ import annotations

from functools import lru_cache
from math import floor

from rules.calendar import NEVER, civil, day_from_text
from rules.expression import Both, Compare, Either, Expression, Name, Not, OneOf


def age(birth: str | None, today: int) -> int | None:
    """Whole years on a day; None where birth is unknown or still to come.

    Someone born on 29 February turns a year older on 1 March in common years.
    """
    if birth is None:
        return None
    year, month, day = _civil_text(birth)
    this_year, this_month, this_day = civil(today)
    years = this_year - year
    if this_month < month or (this_month == month and this_day < day):
        years -= 1
    return years if years >= 0 else None


def next_birthday(birth: str, today: int, ages: tuple[int, ...]) -> int:
    """The first day after today on which someone reaches one of these ages (ascending)."""
    now = age(birth, today)
    year, month, day = _civil_text(birth)
    for reached in ages:
        if now is None or reached > now:
            year_then = year + reached
            if year_then > 9999:
                break
            if (month, day) == (2, 29) and (year_then % 4 or (year_then % 100 == 0 and year_then % 400)):
                return day_from_text(f"{year_then:04d}-03-01")
            return day_from_text(f"{year_then:04d}-{month:02d}-{day:02d}")
    return NEVER


@lru_cache(maxsize=65_536)
def _civil_text(date: str) -> tuple[int, int, int]:
    return int(date[:4]), int(date[5:7]), int(date[8:])


def ages_in(condition: Expression) -> frozenset[int]:
    """Ages at which the truth of a condition can change."""
    if isinstance(condition, Compare | OneOf):
        operand = condition.operand if isinstance(condition, Compare) else condition.name
        if not (isinstance(operand, Name) and operand.name == "age"):
            return frozenset()
        values = (condition.literal,) if isinstance(condition, Compare) else condition.values
        reached = {0}
        for value in values:
            assert not isinstance(value, str | bool)
            reached |= {floor(value), floor(value) + 1}
        return frozenset(reached)
    if isinstance(condition, Not):
        return ages_in(condition.of)
    if isinstance(condition, Both | Either):
        return ages_in(condition.left) | ages_in(condition.right)
    return frozenset()
