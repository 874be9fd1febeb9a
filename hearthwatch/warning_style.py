"""Colours of warning levels on a terminal."""

from __future__ import annotations

from typing import Final

from rules.policy import Policy

_BY_NAME: Final = {
    "blue": "bold dodger_blue1",
    "yellow": "bold yellow",
    "orange": "bold dark_orange",
    "red": "bold red",
    "green": "bold green",
}
_BY_RANK: Final = ("bold dodger_blue1", "bold yellow", "bold dark_orange", "bold red")


def level_style(level: str | None, policy: Policy) -> str:
    """The style of a level: that of its name if it is a colour's, otherwise by its rank."""
    if level is None:
        return "green"
    if level in _BY_NAME:
        return _BY_NAME[level]
    ranks = [known.id for known in policy.levels]
    if level not in ranks:
        return "bold"
    return _BY_RANK[ranks.index(level) * len(_BY_RANK) // len(ranks)]
