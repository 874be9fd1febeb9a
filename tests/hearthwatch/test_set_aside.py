"""Which events a household is judged without: what waits in the dead letters and is not known of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest

from hearthwatch.set_aside import judged_without, registry_subjects, still_waiting
from rules import household
from rules.known import Fact, Spent
from rules.person import Key, Person, step
from rules.state import Household, Resident
from streams.catalog import JOINED, LEFT, REGISTERED
from streams.deadletters import INTERNAL_ERROR, DeadLetter
from streams.envelope import Decoder
from streams.events import Event
from streams.records import Origin, PersonRecord
from streams.timestamps import DAY, parse_timestamp

SOURCE = "/wuchang/civil-affairs"
TIME = "2024-07-01T09:00:00+08:00"
AT = parse_timestamp(TIME) or 0
KEEP = 1_100


def letter(
    id: str,
    subject: str,
    type: str = "benefit.granted",
    *,
    reason: str = INTERNAL_ERROR,
    topic: str = "life.civil-affairs",
    offset: int = 7,
    **data: Any,
) -> DeadLetter:
    event = {"specversion": "1.0", "type": type, "source": SOURCE, "id": id, "subject": subject, "time": TIME}
    value = json.dumps({**event, "data": data}).encode()
    return DeadLetter(0, 0, 0, reason, "$: failed", (topic, 1, offset), None, value, ())


def home(*, residents: Iterable[str] = (), registered: Key | None = None) -> Household:
    state = household.new("H1")
    state.day = AT // DAY
    state.registered = registered
    state.residents = {id: Resident(id) for id in residents}
    return state


def marks(
    state: Household, letters: Iterable[DeadLetter], persons: dict[str, Person | None] | None = None
) -> list[tuple[str, str]]:
    waiting = still_waiting(letters)
    assert registry_subjects(state, waiting) == sorted(persons or {})
    return [(one.id, one.at) for one in judged_without(state, waiting, persons or {}, keep_days=KEEP)]


def test_a_fact_is_missing_where_its_person_lives_until_it_is_known() -> None:
    letters = [letter("e1", "person/p1"), letter("e2", "household/H1", offset=8), letter("e3", "person/p2")]
    state = home(residents=["p1"])
    assert marks(state, letters) == [("e1", "life.civil-affairs/1@7"), ("e2", "life.civil-affairs/1@8")]
    state.residents["p1"].changing().facts["benefit.granted"] = [Fact(AT, SOURCE, "e1", AT // DAY, {})]
    state.own.spent.append(Spent(AT, SOURCE, "e2", AT // DAY))
    assert marks(state, letters) == []


def test_what_would_not_be_kept_any_more_is_not_missed() -> None:
    state = home(residents=["p1"])
    state.day = AT // DAY + KEEP
    assert marks(state, [letter("e1", "person/p1")]) == []


def test_the_reading_of_events_may_be_what_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who looks runs the same program as intake did."""

    def broken(*_: object) -> object:
        raise ZeroDivisionError

    monkeypatch.setattr(Decoder, "record", broken)
    assert marks(home(residents=["p1"]), [letter("e1", "person/p1")]) == [("e1", "life.civil-affairs/1@7")]
    no_event = DeadLetter(0, 0, 0, INTERNAL_ERROR, "", ("life.civil-affairs", 0, 0), None, b"\xff", ())
    assert still_waiting([no_event]) == {}


def test_what_the_fixed_program_rejects_is_missed_by_nobody() -> None:
    failed = letter("e1", "household/H1")
    rejected = letter("e1", "household/H1", reason="bad-data", offset=12)
    other = letter("e2", "household/H1", reason="bad-data", offset=13)
    assert marks(home(), [failed, other, rejected]) == []
    assert marks(home(), [failed, other]) == [("e1", "life.civil-affairs/1@7")]
    again = letter("e1", "household/H1", offset=14)
    assert marks(home(), [failed, again]) == [("e1", "life.civil-affairs/1@14")], "it failed once more"


def test_a_warning_that_made_no_case_is_no_event_of_the_household() -> None:
    assert marks(home(), [letter("H1-1", "household/H1", "warning.raised", topic="warnings")]) == []


@pytest.mark.parametrize("held", [(AT, SOURCE, "e1"), (AT + 1, SOURCE, "e0")])
def test_a_registration_is_missing_until_it_or_a_later_one_holds(held: Key) -> None:
    letters = [letter("e1", "household/H1", REGISTERED, community="420106001001")]
    assert marks(home(), letters) == [("e1", "life.civil-affairs/1@7")]
    assert marks(home(registered=(AT - 1, SOURCE, "e9")), letters) != []
    assert marks(home(registered=held), letters) == []


def joined(person: Person | None, id: str, time: int = AT, type: str = JOINED, **data: Any) -> Person:
    """A person after a membership event."""
    more = {"household": "H1", "role": "head", **data} if type == JOINED else {"reason": "other"}
    event = Event(type, SOURCE, id, "p1", time, time, more)
    record = PersonRecord(event, Origin("life.civil-affairs", 1, 7))
    after, _ = step(person, record, channel="person.events-0", offset=1)
    return after or person  # type: ignore[return-value]


def test_a_joining_is_missing_in_the_household_that_it_names_and_where_the_person_is() -> None:
    """Nothing in a household names the event that brought a person: the registry's own state is asked."""
    letters = [letter("e1", "person/p1", JOINED, household="H1", role="head")]
    missing = [("e1", "life.civil-affairs/1@7")]
    assert marks(home(), letters, {"p1": None}) == missing
    before = joined(None, "e0", AT - DAY, household="H2")
    assert marks(home(), letters, {"p1": before}) == missing
    elsewhere = household.new("H2")
    elsewhere.residents = {"p1": Resident("p1")}
    assert marks(elsewhere, letters, {"p1": before}) == missing
    assert marks(household.new("H3"), letters) == []
    after = joined(before, "e1")
    assert marks(home(residents=["p1"]), letters, {"p1": after}) == []


def test_a_joining_that_comes_late_is_known_by_its_key() -> None:
    letters = [letter("e1", "person/p1", JOINED, household="H1", role="head")]
    later = joined(None, "e5", AT + DAY)
    assert marks(home(residents=["p1"]), letters, {"p1": later}) != [], "it could still tell birth or sex"
    assert marks(home(residents=["p1"]), letters, {"p1": joined(later, "e1")}) == []
    told = joined(None, "e5", AT + DAY, birth="1950-01-01", sex="male")
    assert marks(home(residents=["p1"]), letters, {"p1": told}) == [], "it would change nothing any more"


def test_a_leaving_is_missing_where_the_person_still_is() -> None:
    letters = [letter("e1", "person/p1", LEFT)]
    before = joined(None, "e0", AT - DAY)
    assert marks(home(residents=["p1"]), letters, {"p1": before}) != []
    assert marks(home(), letters) == []
    assert marks(home(residents=["p1"]), letters, {"p1": joined(before, "e1", AT, LEFT)}) == []
