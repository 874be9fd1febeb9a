"""One rule for whose a household is: what is listed, what is shown and what may be done agree."""

from __future__ import annotations

import pytest

from agents.case_index import NOWHERE
from casework.cases.commands import Actor, Role
from casework.cases.scopes import has_district, is_in
from hearthwatch.desk.desk import prefixes
from tests.casework.cases.a_case import COMMUNITY, DISTRICT, Desk

STREET, TOWN, OTHER_TOWN = COMMUNITY[:9], COMMUNITY[:6], "420107"


@pytest.mark.parametrize(
    ("community", "scope", "expected"),
    [
        (COMMUNITY, (COMMUNITY,), True),
        (COMMUNITY, (STREET,), True),
        (COMMUNITY, (OTHER_TOWN, TOWN), True),
        (COMMUNITY, (OTHER_TOWN,), False),
        (COMMUNITY, (), False),
        (None, (COMMUNITY,), False),
        (None, (STREET,), False),
        (None, (COMMUNITY, TOWN), True),
        (None, (OTHER_TOWN,), True),
        (None, (), False),
    ],
)
def test_what_is_listed_shown_and_done_is_the_same(
    community: str | None, scope: tuple[str, ...], expected: bool
) -> None:
    assert is_in(community, scope) is expected
    member = f"{community or NOWHERE}|"
    assert any(member.startswith(prefix) for prefix in prefixes(scope)) is expected
    for role in ("community", "street", "district"):
        desk = Desk()
        desk.warn(1, community=community)
        actor = Actor("x", role, scope)
        if expected:
            assert desk.send("acknowledge", actor).after == "acknowledged"
        else:
            assert desk.refused("acknowledge", actor) == "forbidden"


@pytest.mark.parametrize("role", ["community", "street", "district"])
def test_the_role_alone_opens_nothing(role: Role) -> None:
    desk = Desk()
    desk.warn(1, community=None)
    assert desk.refused("acknowledge", Actor("x", role, (STREET,))) == "forbidden"


def test_the_district_can_work_on_a_case_without_a_community_to_its_end() -> None:
    desk = Desk()
    desk.warn(1, community=None)
    assert has_district(DISTRICT.communities)
    desk.send("visit", DISTRICT, outcome="met")
    assert desk.send("close", DISTRICT, code="no-need").after == "closed"
    assert desk.send("reopen", DISTRICT, reason="a new fact").type == "reopened"
