"""Whether what came of a story's staff is what the story tells: for tests, program and demo alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from casework.cases.case import Household, new
from casework.cases.case_events import apply
from casework.stories.acts import Act, End, Staff
from rules.calendar import DAY_US, day_text
from streams.timestamps import parse_timestamp

_CHINA: Final = 8 * 3_600_000_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """Somebody was told: of which alert, of which team, by which channel."""

    alert: str
    team: str
    channel: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it; bodies as JSON objects, in order, each once.

    Attributes:
        events: of ``case.events``; other households' are passed over.
        alerts: records of ``alerts``; likewise, and those that end one.
        back: events that went back to the score, of this household or a person of it.
        suggested: number of an act to measures.
        receipts: who was told; None where nobody could be.
    """

    events: Sequence[Mapping[str, Any]]
    alerts: Sequence[Mapping[str, Any]] = ()
    back: Sequence[Mapping[str, Any]] = ()
    suggested: Mapping[int, Sequence[str]] = field(default_factory=dict)
    receipts: Sequence[Receipt] | None = None


def differences_in_help(staff: Staff, seen: Outcome) -> list[str]:
    """In what an outcome differs from what is told; empty where it came out as told."""
    events = [one for one in seen.events if one["data"]["household"] == staff.household]
    answers: dict[str, Mapping[str, Any]] = {}
    for event in events:
        if event["data"]["command"] is not None:
            answers.setdefault(event["data"]["command"], event)
    problems = []
    for act in staff.acts:
        problems += _of_act(act, staff, answers.get(act.id(staff.household)), seen)
    alerts = [one for one in seen.alerts if one.get("household") == staff.household]
    problems += _of_alerts(staff, alerts, {str(event["id"]): event for event in events}, seen.receipts)
    back = [str(one["type"]) for one in seen.back]
    if back != list(staff.back):
        problems.append(f"back to the score went {_listed(back)}; expected {_listed(staff.back)}")
    return problems + _of_end(staff.end, household_of(staff.household, events))


def household_of(household: str, events: Iterable[Mapping[str, Any]]) -> Household:
    """What is known of a household's cases after some events of it, each once and in order."""
    home = new(household)
    for event in events:
        if event["data"]["household"] == household:
            apply(home, event["data"]["changes"])
    return home


def day_of(time: str) -> str:
    """The day of an instant, in China."""
    at = parse_timestamp(time)
    assert at is not None
    return day_text((at + _CHINA) // DAY_US)


def _of_act(act: Act, staff: Staff, answer: Mapping[str, Any] | None, seen: Outcome) -> list[str]:
    called = f"act {act.number} ({act.day}: {act.by.id} {act.does})"
    if answer is None:
        return [f"{called} was not answered"]
    data = answer["data"]
    if answer["type"] == "case.refused":
        return [f"{called} was refused: {data['details']['reason']}: {data['details']['message']}"]
    problems = []
    if act.case is not None and data["after"] != act.case:
        problems.append(f"{called} left the case {data['after']}; expected {act.case}")
    if act.suggests:
        got = seen.suggested.get(act.number, ())
        missing = [measure for measure in act.suggests if measure not in got]
        if missing:
            problems.append(f"after {called} nobody suggested {_listed(missing)}; but {_listed(got)}")
    return problems


def _of_alerts(
    staff: Staff,
    alerts: Sequence[Mapping[str, Any]],
    events: Mapping[str, Mapping[str, Any]],
    receipts: Sequence[Receipt] | None,
) -> list[str]:
    problems = []
    for number, (expected, came) in enumerate(zip_longest(staff.alerts, alerts), start=1):
        if came is None:
            problems.append(f"alert {number} did not come: expected {expected}")
            continue
        event = events.get(str(came["id"]).removesuffix(f"-{came['kind']}"))
        day = None if event is None else day_of(event["time"])
        described = f"{day}: {came['kind']} at {came['level']} for the {came['tier']}"
        if expected is None:
            problems.append(f"an unexpected alert came: {described}")
        elif (expected.day, expected.kind, expected.level, expected.tier) != (
            day, came["kind"], came["level"], came["tier"],
        ):  # fmt: skip
            problems.append(f"alert {number} differs: expected {expected}; came {described}")
        elif receipts is not None:
            told = [(one.team, one.channel) for one in receipts if one.alert == came["id"]]
            wanted = (expected.to, expected.by)
            if len(told) != 1 or any(
                want not in (None, got) for want, got in zip(wanted, told[0], strict=True)
            ):
                problems.append(f"alert {number} ({expected}) reached {told}; expected {wanted} once")
    return problems


def _of_end(end: End, home: Household) -> list[str]:
    case = home.last
    if home.case is not None or case is None:
        return [f"the case is {home.case.state if home.case else 'not there'}; expected closed: {end.code}"]
    problems = []
    if case.code != end.code:
        problems.append(f"the case was closed as {case.code}; expected {end.code}")
    given = sorted(measure.id for measure in case.measures if measure.state == "delivered")
    if given != sorted(end.measures):
        problems.append(f"it was helped with {_listed(given)}; expected {_listed(end.measures)}")
    state = None if case.commitment is None else case.commitment.state
    if state != end.commitment:
        problems.append(f"the commitment is {state}; expected {end.commitment}")
    return problems


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"
