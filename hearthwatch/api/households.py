"""``GET /v1/households/{id}``: a household's cases, its level, and why."""

from __future__ import annotations

from typing import Literal

from litestar import get

from hearthwatch.api.access import READERS, ROLES, Caller
from hearthwatch.api.parameters import HouseholdId
from hearthwatch.api.problems import answers, not_found
from hearthwatch.api.services import Behind
from hearthwatch.desk import HouseholdView, is_in
from hearthwatch.set_aside import SetAside


class HouseholdNow(HouseholdView, frozen=True, kw_only=True):
    """A household, and what it is judged without.

    Attributes:
        set_aside: events about it and its people that the program failed on, missing in the score until they
            are sent again; ``at`` is topic/partition@offset of the original.
    """

    set_aside: list[SetAside]


@get(
    "/v1/households/{household_id:str}",
    opt={ROLES: READERS},
    responses=answers(404),
    tags=["households"],
    operation_id="household",
)
async def show_household(
    request: Caller, services: Behind, household_id: HouseholdId, language: Literal["en", "zh"] = "en"
) -> HouseholdNow:
    """A household where it lives now: its cases, its level of today, and why."""
    found = await services.desk.household(household_id, language=language)
    if found is None or not is_in(found.community, request.user.communities):
        await services.record(request, "read", "household", "not-found", households=[household_id])
        raise not_found("household")
    await services.record(request, "read", "household", households=[found.id], rows=1)
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    return HouseholdNow(**fields, set_aside=await services.judged.without(found.id))
