"""What staff do in a story, and what should come of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from casework.alerts.alert import Kind, Tier
from casework.cases.case import Case, CaseState, CloseCode, CommitmentState, Household
from casework.cases.commands import Actor, Command
from rules.calendar import instant_text
from rules.policy import Titles

NO_CASE: Final = "-1"
"""Behind the household where it has no case: the command is then refused, and that is told."""


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that somebody does.

    Attributes:
        number: from 1, in the order of the file; with the household it names the command.
        day: ``YYYY-MM-DD``, in China.
        at: when, in microseconds since 1970.
        does: the command.
        data: of the command (docs/reference/cases.md); persons are full ids.
        case: the state of the case after it; None where the story does not say.
        suggests: measures that are worth asking about after it, among others.
        title: what it is in a few words for people, where the command alone does not say enough.
    """

    number: int
    day: str
    at: int
    by: Actor
    does: str
    data: dict[str, Any] = field(default_factory=dict)
    case: CaseState | None = None
    suggests: tuple[str, ...] = ()
    title: Titles = field(default_factory=dict)

    def id(self, household: str) -> str:
        """The id of its command."""
        return f"{household}.act-{self.number}"

    def command(self, household: str, case: str | None, version: int) -> Command:
        """The command, on a case as it stands.

        Args:
            case, version: what whoever acts sees; None where there is no case.
        """
        case = case or household + NO_CASE
        at = instant_text(self.at)
        return Command(
            self.id(household), household, case, self.does, version, self.by, time=at, data=self.data
        )


@dataclass(frozen=True, slots=True)
class ExpectedAlert:
    """One alert that a story expects.

    Attributes:
        to: id of the team that is told.
        by: id of the channel that reaches it first.
    """

    day: str
    kind: Kind
    level: str
    tier: Tier = "community"
    to: str | None = None
    by: str | None = None

    def __str__(self) -> str:
        return f"{self.day}: {self.kind} at {self.level} for the {self.tier}"


@dataclass(frozen=True, slots=True)
class End:
    """How the case should end.

    Attributes:
        measures: what was delivered and stands, in any order.
    """

    code: CloseCode
    measures: tuple[str, ...] = ()
    commitment: CommitmentState | None = None


@dataclass(frozen=True, slots=True)
class Staff:
    """The part of a story about those who help.

    Attributes:
        acts: in order of time.
        alerts: all that are sent, in order.
        back: types of the events that go back to the score, in order.
    """

    household: str
    acts: tuple[Act, ...]
    alerts: tuple[ExpectedAlert, ...]
    back: tuple[str, ...]
    end: End


def case_now(home: Household) -> Case | None:
    """The case that somebody acts on: the open one, otherwise the one closed last."""
    return home.case or home.last
