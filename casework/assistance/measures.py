"""What a catalogue of assistance is: coded causes, and the measures that answer them, checked and frozen.

The file format is docs/reference/assistance.md; :mod:`casework.assistance.measures_file` reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rules.expression import Expression
from rules.policy import Titles

MemberTest = Callable[[str, str | None, int | None], bool]
"""(role, sex, age in whole years) of a member: whether a measure is for such a one."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a family is in difficulty, as staff code it when they assess a case.

    Attributes:
        signs: ids of the policy's indicators that point to it.
    """

    id: str
    title: Titles = field(default_factory=dict)
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Measure:
    """One kind of help.

    Attributes:
        gives: what a family gets, for people.
        provider: id of the department that grants it.
        causes: ids of the causes that it answers.
        levels: ids of the levels at which it is worth a thought; empty for all.
        members: what a member of the household has to be like; None where that does not matter.
        needs: ids of indicators of which at least one has to stand; empty where it needs none.
        signs: ids of the indicators that speak for it.
        unless: ids of the indicators that say that the family has it, or that it is not for them.
        documents: papers that the applicant brings.
        papers_within_days: of the notification-and-commitment path: help may go out at once and the papers
            follow within so many days; None where it is not open.
        basis: the document that it rests on, or that it is our own choice.
    """

    id: str
    provider: str
    causes: tuple[str, ...]
    title: Titles = field(default_factory=dict)
    gives: Titles = field(default_factory=dict)
    levels: tuple[str, ...] = ()
    members: Expression | None = None
    fits: MemberTest | None = None
    needs: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    documents: tuple[Titles, ...] = ()
    papers_within_days: int | None = None
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Assistance:
    """A whole catalogue.

    Attributes:
        causes, measures: by id, in the order of the file.
        digest: SHA-256 of the file, in hex.
    """

    id: str
    version: int
    causes: dict[str, Cause]
    measures: dict[str, Measure]
    digest: str
