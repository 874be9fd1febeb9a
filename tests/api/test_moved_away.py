"""What a community sees of a household that has moved away, and the one that it has moved to."""

from __future__ import annotations

import json
from typing import Any

from casework.cases.case_events import CaseEvent
from hearthwatch.desk.following import seen_from
from hearthwatch.desk.views import case_view
from tests.casework.cases.a_case import COMMUNITY, OTHER, Desk


def body(event: CaseEvent) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(event.body())
    return found


def a_closed_case() -> Desk:
    desk = Desk()
    desk.warn(1)
    desk.send("acknowledge")
    desk.send("visit", outcome="met")
    desk.send("close", code="no-need")
    return desk


def test_a_closed_case_goes_with_its_household() -> None:
    desk = a_closed_case()
    assert desk.home.last is not None
    assert case_view(desk.home.last, desk.home).community == COMMUNITY
    desk.warn(2, "moved", community=OTHER)
    assert case_view(desk.home.last, desk.home).community == OTHER


def test_what_is_noted_on_a_closed_case_is_told_where_the_household_lives_now() -> None:
    desk = a_closed_case()
    for number, kind in ((2, "moved"), (3, "raised")):
        (event,) = desk.warn(number, kind, community=OTHER, score=66)
        assert body(event)["data"]["case"] == "H1-1"
        assert seen_from(body(event), [COMMUNITY]) is None
        assert seen_from(body(event), [OTHER]) == body(event)


def test_whose_case_moves_away_sees_where_to_and_nothing_else_of_it() -> None:
    desk = Desk()
    desk.warn(1)
    moved = next(body(one) for one in desk.warn(2, "moved", community=OTHER, score=66) if one.type == "moved")
    assert seen_from(moved, [OTHER]) == moved
    seen = seen_from(moved, [COMMUNITY])
    assert seen is not None
    assert {name: seen[name] for name in ("id", "type", "subject")} == {
        name: moved[name] for name in ("id", "type", "subject")
    }
    assert seen["data"] == {
        "household": "H1", "case": "H1-1", "version": 2, "after": "new", "community": OTHER,
        "details": {"from": COMMUNITY, "to": OTHER},
    }  # fmt: skip
    assert seen_from(moved, ["420106999"]) is None
    moved["data"]["details"].pop("from")  # a move within a community, after a warning that was lost
    assert seen_from(moved, ["420107"]) is None
