"""The other household's case that a duplicate names: a stage sees one household, so the desk looks for it."""

from __future__ import annotations

from typing import Final

from casework.cases.commands import Command
from casework.cases.staff import CASE_ID

UNKNOWN: Final = (
    "there is no such case among those of your communities; one of other communities is for the street or the"
    " district to name"
)
"""What is told of a case that is not there and of one that is somebody else's: the same."""


def other_case(command: Command) -> str | None:
    """The case of another household that a command says is the same family's; None where it names none.

    Of the household's own cases the stage itself knows which there are; so it does what is no id.
    """
    named = command.data.get("duplicate_of") if command.command == "close" else None
    if not isinstance(named, str) or command.data.get("code") != "duplicate":
        return None
    found = CASE_ID.fullmatch(named)
    return named if found is not None and found[1] != command.household else None
