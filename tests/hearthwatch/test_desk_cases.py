"""Earlier cases from a household's events, and whose case a duplicate names."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from casework.cases import state_format
from casework.cases.case import MOST_PAST, Household
from casework.cases.commands import Actor, Command
from hearthwatch.desk import Desk as LiveDesk
from hearthwatch.desk.duplicates import other_case
from hearthwatch.desk.earlier import as_it_was, ids_of, may_have_had
from hearthwatch.desk.views import case_view
from tests.casework.cases.a_case import COMMUNITY, DAY, HOME, OTHER, Desk

YEAR = 366 * DAY


def closed_one(desk: Desk, number: int) -> bytes:
    """Warn, work and close a case; what it is then, as bytes."""
    desk.warn(number, "raised", "orange")
    desk.send("acknowledge")
    desk.send("comment", text=f"about {number}")
    assert desk.send("close", code="moved-away").after == "closed"
    found = msgspec.msgpack.encode(desk.home.last)
    desk.later(YEAR)  # long enough for the next warning to open another
    return found


def events_of(desk: Desk) -> list[dict[str, Any]]:
    """As they stand on their topic."""
    return [msgspec.json.decode(one.body()) for one in desk.events]


def test_each_case_is_found_as_it_was_closed_and_the_open_one_as_it_is() -> None:
    desk = Desk()
    then = [closed_one(desk, number) for number in (1, 2, 3)]
    desk.warn(4, "raised", "red")
    events = events_of(desk)
    ids = ids_of(desk.home)
    assert ids == [f"{HOME}-{number}" for number in (1, 2, 3, 4)]
    for id, was in zip(ids, then, strict=False):
        assert msgspec.msgpack.encode(as_it_was(events, HOME, id)) == was
    assert as_it_was(events, HOME, ids[3]) == desk.home.case
    assert as_it_was(events, HOME, f"{HOME}-9") is None
    home = state_format.decode(state_format.encode(desk.home))
    shown = [case_view(found, home) for id in ids if (found := as_it_was(events, HOME, id)) is not None]
    assert [one.before for one in shown] == [None, *ids[:3]]
    assert [one.after for one in shown] == [*ids[1:], None]


def test_a_case_that_was_opened_again_is_found_as_it_was_closed_last() -> None:
    desk = Desk()
    desk.warn(1, "raised", "orange")
    desk.send("acknowledge")
    desk.send("close", code="moved-away")
    desk.send("reopen", reason="they are back")
    desk.send("close", code="deceased")
    was = msgspec.msgpack.encode(desk.home.last)
    desk.later(YEAR)
    closed_one(desk, 2)
    assert msgspec.msgpack.encode(as_it_was(events_of(desk), HOME, f"{HOME}-1")) == was


def test_what_is_no_event_of_the_stage_is_passed_over() -> None:
    desk = Desk()
    was = closed_one(desk, 1)
    closed_one(desk, 2)
    odd: list[dict[str, Any]] = [
        {"data": {}}, {}, {"data": {"changes": None}}, {"data": {"changes": {"case": {"level": "red"}}}},
        {"data": {"changes": {"case": {"id": 7}}}},
    ]  # fmt: skip
    found = as_it_was([*odd, *events_of(desk)], HOME, f"{HOME}-1")
    assert msgspec.msgpack.encode(found) == was


def test_only_a_household_that_has_forgotten_some_may_have_had_a_case_that_it_does_not_name() -> None:
    desk = Desk()
    closed_one(desk, 1)
    assert may_have_had(desk.home, f"{HOME}-1")
    assert not may_have_had(desk.home, f"{HOME}-9")
    desk.home.past = desk.home.past * MOST_PAST
    assert may_have_had(desk.home, f"{HOME}-9")


async def test_the_log_is_read_for_an_earlier_case_only_by_whoever_may_see_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How long the answer took would tell others that there is one."""
    desk = Desk()
    for number in (1, 2):
        closed_one(desk, number)
    reads: list[str] = []

    async def home(self: object, household: str) -> Household:
        return desk.home

    async def history(self: object, household: str) -> list[dict[str, Any]]:
        reads.append(household)
        return events_of(desk)

    monkeypatch.setattr(LiveDesk, "_home", home)
    monkeypatch.setattr(LiveDesk, "history", history)
    live = LiveDesk.__new__(LiveDesk)
    for id in (f"{HOME}-1", f"{HOME}-2"):
        assert await live.case(id, earlier=True, scope=[OTHER]) is None
    assert reads == []
    for scope in ([COMMUNITY], [COMMUNITY[:6]], None):
        found = await live.case(f"{HOME}-1", earlier=True, scope=scope)
        assert found is not None
        assert found.id == f"{HOME}-1"
    assert reads == [HOME] * 3


@pytest.mark.parametrize(
    ("command", "data", "expected"),
    [
        ("close", {"code": "duplicate", "duplicate_of": "H2-1"}, "H2-1"),
        ("close", {"code": "duplicate", "duplicate_of": "~P7-3"}, "~P7-3"),
        ("close", {"code": "duplicate", "duplicate_of": "H1-1"}, None),
        ("close", {"code": "duplicate", "duplicate_of": "H2"}, None),
        ("close", {"code": "duplicate", "duplicate_of": "H2-1\n"}, None),
        ("close", {"code": "duplicate", "duplicate_of": 5}, None),
        ("close", {"code": "duplicate"}, None),
        ("close", {"code": "helped", "duplicate_of": "H2-1"}, None),
        ("comment", {"code": "duplicate", "duplicate_of": "H2-1"}, None),
    ],
)
def test_what_a_duplicate_names_of_another_household(
    command: str, data: dict[str, Any], expected: str | None
) -> None:
    sent = Command("c", "H1", "H1-2", command, 1, Actor("anna", "community", ("420106003005",)), "", data)
    assert other_case(sent) == expected


@pytest.mark.parametrize(("id", "expected"), [("c1", None), ("new", "H2-1")])
async def test_a_command_that_was_answered_names_nothing_to_look_for(
    monkeypatch: pytest.MonkeyPatch, id: str, expected: str | None
) -> None:
    """Sent again it is answered again, also when the other household has moved away since."""
    desk = Desk()
    desk.warn(1)
    data = {"code": "duplicate", "duplicate_of": "H2-1"}
    desk.send("acknowledge")
    assert "c1" in desk.home.answered

    async def home(self: object, household: str) -> Household:
        return desk.home

    monkeypatch.setattr(LiveDesk, "_home", home)
    sent = Command(id, HOME, f"{HOME}-1", "close", 1, Actor("anna", "community", (COMMUNITY,)), "", data)
    assert await LiveDesk.__new__(LiveDesk).other_case(sent) == expected
