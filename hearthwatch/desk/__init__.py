"""The desk: what staff see of cases and do to them, for the command line and the HTTP API alike."""

from __future__ import annotations

from casework.cases.scopes import is_in
from hearthwatch.desk.desk import Desk
from hearthwatch.desk.duplicates import UNKNOWN
from hearthwatch.desk.following import Following
from hearthwatch.desk.views import (
    Answer,
    CaseLine,
    CaseView,
    Change,
    Counted,
    HouseholdView,
    Page,
    Suggestion,
)

__all__ = [
    "UNKNOWN",
    "Answer",
    "CaseLine",
    "CaseView",
    "Change",
    "Counted",
    "Desk",
    "Following",
    "HouseholdView",
    "Page",
    "Suggestion",
    "is_in",
]
